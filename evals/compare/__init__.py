"""Is one better than the other? Paired differences with intervals, per slice, and what n rows can show at all."""
