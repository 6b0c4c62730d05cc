"""Fits and measures the attack rail."""
