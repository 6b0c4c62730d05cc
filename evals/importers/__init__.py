"""Public data formats to our outcome rows."""
