"""The face: the command line and the public API."""
