"""How good the router's decisions are: the table behind ``docs/scorer.md``.

``python -m evals.routing --data DIR`` reads the outcome files in DIR and writes
``evals/results/routing.json`` and ``.md``. Four questions, answered side by side:

* *in distribution*: the shipped scorer on the valid split, questions it never saw, per family;
* *source left out*: the same model fitted without one source, judged on that source;
* *trained elsewhere*: RouteLLM's MMLU and GSM8K, every row that shares a question dropped first;
* *what it costs*: CPU time per prompt.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np

from evals import baselines, metrics
from evals import targets as learn
from evals.importers.outcomes import (
    Outcome,
    OutcomeError,
    read_outcomes,
    refuse_shared_stems,
    without_stems,
)
from evals.routing_report import Line, write
from router.score import Scorer, load
from router.score.estimator import OutcomeModel, design

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

SEED: Final = 20261124
FOLDS: Final = 5
FAMILIES: Final = ("llama-3.1", "gemma-2")
KEEP: Final = (0.95, 0.98, 1.0)
LEAST_ROWS: Final = 100
#: Bytes of UTF-8 per input token; the sources store no input counts.
BYTES_PER_TOKEN: Final = 4.0
#: The profile nearest to RouteLLM's pair: the same weak model and a strong one of the same vendor.
ROUTELLM_FAMILY: Final = "mixtral-gpt4o"
ROUTELLM_PROFILE: Final = ("mixtral-8x7b-instruct-v0.1", "gpt-4o-2024-05-13")
RESULTS: Final = Path(__file__).parent / "results"


Figure: TypeAlias = "Callable[[NDArray[np.int64]], float]"


class Bench(NamedTuple):
    """Prompts of one protocol with two or three tiers' outcomes.

    ``quality`` is rows by tiers, smallest first. ``ours`` maps a way of scoring to rows by tiers of
    P(right).
    """

    protocol: str
    target: str
    rows: Sequence[Outcome]
    quality: metrics.Floats
    ours: Mapping[str, metrics.Floats]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evals.routing", description="Measure routing decisions.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the outcome files")
    parser.add_argument("--artefact", type=Path, help="scorer to measure; default: the shipped one")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for routing.json and routing.md")
    parser.add_argument("--draws", type=int, default=1000, help="bootstrap draws per interval")
    options = parser.parse_args(argv)
    try:
        measure(options.data, load(options.artefact), options.out, options.draws)
    except OutcomeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def measure(data: Path, scorer: Scorer, out: Path, draws: int) -> None:
    """Run every protocol and write the two result files."""
    train = read_outcomes(data / "train.jsonl.gz")
    valid = read_outcomes(data / "valid.jsonl.gz")
    refuse_shared_stems(train, valid)
    families = learn.read_families(data / "families.json")
    lines: list[Line] = []
    for name in FAMILIES:
        _say(f"in distribution: {name}")
        lines += in_distribution(scorer, valid, families[name], draws)
    _say("calibration")
    lines += calibration(scorer, valid, families)
    lines += sources_left_out(train, valid, draws)
    lines += trained_elsewhere(train, read_outcomes(data / "routellm.jsonl.gz"), draws)
    _say("speed")
    lines += speed(scorer)
    write(lines, scorer.digest, SEED, out)
    _say(f"wrote {out / 'routing.md'}")


# --- protocols ---------------------------------------------------------------------------------------


def in_distribution(scorer: Scorer, valid: Sequence[Outcome], family: learn.Family, draws: int) -> list[Line]:
    """APGR on every row with all tiers; savings on those whose answers' tokens were measured."""
    models = list(family.tiers.values())
    rows = [row for row in valid if all(model in row.scores for model in models)]
    lines = _apgr_lines(_bench("in distribution", family.name, rows, models, scorer), draws)
    measured = [row for row in rows if all(row.output_tokens.get(model) for model in models)]
    bench = _bench("in distribution, tokens measured", family.name, measured, models, scorer)
    return lines + _apgr_lines(bench, draws) + _saving_lines(bench, scorer, family, draws)


def calibration(scorer: Scorer, valid: Sequence[Outcome], families: Mapping[str, learn.Family]) -> list[Line]:
    """ECE over all tiers of all families, pooled, beside a perfect forecaster's; by language too."""
    chances, outcomes, languages = [], [], []
    for name in scorer.families:
        if name == "generic":
            continue
        tiers = families[name].tiers
        rows = [row for row in valid if any(model in row.scores for model in tiers.values())]
        for row, score in zip(rows, scorer.score_many((r.prompt for r in rows), name), strict=True):
            for tier, model in tiers.items():
                if model in row.scores:
                    chances.append(score.p_right[tier])
                    outcomes.append(row.scores[model])
                    languages.append(row.language)
    chance, outcome, language = np.array(chances), np.array(outcomes), np.array(languages)
    rng = np.random.default_rng(SEED)
    lines = []
    for name, use in [("all", language != ""), *((k, language == k) for k in sorted(set(languages)))]:
        n = int(use.sum())
        value, perfect = metrics.ece(chance[use], outcome[use]), metrics.perfect_ece(chance[use], rng, 50)
        lines.append(Line("in distribution", f"all families, {name}", "ECE", "ours", value, None, None, n))
        lines.append(Line("in distribution", f"all families, {name}", "ECE", "perfect", perfect, None, None, n))
    return lines


