"""The guards: a library, text in, verdict out. Knows nothing of HTTP, tiers, policies or money."""
