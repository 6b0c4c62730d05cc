"""What moved a score, in words for people: parts with signs and sizes that add up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from router.score import Scorer

PARTS: Final = 5  # parts of the score that are named
GRAMS: Final = 5  # words or pairs of words that are named

#: The scorer's groups of features, as a sentence would put them. A group it does not list is named as it is.
_SAID: Final[Mapping[str, str]] = {
    "typical prompt": "where a typical prompt stands",
    "wording": "the words it uses",
    "length": "how long it is",
    "words": "how long its words are",
    "numbers": "its numbers",
    "math": "its formulas and operators",
    "code": "its code, brackets and tables",
    "options": "its options, lists and short lines",
    "questions": "its questions and punctuation",
    "language": "the script it is written in",
}


class Part(NamedTuple):
    """One cause.

    Attributes:
        name: the scorer's own name. words: for people.
        logit: its push on ``logit(complexity)``; positive is harder.
        points: the same in percentage points of complexity.
    """

    name: str
    words: str
    logit: float
    points: float


class Moved(NamedTuple):
    """Causes of one score.

    ``parts[0]`` is the typical prompt (its points are that prompt's complexity); the points of all parts add up to
    the complexity in per cent, their logits to its logit. ``grams`` split the part of the wording: those of the
    strongest words, what the other words add, and what an average prompt's words would have added, taken off.
    """

    parts: tuple[Part, ...]
    grams: tuple[Part, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "moved": [_plain(part, "part") for part in self.parts],
            "wording": [_plain(gram, "gram") for gram in self.grams],
        }

    def rows(self) -> list[tuple[str, str, str, str]]:
        """For a table: the strongest parts, the words below theirs, the rest in one line, and the sums."""
        strongest = self.parts[: PARTS + 1]
        shown = [part for part in self.parts if part in strongest or part.name == "wording"]
        rest = [part for part in self.parts if part not in shown]
        rows = []
        for part in shown:
            rows.append(_row(part.words, part.logit, part.points, typical=part is self.parts[0]))
            if part.name == "wording":
                rows += [_row(f"  {gram.words}", gram.logit, gram.points) for gram in self.grams]
        if rest:
            rows.append(_row("all else", sum(p.logit for p in rest), sum(p.points for p in rest)))
        logit, points = sum(part.logit for part in self.parts), sum(part.points for part in self.parts)
        rows.append(("together", f"{logit:+.2f}", f"{points:.1f}", f"complexity {points / 100:.2f}"))
        return rows


def moved(scorer: Scorer, prompt: str, family: str) -> Moved:
    """The causes of a prompt's score."""
    (first, base), *others = scorer.explain(prompt, family)
    rate = 100 * mean_slope(base, base + sum(push for _, push in others))
    parts = (
        Part(first, _said(first), base, 100 * _sigmoid(base)),
        *(Part(name, _said(name), push, push * rate) for name, push in others),
    )
    (_, average), *grams = scorer.wording(prompt, family)
    return Moved(parts, tuple(Part(*gram, gram[2] * rate) for gram in _grams(grams, average)))


def _grams(grams: Sequence[tuple[str, float]], average: float) -> list[tuple[str, str, float]]:
    named = [(gram, f'"{gram}"', push) for gram, push in grams[:GRAMS]]
    rest = sum(push for _, push in grams[GRAMS:])
    return [
        *named,
        ("", f"{max(0, len(grams) - GRAMS)} other words and pairs", rest),
        ("", "less an average prompt's", average),
    ]


def mean_slope(begin: float, end: float) -> float:
    """The mean slope of the logistic curve between two logits: what turns pushes into points that add up."""
    if abs(end - begin) < 1e-6:
        middle = _sigmoid((begin + end) / 2)
        return middle * (1 - middle)
    return (_sigmoid(end) - _sigmoid(begin)) / (end - begin)


def _sigmoid(logit: float) -> float:
    return 0.5 * (1 + math.tanh(logit / 2))


def _said(name: str) -> str:
    return _SAID.get(name, name)


def _plain(part: Part, key: str) -> dict[str, Any]:
    named = part.name or part.words
    return {key: named, "words": part.words, "logit": round(part.logit, 4), "points": round(part.points, 2)}


def _row(words: str, logit: float, points: float, *, typical: bool = False) -> tuple[str, str, str, str]:
    direction = "" if typical else "no matter" if abs(points) < 0.05 else "harder" if logit > 0 else "easier"
    return words, f"{logit:+.2f}", f"{points:.1f}" if typical else f"{points:+.1f}", direction
