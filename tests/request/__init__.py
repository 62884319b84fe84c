"""What a user may say in options, variables and files, and what it comes to."""
