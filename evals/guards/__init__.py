"""How well the guards with rules find what they are for, what they cost, and all guards in one table."""
