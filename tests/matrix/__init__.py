"""Many builds from one description."""
