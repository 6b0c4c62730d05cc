"""Faults injected into real processes: a gateway, a server behind it that misbehaves, callers before it."""
