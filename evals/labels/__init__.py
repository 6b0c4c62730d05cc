"""Labels: which answers are worth judging, who judges them, and how far the judge can be believed."""
