"""What one process remembers between requests: bounded, forgetful, keyed by what cannot be read back."""
