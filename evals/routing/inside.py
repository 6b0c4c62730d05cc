"""Known ground: the shipped scorer on the valid split, questions it never saw, per family of tiers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import numpy as np

from evals import metrics
from evals import targets as learn
from evals.routing.parts import BYTES_PER_TOKEN, SEED, Bench, apgr_lines, bill, costs_of, saving_lines, stated
from evals.routing.report import Line
from router.core.decide import NOVELTY_LIMIT
from router.score.estimator import OutcomeModel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from evals.encode import Vectors
    from evals.importers.outcomes import Outcome
    from evals.routing.outside import Part
    from router.score import Scorer


FAMILIES: Final = ("llama-3.1", "gemma-2", "qwen2.5", "mixed-2026")
NEIGHBOURS: Final = 50
PUZZLES: Final = "haerae-logic"
#: Rows of training for the learning curve.
CURVE: Final = (500, 2000, 8000)


def families_inside(
    scorer: Scorer,
    train: Sequence[Outcome],
    valid: Sequence[Outcome],
    families: Mapping[str, learn.Family],
    vectors: Vectors | None,
    draws: int,
) -> list[Line]:
    """Per family: APGR on every row with all tiers; savings on those whose answers' tokens are known."""
    lines: list[Line] = []
    for name in FAMILIES:
        family = families[name]
        models = list(family.tiers.values())
        known = [row for row in train if all(model in row.scores for model in models)]
        rows = [row for row in valid if all(model in row.scores for model in models)]
        lines += apgr_lines(_bench("in distribution", scorer, known, rows, family, vectors), draws)
        counted = [row for row in rows if all(row.output_tokens.get(model) for model in models)]
        estimated = "estimate" in (counted[0].token_method or "")
        protocol = f"in distribution, tokens {'estimated' if estimated else 'measured'}"
        bench = _bench(protocol, scorer, known, counted, family, vectors)
        cost = np.array([costs_of(row, family) for row in counted])
        guess = np.array([_forecast(scorer, row, family) for row in counted])
        lines += apgr_lines(bench, draws) + saving_lines(bench, cost, guess, draws)
    return lines


def calibration(scorer: Scorer, valid: Sequence[Outcome], families: Mapping[str, learn.Family]) -> list[Line]:
    """ECE over all tiers of all families, pooled, beside a perfect forecaster's, and by language; abstention."""
    chance, outcome, answered = stated(scorer, valid, families)
    language = np.array([row.language for row in answered])
    lines = []
    for name, use in _by_language(language):
        n = int(use.sum())
        value = metrics.ece(chance[use], outcome[use])
        perfect = metrics.perfect_ece(chance[use], np.random.default_rng(SEED), 50)
        for router, figure in (("ours", value), ("perfect", perfect)):
            lines.append(Line("in distribution", f"all families, {name}", "ECE", router, figure, None, None, n))
    strange = np.array([score.novelty for score in scorer.score_many(row.prompt for row in valid)])
    spoken = np.array([row.language for row in valid])
    for name, use in _by_language(spoken):
        share, n = float((strange[use] > NOVELTY_LIMIT).mean()), int(use.sum())
        lines.append(Line("in distribution", f"all rows, {name}", "share abstained", "ours", share, None, None, n))
    return lines


def puzzles(scorer: Scorer, train: Part, valid: Part, families: Mapping[str, learn.Family]) -> list[Line]:
    """haerae-logic: who solves which, puzzle types known and puzzle types left out; the rise with difficulty."""
    mine = [part.where(part.source == PUZZLES) for part in (train, valid)]
    known, target = mine
    models = list(families["mixed-2026"].tiers.values())
    outcome = np.array([[row.scores.get(model, np.nan) for model in models] for row in target.rows])
    shipped = np.array(
        [list(s.p_right.values()) for s in scorer.score_many((r.prompt for r in target.rows), "mixed-2026")]
    )
    blind = np.full(outcome.shape, np.nan)
    kind, seen = (np.array([row.task for row in part.rows]) for part in (target, known))
    goal = learn.targets(known.rows, models)
    groups = np.array_split(np.array(sorted(set(kind))), 5)
    for group in groups:
        use = ~np.isin(seen, group) & ~np.isin(known.stem, target.stem[np.isin(kind, group)])
        rest = known.where(use)
        model = OutcomeModel(seed=SEED).fit(rest.inputs, goal.scores[use], learn.row_weights(goal.scores[use]))
        here = np.isin(kind, group)
        blind[here] = model.predict_proba(target.where(here).inputs)[:, : len(models)]
    lines = []
    for router, chance in (("types known", shipped), ("types left out", blind)):
        areas = [
            metrics.auc(outcome[ok, tier] > 0.5, chance[ok, tier])
            for tier in range(len(models))
            for ok in [~np.isnan(outcome[:, tier])]
        ]
        lines.append(
            Line("puzzles", PUZZLES, "AUC, mean over tiers", router, float(np.mean(areas)), None, None, len(kind))
        )
    level = np.array([str(row.meta.get("difficulty", "")) for row in target.rows])
    for name in ("easy", "medium", "hard"):
        use = level == name
        if use.any():
            mean = float(1 - shipped[use, 0].mean())
            lines.append(Line("puzzles", PUZZLES, f"mean complexity, {name}", "ours", mean, None, None, int(use.sum())))
    return lines


