"""What a simulation says, as data: every figure with its interval, or the words why there is none."""

from __future__ import annotations

from collections.abc import Mapping

from router.types import Frozen


class Said(Frozen, frozen=True, kw_only=True):
    """A figure with its 95 % interval; ``value`` is None where nothing can be said, and ``why`` says why.

    ``n`` rows of ``stems`` questions are behind it.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    stems: int = 0
    why: str = ""


class Money(Frozen, frozen=True, kw_only=True):
    """US dollars a request: the candidate's, always-large's and the reference policy's; savings as shares of theirs."""

    cost: Said
    large: Said
    current: Said
    saving_large: Said
    saving_current: Said

    @classmethod
    def unknown(cls, why: str) -> Money:
        """Nothing can be said of any of it."""
        nothing = Said(why=why)
        return cls(cost=nothing, large=nothing, current=nothing, saving_large=nothing, saving_current=nothing)


class Slice(Frozen, frozen=True, kw_only=True):
    """One part of the traffic.

    ``change`` is the candidate's quality less the reference's, with an interval that holds for all slices together
    (Bonferroni over those that were looked at).
    """

    dimension: str
    name: str
    n: int
    stems: int
    quality: float | None = None
    change: Said = Said()
    thin: bool = False


class Slices(Frozen, frozen=True, kw_only=True):
    """The parts of one dimension.

    Attributes:
        looked_at: how many slices of all dimensions share the 5 % of error.
        worst: the one with the lowest change, of those that are not too thin; None where all are.
        thin: how many are too thin to say anything, and the share of rows in them.
        each: all that are not too thin, the worst first; filled for the dimension that was asked for.
    """

    dimension: str
    looked_at: int
    worst: Slice | None
    thin: int
    thin_share: float
    each: tuple[Slice, ...] = ()


class Evidence(Frozen, frozen=True, kw_only=True):
    """How the outcomes are known.

    Attributes:
        method: ``recorded`` where every tier's outcome is, ``doubly robust`` on a log.
        rows, ess, changed, unsupported, unknown, explored, mean_weight: see ``evals.tuning.counterfactual.Support``.
        ips, snips: the other estimators' quality, beside the doubly robust one.
        refused: why the log says nothing of quality; empty where it does. refused_money: the same of cost.
    """

    method: str
    rows: int
    ess: float | None = None
    changed: float | None = None
    unsupported: float | None = None
    unknown: float | None = None
    explored: int | None = None
    mean_weight: float | None = None
    ips: Said | None = None
    snips: Said | None = None
    refused: str = ""
    refused_money: str = ""


class Guards(Frozen, frozen=True, kw_only=True):
    """Shares of rows in which guards found something, and which they blocked."""

    found: Said
    blocked: Said


class Simulation(Frozen, frozen=True, kw_only=True):
    """What would have come of a policy.

    ``reference`` is what ``change``, ``moved`` and the slices compare with: the other policy, what was logged, or
    always-large.

    Attributes:
        rows, stems, source, fingerprint: what it was simulated on. left_out: why -> rows that could not be used.
        tiers: tier -> share of requests asked there first; ``none`` for those that no tier may serve.
        quality: mean outcome, 0..1. large: that of always-large. current: that of the reference policy.
        change: quality less the reference's. moved: share of the decisions that differ from the reference's.
        escalations: answers turned down, a request.
        latency: ``p50`` and ``p95`` in milliseconds.
        notes: what a reader must know.
    """

    policy: str
    hash: str
    against: str
    reference: str
    rows: int
    stems: int
    source: str
    fingerprint: str
    left_out: Mapping[str, int]
    tiers: Mapping[str, Said]
    quality: Said
    large: Said
    current: Said
    change: Said
    money: Money
    moved: Said
    latency: Mapping[str, Said]
    escalations: Said
    guards: Guards
    slices: tuple[Slices, ...]
    evidence: Evidence
    notes: tuple[str, ...]

    @property
    def refused(self) -> bool:
        """Whether the rows say nothing of quality and money."""
        return bool(self.evidence.refused)
