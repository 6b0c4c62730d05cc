"""The one home of limits and budgets, outside the cells: SQLite, or PostgreSQL where several machines share it."""
