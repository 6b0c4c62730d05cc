"""Intervals and tests that serving and measuring share. Pure: no clock, no dice; numbers in, numbers out."""
