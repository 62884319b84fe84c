"""Builds from beginning to end: what they make, what they refuse, and what is left when they are stopped."""
