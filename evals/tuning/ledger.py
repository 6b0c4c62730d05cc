"""A table from a ledger: each row knows what was served, how probable that was, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import numpy as np

from evals.tuning.reading import Part, read
from evals.tuning.table import Codes, Floats, Labels, Mask, Table, Tiers, signed
from router.ledger.decisions import Kind, judgements
from router.ledger.place import Place
from router.ledger.read import EVERYTHING, Span
from router.types import TIER_NAMES

#: Why rows are left out.
BLOCKED: Final = "stopped by a guard before any model was asked"
NO_TIER: Final = "no tier answered"
_COLUMN: Final[dict[str, int]] = {tier: column for column, tier in enumerate(TIER_NAMES)}


def from_ledger(path: Place, span: Span = EVERYTHING, *, profile: str = "generic") -> Table:
    """The requests that some tier answered and that were scored for this family, or not scored at all.

    A request's propensity is what its decision said; 1 where the caller or the operator chose; unknown (NaN) where a
    cascade chose, or a stand-in after a failure. Requests of one session (else: of equal prompts) share a stem.

    Args:
        path: the ledger.
        span: which requests.
        profile: the family profile that the simulated policy scores by; rows scored for another are left out.

    Raises:
        LedgerError: there is no such ledger, or it has another shape.
    """
    part = read(path, span)
    why = [_left_out(kind, profile) for kind in part.kinds]
    reasons = sorted(set(why) - {""})
    of_row = _each(part, [reasons.index(name) if name else -1 for name in why])
    quality = _judged(path, part)
    table = _table(part, quality, profile).rows(np.flatnonzero(of_row < 0))
    left_out = {name: int(np.count_nonzero(of_row == place)) for place, name in enumerate(reasons)}
    return signed(replace(table, source=_source(table), left_out={k: n for k, n in left_out.items() if n}))


def _left_out(kind: Kind, profile: str) -> str:
    if kind.guard_in == "block":
        return BLOCKED
    if kind.served not in _COLUMN:
        return NO_TIER
    return "" if kind.family in {"", profile} else f"scored for family {kind.family!r}, not {profile!r}"


def _each(part: Part, of_kind: Sequence[float]) -> Floats:
    """What is said of each kind, for each row."""
    said: Floats = np.array(of_kind, dtype=np.float64)[part.kind]
    return said


def _judged(path: Place, part: Part) -> Floats:
    """(n,): the mean judgement of each answer; NaN where nobody judged it. Rows lie in the order of the file."""
    quality = np.full(len(part.row), np.nan)
    found = judgements(path)
    if found and len(part.row):
        rows = np.array([row for row, _ in found], dtype=np.int64)
        at = np.minimum(np.searchsorted(part.row, rows), len(part.row) - 1)
        here = part.row[at] == rows
        quality[at[here]] = np.array([score for _, score in found])[here]
    return quality


def _propensity(kind: Kind) -> tuple[float, float]:
    """A factor and an offset that make of a recorded propensity what it was: itself, 1, or unknown."""
    if kind.mode != "routed":
        return 0.0, 1.0
    swapped = kind.stood_in and kind.served != kind.wanted
    return (np.nan, 0.0) if kind.climbed or kind.escalated or swapped else (1.0, 0.0)


def _table(part: Part, quality: Floats, profile: str) -> Table:
    n = len(part.row)
    taken = _each(part, [_COLUMN.get(kind.served, 0) for kind in part.kinds]).astype(np.int8)
    asked = [_COLUMN.get(kind.wanted, -1) if kind.mode == "direct" else -1 for kind in part.kinds]
    factor, offset = ([_propensity(kind)[k] for kind in part.kinds] for k in (0, 1))

    def label(words: Sequence[str]) -> Labels:
        return _coded(words, part.kind)

    def flag(flags: Sequence[bool]) -> Mask:
        return np.array(flags, dtype=bool)[part.kind]

    kinds = part.kinds
    return Table(
        tiers=TIER_NAMES,
        quality=_only(quality, taken),
        cost=_only(part.cost, taken),
        chance=part.chance,
        guess=part.guess,
        latency=_only(part.total_ms, taken),
        novelty=part.novelty,
        input_tokens=part.input_tokens,
        stem=_stems(part.cluster, len(part.clusters)),
        slices={
            "tenant": label([kind.tenant for kind in kinds]),
            "tag": label([kind.tag for kind in kinds]),
            "language": _coded(part.languages, part.language),
            "findings": _coded(part.findings, part.finding),
        },
        at_ms=part.at_ms,
        taken=taken,
        propensity=part.propensity * _each(part, factor) + _each(part, offset),
        source=f"{n:,} requests",
        fingerprint="",
        facts={
            "tools": part.tools,
            "images": part.images,
            "found": flag([kind.found for kind in kinds]),
            "blocked": flag([kind.outcome == "blocked_output" for kind in kinds]),
            "in_session": flag([kind.turned for kind in kinds]),
            "escalated": flag([kind.escalated for kind in kinds]),
        },
        profile=profile,
        asked=_each(part, asked).astype(np.int8) if any(place >= 0 for place in asked) else None,
        output_limit=part.output_limit,
        baseline=part.baseline,
    )


def _coded(words: Sequence[str], codes: Codes) -> Labels:
    """Labels of rows that point into words, some of which may be equal."""
    labels = Labels.of(words)
    return Labels(labels.names, labels.codes[codes] if len(words) else codes)


def _stems(cluster: Codes, clusters: int) -> Codes:
    """Rows that stand alone get a stem of their own, behind the named ones."""
    alone = cluster < 0
    stem = cluster.copy()
    stem[alone] = clusters + np.arange(np.count_nonzero(alone), dtype=np.int32)
    return stem


def _only(values: Floats, taken: Tiers) -> Floats:
    """(n, 3): known for the tier that was taken."""
    whole = np.full((len(values), len(TIER_NAMES)), np.nan)
    whole[np.arange(len(values)), taken] = values
    return whole


def _source(table: Table) -> str:
    if not len(table):
        return "no requests"
    first, last = (datetime.fromtimestamp(ms / 1000, UTC).date() for ms in (table.at_ms.min(), table.at_ms.max()))
    return f"{len(table):,} requests, {first} to {last}"
