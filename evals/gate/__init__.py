"""The gate: a candidate against what it would replace, on every metric. Yes, no, or it cannot be told."""
