"""Assertions in words: ``quality >= 0.8``, ``latency p95 <= 800 ms``, ``no worse than RUN by > 2%``.

``parse`` is the grammar; what a claim is worth on a run is ``evals.runs.checks``' business.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from policies.mistakes import Problem, refuse
from policies.schema import Name, Strict

Kind = Literal["quality", "score", "cost", "item-cost", "saving", "latency", "errors", "unjudged", "recall", "no-worse"]

RUN: Final = "RUN"
_NUMBER: Final = r"(?P<bound>\d+(?:\.\d+)?|\.\d+)\s*(?P<unit>%|usd|ms|s)?"
_COMPARED: Final = re.compile(
    r"(?P<what>[a-z0-9@ .%=-]+?)\s+(?P<surely>surely\s+)?(?P<sign>>=|<=)\s*" + _NUMBER, re.IGNORECASE
)
_NO_WORSE: Final = re.compile(r"no worse than (?P<than>\S+) by\s*>\s*" + _NUMBER, re.IGNORECASE)
_LATENCY: Final = re.compile(r"latency(?:\s+p(?P<quantile>\d{1,2}(?:\.\d+)?))?")
_RECALL: Final = re.compile(r"recall@fpr[ =]?\s*(?P<rate>\d+(?:\.\d+)?|\.\d+)\s*(?P<percent>%)?")
_SCORER: Final = re.compile(r"[a-z0-9][a-z0-9-]*")
_HINT: Final = (
    "write such as 'quality >= 0.8', 'cost <= 0.5 usd', 'cost per item <= 0.001 usd', 'saving >= 30%', "
    "'latency p95 <= 800 ms', 'errors <= 1%', 'unjudged <= 5%', 'recall@fpr 1% >= 90%', "
    "'no worse than RUN by > 2%'"
)
#: Kind -> the sign it is written with, and the units it takes.
_FORMS: Final[dict[Kind, tuple[str, frozenset[str]]]] = {
    "quality": (">=", frozenset({"", "%"})),
    "score": (">=", frozenset({"", "%"})),
    "cost": ("<=", frozenset({"usd"})),
    "item-cost": ("<=", frozenset({"usd"})),
    "saving": (">=", frozenset({"", "%"})),
    "latency": ("<=", frozenset({"ms", "s"})),
    "errors": ("<=", frozenset({"", "%"})),
    "unjudged": ("<=", frozenset({"", "%"})),
    "recall": (">=", frozenset({"", "%"})),
    "no-worse": (">", frozenset({"", "%"})),
}
_WITH_INTERVAL: Final = frozenset({"quality", "score", "saving", "errors", "unjudged", "recall"})


class Claim(NamedTuple):
    """An assertion, read.

    Attributes:
        bound: shares as 0..1, money in nano-dollars, time in milliseconds.
        surely: the end of the 95 % interval must keep the bound, not only the figure.
        scorer: whose score, for ``score``.
        quantile: of latency, 0..100; 50 where none is said.
        rate: the largest share of false alarms, for ``recall``.
        than: ``RUN``, a target of the same suite, or a run's id, for ``no-worse``.
    """

    kind: Kind
    bound: float
    surely: bool = False
    scorer: str = ""
    quantile: float = 50.0
    rate: float = 0.0
    than: str = ""


class ClaimError(ValueError):
    """It cannot be read; the hint shows the forms."""

    def __init__(self, words: str, hint: str = _HINT) -> None:
        super().__init__(words)
        self.hint = hint


def parse(text: str) -> Claim:
    """Read one assertion.

    Raises:
        ClaimError: it is none, its sign or unit does not fit what it speaks of.
    """
    words = text.strip()
    if found := _NO_WORSE.fullmatch(words):
        bound = _bound("no-worse", found)
        if not 0 < bound < 1:
            raise ClaimError("a difference lies between 0 and 1 (or 0% and 100%)", "no worse than RUN by > 2%")
        return Claim("no-worse", bound, than=found["than"])
    found = _COMPARED.fullmatch(words)
    if not found:
        raise ClaimError("this is no assertion")
    claim = _of(" ".join(found["what"].lower().split()))
    if found["surely"] and claim.kind not in _WITH_INTERVAL:
        raise ClaimError(f"{found['what']} has no interval, so nothing about it is sure", "leave out 'surely'")
    wanted = _FORMS[claim.kind][0]
    if found["sign"] != wanted:
        raise ClaimError(f"{found['what']} is bounded with {wanted}", "")
    return claim._replace(bound=_bound(claim.kind, found), surely=bool(found["surely"]))


def _of(what: str) -> Claim:
    if what in {"quality", "saving", "errors", "unjudged", "cost"}:
        return Claim(what, 0.0)  # type: ignore[arg-type]
    if what == "cost per item":
        return Claim("item-cost", 0.0)
    if found := _LATENCY.fullmatch(what):
        return Claim("latency", 0.0, quantile=float(found["quantile"] or 50))
    if found := _RECALL.fullmatch(what):
        rate = float(found["rate"]) / (100 if found["percent"] else 1)
        if rate >= 1:
            raise ClaimError("the rate of false alarms must be below 1 (or 100%)", "recall@fpr 1% >= 90%")
        return Claim("recall", 0.0, rate=rate)
    if _SCORER.fullmatch(what):
        return Claim("score", 0.0, scorer=what)
    raise ClaimError(f"nothing is called {what!r}")


def _bound(kind: Kind, found: re.Match[str]) -> float:
    unit = (found["unit"] or "").lower()
    if unit not in _FORMS[kind][1]:
        units = " or ".join(sorted(each or "a plain number" for each in _FORMS[kind][1]))
        raise ClaimError(f"the bound is in {unit or 'no unit'}; here it is in {units}", "")
    value = float(found["bound"])
    value *= {"%": 0.01, "usd": 1e9, "s": 1e3}.get(unit, 1.0)
    if unit in {"", "%"} and value > 1:
        raise ClaimError(f"a share runs from 0 to 1, or to 100%; found {found['bound']}{unit}", "")
    return value


def short_or_long(value: Any) -> str:
    """Which way something was written: as a text, or with settings."""
    return "text" if isinstance(value, str) else "settings"


class Assertion(Strict):
    """One assertion. A text alone is ``that``.

    Attributes:
        that: the assertion in words.
        of: the targets it is about; by default all that are asked (or all, where none is).
        where: only items with these slices, e.g. ``{language: ko}``.
        each: one assertion for every value of this slice; comparisons are then corrected for their number.
    """

    that: Annotated[str, Field(min_length=1, max_length=200)]
    of: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    where: dict[str, str] = Field(default_factory=dict)
    each: str | None = None

    @property
    def claim(self) -> Claim:
        """What it says."""
        return parse(self.that)

    @model_validator(mode="after")
    def _reads(self) -> Self:
        try:
            parse(self.that)
        except ClaimError as error:
            refuse([Problem(("that",), str(error), error.hint)])
        return self


def _in_short(that: str) -> Assertion:
    """A text alone is the assertion."""
    try:
        parse(that)
    except ClaimError as error:
        refuse([Problem((), str(error), error.hint)])
    return Assertion(that=that)


if TYPE_CHECKING:
    Asserted = Assertion  # what is left of both ways once it is read
else:
    Asserted = Annotated[
        Annotated[Assertion, Tag("settings")] | Annotated[str, AfterValidator(_in_short), Tag("text")],
        Discriminator(short_or_long),
    ]
