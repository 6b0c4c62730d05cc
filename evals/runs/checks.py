"""What a suite asserts, decided on the items of a run. What could not be decided is an error, which is no pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from evals.runs import figures
from evals.runs.figures import Figure
from evals.runs.record import Check, Verdict
from evals.suites.claims import RUN
from evals.suites.grammar import targets_of

if TYPE_CHECKING:
    from evals.runs.record import Item
    from evals.suites.claims import Assertion, Claim
    from evals.suites.grammar import Suite

Others = Mapping[str, Sequence["Item"]]
_ALPHA: Final = 0.05
_NANO: Final = 1e9


def checks_of(suite: Suite, items: Sequence[Item], others: Others, *, without_run: bool = False) -> tuple[Check, ...]:
    """Every assertion, for every target and slice that it is about.

    Args:
        suite: what is asserted.
        items: of this run.
        others: run (``RUN`` or an id) -> its items, for comparisons.
        without_run: leave out what compares with ``RUN``.
    """
    of_target = {target.name: [item for item in items if item.target == target.name] for target in suite.targets}
    found: list[Check] = []
    for assertion in suite.asserts:
        if without_run and assertion.claim.than == RUN:
            continue
        for name in targets_of(assertion, suite):
            parts = list(_parts(assertion, of_target[name]))
            if not parts:
                why = f"no answer has a value of {assertion.each}"
                found.append(Check(says=_says(assertion, assertion.where), target=name, verdict="error", why=why))
            found += [_check(assertion, name, where, part, len(parts), of_target, others) for where, part in parts]
    return tuple(found)


def concerns(assertion: Assertion, item: Item) -> bool:
    """Whether an assertion is about an item of its targets."""
    if assertion.each is not None and assertion.each not in item.slices:
        return False
    return all(item.slices.get(name) == value for name, value in assertion.where.items())


def _says(assertion: Assertion, where: Mapping[str, str]) -> str:
    return assertion.that + "".join(f", {key} {value}" for key, value in where.items())


def _parts(assertion: Assertion, items: Sequence[Item]) -> Iterator[tuple[dict[str, str], list[Item]]]:
    """The items an assertion is about: all, those of some slices, or those of each value of one."""
    kept = [item for item in items if concerns(assertion, item)]
    if assertion.each is None:
        yield assertion.where, kept
        return
    for value in sorted({item.slices[assertion.each] for item in kept}):
        yield {**assertion.where, assertion.each: value}, [i for i in kept if i.slices.get(assertion.each) == value]


def _check(
    assertion: Assertion, name: str, where: Mapping[str, str], items: Sequence[Item], parts: int,
    of_target: Others, others: Others,
) -> Check:  # fmt: skip
    claim = assertion.claim
    says = _says(assertion, where)
    if not items:
        return Check(says=says, target=name, verdict="error", why="no answer is there to look at")
    if claim.kind == "no-worse":
        other = others.get(claim.than) or of_target.get(claim.than) or ()
        return _no_worse(says, name, items, _same_rows(other, claim.than, name, of_target), claim, parts)
    figure = figure_of(claim, items)
    verdict, why = _bounded(claim, figure)
    value = _shown(claim, figure)
    return Check(
        says=says, target=name, verdict=verdict, value=value, low=figure.low, high=figure.high, n=figure.n,
        why=why,
    )  # fmt: skip


def figure_of(claim: Claim, items: Sequence[Item]) -> Figure:
    """The figure that a claim speaks of."""
    if claim.kind == "latency":
        return figures.latency(items, claim.quantile)
    if claim.kind == "recall":
        return figures.recall(items, claim.rate)
    if claim.kind == "score":
        return figures.score(items, claim.scorer)
    plain = {
        "quality": figures.quality,
        "saving": figures.saving,
        "errors": figures.errors,
        "unjudged": figures.unjudged,
    }
    if claim.kind in plain:
        return plain[claim.kind](items)
    return figures.cost(items, each=claim.kind == "item-cost")


def _shown(claim: Claim, figure: Figure) -> float | None:
    """The figure in the unit that the assertion speaks in."""
    if figure.value is None or claim.kind not in {"cost", "item-cost"}:
        return figure.value
    return figure.value / _NANO


def _bounded(claim: Claim, figure: Figure) -> tuple[Verdict, str]:
    if figure.value is None:
        return "error", figure.why
    most = claim.kind in {"cost", "item-cost", "latency", "errors", "unjudged"}
    value = figure.value
    if claim.surely:
        end = figure.high if most else figure.low
        if end is None:
            return "error", "there is no interval"
        value = end
    kept = value <= claim.bound if most else value >= claim.bound
    if kept:
        return "pass", ""
    sure = "the interval's end is" if claim.surely else "it is"
    return "fail", f"{sure} {'above' if most else 'below'} the bound"


# --- against another run or target ---------------------------------------------------------------------


def _same_rows(other: Sequence[Item], than: str, name: str, of_target: Others) -> Sequence[Item]:
    """Of another run the same target's items; where it has only one target, that one's. A target's own as they are."""
    if than in of_target:
        return other
    named = [item for item in other if item.target == name]
    return named if named or len({item.target for item in other}) != 1 else other


def _no_worse(
    says: str, name: str, items: Sequence[Item], other: Sequence[Item], claim: Claim, parts: int
) -> Check:  # fmt: skip
    """Row by row, samples averaged, whole questions drawn. Of several slices each is held to a share of the error."""
    from evals.compare.paired import NoPairs, compare
    from evals.compare.verdict import no_worse

    mine, theirs = figures.by_row(items), figures.by_row(other)
    both = [row for row in mine if row in theirs]
    asked, then = ({item.id: item.prompt for item in side} for side in (items, other))
    if changed := sum(asked[row] != then[row] for row in both):
        words = f"{changed} rows ask something else in {claim.than}: ids must stay with their questions"
        return Check(says=says, target=name, verdict="error", why=words)
    try:
        difference = compare(
            [mine[row][0] for row in both], [theirs[row][0] for row in both], [mine[row][1] for row in both],
            seed=figures.SEED, confidence=1 - _ALPHA / parts,
        )  # fmt: skip
    except NoPairs:
        words = f"no row was judged both here and in {claim.than}"
        return Check(says=says, target=name, verdict="error", why=words)
    judged = no_worse(difference, claim.bound)
    left = max(len(mine), len(theirs)) - len(both)
    why = judged.why + (f"; {left} rows are on one side only" if left else "")
    return Check(
        says=says, target=name, verdict=judged.verdict, value=difference.value, low=difference.low,
        high=difference.high, n=difference.n, why=why,
    )  # fmt: skip


def verdict_of(checks: Sequence[Check], incomplete: str) -> Verdict:
    """Of a whole run: what is incomplete has no verdict; else the worst of its checks."""
    if incomplete:
        return "error"
    verdicts = {check.verdict for check in checks}
    return "error" if "error" in verdicts else "fail" if "fail" in verdicts else "pass"
