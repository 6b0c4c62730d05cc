"""The complexity classifier."""
