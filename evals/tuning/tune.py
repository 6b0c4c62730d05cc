"""Tuning: the cheapest thresholds of a policy that keep its promise, shown on rows that did not choose them. Pure.

1. Rows are split by question. The smaller part *chooses* a ray of settings (how strict the low tier is beside the
   middle one); the larger part *certifies* settings along it, safest first (``certify``), one row a question.
2. The exact sweep over both thresholds (``sweep``) on all of them draws the front of quality against cost, beside which
   the proposal can be judged; it chooses nothing.
3. The proposal is the last setting certified. Without one the promise is refused, with the rows that are missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np

from evals.importers.outcomes import OutcomeError
from evals.metrics import Interval, bootstrap, ece
from evals.tuning import certify, sweep
from evals.tuning.certify import Shown
from evals.tuning.choose import tiers_of
from evals.tuning.isotonic import isotonic
from evals.tuning.stakes import Stakes, losing, read_stakes, with_quality
from evals.tuning.table import Codes, Floats, Ints, Mask, Table, Tiers
from policies.policy import Policy
from policies.schema import Promise, TierName
from router.core.decide import Fleet

#: The share of questions that chooses the ray; the others certify.
CHOOSING: Final = 0.15
#: How strict the low tier may be beside the middle one; 0 is "never low", infinite "never middle".
RATIOS: Final = (0.0, 0.25, 0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0, 3.0, 5.0, float("inf"))
STEPS: Final = 250
BREAKPOINTS: Final = 160
FRONT: Final = 40
DRAWS: Final = 1000
#: A ray is chosen by its mean loss and this many standard errors of the certifying rows.
MARGIN: Final = 1.645


class Setting(NamedTuple):
    """One setting on the certifying rows.

    Attributes:
        figures: tier -> what it may lose; empty for the policy in force, whose aim may be another.
        shown: what it loses and the bound. saving: against always asking the promise's tier, 95 % by question.
        quality: mean outcome. mix: tier -> share of rows.
    """

    figures: Mapping[TierName, float]
    shown: Shown
    saving: Interval
    quality: float
    mix: Mapping[str, float]


class Point(NamedTuple):
    """One setting of the front, on all rows: ``risk`` is the mean of the promise's measure."""

    figures: Mapping[TierName, float]
    risk: float
    saving: float


class Slice(NamedTuple):
    """What the proposal shows in one slice."""

    column: str
    value: str
    shown: Shown


class Calibrated(NamedTuple):
    """A tier's chances on the certifying rows: as stated, and after isotonic regression on the choosing rows."""

    tier: str
    said: float
    right: float
    ece: float
    ece_isotonic: float


@dataclass(frozen=True)
class Tuned:
    """What tuning found.

    Attributes:
        proposed: None where ``refused`` says why not. missing: rows to add; None where more would not help.
        front: safest first, of all rows. knee: index into it. hindsight: the saving of the best setting whose mean on
            all rows is within the promise, with no bound: what nobody can know beforehand.
        chose, certified: rows of each part.
        repeated: rows left out because their question stands in another. ratio: of the chosen ray.
        ahead: coming requests that the promise is for; None: the long run.
        tested: settings certified, of ``steps``.
    """

    promise: Promise
    current: Setting
    proposed: Setting | None
    front: tuple[Point, ...]
    knee: int
    hindsight: float
    slices: tuple[Slice, ...]
    calibration: tuple[Calibrated, ...]
    chose: int
    certified: int
    repeated: int
    billed_by_guess: int
    ratio: float
    tested: int
    steps: int
    seed: int
    ahead: int | None
    refused: str = ""
    missing: int | None = None


class Rows(NamedTuple):
    """A table as arrays over the tiers of a policy, the highest last."""

    loss: Floats
    gain: Floats
    cost: Floats
    always: Floats
    quality: Floats
    stakes: Stakes

    def at(self, index: Ints) -> Rows:
        """Some rows."""
        stakes = self.stakes._replace(value=self.stakes.value[index])
        return Rows(
            self.loss[index], self.gain[index], self.cost[index], self.always[index], self.quality[index], stakes
        )


