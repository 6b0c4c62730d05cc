"""Real clients, unmodified, against a running gateway in front of a deterministic model server."""
