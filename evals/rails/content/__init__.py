"""Fits and measures the ``content`` guard: ``python -m evals.rails content --data DIR``."""
