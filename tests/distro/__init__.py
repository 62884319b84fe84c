"""How distributions are described, found and read."""
