"""What the gate reasons about: a metric, what is known of the gain in it, and what was found.

A *gain* is candidate minus current, turned so that more is better: a metric of which less is better (cost, errors)
has its sign changed. Shares of the current value are meant where ``relative`` is set.
"""

from __future__ import annotations

from typing import Literal

from router.types import Frozen

Verdict = Literal["yes", "no", "untold"]


class Metric(Frozen, frozen=True, kw_only=True):
    """How one metric is read.

    Attributes:
        higher_is_better: whether more of it is better.
        low, high: the ends of its scale; ``None`` where it has none.
        relative: its gain and margin are shares of the current value.
        margin: the loss that is put up with, >= 0; in the metric's own unit, or a share where ``relative``.
    """

    name: str
    higher_is_better: bool = True
    low: float | None = None
    high: float | None = None
    relative: bool = False
    margin: float

    @property
    def span(self) -> float | None:
        """The width of its scale."""
        return None if self.low is None or self.high is None else self.high - self.low


class Estimate(Frozen, frozen=True, kw_only=True):
    """What is known of one metric, over all rows or over those of a slice.

    Attributes:
        against: the label of what the candidate is compared with.
        where: the slice, e.g. ``language=ko``; empty for all rows.
        candidate, current: the metric's values on the rows that count; ``None`` where there is none.
        gain, low, high: with its 95 % interval; ``None`` where nothing can be said.
        p_worse, p_better: one-sided p-values of the hypotheses "not worse" and "not better".
        n, stems: rows, and questions among them; ``stems`` is what the interval rests on.
        left_out: rows that had no value on either side.
        why: one sentence where nothing, or less than usual, can be said.
    """

    metric: Metric
    against: str
    where: str = ""
    candidate: float | None = None
    current: float | None = None
    gain: float | None = None
    low: float | None = None
    high: float | None = None
    p_worse: float = 1.0
    p_better: float = 1.0
    n: int = 0
    stems: int = 0
    left_out: int = 0
    why: str = ""


class Finding(Frozen, frozen=True, kw_only=True):
    """An estimate, judged.

    Attributes:
        worse, better: shown, with the many metrics taken into account.
        needed: questions that would do. Of an untold figure: so that an equal candidate is told to be so in 80 % of
            trials. Of a told one: so that the same gain would just have been told. ``None`` where rows do not help.
        says: one sentence.
    """

    estimate: Estimate
    verdict: Verdict
    worse: bool
    better: bool
    needed: int | None
    says: str


class Ruling(Frozen, frozen=True, kw_only=True):
    """The whole answer.

    Attributes:
        verdict: of all.
        says: one sentence: why.
        findings: one for each metric and each thing that the candidate is compared with.
        slices: the slices that are shown to be worse, beyond their margin.
        slices_seen, slices_thin: how many slice figures were looked at, and how many of them could not have shown a
            loss as large as the margin.
        notes: what else must be known to read it.
    """

    verdict: Verdict
    says: str
    findings: tuple[Finding, ...]
    slices: tuple[Finding, ...] = ()
    slices_seen: int = 0
    slices_thin: int = 0
    notes: tuple[str, ...] = ()