def sources_left_out(train: Sequence[Outcome], valid: Sequence[Outcome], draws: int) -> list[Line]:
    """Fit without a source, judge its valid rows by the generic profile on its own thirds of models."""
    lines: list[Line] = []
    for source in sorted({row.source for row in valid} - learn.NOT_GENERIC):
        target = [row for row in valid if row.source == source]
        if len(target) < LEAST_ROWS:
            continue
        others = [row for row in train if row.source != source]
        kept = without_stems(others, target)
        _say(f"source left out: {source} ({len(others) - len(kept)} rows dropped for shared questions)")
        model, _ = _fit(kept)
        goal = learn.targets(target, learn.learnable_models(target, LEAST_ROWS))
        both = goal.scores[:, [-3, -1]].astype(float)
        use = ~np.isnan(both).any(axis=1)
        chance = model.predict_proba(design([row.prompt for row in target]))[:, [-3, -1]].astype(float)
        rows = [row for row, ok in zip(target, use, strict=True) if ok]
        note = f"trained on {len(kept)} rows, {len(others) - len(kept)} dropped for shared questions"
        bench = Bench("source left out", source, rows, both[use], {"ours": chance[use]})
        lines += [line._replace(note=note) for line in _apgr_lines(bench, draws)]
        lines += [line._replace(note=note) for line in _ece_lines(bench)]
    return lines


def trained_elsewhere(train: Sequence[Outcome], routellm: Sequence[Outcome], draws: int) -> list[Line]:
    """RouteLLM's pair on MMLU and GSM8K, fitted on our training rows without their questions."""
    lines: list[Line] = []
    weak, strong = "mixtral-8x7b-instruct-v0.1", "gpt-4-1106-preview"
    for source in ("routellm-mmlu", "routellm-gsm8k"):
        target = [row for row in routellm if row.source == source and {weak, strong} <= row.scores.keys()]
        kept = without_stems(train, target)
        _say(f"trained elsewhere: {source} ({len(train) - len(kept)} rows dropped for shared questions)")
        model, names = _fit(kept)
        chance = model.predict_proba(design([row.prompt for row in target])).astype(float)
        pair = [names.index(model_name) for model_name in ROUTELLM_PROFILE]
        ours = {"ours": chance[:, [-3, -1]], f"ours, {ROUTELLM_FAMILY} profile": chance[:, pair]}
        quality = np.array([[row.scores[weak], row.scores[strong]] for row in target])
        note = f"trained on {len(kept)} rows, {len(train) - len(kept)} dropped for shared questions"
        bench = Bench("trained elsewhere", source, target, quality, ours)
        lines += [line._replace(note=note) for line in _apgr_lines(bench, draws)]
        lines += [line._replace(note=note) for line in _ece_lines(bench)]
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


# --- parts -------------------------------------------------------------------------------------------


def _bench(protocol: str, target: str, rows: Sequence[Outcome], models: Sequence[str], scorer: Scorer) -> Bench:
    scores = scorer.score_many((row.prompt for row in rows), target)
    chance = np.array([list(score.p_right.values()) for score in scores])
    quality = np.array([[row.scores[model] for model in models] for row in rows])
    return Bench(protocol, target, rows, quality, {"ours": chance})


def _orderings(bench: Bench) -> dict[str, metrics.Floats]:
    """Every router as a score: the higher, the more the prompt deserves the large tier."""
    prompts = [row.prompt for row in bench.rows]
    scores = {name: chance[:, -1] - chance[:, 0] for name, chance in bench.ours.items()}
    scores["prompt length"] = np.array([len(prompt) for prompt in prompts], dtype=float)
    scores["random"] = np.zeros(len(prompts))
    scores |= {f"LiteLLM {name}": score for name, score in baselines.litellm_scores(prompts).items()}
    scores["oracle"] = metrics.oracle_score(bench.quality[:, 0], bench.quality[:, -1])
    return scores


