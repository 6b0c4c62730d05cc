"""Is a promise kept, what does it save, and how near is that to hindsight: by drawing the evidence again and again.

Every router is tuned in the same way as ours, on stakes of its own: a number that orders rows. Draws are seeded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evals.importers.outcomes import Outcome
from evals.routing import baselines
from evals.tuning import certify, sweep
from evals.tuning.stakes import Stakes
from evals.tuning.table import Codes, Floats, Ints, Table
from evals.tuning.tune import CHOOSING, MARGIN, RATIOS, Rows
from policies.schema import Promise

#: Steps of a ray: fewer than a proposal's, for there are thousands of proposals to make.
STEPS: Final = 120
ORACLE: Final = "oracle"


class Measured(NamedTuple):
    """Rows of one router, with all that does not change from draw to draw: its rays."""

    rows: Rows
    rays: tuple[sweep.Ray, ...]
    promise: Promise
    limits: certify.Limits

    @property
    def net(self) -> bool:
        """Whether gains count."""
        return self.promise.measure == "net"

    def at(self, ray: sweep.Ray, step: int, index: Ints) -> tuple[float, float]:
        """Mean loss and saving of a setting on some rows."""
        tier = np.where(ray.to_low[index] <= step, 0, np.where(ray.to_high[index] <= step, 1, -1))
        lost, won = self.rows.loss[index, tier], self.rows.gain[index, tier]
        mean = float((lost - won if self.net else lost).mean())
        return mean, float(1.0 - self.rows.cost[index, tier].sum() / self.rows.always[index].sum())


class Proposal(NamedTuple):
    """A certified setting; none where ``ray`` is None, and the highest tier serves all."""

    ray: sweep.Ray | None
    step: int


def measured(rows: Rows, promise: Promise) -> Measured:
    """Prepare rows for many draws. Thresholds come from scores alone, never from outcomes."""
    ratios = RATIOS if len(rows.stakes.lower) == 2 else (1.0,)
    return Measured(rows, tuple(sweep.ray(rows.stakes.value, ratio, STEPS) for ratio in ratios), promise, {})


def propose(on: Measured, index: Ints, ahead: int | None = None) -> Proposal:
    """What tuning makes of drawn rows, in drawn order: the first choose, the others certify.

    With ``ahead`` the promise is for the mean of that many coming rows (``certify.for_coming``).
    """
    cut = round(CHOOSING * len(index))
    chooses, certifies = index[:cut], index[cut:]
    limit, sure = on.promise.max_quality_loss, on.promise.confidence
    weight = np.bincount(chooses, minlength=len(on.rows.loss)).astype(float)
    use = np.flatnonzero(weight)
    weight = weight[use]
    loss, gain, cost = on.rows.loss[use], on.rows.gain[use], on.rows.cost[use]
    always = float((on.rows.always[use] * weight).sum())
    best: tuple[float, sweep.Ray] | None = None
    for ray in on.rays:
        here = ray._replace(to_low=ray.to_low[use], to_high=ray.to_high[use])
        lost = sweep.along(here, loss, weight) / max(len(chooses), 1)
        won = sweep.along(here, gain, weight) / max(len(chooses), 1) if on.net else 0.0
        mean = lost - won
        spread = np.maximum(lost + won - mean**2, 1.0 / max(len(chooses), 1))
        fits = mean + MARGIN * np.sqrt(spread / max(len(certifies), 1)) <= limit
        saving = float(np.where(fits, 1.0 - sweep.along(here, cost, weight) / max(always, 1e-9), -np.inf).max())
        if best is None or saving > best[0]:
            best = saving, ray
    assert best is not None
    ray = best[1]
    weight = np.bincount(certifies, minlength=len(on.rows.loss)).astype(float)
    lost = sweep.along(ray, on.rows.loss, weight)
    won = sweep.along(ray, on.rows.gain, weight) if on.net else np.zeros_like(lost)
    sums = certify.for_coming(certify.Sums(len(certifies), lost, won), ahead)
    tested = certify.certified([sums], limit, sure, net=on.net, known=on.limits)
    return Proposal(None, 0) if tested == 0 else Proposal(ray, tested - 1)


def halves(stem: Ints | Codes, rng: np.random.Generator, share: float) -> tuple[Ints, Ints]:
    """One row of each question, shuffled; a share of them and the rest."""
    order = rng.permutation(len(stem))
    _, first = np.unique(stem[order], return_index=True)
    drawn = order[np.sort(first)]
    cut = round(share * len(drawn))
    return drawn[:cut], drawn[cut:]


def kept(on: Measured, stem: Ints | Codes, draws: int, seed: int, share: float = 0.5) -> dict[str, float]:
    """How often a promise is kept: on the rest of the rows, and on all of them, which stand for the truth.

    The rest is a sample too: its own mean strays around the truth by as much as the evidence's did.
    """
    rng = np.random.default_rng(seed)
    _, everyone = halves(stem, np.random.default_rng(seed), 0.0)
    held, true, made, ahead, losses, savings = 0, 0, 0, 0, [], []
    for _ in range(draws):
        mine, rest = halves(stem, rng, share)
        found, careful = propose(on, mine), propose(on, mine, len(rest))
        ahead += careful.ray is None or on.at(careful.ray, careful.step, rest)[0] <= on.promise.max_quality_loss
        if found.ray is None:
            held, true = held + 1, true + 1
            savings.append(0.0)
            continue
        made += 1
        loss, saving = on.at(found.ray, found.step, rest)
        held += loss <= on.promise.max_quality_loss
        true += on.at(found.ray, found.step, everyone)[0] <= on.promise.max_quality_loss
        losses.append(loss)
        savings.append(saving)
    return {
        "draws": draws,
        "rows": len(everyone),
        "evidence": round(share * len(everyone)),
        "proposed": made / draws,
        "kept_on_the_rest": held / draws,
        "kept_in_truth": true / draws,
        "kept_if_for_the_rest": ahead / draws,
        "loss": float(np.mean(losses)) if losses else 0.0,
        **_interval(savings),
    }


def _interval(values: Sequence[float]) -> dict[str, float]:
    low, high = np.percentile(values, [2.5, 97.5])
    return {"saving": float(np.mean(values)), "low": float(low), "high": float(high)}


def against_hindsight(
    on: Measured, stem: Ints | Codes, sizes: Sequence[int], draws: int, seed: int
) -> list[dict[str, float]]:
    """Share of the best threshold's saving that is reached, by the number of rows drawn (with replacement).

    The best threshold knows every row's outcome and needs no bound: the exact sweep over both thresholds. Beside it the
    best that would still be certified on as many rows: what is lost to doubt, whatever the procedure.
    """
    _, everyone = halves(stem, np.random.default_rng(seed), 0.0)
    best, within = hindsight(on, everyone), []
    lines = []
    rng = np.random.default_rng(seed)
    for size in sizes:
        within = [_surely(on, everyone, size)]
        reached, true = [], 0
        for _ in range(draws):
            found = propose(on, rng.choice(everyone, size))
            loss, saving = (0.0, 0.0) if found.ray is None else on.at(found.ray, found.step, everyone)
            true += loss <= on.promise.max_quality_loss
            reached.append(saving)
        lines.append(
            {
                "rows": size,
                "questions": len(everyone),
                "hindsight": best,
                "certifiable": within[0],
                "share": float(np.mean(reached)) / best if best else 1.0,
                "kept_in_truth": true / draws,
                **_interval(reached),
            }
        )
    return lines


def hindsight(on: Measured, index: Ints, limit: float | None = None) -> float:
    """The saving of the best pair of thresholds, known afterwards."""
    grid = sweep.grid(on.rows.stakes.value[index], 200)
    found = sweep.sums(grid, on.rows.loss[index], on.rows.gain[index], on.rows.cost[index])
    risk = (found.losses - (found.gains if on.net else 0.0)) / len(index)
    fits = risk <= (on.promise.max_quality_loss if limit is None else limit)
    return float(1.0 - found.cost[fits].min() / on.rows.always[index].sum()) if fits.any() else 0.0


def by_form(rows: Rows, table: Table, promise: Promise) -> dict[str, float]:
    """What the best thresholds in hindsight save in the form ``lose``, and in the form ``keep``."""
    best = table.chance.max(axis=1, keepdims=True)
    short = (1.0 - table.chance / np.maximum(best, 1e-9))[:, : len(rows.stakes.lower)]
    # A tier with the best chance keeps any share of it.
    value = np.where(np.isposinf(rows.stakes.value), np.inf, np.where(short <= 0, -np.inf, short))
    keep = rows._replace(stakes=rows.stakes._replace(value=value))
    _, everyone = halves(table.stem, np.random.default_rng(0), 0.0)
    return {name: hindsight(measured(each, promise), everyone) for name, each in (("lose", rows), ("keep", keep))}


def _surely(on: Measured, index: Ints, size: int) -> float:
    """The best saving of thresholds whose true figures, seen on ``size`` rows, are certified."""
    grid = sweep.grid(on.rows.stakes.value[index], 100)
    found = sweep.sums(grid, on.rows.loss[index], on.rows.gain[index], on.rows.cost[index])
    lost, won = (part.ravel() * size / len(index) for part in (found.losses, found.gains))
    cost = found.cost.ravel()
    limit, sure = on.promise.max_quality_loss, on.promise.confidence
    for place in np.argsort(cost, kind="stable").tolist():
        one = certify.Sums(size, lost[place : place + 1], won[place : place + 1])
        mean = (lost[place] - won[place] if on.net else lost[place]) / size
        if mean <= limit and certify.certified([one], limit, sure, net=on.net, known=on.limits):
            return float(1.0 - cost[place] / on.rows.always[index].sum())
    return 0.0


# --- routers ------------------------------------------------------------------------------------------------


def rivals(outcomes: Sequence[Outcome], seed: int) -> dict[str, Floats]:
    """The others, as scores: the higher, the more a prompt deserves the large tier."""
    rng = np.random.default_rng(seed)
    prompts = [row.prompt for row in outcomes]
    return {
        "prompt length": np.array([len(prompt) for prompt in prompts], dtype=float),
        # Rows of one tier by lot.
        "LiteLLM v1": baselines.litellm_scores(prompts)["v1 tiers"] + rng.random(len(prompts)) * 0.5,
        "random": rng.random(len(prompts)),
    }


def routers(rows: Rows, scores: Mapping[str, Floats]) -> dict[str, Rows]:
    """Ours and the others, each with stakes of its own in 0..1: the share of rows that it would send down sooner."""
    return {"ours": rows, **{name: _ordered(rows, score) for name, score in scores.items()}}


def _ordered(rows: Rows, score: NDArray[np.float64]) -> Rows:
    rank = (np.argsort(np.argsort(score, kind="stable"), kind="stable") + 1) / len(score)
    stakes = rows.stakes
    value = np.repeat(rank[:, None], len(stakes.lower), axis=1)
    return rows._replace(stakes=Stakes(value, stakes.lower, stakes.columns))


def oracle(rows: Rows, index: Ints) -> float:
    """What is saved by the cheapest tier that loses nothing, every outcome known."""
    cost = np.where(rows.loss[index] <= 0, rows.cost[index], np.inf).min(axis=1)
    return float(1.0 - cost.sum() / rows.always[index].sum())


def by_estimate(on: Measured, stem: Ints | Codes, limit: float, draws: int, seed: int) -> dict[str, float]:
    """As peers choose: the cheapest setting whose mean on the evidence is within the limit, with no bound.

    What it saves and loses on the rest, and how often the rest keeps the limit.
    """
    rng = np.random.default_rng(seed)
    saved, lost, held = [], [], 0
    for _ in range(draws):
        mine, rest = halves(stem, rng, 0.5)
        best: tuple[float, sweep.Ray, int] | None = None
        for ray in on.rays:
            here = ray._replace(to_low=ray.to_low[mine], to_high=ray.to_high[mine])
            risk = sweep.along(here, on.rows.loss[mine]) - (sweep.along(here, on.rows.gain[mine]) if on.net else 0.0)
            cost = np.where(risk <= limit * len(mine), sweep.along(here, on.rows.cost[mine]), np.inf)
            step = int(np.argmin(cost))
            if np.isfinite(cost[step]) and (best is None or cost[step] < best[0]):
                best = float(cost[step]), ray, step
        loss, saving = (0.0, 0.0) if best is None else on.at(best[1], best[2], rest)
        saved.append(saving)
        lost.append(loss)
        held += loss <= limit
    return {"limit": limit, "kept_on_the_rest": held / draws, "loss": float(np.mean(lost)), **_interval(saved)}


def savings(
    each: Mapping[str, Measured], stem: Ints | Codes, draws: int, seed: int, share: float = 0.5
) -> dict[str, dict[str, Any]]:
    """Saving on the rest, with the setting that each router proposes on the same evidence; paired differences."""
    rng = np.random.default_rng(seed)
    found: dict[str, list[float]] = {name: [] for name in (*each, ORACLE)}
    quality: dict[str, list[float]] = {name: [] for name in each}
    first = next(iter(each.values()))
    for _ in range(draws):
        mine, rest = halves(stem, rng, share)
        for name, on in each.items():
            made = propose(on, mine)
            loss, saving = (0.0, 0.0) if made.ray is None else on.at(made.ray, made.step, rest)
            found[name].append(saving)
            quality[name].append(loss)
        found[ORACLE].append(oracle(first.rows, rest))
    table: dict[str, dict[str, Any]] = {}
    for name, values in found.items():
        table[name] = _interval(values)
        if name in quality:
            table[name]["loss"] = float(np.mean(quality[name]))
        if name not in {"ours", ORACLE}:
            less = np.array(found["ours"]) - np.array(values)
            table[name]["ours_less_this"] = _interval(less.tolist())
    return table
