"""What following a policy would have changed, and how far to trust that forecast."""
