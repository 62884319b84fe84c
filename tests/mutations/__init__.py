"""Mutations: real guests, broken one line at a time as a builder would break them, and the check that must notice.

The known-bad twins of tests/checks show that each check can fail; these show that the checks notice on trees of real
size and origin, and that they say nothing of the same trees when they are whole. `python -m tests.mutations FILE`
writes what came out as docs/trust.md.
"""