def tune(policy: Policy, table: Table, *, seed: int, ahead: int | None = None, fleet: Fleet | None = None) -> Tuned:
    """Look for the cheapest thresholds that keep the policy's promise.

    Args:
        policy: states the promise; its rules, tiers and fallback stay as they are.
        table: the rows.
        seed: which rows choose and which certify.
        ahead: the promise shall hold for the mean of so many coming requests; None: in the long run.
        fleet: the models that are there; without it every tier of the table has one.

    Raises:
        OutcomeError: the policy promises nothing or has one tier, or the rows do not know every tier's outcome.
        Unanswerable: a rule asks what the rows do not know.
    """
    promise = policy.body.promise
    if promise is None:
        raise OutcomeError(f"policy {policy.name!r} promises nothing; add promise: {{max_quality_loss: 2%}}")
    table, billed = _complete(table, promise)
    on = rows_of(policy, table, promise, fleet)
    chooses, certifies = split(table.stem, seed)
    parts = _parts(table, promise, certifies)
    current = _judged(on, tiers_of(policy, table, fleet=fleet), table, certifies, promise, {}, seed)
    rest: dict[str, Any] = {
        "promise": promise,
        "current": current,
        "slices": (),
        "calibration": _calibration(table, chooses, certifies),
        "chose": len(chooses),
        "certified": len(certifies),
        "repeated": len(table) - len(chooses) - len(certifies),
        "billed_by_guess": billed,
        "seed": seed,
        "ahead": ahead,
        **_front(on.at(np.concatenate([chooses, certifies])), promise),
    }
    thin = _too_thin(parts, promise)
    if thin is not None:
        return Tuned(proposed=None, ratio=1.0, tested=0, steps=0, refused=thin[0], missing=thin[1], **rest)
    chosen = _choose(on, chooses, _parts(table, promise, chooses), len(certifies), promise)
    tested = _certify(on, chosen, [part.rows for part in parts], promise, ahead)
    found: dict[str, Any] = {"ratio": chosen.ratio, "tested": tested, "steps": len(chosen.low)}
    if tested == 0 or not _moves(on, chosen, tested - 1, certifies):
        refused, missing = _nothing(on, chosen, parts, promise, tested)
        return Tuned(proposed=None, refused=refused, missing=missing, **found, **rest)
    figures = _figures(on.stakes, chosen, tested - 1)
    served = tiers_of(with_quality(policy, losing(figures)), table, fleet=fleet)
    rest["slices"] = tuple(
        Slice(part.column, part.value, _shown(on, served, part.rows, promise)) for part in parts if part.column
    )
    proposed = _judged(on, served, table, certifies, promise, figures, seed)
    return Tuned(proposed=proposed, **found, **rest)


# --- rows ----------------------------------------------------------------------------------------------


def _complete(table: Table, promise: Promise) -> tuple[Table, int]:
    """Rows whose every outcome is known, all of them billed; and how many are billed by their forecast."""
    if promise.against not in table.tiers:
        raise OutcomeError(f"the promise is against {promise.against}, and the rows know {', '.join(table.tiers)} only")
    known: Mask = ~np.any(np.isnan(table.quality), axis=1)
    if not known.any():
        raise OutcomeError(
            "no row knows what every tier would have answered, so no loss can be seen. A ledger knows only the tier "
            "that answered: tune on outcome rows, and simulate the proposal on the ledger"
        )
    table = table.rows(known)
    unknown: Mask = np.any(np.isnan(table.cost), axis=1)
    if np.isnan(table.guess[unknown]).any():
        raise OutcomeError(
            "rows have neither tokens nor a forecast of them, so nothing can be billed; add output_tokens"
        )
    cost = np.where(unknown[:, None], table.guess, table.cost)
    return replace(table, cost=cost), int(unknown.sum())


def rows_of(policy: Policy, table: Table, promise: Promise, fleet: Fleet | None = None) -> Rows:
    """A complete table's losses, gains, costs and stakes under a policy.

    Raises:
        OutcomeError: the policy has a single tier.
    """
    stakes = read_stakes(policy, table, fleet=fleet)
    measure = table.quality[:, [table.tiers.index(promise.against)]]
    quality = table.quality[:, list(stakes.columns)]
    return Rows(
        loss=np.maximum(0.0, measure - quality),
        gain=np.maximum(0.0, quality - measure),
        cost=table.cost[:, list(stakes.columns)],
        always=table.cost[:, table.tiers.index(promise.against)],
        quality=quality,
        stakes=stakes,
    )


