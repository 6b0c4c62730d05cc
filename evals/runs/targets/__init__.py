"""The kinds of targets, one module each; ``catalog.build`` makes the one a suite wants."""
