"""The append-only store of decisions, usage and cost."""
