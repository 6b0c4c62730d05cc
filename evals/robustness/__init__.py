"""How easily a decision is moved by what means nothing, or by those who want to move it."""
