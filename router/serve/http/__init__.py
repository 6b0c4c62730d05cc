"""The wire: bytes of callers in, bytes of ours out. Knows nothing of tiers, guards or money."""
