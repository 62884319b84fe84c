"""The places where a build can run, and that they all give the same result."""
