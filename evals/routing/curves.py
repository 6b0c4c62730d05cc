"""The curves behind the pictures: quality against cost, and how far stated chances are true.

``python -m evals.routing.curves --data DIR`` reads ``valid.jsonl.gz`` and ``families.json`` in DIR and writes
``evals/results/curves.json``. A point of a quality-cost curve is not the best setting in hindsight: for
every budget the setting is chosen on four folds of questions and scored on the fifth. All routers are
treated alike; the oracle knows every outcome and is the bound.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from evals import metrics
from evals import targets as learn
from evals.importers.outcomes import Outcome, OutcomeError, read_outcomes
from evals.routing import baselines
from evals.routing.parts import bill, costs_of, stated
from evals.stamp import stamp
from router.score import Scorer, load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

SEED: Final = 20261124
FOLDS: Final = 5
FAMILIES: Final = ("llama-3.1", "gemma-2", "qwen2.5", "mixed-2026")
#: Budgets as shares of the way from always-small to always-large.
BUDGETS: Final = tuple(np.linspace(0.0, 1.0, 21).round(2).tolist())
BINS: Final = 10
LEAST_ROWS: Final = 100
RESULTS: Final = Path(__file__).parents[1] / "results"


class Bench(NamedTuple):
    """Rows that every tier of a family answered with known tokens: outcomes and costs, rows by tiers."""

    rows: Sequence[Outcome]
    quality: metrics.Floats
    cost: metrics.Floats


def bench(rows: Sequence[Outcome], family: learn.Family) -> Bench:
    """The rows of a family that can be billed; costs are micro-dollars."""
    models = list(family.tiers.values())
    usable = [row for row in rows if all(row.scores.get(m) is not None and row.output_tokens.get(m) for m in models)]
    quality = np.array([[row.scores[model] for model in models] for row in usable]).reshape(-1, len(models))
    cost = np.array([costs_of(row, family) for row in usable]).reshape(-1, len(models))
    return Bench(usable, quality, cost)


def quality_cost(on: Bench, scorer: Scorer, family: learn.Family, draws: int) -> dict[str, Any]:
    """Every router's curve: (share of always-large's cost, share of its quality) with intervals.

    The cost of a point is what was really spent on the scored folds, not its budget.
    """
    fold = learn.folds(on.rows, FOLDS, SEED)
    stems = [row.stem for row in on.rows]
    curves = {name: _curve(settings, on, fold, stems, draws) for name, settings in _routers(on, scorer, family).items()}
    tiers = [
        {
            "tier": tier,
            "cost": _ratio(on.cost[:, k], on.cost[:, -1]),
            "quality": _ratio(on.quality[:, k], on.quality[:, -1]),
        }
        for k, tier in enumerate(family.tiers)
    ]
    sources = sorted({row.source for row in on.rows})
    return {"n": len(on.rows), "questions": len(set(stems)), "sources": sources, "tiers": tiers, "curves": curves}


def _routers(on: Bench, scorer: Scorer, family: learn.Family) -> dict[str, list[metrics.Setting]]:
    n, tiers = on.cost.shape
    prompts = [row.prompt for row in on.rows]
    scores = scorer.score_many(prompts, family.name)
    chance = np.array([[score.p_right[tier] for tier in family.tiers] for score in scores])
    guess = np.array(
        [
            bill(row, family, [score.output_tokens[tier] for tier in family.tiers])
            for row, score in zip(on.rows, scores, strict=True)
        ]
    )
    litellm = baselines.litellm_scores(prompts)
    return {
        "ours": baselines.by_dial(chance, guess),
        "prompt length": baselines.by_score(np.array([len(prompt) for prompt in prompts], dtype=float), tiers),
        "LiteLLM v1": baselines.by_score(litellm["v1 tiers"], tiers),
        "LiteLLM v2": baselines.by_score(litellm["v2 tiers"], tiers),
        "random": baselines.random_mix(n, tiers),
        "oracle": baselines.by_worth(on.quality, on.cost),
    }


def _curve(
    settings: Sequence[metrics.Setting], on: Bench, fold: NDArray[np.int64], stems: Sequence[str], draws: int
) -> list[dict[str, float]]:
    gains = np.stack([(setting.shares * on.quality).sum(axis=1) for setting in settings])
    bills = np.stack([(setting.shares * on.cost).sum(axis=1) for setting in settings])
    small, large = on.cost[:, 0], on.cost[:, -1]
    points = []
    for budget in BUDGETS:
        paid, got = np.empty(len(fold)), np.empty(len(fold))
        for k in range(FOLDS):
            here = fold == k
            if not here.any():
                continue
            limit = small[~here].sum() + budget * (large[~here].sum() - small[~here].sum())
            spent, earned = bills[:, ~here].sum(axis=1), gains[:, ~here].sum(axis=1)
            affordable = spent <= limit * (1 + 1e-9)
            # Nothing fits the smallest budgets of a coarse router: then its cheapest setting stands in.
            chosen = (
                int(np.argmax(np.where(affordable, earned, -np.inf))) if affordable.any() else int(np.argmin(spent))
            )
            paid[here], got[here] = bills[chosen, here], gains[chosen, here]
        points.append(_point(paid, got, on, stems, draws))
    return points


def _point(paid: metrics.Floats, got: metrics.Floats, on: Bench, stems: Sequence[str], draws: int) -> dict[str, float]:
    best = on.quality[:, -1]
    kept = metrics.bootstrap(lambda index: _ratio(got[index], best[index]), stems, np.random.default_rng(SEED), draws)
    return {"cost": _ratio(paid, on.cost[:, -1]), "quality": kept.value, "low": kept.low, "high": kept.high}


def reliability(
    scorer: Scorer, rows: Sequence[Outcome], families: Mapping[str, learn.Family], draws: int
) -> dict[str, Any]:
    """Stated chance against share right, ten bins of equal size, tiers of all profiles pooled."""
    chance, outcome, answered = stated(scorer, rows, families)
    stems = [row.stem for row in answered]
    order = np.argsort(chance, kind="stable")
    bins = []
    for part in np.array_split(order, BINS):
        names = [stems[k] for k in part.tolist()]
        right = outcome[part]
        interval = metrics.bootstrap(partial(_mean, right), names, np.random.default_rng(SEED), draws)
        bins.append(
            {"said": float(chance[part].mean()), "right": interval.value, "low": interval.low, "high": interval.high}
        )
    perfect = metrics.perfect_ece(chance, np.random.default_rng(SEED), 50)
    return {
        "n": len(chance),
        "questions": len(set(stems)),
        "ece": metrics.ece(chance, outcome),
        "perfect": perfect,
        "bins": bins,
    }


def _mean(values: metrics.Floats, index: NDArray[np.int64]) -> float:
    return float(values[index].mean())


def _ratio(part: metrics.Floats, whole: metrics.Floats) -> float:
    return float(part.sum() / whole.sum())


def measure(data: Path, scorer: Scorer, draws: int) -> dict[str, Any]:
    """Everything that ``curves.json`` holds."""
    rows = read_outcomes(data / "valid.jsonl.gz")
    families = learn.read_families(data / "families.json")
    found: dict[str, Any] = {}
    for name in FAMILIES:
        if name not in scorer.families or name not in families:
            continue
        on = bench(rows, families[name])
        if len(on.rows) < LEAST_ROWS:
            continue
        print(f"{name}: {len(on.rows)} rows", file=sys.stderr, flush=True)
        found[name] = quality_cost(on, scorer, families[name], draws)
    return {
        **stamp("python -m evals.routing.curves --data DIR"),
        "artefact": scorer.digest,
        "split": "valid: questions never trained on",
        "families": found,
        "reliability": reliability(scorer, rows, families, draws),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m evals.routing.curves", description="Measure the curves of docs/how-good.md."
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of valid.jsonl.gz and families.json")
    parser.add_argument("--artefact", type=Path, help="scorer to measure; default: the shipped one")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for curves.json")
    parser.add_argument("--draws", type=int, default=400, help="bootstrap draws per interval")
    options = parser.parse_args(argv)
    try:
        found = measure(options.data, load(options.artefact), options.draws)
    except OutcomeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "curves.json").write_text(json.dumps(_rounded(found), indent=1) + "\n", "utf-8")
    print(f"wrote {options.out / 'curves.json'}")
    return 0


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list) else value


if __name__ == "__main__":
    raise SystemExit(main())