def learning_curve(train: Part, valid: Part, families: Mapping[str, learn.Family]) -> list[Line]:
    """Log loss and APGR on the valid split against the number of training rows."""
    order = np.random.default_rng(SEED).permutation(len(train.rows))
    lines = []
    for count in (*(n for n in CURVE if n < len(order)), len(order)):
        use = np.zeros(len(order), dtype=bool)
        use[order[:count]] = True
        part = train.where(use)
        goal = learn.targets(part.rows, learn.learnable_models(part.rows, 50))
        model = OutcomeModel(seed=SEED).fit(part.inputs, goal.scores, learn.row_weights(goal.scores))
        chance = model.predict_proba(valid.inputs).astype(float)
        for name in FAMILIES:
            tiers = list(families[name].tiers.values())
            if not set(tiers) <= set(goal.models):
                continue
            ok = [k for k, row in enumerate(valid.rows) if set(tiers) <= row.scores.keys()]
            quality = np.array([[valid.rows[k].scores[model_name] for model_name in tiers] for k in ok])
            guess = chance[np.ix_(ok, [goal.models.index(model_name) for model_name in tiers])]
            value = metrics.apgr(quality[:, 0], quality[:, -1], guess[:, -1] - guess[:, 0])
            lines.append(
                Line("learning curve", name, f"APGR, {count} training rows", "ours", value, None, None, len(ok))
            )
    return lines


def speed(scorer: Scorer, calls: int = 3000) -> list[Line]:
    """CPU microseconds per prompt, median and p99, by length."""
    sentence = "Find every pair (x, y) of whole numbers with x + 2y = 17, then explain how you know. "
    lines = []
    for tokens in (35, 200, 1000):
        text = (sentence * 60)[: int(tokens * BYTES_PER_TOKEN)]
        taken = np.empty(calls)
        for call in range(calls):
            before = time.thread_time_ns()
            scorer.score(text)
            taken[call] = time.thread_time_ns() - before
        warm = taken[calls // 10 :] / 1000
        for name, value in (("median", np.median(warm)), ("p99", np.percentile(warm, 99))):
            lines.append(
                Line("speed", f"{tokens} tokens", f"CPU us, {name}", "ours", float(value), None, None, len(warm))
            )
    return lines


def _bench(
    protocol: str,
    scorer: Scorer,
    known: Sequence[Outcome],
    rows: Sequence[Outcome],
    family: learn.Family,
    vectors: Vectors | None,
) -> Bench:
    models = list(family.tiers.values())
    scores = scorer.score_many((row.prompt for row in rows), family.name)
    chance = np.array([list(score.p_right.values()) for score in scores])
    taught = np.array([[row.scores[model] for model in models] for row in known])
    others = {"group mean": _group_mean(known, taught, rows)}
    if vectors is not None:
        others["kNN-MiniLM"] = _neighbours(vectors, known, taught, rows)
    quality = np.array([[row.scores[model] for model in models] for row in rows])
    return Bench(protocol, family.name, rows, quality, {"ours": chance}, others)


def _group_mean(known: Sequence[Outcome], taught: metrics.Floats, rows: Sequence[Outcome]) -> metrics.Floats:
    """What a table of mean scores by source and task would say."""
    names = np.array([f"{row.source}/{row.task}" for row in known])
    table = {name: taught[names == name].mean(axis=0) for name in set(names)}
    overall = taught.mean(axis=0)
    return np.array([table.get(f"{row.source}/{row.task}", overall) for row in rows])


def _neighbours(
    vectors: Vectors, known: Sequence[Outcome], taught: metrics.Floats, rows: Sequence[Outcome]
) -> metrics.Floats:
    """The mean scores of the nearest training prompts by MiniLM's cosine."""
    old, new = (np.stack([vectors[row.id] for row in part]).astype(np.float32) for part in (known, rows))
    near = np.argpartition(-(new @ old.T), NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    found: metrics.Floats = taught[near].mean(axis=1)
    return found


def _by_language(language: NDArray[np.str_]) -> list[tuple[str, NDArray[np.bool_]]]:
    return [("all", language != ""), *((name, language == name) for name in sorted(set(language)))]


def _forecast(scorer: Scorer, row: Outcome, family: learn.Family) -> list[float]:
    """The bill with the scorer's expected output tokens."""
    said = scorer.score(row.prompt, family.name).output_tokens
    return bill(row, family, [said[tier] for tier in family.tiers])
