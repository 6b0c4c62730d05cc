"""Changing the text of a policy where it must change, and nowhere else. Pure: text in, text out.

Comments, order, quotes and line ends stay: only the letters of the values that differ are replaced. The caller loads
the new text to see that it says what was meant.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from itertools import pairwise

from policies.mistakes import Path
from policies.nodes import Node, parse
from policies.schema import TierName

_BARE = re.compile(r"[a-zA-Z][a-zA-Z0-9]*[._-][a-zA-Z0-9._-]*")
_LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
#: A new aim is written below the last of these that the file has.
_ABOVE_AN_AIM = ("stillhouse", "name", "description", "extends", "family", "tiers", "fallback_tier")
_AIMS = ("cost_quality", "budget")
_KINDS = ("keep", "lose", "floor")


class CannotEdit(ValueError):
    """The text has a form in which a change would touch more than it should; says what to write by hand."""


def set_quality(text: str, kind: str, figures: Mapping[TierName, float]) -> str:
    """The text of a policy with ``quality: {kind: {tier: figure, ...}}`` as its aim.

    Raises:
        Mistakes: the text is no YAML.
        CannotEdit: the aim stands in an alias.
    """
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    text = text.removeprefix(mark)
    root, _ = parse(text, file="policy")
    spot = _Spots(text)
    each = ", ".join(f"{tier}: {figure:g}" for tier, figure in figures.items())
    return mark + _changed(text, root, spot, kind, figures, f"{{{each}}}")


def _changed(text: str, root: Node, spot: _Spots, kind: str, figures: Mapping[TierName, float], words: str) -> str:
    quality = root.step("quality")
    if quality is not None:
        told = [name for name in _KINDS if quality.step(name) is not None]
        here = quality.step(kind)
        if told == [kind] and here is not None and _same_tiers(here, figures):
            steps = ((here.step(tier), f"{figure:g}") for tier, figure in figures.items())
            return spot.replaced((*spot.of(node), new) for node, new in steps if node is not None)
        if len(told) == 1:
            start, end = spot.entry(root, ("quality", told[0]))
            return spot.replaced([(start, end, f"{kind}: {words}")])
        raise CannotEdit(f"write by hand: quality: {{{kind}: {words}}}")
    line = f"quality: {{{kind}: {words}}}"
    for aim in _AIMS:
        if root.step(aim) is not None:
            return spot.replaced([(*spot.entry(root, (aim,)), line)])
    return _added(text, root, spot, line)


def set_entry(text: str, key: str, words: str) -> str:
    """The text of a policy with ``key: words`` at its top, in the place of what it says there, if it says something.

    Raises:
        Mistakes: the text is no YAML.
        CannotEdit: what it says there stands in an alias.
    """
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    text = text.removeprefix(mark)
    root, _ = parse(text, file="policy")
    spot, line = _Spots(text), f"{key}: {words}"
    if root.step(key) is not None:
        return mark + spot.replaced([(*spot.entry(root, (key,)), line)])
    return mark + _added(text, root, spot, line)


def set_models(text: str, models: Mapping[TierName, Iterable[str]], profile: str | None) -> str:
    """The text of a policy that names these models, with the profile that was made for them; None takes none.

    Raises:
        Mistakes, CannotEdit: as of ``set_entry``; or a profile stands there, and none is to be.
    """
    each = ", ".join(f"{tier}: [{', '.join(map(_quoted, names))}]" for tier, names in models.items())
    text = set_entry(text, "models", f"{{{each}}}")
    if profile is not None:
        return set_entry(text, "profile", _quoted(profile))
    if parse(text.removeprefix("\ufeff"), file="policy")[0].step("profile") is not None:
        raise CannotEdit("its profile is about other models, and there is no scorer to make one: take it out by hand")
    return text


def _quoted(words: str) -> str:
    """In double quotes, where a bare word could be read as something else, as 64 digits may."""
    return words if _BARE.fullmatch(words) else json.dumps(words, ensure_ascii=False)


def _added(text: str, root: Node, spot: _Spots, line: str) -> str:
    """A line below what stands at the top of a policy."""
    above = [node for node in map(root.step, _ABOVE_AN_AIM) if node is not None]
    if not above:
        raise CannotEdit(f"write by hand: {line}")
    end = spot.at(max(node.end for node in above))
    if text[spot.at((root.line, root.column))] == "{":
        return spot.replaced([(end, end, f", {line}")])
    found = _LINE_END.search(text, end)
    if found is None:
        ends = _LINE_END.search(text)
        return text + (ends[0] if ends else "\n") + line
    return spot.replaced([(found.end(), found.end(), line + found[0])])


def _same_tiers(node: Node, figures: Mapping[TierName, float]) -> bool:
    return isinstance(node.value, Mapping) and set(node.value) == set(figures)


class _Spots:
    """Lines and columns of a text as offsets into it."""

    def __init__(self, text: str) -> None:
        self.text = text
        ends = [found.end() for found in _LINE_END.finditer(text)]
        self._starts = [0, *ends]

    def at(self, place: tuple[int, int]) -> int:
        return self._starts[place[0] - 1] + place[1] - 1

    def of(self, node: Node) -> tuple[int, int]:
        return self.at((node.line, node.column)), self.at(node.end)

    def entry(self, root: Node, path: Path) -> tuple[int, int]:
        """From the first letter of a key to the end of its value."""
        node, seen = root.find(path)
        if seen != path or (node.line, node.column) >= node.end:
            raise CannotEdit(f"{'.'.join(map(str, path))} stands in an alias; write it by hand")
        return self.at(root.place(path, on_key=True)), self.at(node.end)

    def replaced(self, parts: Iterable[tuple[int, int, str]]) -> str:
        """The text with each span replaced."""
        spans = sorted(parts)
        if any(before > after for (_, before, _), (after, _, _) in pairwise(spans)):
            raise CannotEdit("two values share their letters; write it by hand")
        out, done = [], 0
        for start, end, new in spans:
            out += [self.text[done:start], new]
            done = end
        return "".join([*out, self.text[done:]])