def _apgr_lines(bench: Bench, draws: int) -> list[Line]:
    weak, strong = bench.quality[:, 0], bench.quality[:, -1]
    stems = [row.stem for row in bench.rows]
    orderings = _orderings(bench)

    def line(metric: str, router: str, figure: Figure) -> Line:
        interval = metrics.bootstrap(figure, stems, np.random.default_rng(SEED), draws)
        return Line(bench.protocol, bench.target, metric, router, *interval, len(stems))

    def of(score: metrics.Floats) -> Figure:
        return lambda index: metrics.apgr(weak[index], strong[index], score[index])

    lines = [line("APGR", router, of(score)) for router, score in orderings.items()]
    ours = of(orderings["ours"])
    for rival in ("prompt length", "random", "LiteLLM v1 tiers", "LiteLLM v2 tiers"):
        other = of(orderings[rival])
        lines.append(line("APGR difference", f"ours - {rival}", _minus(ours, other)))
    for share in (0.5, 0.8):
        for router, score in orderings.items():
            value = metrics.cpt(weak, strong, score, share)
            name = f"CPT{share * 100:.0f}"
            lines.append(Line(bench.protocol, bench.target, name, router, value, None, None, len(stems)))
    return lines


def _ece_lines(bench: Bench) -> list[Line]:
    chance, outcome = bench.ours["ours"].ravel(), bench.quality.ravel()
    perfect = metrics.perfect_ece(chance, np.random.default_rng(SEED), 50)
    figures = (("ours", metrics.ece(chance, outcome)), ("perfect", perfect))
    return [
        Line(bench.protocol, bench.target, "ECE", router, value, None, None, len(chance)) for router, value in figures
    ]


def _saving_lines(bench: Bench, scorer: Scorer, family: learn.Family, draws: int) -> list[Line]:
    cost = np.array([_costs(row, family) for row in bench.rows])
    guess = np.array([_forecast(scorer, row, family) for row in bench.rows])
    orderings = _orderings(bench)
    n, tiers = cost.shape
    routers = {
        "ours": baselines.by_dial(bench.ours["ours"], guess),
        "ours, keep rule": baselines.by_keep(bench.ours["ours"]),
        "constant": baselines.constant(n, tiers),
        "random": baselines.random_mix(n, tiers),
        "oracle": baselines.by_worth(bench.quality, cost),
    }
    for name in ("prompt length", "LiteLLM v1 tiers", "LiteLLM v2 tiers"):
        routers[name] = baselines.by_score(orderings[name], tiers)
    stems = [row.stem for row in bench.rows]
    fold = learn.folds(bench.rows, FOLDS, SEED)
    lines: list[Line] = []
    for share in KEEP:
        metric = f"saving at {share:.0%}"
        results = {
            name: metrics.held_out_saving(settings, bench.quality, cost, fold, share)
            for name, settings in routers.items()
        }
        for name, result in results.items():
            interval = metrics.bootstrap(_saved_on(result), stems, np.random.default_rng(SEED), draws)
            note = f"kept {result.kept:.1%}"
            lines.append(Line(bench.protocol, bench.target, metric, name, *interval, n, note))
        lines += _saving_differences(bench, metric, results, stems, draws)
    return lines


def _saving_differences(
    bench: Bench, metric: str, results: Mapping[str, metrics.Saving], stems: Sequence[str], draws: int
) -> list[Line]:
    ours, lines = _saved_on(results["ours"]), []
    for rival in ("prompt length", "random", "LiteLLM v1 tiers", "LiteLLM v2 tiers"):
        figure = _minus(ours, _saved_on(results[rival]))
        interval = metrics.bootstrap(figure, stems, np.random.default_rng(SEED), draws)
        name = f"{metric} difference"
        lines.append(Line(bench.protocol, bench.target, name, f"ours - {rival}", *interval, len(stems)))
    return lines


def _saved_on(result: metrics.Saving) -> Figure:
    return lambda index: metrics.saved(result.cost[index], result.always[index])


def _minus(one: Figure, other: Figure) -> Figure:
    return lambda index: one(index) - other(index)


def _costs(row: Outcome, family: learn.Family) -> list[float]:
    """Micro-dollars per tier: input tokens estimated from bytes, output tokens measured."""
    asked = len(row.prompt.encode("utf-8", "replace")) / BYTES_PER_TOKEN
    return [
        asked * family.prices[tier][0] + float(row.output_tokens[model] or 0) * family.prices[tier][1]
        for tier, model in family.tiers.items()
    ]


def _forecast(scorer: Scorer, row: Outcome, family: learn.Family) -> list[float]:
    asked = len(row.prompt.encode("utf-8", "replace")) / BYTES_PER_TOKEN
    tokens = scorer.score(row.prompt, family.name).output_tokens
    return [asked * family.prices[tier][0] + tokens[tier] * family.prices[tier][1] for tier in family.tiers]


def _fit(rows: Sequence[Outcome]) -> tuple[OutcomeModel, list[str]]:
    goal = learn.targets(rows, learn.learnable_models(rows))
    model = OutcomeModel(seed=SEED)
    model.fit(design([row.prompt for row in rows]), goal.scores, learn.row_weights(goal.scores))
    return model, list(goal.models)


def _say(words: str) -> None:
    print(words, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
