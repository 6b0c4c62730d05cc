"""What rows of one's own traffic are worth."""
