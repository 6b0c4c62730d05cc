"""Typed, numbered placeholders: the same value gets the same number within one request, and can be put back.

Knows the values it hides, for as long as the request lives, and never shows them but in restored text.
"""

from __future__ import annotations

import json
import re

_NUMBER_LIKE = re.compile(r"[0-9 ()+.\-]+")
_SEPARATORS = str.maketrans("", "", " ()-")
_NAME = re.compile(r"\[([A-Z][A-Z0-9_-]*)_([0-9]{1,9})\]", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")


class Placeholders:
    """Hands out ``[EMAIL_1]``, ``[EMAIL_2]``, ... Make one per request and pass it to every check.

    ``010-1234-5678`` and ``01012345678`` are one value; anything that is not a number is compared
    as it is written. What is put back is the value as it was first written.
    """

    __slots__ = ("_counts", "_names", "_taken", "_values")

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}
        self._values: dict[str, str] = {}
        self._taken: set[str] = set()

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:  # never the values: they are what is being hidden
        return f"Placeholders({len(self._names)} values)"

    def reserve(self, text: str) -> None:
        """Never hand out a placeholder that already stands in ``text``: it would be put back as another's value."""
        if "[" in text:
            self._taken.update(match.group() for match in _NAME.finditer(text))

    def name(self, category: str, value: str, written: str | None = None) -> str:
        """The placeholder of ``value``: a new one, or the one it already has.

        Args:
            category: its type.
            value: as the recognisers read it.
            written: as it stood in the text, which is what is put back; ``value`` if not given.
        """
        plain = value.translate(_SEPARATORS) if _NUMBER_LIKE.fullmatch(value) else value
        key = (category, plain)
        found = self._names.get(key)
        if found is None:
            found = self._names[key] = self._next(category)
            self._values[found] = value if written is None else written
        return found

    def _next(self, category: str) -> str:
        while True:
            count = self._counts[category] = self._counts.get(category, 0) + 1
            if (name := f"[{category}_{count}]") not in self._taken:
                return name

    def snapshot(self) -> Placeholders:
        """What is known now, apart: values that are hidden later are not put back by it."""
        other = Placeholders()
        other._values = dict(self._values)
        return other

    def restore(self, text: str, *, in_json: bool = False) -> str:
        """``text`` with the values back in the place of their placeholders; see ``Restorer``."""
        restorer = self.restorer(in_json=in_json)
        return restorer.feed(text) + restorer.finish()

    def hide(self, text: str) -> str:
        """``text`` with placeholders in the place of the values that are known: what ``restore`` undoes.

        A longer value goes before a shorter one that is a part of it.
        """
        for name, value in sorted(self._values.items(), key=lambda each: -len(each[1])):
            if value:
                text = text.replace(value, name)
        return text

    def restorer(self, *, in_json: bool = False) -> Restorer:
        """Puts back the values that are known now, in a text that arrives in pieces.

        A value that is hidden later (in the answer itself) is not put back by it.

        Args:
            in_json: the text is JSON and placeholders stand inside its strings: values are escaped for there.
        """
        values = self._values
        return Restorer({name: _escaped(value) for name, value in values.items()} if in_json else dict(values))


class Restorer:
    """Puts values back. In pieces as in one: only the beginning of a known placeholder is held back.

    A placeholder counts only as it was handed out, letter by letter. What is put back is not looked at again.
    """

    __slots__ = ("_begun", "_held", "_values")

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values
        self._begun = frozenset(name[:size] for name in values for size in range(1, len(name)))
        self._held = ""

    def __repr__(self) -> str:  # never the values
        return f"Restorer({len(self._values)} values)"

    @property
    def held(self) -> int:
        """Code points that came in and did not leave yet: fewer than the longest placeholder has."""
        return len(self._held)

    def feed(self, delta: str) -> str:
        """Take the next piece; return what can leave now."""
        text = self._held + delta
        # No placeholder holds a second bracket, so only the last one can be the beginning of one.
        begin = text.rfind("[")
        open_ = begin >= 0 and text[begin:] in self._begun
        self._held = text[begin:] if open_ else ""
        return _NAME.sub(self._put_back, text[:begin] if open_ else text)

    def finish(self) -> str:
        """No more text comes: what was held is no placeholder."""
        held, self._held = self._held, ""
        return held

    def _put_back(self, match: re.Match[str]) -> str:
        return self._values.get(match.group(), match.group())


def _escaped(value: str) -> str:
    """As it stands between the quotation marks of a JSON string."""
    return json.dumps(value, ensure_ascii=_SURROGATE.search(value) is not None)[1:-1]