def split(stem: Ints | Codes, seed: int) -> tuple[Ints, Ints]:
    """Rows that choose and rows that certify, shuffled; one row of each question, drawn, so that rows are independent.

    So a promise is about questions: one that stands in the rows often counts once.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(stem))
    _, first = np.unique(stem[order], return_index=True)
    drawn = order[np.sort(first)]
    return drawn[: round(CHOOSING * len(drawn))], drawn[round(CHOOSING * len(drawn)) :]


class _Part(NamedTuple):
    """Rows in which a promise must hold; ``column`` is empty for all of them."""

    column: str
    value: str
    rows: Ints


def _parts(table: Table, promise: Promise, rows: Ints) -> list[_Part]:
    parts = [_Part("", "", rows)]
    for name in promise.slices:
        labels = table.slices.get(name)
        if labels is None:
            raise OutcomeError(f"the rows have no column {name!r} to promise by; they have {', '.join(table.slices)}")
        codes = labels.codes[rows]
        parts += [_Part(name, labels.names[code], rows[codes == code]) for code in np.unique(labels.codes).tolist()]
    return parts


def _too_thin(parts: Sequence[_Part], promise: Promise) -> tuple[str, int] | None:
    least = certify.least_rows(promise.max_quality_loss, promise.confidence, net=promise.measure == "net")
    thin = [part for part in parts if len(part.rows) < least]
    if not thin:
        return None
    names = ", ".join(
        f"{part.column} {part.value!r} {len(part.rows)}" if part.column else f"{len(part.rows)}" for part in thin[:6]
    )
    more = f" and {len(thin) - 6} more" if len(thin) > 6 else ""
    missing = max(least - len(part.rows) for part in thin)
    words = (
        f"the evidence is thin: {least} held-out questions without a loss are the least that can show "
        f"{promise.max_quality_loss:.2%} at {promise.confidence:.4g}, and there are {names}{more}"
    )
    return words, round(missing / (1 - CHOOSING))


# --- choosing and certifying -----------------------------------------------------------------------------


def _choose(on: Rows, rows: Ints, parts: Sequence[_Part], later: int, promise: Promise) -> sweep.Ray:
    """The ray whose settings save most, among those whose losses the certifying rows may well accept."""
    net = promise.measure == "net"
    ratios = RATIOS if len(on.stakes.lower) == 2 else (1.0,)
    here = on.at(rows)
    best: tuple[float, sweep.Ray] | None = None
    for ratio in ratios:
        # Thresholds come from the scores of all rows, never from their outcomes.
        found = sweep.ray(on.stakes.value, ratio, STEPS)
        fits = np.ones(len(found.low), dtype=bool)
        for part in parts:
            mine, n = on.at(part.rows), max(len(part.rows), 1)
            mean, spread = _means(_rows_of(found, part.rows), mine, net=net)
            fits &= mean + MARGIN * np.sqrt(spread / max(later * n / max(len(rows), 1), 1)) <= promise.max_quality_loss
        cost = sweep.along(_rows_of(found, rows), here.cost)
        saving = float(np.where(fits, 1.0 - cost / max(here.always.sum(), 1e-9), -np.inf).max())
        if best is None or saving > best[0]:
            best = saving, found
    assert best is not None
    return best[1]


def _rows_of(on: sweep.Ray, rows: Ints) -> sweep.Ray:
    return on._replace(to_low=on.to_low[rows], to_high=on.to_high[rows])


def _means(on: sweep.Ray, rows: Rows, *, net: bool) -> tuple[Floats, Floats]:
    """Mean loss and its variance a row, at each step."""
    n = max(len(rows.loss), 1)
    lost, won = sweep.along(on, rows.loss) / n, sweep.along(on, rows.gain) / n
    mean = lost - won if net else lost
    return mean, np.maximum((lost + won if net else lost) - mean**2, 1.0 / n)


def _certify(on: Rows, chosen: sweep.Ray, parts: Sequence[Ints], promise: Promise, ahead: int | None) -> int:
    net, limit, sure = promise.measure == "net", promise.max_quality_loss, promise.confidence
    if certify.whole(on.loss, on.gain):
        sums = []
        for rows in parts:
            mine, moves = on.at(rows), _rows_of(chosen, rows)
            part = certify.Sums(len(rows), sweep.along(moves, mine.loss), sweep.along(moves, mine.gain))
            sums.append(certify.for_coming(part, ahead))
        return certify.certified(sums, limit, sure, net=net)
    if ahead is not None:
        raise OutcomeError("a promise for so many requests needs outcomes of 0 or 1; leave it out, or round the scores")
    stacked = []
    for rows in parts:
        mine, index = on.at(rows), np.arange(len(rows))
        at = [_tiers_at(chosen, step, rows) for step in range(len(chosen.low))]
        stacked.append(np.stack([mine.loss[index, tier] - (mine.gain[index, tier] if net else 0.0) for tier in at]))
    return certify.certified_by_betting(stacked, limit, sure, net=net)


def _tiers_at(chosen: sweep.Ray, step: int, rows: Ints) -> Ints:
    highest = np.where(chosen.to_high[rows] <= step, 1, -1)
    return np.where(chosen.to_low[rows] <= step, 0, highest)


def _moves(on: Rows, chosen: sweep.Ray, step: int, rows: Ints) -> bool:
    """Whether a setting saves anything beside the strictest one."""
    cost = sweep.along(_rows_of(chosen, rows), on.at(rows).cost)
    return bool(cost[step] < cost[0] - 1e-9)


def _figures(stakes: Stakes, chosen: sweep.Ray, step: int) -> dict[TierName, float]:
    pair = (float(chosen.low[step]), float(chosen.high[step]))
    return dict(zip(stakes.lower, pair, strict=False))


def _nothing(
    on: Rows, chosen: sweep.Ray, parts: Sequence[_Part], promise: Promise, tested: int
) -> tuple[str, int | None]:
    """Why nothing is proposed: where the first setting that is not certified stands, and what would mend it."""
    net = promise.measure == "net"
    step = min(tested, len(chosen.low) - 1)
    seen = []
    for part in parts:
        mine, tier = on.at(part.rows), _tiers_at(chosen, step, part.rows)
        index = np.arange(len(part.rows))
        seen.append(certify.shown(mine.loss[index, tier], mine.gain[index, tier], promise.confidence, net=net))
    worst = int(np.argmax([each.upper for each in seen]))
    part, each = parts[worst], seen[worst]
    where = f" in {part.column} {part.value!r}" if part.column else ""
    missing = certify.rows_missing(each, promise.max_quality_loss, promise.confidence, net=net)
    words = (
        f"even the most careful setting that saves anything is not certified{where}: it loses {each.mean:.2%} on "
        f"{each.n} held-out questions, which may be {each.upper:.2%}"
    )
    return words, None if missing is None else round(missing / (1 - CHOOSING))


# --- figures -------------------------------------------------------------------------------------------------


def _shown(on: Rows, served: Ints | Tiers, rows: Ints, promise: Promise) -> Shown:
    place = np.full(8, -1)
    place[list(on.stakes.columns)] = np.arange(len(on.stakes.columns))
    at = rows, place[served[rows]]
    return certify.shown(on.loss[at], on.gain[at], promise.confidence, net=promise.measure == "net")


def _judged(
    on: Rows,
    served: Ints | Tiers,
    table: Table,
    rows: Ints,
    promise: Promise,
    figures: Mapping[TierName, float],
    seed: int,
) -> Setting:
    place = np.full(8, -1)
    place[list(on.stakes.columns)] = np.arange(len(on.stakes.columns))
    at = rows, place[served[rows]]
    cost, always = on.cost[at], on.always[rows]
    saving = bootstrap(
        lambda index: float(1.0 - cost[index].sum() / always[index].sum()),
        [str(row) for row in range(len(rows))],
        np.random.default_rng(seed),
        DRAWS,
    )
    mix = {tier: float((served[rows] == table.tiers.index(tier)).mean()) for tier in table.tiers}
    return Setting(figures, _shown(on, served, rows, promise), saving, float(on.quality[at].mean()), mix)


def _front(on: Rows, promise: Promise) -> dict[str, Any]:
    grid = sweep.grid(on.stakes.value, BREAKPOINTS)
    found = sweep.sums(grid, on.loss, on.gain, on.cost)
    n, always = len(on.loss), on.always.sum()
    risk = ((found.losses - (found.gains if promise.measure == "net" else 0.0)) / n).ravel()
    cost = found.cost.ravel() / always
    within = risk <= promise.max_quality_loss
    best = sweep.front(risk, cost)
    if len(best) > FRONT:
        best = best[np.unique(np.round(np.linspace(0, len(best) - 1, FRONT)).astype(int))]
    rows, columns = np.unravel_index(best, found.losses.shape)
    points = tuple(
        Point(
            dict(zip(on.stakes.lower, (_threshold(grid.low[i]), _threshold(grid.high[j])), strict=False)),
            float(risk[k]),
            float(1.0 - cost[k]),
        )
        for k, i, j in zip(best.tolist(), rows.tolist(), columns.tolist(), strict=True)
    )
    return {
        "front": points,
        "knee": sweep.knee(risk[best], cost[best]),
        "hindsight": float(1.0 - cost[within].min()) if within.any() else 0.0,
    }


def _threshold(value: float) -> float:
    return 0.0 if np.isinf(value) else float(value)


def _calibration(table: Table, chooses: Ints, certifies: Ints) -> tuple[Calibrated, ...]:
    found = []
    for column, tier in enumerate(table.tiers):
        chance, right = table.chance[:, column], table.quality[:, column]
        known: Mask = ~np.isnan(chance)
        here, there = chooses[known[chooses]], certifies[known[certifies]]
        if not len(here) or not len(there):
            continue
        bent = isotonic(chance[here], right[here])(chance[there])
        found.append(
            Calibrated(
                tier,
                float(chance[there].mean()),
                float(right[there].mean()),
                float(ece(chance[there], right[there])),
                float(ece(bent, right[there])),
            )
        )
    return tuple(found)
