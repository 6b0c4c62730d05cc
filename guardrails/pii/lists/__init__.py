"""Lists of names, one a line; a question mark behind one that is also an ordinary word or place.

English first names and surnames: the most frequent of the United States census of 1990 (public domain), and
first names of other languages in our own selection. Korean given names: our own selection. Common words: the
English words that are written small most often.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def load(name: str) -> tuple[frozenset[str], frozenset[str]]:
    """The plain entries and the doubtful ones of ``name.txt``. Read once, on first use."""
    lines = files(__package__).joinpath(f"{name}.txt").read_text(encoding="utf-8").split()
    doubtful = frozenset(line[:-1] for line in lines if line.endswith("?"))
    return frozenset(line for line in lines if not line.endswith("?")), doubtful
