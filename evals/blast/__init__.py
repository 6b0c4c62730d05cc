"""Faults against real processes: cells behind a real proxy, in front of an upstream that misbehaves on request."""
