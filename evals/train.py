"""Fit the router's scorer on outcomes and write its artefact.

``python -m evals.train --data DIR --out DIR`` reads ``train.jsonl.gz`` and ``families.json`` in DIR.
Equal data and seed give an equal artefact, byte for byte, on the same machine. The steps:

1. fit the shared directions with every fold left out once, to see honest logits of every row;
2. on those, bend each model's logits onto its outcomes (two numbers a model, pulled towards none);
3. fit on all rows and carry the bends into the models' abilities and loadings;
4. learn lengths of answers, and what an unfamiliar prompt looks like, the same way.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from evals import targets as learn
from evals.importers.outcomes import Outcome, OutcomeError, read_outcomes, refuse_shared_stems
from evals.routing import familiarity
from router.score import artefact
from router.score.estimator import Design, Matrix, OutcomeModel, design, sigmoid
from router.score.project import KNOTS
from router.score.scorer import structure_parts
from router.types import TIER_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

SEED: Final = 20261124
FOLDS: Final = 3
TOKEN_PENALTY: Final = 30.0
#: Prior precision of a model's calibration around "leave it as it is".
CALIBRATION_PRIOR: Final = 20.0

#: Where each public source comes from and under which licence, for the model card.
SOURCES: Final = {
    "gsm-openai-6b-175b": "openai/grade-school-math, MIT",
    "haerae-logic": "HAE-RAE/logical-puzzles, MIT",
    "llmrouter-uiuc": "ulab-uiuc/LLMRouter, MIT",
    "mmlu-pro": "TIGER-AI-Lab/MMLU-Pro, Apache-2.0",
    "reasoning-gym-easy": "open-thought/reasoning-gym-eval, Apache-2.0",
    "zeroeval-cruxeval-o": "WildEval/ZeroEval, Apache-2.0",
    "zeroeval-gsm8k": "WildEval/ZeroEval, Apache-2.0",
    "zeroeval-math-l5": "WildEval/ZeroEval, Apache-2.0",
    "zeroeval-mmlu-redux": "WildEval/ZeroEval, Apache-2.0",
    "zeroeval-zebralogic": "WildEval/ZeroEval, Apache-2.0",
}

CARD: Final = """# The shipped scorer

Digest `{digest}`.

Estimates, from the text of a prompt alone, how likely each tier of a family is to answer it right and
how long the answer will be. A low-rank logistic regression over hashed words and pairs of words (reduced
to latent directions before learning) and a small vector of structural counts; numpy only at inference.
Trained by `python -m evals.train`.

## Trained on

{rows} prompts with outcomes of {models} models (the last three are averages: typical small, medium and
large). Languages of the rows: {languages}. Whole questions, not rows, were split: no question of the
reported figures occurs in training. RouteLLM's outcomes were not used.

| source | rows | from, licence |
|---|---|---|
{sources}

No prompt can be read back from the weights: they are sums over hashed buckets.

## Figures

`evals/results/routing.md` holds them all, in and out of distribution side by side, each with its
interval and count; `python -m evals.routing` makes them again.

## Limits

- The sources are exams, sums, code and puzzles with checkable answers. Chat, writing and agents' turns
  are not among them.
- Text alone tells little about a domain never seen: there, expect no more than prompt length gives.
  `novelty` is the share of training prompts that look less strange; beyond 0.95 a policy falls back.
- Korean rows are logic puzzles only; other languages are hardly present.
- Output lengths were counted with one tokenizer or estimated from bytes; some models have none, and
  then the typical length stands in.
"""


class Built(NamedTuple):
    """An artefact before it is written: what ``router.score.artefact.save`` takes, and the models' names."""

    manifest: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    models: tuple[str, ...]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evals.train", description="Fit the scorer on outcomes.")
    parser.add_argument("--data", type=Path, required=True, help="folder of train.jsonl.gz and families.json")
    parser.add_argument("--out", type=Path, required=True, help="artefact folder to write")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args(argv)
    try:
        digest = train(options.data, options.out, options.seed)
    except OutcomeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{options.out}: {digest}")
    return 0


