"""What a run of a suite leaves: a header and one item for every answer that was judged.

A run is a folder: ``run.json`` (a ``Run``) and ``items.jsonl`` (an ``Item`` a line, ordered by target, id and
sample). Reports, comparisons and gates read nothing else. Money is integer nano-dollars, durations are
milliseconds, scores lie in 0..1 and more is better; ``None`` is *unknown*, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from router.types import Frozen, TierName

Verdict = Literal["pass", "fail", "error"]


class Item(Frozen, frozen=True, kw_only=True):
    """One answer of one target to one row of the data.

    Attributes:
        target: the suite's name for whom was asked.
        id: of the row; with ``target`` and ``sample`` it is unique within a run.
        sample: 0 for the first time the row was asked.
        stem: equal for rows that share a question; intervals are drawn over stems.
        slices: slice -> value, e.g. ``{"language": "ko"}``.
        prompt, answer, reference: texts, shown in reports inert and cut.
        scores: scorer -> score; a scorer that could not judge is absent.
        quality: the weighted mean of ``scores``; ``None`` where the answer could not be judged.
        error: why there is no answer or no quality; empty otherwise.
        tier: the tier that answered. tier_expected: the one that the data's author had in mind.
        cost_nano: of all attempts together. baseline_nano: what the large tier would have cost.
        cached: whether the answer came from the cache of an earlier run; then ``latency_ms`` is that call's.
        reason: the id of the decision's reason.
        alarm: the surest finding's score of guards that read the text, 0 where they found nothing.
        label: whether they should have found something, where the row says so.
    """

    target: str
    id: str
    sample: int = 0
    stem: str = ""
    slices: Mapping[str, str] = {}
    prompt: str = ""
    answer: str = ""
    reference: str = ""
    scores: Mapping[str, float] = {}
    quality: float | None = None
    error: str = ""
    tier: TierName | None = None
    tier_expected: TierName | None = None
    model: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_nano: int | None = None
    baseline_nano: int | None = None
    latency_ms: float | None = None
    cached: bool = False
    reason: str = ""
    p_right: Mapping[str, float] = {}
    alarm: float | None = None
    label: bool | None = None


class Check(Frozen, frozen=True, kw_only=True):
    """One assertion and what became of it.

    Attributes:
        says: the assertion in words, e.g. ``quality >= 0.8``.
        target: whom it is about.
        verdict: ``error`` where it could not be decided, which is no pass.
        value, low, high: the figure with its 95 % interval, in the assertion's own unit (shares 0..1, USD,
            milliseconds); ``None`` where there is none.
        why: one sentence.
    """

    says: str
    target: str
    verdict: Verdict
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    why: str = ""


class Run(Frozen, frozen=True, kw_only=True):
    """The header of a run.

    Attributes:
        id: names the folder; sorts by time.
        suite, suite_hash: which suite, and the hash of everything in it that decides.
        targets: their names, in the suite's order; the first is the one that a comparison is about.
        started, ended: ISO 8601, UTC; ``ended`` is empty while it is not finished.
        commit, machine: what was measured on what.
        rows, samples: of the data, and how often each row is asked.
        scorers, slices: their names.
        sees: the smallest difference of quality that the suite can show, at 80 % power; ``None`` where unknown.
        against: the run it was compared with; empty without one.
        calls, cached, errors: answers asked for, taken from the cache, and missing.
        spent_nano: money spent in this run; what the cache gave costs nothing.
    """

    id: str
    suite: str
    suite_hash: str
    about: str = ""
    targets: tuple[str, ...]
    started: str
    ended: str = ""
    command: str = ""
    commit: str = ""
    machine: str = ""
    rows: int = 0
    samples: int = 1
    scorers: tuple[str, ...] = ()
    slices: tuple[str, ...] = ()
    sees: float | None = None
    against: str = ""
    calls: int = 0
    cached: int = 0
    errors: int = 0
    spent_nano: int = 0
    verdict: Verdict = "error"
    checks: tuple[Check, ...] = ()
