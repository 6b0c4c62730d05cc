"""Measure what own rows are worth: each source left out in turn, then given back a few rows at a time.

``python -m evals.own --data DIR`` fits a start without a source (and without any question of it), adapts it on
50 to 2,000 of that source's training rows, and judges the order it gives to the source's held-out rows: APGR,
small against large, on the source's own thirds of models. Beside it stand

- the start as it is, and prompt length;
- the same rows from nothing: the project's estimator fitted on them alone. The adaptation has that learner for a
  third part (``router.score.together``);
- the same adaptation from an empty start, with the same third part. What the adaptation has over it is what the
  start brings; what it has over "from nothing" is what two learners have over one;
- both without that part ("recipes alone");
- the estimator fitted on all sources, this one included ("in distribution").

Own rows are drawn several times; a figure is the mean over the draws, its interval a bootstrap by question over
the held-out rows, paired where a difference is shown. The median over sources is taken within each draw.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from evals import metrics
from evals import targets as learn
from evals.importers.outcomes import OutcomeError, read_outcomes, refuse_shared_stems
from evals.own.report import Curve, write
from router.score import adapt, together
from router.score.adapt import Floats, Sample
from router.score.estimator import Design, OutcomeModel, design

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from evals.importers.outcomes import Outcome

SEED: Final = 20261124
SIZES: Final = (50, 100, 200, 500, 1000, 2000)
JUDGED: Final = (50, 200, 500)
FOLDS: Final = 3
RESULTS: Final = Path(__file__).parents[1] / "results"
#: Its four models are of 2021 and have no thirds; the pair is the family ``gpt3-gsm``.
PAIRS: Final = {"gsm-openai-6b-175b": ("gpt3-6b-finetuning", "gpt3-175b-finetuning")}


class Source(NamedTuple):
    """One source, as a start that never saw it places its rows.

    Attributes:
        name: the source.
        own: rows to adapt on. held: rows to judge on.
        own_texts, held_texts: their designs, for the estimator from nothing.
        stems: the held rows' questions. length: of their prompts.
        known: logits for the held rows of the estimator that knows all sources.
        note: rows of the start, and how many were dropped for shared questions.
    """

    name: str
    own: Sample
    held: Sample
    own_texts: Design
    held_texts: Design
    stems: Sequence[str]
    length: Floats
    known: Floats
    note: str


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evals.own", description="Measure adapting to own rows.")
    parser.add_argument("--data", type=Path, required=True, help="folder of train.jsonl.gz and valid.jsonl.gz")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for own-traffic.json and own-traffic.md")
    parser.add_argument("--draws", type=int, default=400, help="bootstrap draws per interval")
    parser.add_argument("--repeats", type=int, default=5, help="times that own rows are drawn")
    parser.add_argument("--sizes", type=_sizes, default=SIZES, help="numbers of own rows, e.g. 50,200,500")
    options = parser.parse_args(argv)
    try:
        curves = [curve(source, options.repeats, options.draws, options.sizes) for source in sources(options.data)]
    except OutcomeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    command = f"--sizes {','.join(map(str, options.sizes))} --repeats {options.repeats} --draws {options.draws}"
    write(curves, JUDGED, SEED, f"python -m evals.own --data DIR {command}", options.out)
    return 0


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


# --- preparing ---------------------------------------------------------------------------------------


def sources(data: Path) -> Iterator[Source]:
    """Every source of the training rows, left out in turn."""
    train, valid = read_outcomes(data / "train.jsonl.gz"), read_outcomes(data / "valid.jsonl.gz")
    refuse_shared_stems(train, valid)
    inputs, held = design([row.prompt for row in train]), design([row.prompt for row in valid])
    everything = _fit(train, inputs)
    for name in sorted({row.source for row in train}):
        print(f"source left out: {name}", flush=True)
        yield _left_out(name, train, valid, inputs, held, everything)


def _left_out(
    name: str,
    train: Sequence[Outcome],
    valid: Sequence[Outcome],
    inputs: Design,
    held: Design,
    everything: OutcomeModel,
) -> Source:
    here, there = (np.array([row.source == name for row in rows]) for rows in (train, valid))
    banned = {row.stem for row in (*train, *valid) if row.source == name}
    kept = ~here & np.array([row.stem not in banned for row in train])
    start = _fit([row for row, use in zip(train, kept, strict=True) if use], inputs.rows(kept))
    rows = [row for row, use in zip((*train, *valid), (*here, *there), strict=True) if use]
    goal = _goal(name, rows)
    mine, judged = inputs.rows(here), held.rows(there)
    own = _sample(start, mine, goal[: here.sum()])
    ask = _sample(start, judged, goal[here.sum() :])
    both, own_both = _answered(ask), _answered(own)
    asked = list(rows[here.sum() :])
    known = everything.decision_function(judged)[:, [-3, -2, -1]][:, _columns(goal.shape[1])]
    return Source(
        name, own.rows(own_both), ask.rows(both), mine.rows(own_both), judged.rows(both),
        [row.stem for row, use in zip(asked, both, strict=True) if use],
        np.array([len(row.prompt) for row in asked], dtype=float)[both], known.astype(float)[both],
        f"start of {kept.sum()} rows, {(~here).sum() - kept.sum()} dropped for shared questions",
    )  # fmt: skip


def _fit(rows: Sequence[Outcome], inputs: Design) -> OutcomeModel:
    goal = learn.targets(rows, learn.learnable_models(rows))
    return OutcomeModel(seed=SEED).fit(inputs, goal.scores, learn.row_weights(goal.scores))


def _goal(name: str, rows: Sequence[Outcome]) -> Floats:
    """Rows by tiers: the source's thirds of models, or its pair."""
    if name in PAIRS:
        return np.array([[row.scores.get(model, np.nan) for model in PAIRS[name]] for row in rows])
    return learn.targets(rows, learn.learnable_models(rows, 100)).scores[:, -3:].astype(float)


