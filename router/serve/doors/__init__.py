"""One file for each route or family of routes that a caller may ask: what is said there, in whose protocol."""
