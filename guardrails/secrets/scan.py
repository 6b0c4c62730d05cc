"""Finds every marker in one pass, then reads the format at each of them."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from ahocorasick_rs import AhoCorasick

from guardrails.matching import LEFT, Hit, make_hit, run_start
from guardrails.secrets.formats import FORMATS, SPARE, Format

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guardrails.types import Action


@dataclass(frozen=True, slots=True)
class SecretFamily:
    """All formats that share one fate (enforced or only reported).

    Every occurrence of a marker is judged by itself, so nothing depends on where the last one ended.
    """

    formats: tuple[tuple[Format, ...], ...]  # by index of the marker
    markers: AhoCorasick
    begun: frozenset[str]  # every proper beginning of a marker
    letters: str  # all that markers are made of
    longest: int
    by_category: Mapping[str, Action]
    allow: frozenset[str]
    item: int
    guard: str

    width = 1
    digits = False
    left = LEFT

    @classmethod
    def of(
        cls, actions: Mapping[str, Action], allow: frozenset[str], item: int, guard: str = "secrets"
    ) -> SecretFamily:
        """The family of the formats that ``actions`` names."""
        by_marker: dict[str, list[Format]] = {}
        for form in FORMATS:
            if form.category in actions:
                for marker in form.markers:
                    by_marker.setdefault(marker, []).append(form)
        return cls(
            formats=tuple(tuple(forms) for forms in by_marker.values()),
            markers=AhoCorasick(list(by_marker)),
            begun=frozenset(marker[:size] for marker in by_marker for size in range(1, len(marker))),
            letters="".join(sorted(set("".join(by_marker)))),
            longest=max(map(len, by_marker)),
            by_category=dict(actions),
            allow=allow,
            item=item,
            guard=guard,
        )

    @property
    def actions(self) -> frozenset[Action]:
        """Those of its formats."""
        return frozenset(self.by_category.values())

    @property
    def hold(self) -> int:
        """The longest format."""
        return max(form.limit + SPARE for forms in self.formats for form in forms)

    def scan(self, text: str, positions: list[int], last: bool) -> tuple[list[Hit], int]:
        """See ``matching.Family``."""
        start = positions[0]
        # Markers are short and distinct: overlapping search costs no more than the text is long.
        part = text[start:] if start else text
        places = self.markers.find_matches_as_indexes(part, overlapping=True)
        live = len(text) if last else self._live(text, start, places)
        hits: list[Hit] = []
        if not places:
            positions[0] = max(start, live)
            return hits, live
        for index, offset, _ in places:
            begin = start + offset
            if begin < live:
                hits.extend(hit for form in self.formats[index] if (hit := self._read(form, text, begin)))
        positions[0] = max(start, live)
        return hits, live

    def _live(self, text: str, start: int, places: list[tuple[int, int, int]]) -> int:
        """Where the first format or marker begins that could still be completed."""
        marker = self._live_marker(text)
        for index, offset, _ in sorted(places, key=itemgetter(1)):
            if any(form.live(text, start + offset) for form in self.formats[index]):
                return min(marker, start + offset)
        return marker

    def _live_marker(self, text: str) -> int:
        size = len(text)
        for offset in range(run_start(text, self.letters, self.longest - 1), size):
            if text[offset:] in self.begun:
                return offset
        return size

    def _read(self, form: Format, text: str, begin: int) -> Hit | None:
        match = form.pattern.match(text, begin)
        if match is None:
            return None
        start, end = match.span(form.group)
        value = text[start:end]
        if value in self.allow or not form.judge(value):
            return None
        overlong = match.end() - begin >= form.limit
        end = min(end, begin + form.limit)
        return make_hit(
            (start, end),
            form.score,
            form.category,
            self.by_category[form.category],
            guard=self.guard,
            item=self.item,
            overlong=overlong,
        )
