"""Scorers: an answer and a row in, a score 0..1 out, or why there is none. Pure."""
