"""Fits and measures the learned rails: ``python -m evals.rails``."""
