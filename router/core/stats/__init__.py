"""Intervals and tests that serving and measuring share. Pure: numbers in, numbers out."""