def train(data: Path, out: Path, seed: int = SEED) -> str:
    """Fit on ``data`` and write the artefact to ``out``; returns its digest.

    Raises:
        OutcomeError: the rows cannot be learned from, or share questions with ``valid.jsonl.gz``.
    """
    rows = read_outcomes(data / "train.jsonl.gz")
    valid = data / "valid.jsonl.gz"
    if valid.exists():
        refuse_shared_stems(rows, read_outcomes(valid))
    built = fit(rows, learn.read_families(data / "families.json"), seed)
    hashes = {name: _sha256(data / name) for name in ("train.jsonl.gz", "families.json")}
    return artefact.save(out, {**built.manifest, "data": hashes}, built.arrays, card(built, rows))


def fit(rows: Sequence[Outcome], families: Mapping[str, learn.Family], seed: int = SEED) -> Built:
    """Learn everything an artefact holds from outcome rows."""
    goal = learn.targets(rows, learn.learnable_models(rows))
    inputs = design([row.prompt for row in rows])
    weights = learn.row_weights(goal.scores)
    fold = learn.folds(rows, FOLDS, seed)
    effort = _row_effort(goal.tokens)

    shared = OutcomeModel(seed=seed).directions(inputs)
    honest = np.zeros(goal.scores.shape, dtype=np.float32)
    honest_length = np.zeros(len(rows), dtype=np.float32)
    for k in range(FOLDS):
        seen, left = inputs.rows(fold != k), inputs.rows(fold == k)
        model = OutcomeModel(seed=seed).fit(seen, goal.scores[fold != k], weights[fold != k], shared)
        honest[fold == k] = model.decision_function(left)
        lengths = _LengthModel.fit(model, seen, effort[fold != k])
        honest_length[fold == k] = lengths.predict(model, left)

    model = OutcomeModel(seed=seed).fit(inputs, goal.scores, weights, shared)
    lengths = _LengthModel.fit(model, inputs, effort)
    offset, slope = calibrations(honest, goal.scores)
    level, stretch = _token_heads(honest_length, goal.tokens)
    table = np.column_stack([model.table_, lengths.table])
    bend = np.column_stack([model.structure_weights_, lengths.bend])
    source, stem = (np.array([getattr(row, name) for row in rows]) for name in ("source", "stem"))
    novelty, _, _ = familiarity.fit(inputs, source, stem, fold, seed)
    arrays: dict[str, NDArray[Any]] = {
        "table": table.astype(np.float16),
        "structure_mean": model.mean_,
        "structure_scale": model.scale_,
        "structure_knots": np.array(KNOTS, dtype=np.float32),
        "structure_weights": bend.astype(np.float32),
        "typical": _typical(inputs, model, table, bend),
        "ability": (offset + slope * model.ability_).astype(np.float32),
        "loading": np.column_stack([slope[:, None] * model.loading_, np.zeros(len(slope))]).astype(np.float32),
        "token_level": level.astype(np.float32),
        "token_slope": stretch.astype(np.float32),
        "surprise": novelty.surprise.astype(np.float16),
        "centres": novelty.centres.astype(np.float32),
        "novelty_weights": novelty.weights.astype(np.float32),
        "novelty_quantiles": novelty.quantiles.astype(np.float32),
    }
    return Built(_manifest(rows, goal.models, families, seed), arrays, goal.models)


def _manifest(
    rows: Sequence[Outcome], models: Sequence[str], families: Mapping[str, learn.Family], seed: int
) -> dict[str, Any]:
    row_of = {model: index for index, model in enumerate(models)}
    profiles: dict[str, dict[str, str]] = {"generic": {tier: f"generic/{tier}" for tier in TIER_NAMES}}
    profiles |= {
        name: dict(family.tiers)
        for name, family in families.items()
        if all(model in row_of for model in family.tiers.values())
    }
    return {
        "families": {
            name: {tier: {"model": model, "row": row_of[model]} for tier, model in tiers.items()}
            for name, tiers in profiles.items()
        },
        "models": list(models),
        "rows": len(rows),
        "sources": dict(sorted(Counter(row.source for row in rows).items())),
        "seed": seed,
        "folds": FOLDS,
        "estimator": OutcomeModel().get_params(),
    }


