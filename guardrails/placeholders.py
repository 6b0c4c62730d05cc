"""Typed, numbered placeholders: the same value gets the same number within one request."""

from __future__ import annotations

import re

_NUMBER_LIKE = re.compile(r"[0-9 ()+.\-]+")
_SEPARATORS = str.maketrans("", "", " ()-")


class Placeholders:
    """Hands out ``[EMAIL_1]``, ``[EMAIL_2]``, ... Make one per request and pass it to every check.

    ``010-1234-5678`` and ``01012345678`` are one value; anything that is not a number is compared
    as it is written.
    """

    __slots__ = ("_counts", "_names")

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:  # never the values: they are what is being hidden
        return f"Placeholders({len(self._names)} values)"

    def name(self, category: str, value: str) -> str:
        """The placeholder of ``value``: a new one, or the one it already has."""
        if _NUMBER_LIKE.fullmatch(value):
            value = value.translate(_SEPARATORS)
        key = (category, value)
        found = self._names.get(key)
        if found is None:
            count = self._counts.get(category, 0) + 1
            self._counts[category] = count
            found = self._names[key] = f"[{category}_{count}]"
        return found
