"""What is said of a policy where a log knows only the tier that answered: it is estimated, or refused."""

from __future__ import annotations

from typing import Final

import numpy as np

from evals.tuning import clusters
from evals.tuning.counterfactual import NEGLIGIBLE, Logged, Support, logged, standing_of
from evals.tuning.result import Evidence, Money, Said
from evals.tuning.saying import bounded, dollars, said, saving, short
from evals.tuning.side import Side, Told, moved_share
from evals.tuning.slices import Compared
from evals.tuning.table import Codes, Floats, Table

#: Fewer chance answers than this make an interval of the normal distribution doubtful.
FEW_EXPLORED: Final = 30
#: A share of decisions above this is worth a note.
_WORTH_SAYING: Final = 0.0005


def from_log(candidate: Side, against: Side | None) -> Told:
    """Estimate it doubly robustly; where the log cannot show it, the figures are words."""
    table = candidate.table
    mine = logged(table, candidate.made.shares, table.quality, table.chance)
    theirs = None if against is None else logged(table, against.made.shares, table.quality, against.table.chance)
    refused = _refusal(mine.support, None if theirs is None else theirs.support, against)
    reference = "what was logged" if against is None else against.policy.name
    moved = 1.0 - _taken_by(candidate) if against is None else moved_share(candidate.made.shares, against.made.shares)
    money, refused_money = _money_of_log(candidate, against)
    unknown = Said(why=refused)
    stem = table.stem[mine.rows]
    other = mine.outcome if theirs is None else theirs.dr
    same = bool(np.array_equal(mine.dr, other))
    return Told(
        reference=reference,
        quality=unknown if refused else bounded(clusters.mean(mine.dr, stem)),
        large=Said(why="a log seldom shows what the large tier would have answered; --against names another policy"),
        current=unknown if refused and against else bounded(clusters.mean(other, stem)) if len(stem) else unknown,
        change=unknown if refused else said(clusters.paired(mine.dr, other, stem, same=same)),
        moved=_changed(moved, table) if against is None else said(clusters.share(moved, table.stem)),
        evidence=_evidence(mine, stem, refused, refused_money),
        compared=None if refused else Compared(mine.rows, mine.dr, other, moved[mine.rows] > 0, mine.weight),
        notes=_log_notes(mine.support, len(table), against, table),
        money=money,
    )


def _changed(moved: Floats, table: Table) -> Said:
    """How many of the log's likely decisions the candidate changes; what exploring drew does not count as one."""
    standing = standing_of(table.propensity)
    if not standing.any():
        return Said(why="the log holds no decision that was likely")
    return bounded(clusters.ratio(moved * standing, standing, table.stem))


def _taken_by(side: Side) -> Floats:
    """(n,): the share that a policy gives to the tier that was taken."""
    taken = np.maximum(side.table.taken, 0).astype(np.int64)
    share: Floats = np.take_along_axis(side.made.shares, taken[:, None], axis=1)[:, 0]
    return share


def _refusal(mine: Support, theirs: Support | None, against: Side | None) -> str:
    if mine.refusal or theirs is None or against is None:
        return mine.refusal
    return f"of {against.policy.name}: {theirs.refusal}" if theirs.refusal else ""


def _money_of_log(candidate: Side, against: Side | None) -> tuple[Money, str]:
    table = candidate.table
    large = table.cost[:, -1] if table.baseline is None else table.baseline
    priced = ~np.isnan(large)
    within = priced if priced.any() else None
    mine = logged(table, candidate.made.shares, table.cost, table.guess, within)
    theirs = None if against is None else logged(table, against.made.shares, table.cost, against.table.guess, within)
    refused = _refusal(mine.support, None if theirs is None else theirs.support, against)
    if refused:
        return Money.unknown(refused), refused
    stem, reference = table.stem[mine.rows], mine.outcome if theirs is None else theirs.dr
    nothing = Said(why="the large tier has no known price")
    whole = large[mine.rows]
    found = Money(
        cost=dollars(mine.dr, stem),
        large=dollars(whole, stem) if within is not None else nothing,
        current=dollars(reference, stem),
        saving_large=saving(mine.dr, whole, stem) if within is not None else nothing,
        saving_current=saving(mine.dr, reference, stem),
    )
    return found, ""


def _evidence(mine: Logged, stem: Codes, refused: str, refused_money: str) -> Evidence:
    about = mine.support
    ips = snips = None
    if not refused:
        ips = said(clusters.mean(mine.ips, stem))
        snips = said(clusters.ratio(mine.ips, mine.weight, stem))
    return Evidence(
        method="doubly robust",
        rows=about.rows,
        ess=short(about.ess),
        changed=short(about.changed),
        unsupported=short(about.unsupported),
        unknown=short(about.unknown),
        explored=about.explored,
        mean_weight=short(about.mean_weight),
        ips=ips,
        snips=snips,
        refused=refused,
        refused_money=refused_money,
    )


def _log_notes(support: Support, rows: int, against: Side | None, table: Table) -> tuple[str, ...]:
    notes: list[str] = []
    if support.rows < rows:
        notes.append(
            f"{support.rows:,} of {rows:,} answers were judged: quality speaks of those; the rest may be otherwise"
        )
    if support.unsupported > _WORTH_SAYING:
        notes.append(
            f"{support.unsupported:.1%} of the decisions could not have been made by the log's policy: there the "
            "figures are the scorer's word, and no interval covers its error"
        )
    if support.rows and not support.refusal and support.changed > NEGLIGIBLE and support.explored < FEW_EXPLORED:
        words = f"only {support.explored} answers of explored tiers show what changed decisions do"
        notes.append(f"{words}: the intervals are rough")
    if support.unknown > _WORTH_SAYING:
        notes.append(
            f"{support.unknown:.1%} of the answers came through a cascade or from a tier that stood in for another: "
            "how probable they were is unknown, and they correct nothing"
        )
    turned = table.facts.get("in_session")
    if turned is not None and turned.any():
        notes.append(
            f"in {turned.mean():.1%} of the requests a conversation's turn or session had a say, which a simulation "
            "of single requests does not follow"
        )
    if against is not None and (never := float(np.mean(_taken_by(against) <= 0))) > 0.05:
        notes.append(f"{never:.1%} of the logged decisions are none that {against.policy.name} would make")
    return tuple(notes)