def calibrations(logits: Matrix, scores: Matrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Offset and slope per column that make honest logits fit the outcomes (Platt, 1999).

    Newton's method with a normal prior around offset 0 and slope 1, so that few rows change little.
    """
    fitted = np.tile([0.0, 1.0], (scores.shape[1], 1))
    prior = np.array([0.0, 1.0])
    for column in range(scores.shape[1]):
        known = ~np.isnan(scores[:, column])
        basis = np.column_stack([np.ones(known.sum()), logits[known, column]]).astype(np.float64)
        right = scores[known, column]
        for _ in range(25):
            chance = sigmoid(basis @ fitted[column])
            slope = basis.T @ (chance - right) + CALIBRATION_PRIOR * (fitted[column] - prior)
            bend = (basis.T * (chance * (1 - chance))) @ basis + CALIBRATION_PRIOR * np.eye(2)
            fitted[column] -= np.linalg.solve(bend, slope)
    return fitted[:, 0], fitted[:, 1]


class _LengthModel(NamedTuple):
    """Ridge regression of a prompt's effort (how much longer than usual its answers are)."""

    table: NDArray[np.float64]
    bend: NDArray[np.float64]

    @classmethod
    def fit(cls, model: OutcomeModel, inputs: Design, effort: NDArray[np.float64]) -> _LengthModel:
        from scipy import sparse
        from scipy.sparse.linalg import lsqr

        known = ~np.isnan(effort)
        seen = inputs.rows(known)
        both = sparse.hstack([seen.grams, sparse.csr_array(model.bend(seen.structure))]).tocsr()
        weights = lsqr(both, effort[known], damp=TOKEN_PENALTY**0.5, iter_lim=60)[0]
        return cls(weights[: inputs.grams.shape[1]], weights[inputs.grams.shape[1] :])

    def predict(self, model: OutcomeModel, inputs: Design) -> NDArray[np.float64]:
        return np.asarray(inputs.grams @ self.table + model.bend(inputs.structure) @ self.bend)


def _row_effort(tokens: Matrix) -> NDArray[np.float64]:
    """By how much a row's answers are longer than their models' usual ones, in log tokens."""
    logs = np.log(tokens.astype(np.float64))
    known = ~np.isnan(logs)
    logs = np.where(known, logs, 0)
    per_row, per_column = np.maximum(known.sum(axis=1), 1), np.maximum(known.sum(axis=0), 1)
    row = np.zeros(len(logs))
    column = np.zeros(logs.shape[1])
    for _ in range(30):
        column = (known * (logs - row[:, None])).sum(axis=0) / per_column
        row = (known * (logs - column)).sum(axis=1) / per_row
    return np.where(known.any(axis=1), row, np.nan)


def _token_heads(length: NDArray[np.float32], tokens: Matrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Level and slope of ``log tokens`` per column, scaled so that mean tokens come out right."""
    columns = tokens.shape[1]
    level, slope = np.full(columns, np.nan), np.ones(columns)
    for column in range(columns):
        known = ~np.isnan(tokens[:, column])
        if known.sum() < learn.MIN_OUTCOMES:
            continue
        x, count = length[known].astype(np.float64), tokens[known, column].astype(np.float64)
        spread = x - x.mean()
        slope[column] = spread @ np.log(count) / (spread @ spread + TOKEN_PENALTY)
        level[column] = np.log(count.mean() / np.exp(slope[column] * x).mean())
    return np.where(np.isnan(level), np.nanmedian(level), level), slope


def _typical(inputs: Design, model: OutcomeModel, table: NDArray[Any], bend: NDArray[Any]) -> Matrix:
    """The average prompt's place, split into the parts that ``explain`` tells apart."""
    wording = np.asarray(inputs.grams.mean(axis=0)).ravel() @ table
    structure = model.bend(inputs.structure).mean(axis=0)
    return np.vstack([wording, structure_parts(structure, bend.astype(np.float32))]).astype(np.float32)


def card(built: Built, rows: Sequence[Outcome]) -> str:
    """The model card; ``{digest}`` is filled in when the artefact is written."""
    sources = "\n".join(
        f"| {name} | {count} | {SOURCES.get(name, 'own rows')} |" for name, count in built.manifest["sources"].items()
    )
    languages = ", ".join(f"{k} {n}" for k, n in sorted(Counter(r.language for r in rows).items()))
    return CARD.format(
        rows=len(rows), models=len(built.models), sources=sources, languages=languages, digest="{digest}"
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    raise SystemExit(main())
