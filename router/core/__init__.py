"""The pure core: no I/O, no clock, no randomness; they come in as arguments."""
