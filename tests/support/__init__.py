"""What the project's tests share: requirements, made trees, stand-in agents."""