def _columns(tiers: int) -> list[int]:
    return [0, 2] if tiers == 2 else [0, 1, 2]


def _answered(sample: Sample) -> NDArray[np.bool_]:
    """Rows that the smallest and the largest tier both answered."""
    known: NDArray[np.bool_] = np.asarray(~np.isnan(sample.scores[:, [0, -1]]).any(axis=1))
    return known


def _sample(start: OutcomeModel, inputs: Design, goal: Floats) -> Sample:
    place = start.transform(inputs).astype(float)
    generic = place @ start.loading_[-3:].T + start.ability_[-3:]
    logits = np.asarray(generic[:, _columns(goal.shape[1])])
    return Sample(place, logits, goal, start.bend(inputs.structure).astype(float), inputs.grams)


# --- measuring ---------------------------------------------------------------------------------------


def curve(source: Source, repeats: int, draws: int, sizes: Sequence[int] = SIZES) -> Curve:
    """Every router at every size: the order it gives, judged plainly and on bootstrap draws."""
    logits = {("start", 0): [source.held.start], ("in distribution", 0): [source.known]}
    used = {}
    for size in sizes:
        if size > len(source.own.scores) and size not in JUDGED:
            continue
        used[size] = min(size, len(source.own.scores))
        print(f"  {source.name}: {used[size]} own rows", flush=True)
        for number in range(repeats if size <= max(JUDGED) else 1):
            for router, found in _adapted(source, used[size], number).items():
                logits.setdefault((router, size), []).append(found)
    orders = {("prompt length", 0): [source.length]}
    orders |= {key: [_gain(one) for one in found] for key, found in logits.items()}
    picks = _picks(source.stems, draws)
    values, losses = _apgr(source.held.scores, orders, picks), _losses(source.held.scores, logits, picks)
    return Curve(source.name, len(source.stems), source.note, values, used, losses)


def _adapted(source: Source, size: int, number: int) -> dict[str, Floats]:
    """The held rows' logits that one drawing of own rows teaches."""
    picked = np.random.default_rng([SEED, number]).permutation(len(source.own.scores))[:size]
    own, folds = source.own.rows(picked), np.arange(size) % FOLDS
    texts, scores = source.own_texts.rows(picked), own.scores.astype(np.float32)
    taught = together.learn(own, folds, adapt.RECIPES, SEED)
    empty, _ = adapt.learn(own, folds, adapt.FROM_NOTHING)
    changes = {
        "adapted": taught.change,
        "recipes alone": taught.recipes,
        "empty start": together.together(empty, taught.alone),
        "empty start, recipes alone": empty,
    }
    logits = {router: change.logits(source.held) for router, change in changes.items()}
    nothing = OutcomeModel(seed=SEED).fit(texts, scores).decision_function(source.held_texts)
    return {**logits, "from nothing": nothing.astype(float)}


def _gain(logits: Floats) -> Floats:
    """By how much large is more likely right than small."""
    chance = 0.5 * (1.0 + np.tanh(0.5 * logits))
    return np.asarray(chance[:, -1] - chance[:, 0])


def _picks(stems: Sequence[str], draws: int) -> list[NDArray[np.int64]]:
    """All held rows, then each bootstrap draw. All routers meet the same draws, so differences are paired."""
    seen: list[Any] = []

    def see(index: Any) -> float:
        seen.append(index)
        return 0.0

    metrics.bootstrap(see, stems, np.random.default_rng(SEED), draws)
    return [seen[-1], *seen[:-1]]


def _apgr(
    scores: Floats, found: Mapping[tuple[str, int], Sequence[Floats]], picks: Sequence[NDArray[np.int64]]
) -> dict[tuple[str, int], Floats]:
    """APGR of every router on each pick, the mean over its orders."""
    values = {}
    for key, orders in found.items():
        measures = [metrics.apgr_on(scores[:, 0], scores[:, -1], order) for order in orders]
        values[key] = np.array([np.mean([measure(pick) for measure in measures]) for pick in picks])
    return values


def _losses(
    scores: Floats, found: Mapping[tuple[str, int], Sequence[Floats]], picks: Sequence[NDArray[np.int64]]
) -> dict[tuple[str, int], Floats]:
    """Mean loss of an outcome (minus its log-likelihood) on each pick, the mean over a router's logits."""
    values = {}
    for key, logits in found.items():
        rows = np.mean([np.nanmean(adapt.deviance(one, scores), axis=1) for one in logits], axis=0)
        values[key] = np.array([rows[pick].mean() for pick in picks])
    return values


if __name__ == "__main__":
    raise SystemExit(main())
