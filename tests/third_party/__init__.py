"""Trees that others made and that were never meant for Kata: exactly what is found in each, and why that is right."""
