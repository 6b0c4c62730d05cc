"""Answers of a teacher for rows that have none: asked within a budget, paid once, masked, joined."""
