"""Measures and learns, offline. Serving never imports this room."""
