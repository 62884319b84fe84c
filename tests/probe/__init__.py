"""The diagnostic agent, as a program and in a booted guest."""
