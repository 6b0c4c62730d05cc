"""Suites of one's own: what to ask, of whom, how to judge it; run, kept, and set against an earlier run."""
