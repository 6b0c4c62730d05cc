"""A loop as one HTML file: what was failing, what was learned, what it costs and saves, what got worse."""
