"""Damage at random: whatever is read, only our own errors come out, and nothing hangs."""
