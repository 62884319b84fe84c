"""Trees that were made to harm whoever judges them: nothing hangs, leaves the tree, runs, or reaches the terminal."""
