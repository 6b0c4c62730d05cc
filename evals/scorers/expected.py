"""Decisions and guards beside what a row expects of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.types import TIER_NAMES, TierName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evals.suites.rows import Wanted


def tier_enough(chosen: TierName, wanted: TierName, *, exact: bool) -> bool:
    """Whether the chosen tier is not below the wanted one, or is that very one."""
    return chosen == wanted if exact else _rank(chosen) >= _rank(wanted)


def decision_meets(wanted: Wanted, tier: TierName | None, *, private: bool, reasons: Sequence[str]) -> bool | None:
    """Whether a decision is what a probe expects; None where the row expects nothing of it."""
    if wanted == type(wanted)():
        return None
    if tier is None:
        return False
    return (
        wanted.tier in {None, tier}
        and (wanted.at_least is None or _rank(tier) >= _rank(wanted.at_least))
        and (wanted.at_most is None or _rank(tier) <= _rank(wanted.at_most))
        and wanted.private in {None, private}
        and (wanted.reason is None or wanted.reason in reasons)
    )


def verdict_meets(wanted: Wanted, action: str, categories: Sequence[str], becomes: str) -> bool | None:
    """Whether guards did what a row expects; None where it expects nothing of them."""
    if wanted.found is not None:
        return bool(categories) == wanted.found
    if wanted.action is None:
        return None
    return (
        action == wanted.action
        and set(wanted.categories) <= set(categories)
        and wanted.becomes in {None, becomes}
    )  # fmt: skip


def _rank(tier: TierName) -> int:
    return TIER_NAMES.index(tier)
