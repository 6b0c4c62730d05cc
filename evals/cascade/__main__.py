"""What trying, checking and escalating is worth: the table behind ``docs/cascade.md``.

``python -m evals.cascade`` reads the recorded numbers (``results/cascade-outcomes.jsonl``) and writes
``results/cascade.json`` and ``.md``; with ``--ship`` also the calibration that the gateway loads. With
``--raw FILE … --data DIR`` the numbers are made anew from the answers of ``evals.cascade.collect``.

Everything that judges is cross-fitted: questions are cut into folds by their hash, and a question is judged
by models that saw the other folds only. Methods are compared at equal cost: each is a curve of settings,
read between its neighbouring settings (a random mix of the two), and differences are paired by question.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import numpy as np

from evals import metrics
from evals.cascade.outcomes import FILE, SAMPLES, Answer, Row, read_rows, rows_of, write_rows
from router.core.checks import (
    NOTHING_KNOWN,
    Calibration,
    Head,
    Prior,
    Terms,
    by_itself,
    chances_of,
    evidence,
    kind_of,
    tiers_above,
)
from router.core.cost import cost_of
from router.registry.references import reference_prices
from router.types import TIER_NAMES, Price, TierName, Usage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from router.core.signals import Signals

SEED: Final = 20261124
FOLDS: Final = 10
#: Inverse strength of the ridge; fixed before the figures were seen, for some 250 rows and a dozen numbers.
RIDGE: Final = 0.5
#: A model is learned from no fewer answers.
LEAST_ROWS: Final = 60
RESULTS: Final = FILE.parent
SHIPPED: Final = Path(__file__).parents[2] / "router" / "score" / "answers.json"
#: Weights of money against chances, in units of one over the mean cost of large: the dial's settings.
WEIGHTS: Final = (0.0, *(float(w) for w in np.geomspace(0.01, 100, 60)))
#: Where the curves are compared: shares of the way from always-small's cost to always-large's.
BUDGETS: Final = (0.25, 0.5, 0.75)
GRID: Final = np.linspace(0.1, 0.9, 33)

#: Reference prices, nano-dollars per million tokens, input and output: list prices of the tiers that the gateway
#: sets up from a provider's key, those it reckons with where nothing is known, and the parameters' proportion.
PRICES: Final[Mapping[str, Mapping[TierName, Price]]] = {
    "gpt-5 list": {tier: reference_prices("gpt-5")[tier] for tier in TIER_NAMES},
    "llama-3.1 list": {tier: reference_prices("llama-3.1")[tier] for tier in TIER_NAMES},
    "by parameters": {
        tier: Price(input=round(b * 1e8), output=round(b * 4e8))
        for tier, b in zip(TIER_NAMES, (0.135, 0.63, 1.78), strict=True)
    },
}

WITH: Final = Terms(checks=("logprobs",))
WITHOUT: Final = Terms(checks=("likelihood",))
AGREEMENT: Final = Terms(checks=("agreement",))
EVIDENCE: Final[Mapping[str, Terms]] = {
    "with log-probabilities": WITH,
    "without log-probabilities": WITHOUT,
    "self-agreement, without log-probabilities": AGREEMENT,
}

#: Every kind of evidence that is shipped, each with and without the scorer's chances.
KINDS: Final = (WITHOUT, WITH, AGREEMENT, Terms(checks=("logprobs", "agreement")))

#: What was known of each prompt, rows by tiers; one array a test fold, so that nothing of it leaks.
Priors = Sequence["metrics.Floats"]


class Curve(NamedTuple):
    """A method's settings: rows are settings, columns are questions. Money in nano-dollars."""

    name: str
    cost: metrics.Floats
    quality: metrics.Floats

    def at(self, budgets: metrics.Floats, resampled: metrics.Floats) -> metrics.Floats:
        """Mean quality at given mean costs.

        Args:
            budgets: resamples by budgets.
            resampled: resamples by questions, each row a weight for every question that adds up to one.

        Returns:
            resamples by budgets; between two settings a random mix of both.
        """
        cost, quality = resampled @ self.cost.T, resampled @ self.quality.T
        order = np.argsort(cost, axis=1, kind="stable")
        cost, quality = np.take_along_axis(cost, order, 1), np.take_along_axis(quality, order, 1)
        return np.stack([np.interp(b, c, q) for b, c, q in zip(budgets, cost, quality, strict=True)])


def resamples(n: int, draws: int) -> metrics.Floats:
    """Bootstrap weights, one row a resample; the first row is the sample itself. Questions are distinct."""
    rng = np.random.default_rng(SEED)
    counts = [np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(draws)]
    found: metrics.Floats = np.vstack([np.ones(n), *counts]) / n
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evals.cascade", description="Measure cascades.")
    parser.add_argument("--raw", type=Path, nargs="+", help="answers of evals.cascade.collect: record them anew")
    parser.add_argument("--data", type=Path, help="folder of the outcome rows that the questions were read from")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for cascade.json and cascade.md")
    parser.add_argument("--draws", type=int, default=1000, help="bootstrap draws per interval")
    parser.add_argument("--ship", action="store_true", help="also write the calibration that the gateway loads")
    options = parser.parse_args(argv)
    if options.raw:
        record(options.raw, options.data)
    try:
        rows = read_rows()
    except (OSError, ValueError) as error:
        print(f"error: {FILE.name}: {error}", file=sys.stderr)
        return 2
    from evals.cascade.report import write

    write(measure(rows, options.draws), options.out)
    if options.ship:
        ship(rows)
    return 0


def record(raw: Sequence[Path], data: Path | None) -> None:
    """Turn answers into the recorded numbers."""
    from evals.cascade.collect import IMPORTED, read_raw
    from evals.cascade.questions import questions
    from router.score import load

    answers = [row for path in raw for row in read_raw(path)]
    write_rows(rows_of(questions(data, IMPORTED), answers, load()))


# --- learning ----------------------------------------------------------------------------------------


def folds_of(rows: Sequence[Row]) -> NDArray[np.int64]:
    """The fold of each question, by its hash."""
    return np.array([int(row.question, 16) % FOLDS for row in rows])


def fit_head(x: metrics.Floats, y: NDArray[np.bool_]) -> Head:
    """A ridge logistic regression in the evidence's own units; the base rate where one class is all there is."""
    from sklearn.linear_model import LogisticRegression

    rate = (np.count_nonzero(y) + 0.5) / (len(y) + 1)
    if y.all() or not y.any():
        return Head(bias=float(np.log(rate / (1 - rate))), weights=(0.0,) * x.shape[1])
    mean, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    model = LogisticRegression(C=RIDGE, max_iter=1000).fit((x - mean) / scale, y)
    weights = model.coef_[0] / scale
    bias = float(model.intercept_[0] - weights @ mean)
    return Head(bias=round(bias, 6), weights=tuple(round(float(w), 6) for w in weights))


def calibrate(
    rows: Sequence[Row], kinds: Sequence[Terms], scores: Sequence[metrics.Floats | None], name: str = "cross-fit"
) -> Calibration:
    """Chances by evidence, from ``rows`` alone. A tier without some kind of evidence has no model of that kind.

    Args:
        rows: to learn from.
        kinds: of evidence.
        scores: what scorers think of the rows, rows by tiers; None for models that know no scorer.
        name: of what is made.
    """
    heads: dict[TierName, dict[str, dict[TierName, Head]]] = {}
    for tier in TIER_NAMES[:-1]:
        for terms in kinds:
            told = [i for i, row in enumerate(rows) if _shows(row.answers[tier].signals, terms)]
            if len(told) < LEAST_ROWS:
                continue
            for score in scores:
                priors = [_prior(score, i) for i in told]
                x = np.array([
                    evidence(rows[i].answers[tier].signals, rows[i].demand, terms, prior)
                    for i, prior in zip(told, priors, strict=True)
                ])  # fmt: skip
                heads.setdefault(tier, {})[kind_of(terms, priors[0])] = {
                    target: fit_head(x, np.array([rows[i].answers[target].right for i in told]))
                    for target in (tier, *tiers_above(tier))
                }
    return Calibration(name=name, digest="", heads=heads)


def _prior(score: metrics.Floats | None, row: int) -> Prior:
    if score is None:
        return NOTHING_KNOWN
    return Prior(score={tier: float(score[row, t]) for t, tier in enumerate(TIER_NAMES)})


def _shows(signals: Signals, terms: Terms) -> bool:
    """Whether an answer shows that kind of evidence."""
    return (not terms.needs_logprobs or signals.logprobs is not None) and (
        not terms.needs_samples or signals.agreement is not None
    )


def shipped_scores(rows: Sequence[Row]) -> metrics.Floats:
    """What the shipped scorer thinks, rows by tiers; it has seen none of the questions."""
    return np.array([[row.p_right[tier] for tier in TIER_NAMES] for row in rows])


def adapted_scores(rows: Sequence[Row], fold: NDArray[np.int64]) -> list[metrics.Floats]:
    """A scorer adapted on the same folds: it sees the prompt's numbers, language and demand, no answer.

    One array a test fold. Rows of the test fold are scored by a model of all other folds, each other row by a
    model that saw neither its own fold nor the test fold, so that judges may be learned from them.
    """
    tasks = ("letter", "number", "json")
    x = np.array([[*row.prompt, row.language == "ko", *(row.demand.task == t for t in tasks)] for row in rows], float)
    right = constants_right(rows)
    made: dict[frozenset[int], list[Head]] = {}
    found = []
    for k in range(FOLDS):
        scores = np.empty((len(rows), len(TIER_NAMES)))
        for j in range(FOLDS):
            unseen = frozenset((j, k))
            if unseen not in made:
                train = ~np.isin(fold, list(unseen))
                made[unseen] = [fit_head(x[train], right[train, t] > 0) for t in range(len(TIER_NAMES))]
            for t, head in enumerate(made[unseen]):
                logit = head.bias + x[fold == j] @ np.array(head.weights)
                scores[fold == j, t] = 1 / (1 + np.exp(-np.clip(logit, -30, 30)))
        found.append(scores)
    return found


def own_fold(priors: Priors, fold: NDArray[np.int64]) -> metrics.Floats:
    """Each row's scores from the array of its own fold."""
    return np.array([priors[k][i] for i, k in enumerate(fold)])


# --- methods -----------------------------------------------------------------------------------------


def costs_of(rows: Sequence[Row], prices: Mapping[TierName, Price]) -> metrics.Floats:
    """What each tier's greedy answer cost: questions by tiers."""
    return np.array([[_cost(row.answers[tier], prices[tier]) for tier in TIER_NAMES] for row in rows], float)


def _cost(answer: Answer, price: Price, *, sampled: bool = False) -> float:
    tokens = (answer.sampled_in, answer.sampled_out) if sampled else (answer.tokens_in, answer.tokens_out)
    return float(cost_of(Usage(input_tokens=tokens[0], output_tokens=tokens[1]), price) or 0)


def constants_right(rows: Sequence[Row]) -> metrics.Floats:
    """Whether each tier's answer was right: questions by tiers."""
    return np.array([[row.answers[tier].right for tier in TIER_NAMES] for row in rows], float)


def constants(rows: Sequence[Row], cost: metrics.Floats) -> Curve:
    """Always small, always medium, always large; between them, random mixing."""
    return Curve("random mixing", cost.T, constants_right(rows).T)


def forecasts(rows: Sequence[Row], cost: metrics.Floats, fold: NDArray[np.int64]) -> metrics.Floats:
    """What each tier will probably cost, as shares of large's mean: the prompt's length times the other folds' mean."""
    mean = np.stack([[cost[fold != k, t].mean() for k in fold] for t in range(len(TIER_NAMES))], axis=1)
    length = np.array([row.answers["small"].tokens_in for row in rows], float)
    found: metrics.Floats = mean * (length / length.mean())[:, None] / mean[:, -1].mean()
    return found


def routed(
    name: str, rows: Sequence[Row], scores: metrics.Floats, cost: metrics.Floats, ahead: metrics.Floats
) -> Curve:
    """Best of ``chance - weight * forecast cost``: what a scorer of prompts alone can do at every dial."""
    picks = np.stack([np.argmax(scores - w * ahead, axis=1) for w in WEIGHTS])
    at = np.arange(len(rows))
    return _with_ends(Curve(name, cost[at, picks], constants_right(rows)[at, picks]), rows, cost)


def _with_ends(curve: Curve, rows: Sequence[Row], cost: metrics.Floats) -> Curve:
    """The same curve, reaching from always-small to always-large, as any method may mix with those."""
    ends = constants(rows, cost)
    return Curve(
        curve.name, np.vstack([ends.cost[:1], curve.cost, ends.cost[-1:]]),
        np.vstack([ends.quality[:1], curve.quality, ends.quality[-1:]]),
    )  # fmt: skip


class Judged(NamedTuple):
    """Cross-fitted judgements of one kind of evidence.

    Attributes:
        own: tier -> per question, the chance that its answer is right; empty where nothing can judge it.
        above: tier -> questions by tiers, what the answer says of every tier; zero for those not above.
        barred: tier -> whether a check turned the answer down by itself, or did not run.
    """

    own: Mapping[TierName, metrics.Floats]
    above: Mapping[TierName, metrics.Floats]
    barred: Mapping[TierName, NDArray[np.bool_]]


def judged(rows: Sequence[Row], terms: Terms, fold: NDArray[np.int64], priors: Priors | None) -> Judged:
    """Judge every answer by models of the other folds; a tier without that evidence is turned down."""
    n = len(rows)
    own = {tier: np.zeros(n) for tier in TIER_NAMES[:-1]}
    above = {tier: np.zeros((n, len(TIER_NAMES))) for tier in TIER_NAMES[:-1]}
    barred = {tier: np.ones(n, bool) for tier in TIER_NAMES[:-1]}
    for k in range(FOLDS):
        score = None if priors is None else priors[k]
        train = np.flatnonzero(fold != k)
        calibration = calibrate([rows[i] for i in train.tolist()], [terms], [None if score is None else score[train]])
        for i in np.flatnonzero(fold == k).tolist():
            for tier in TIER_NAMES[:-1]:
                signals, demand = rows[i].answers[tier].signals, rows[i].demand
                found = chances_of(terms, signals, demand, tier, calibration, _prior(score, i))
                if tier not in found:
                    continue
                own[tier][i] = found[tier]
                for name in tiers_above(tier):
                    above[tier][i, TIER_NAMES.index(name)] = found[name]
                barred[tier][i] = by_itself(terms, signals, demand) is not None
    return Judged(own, above, barred)


def cascaded(
    name: str, rows: Sequence[Row], terms: Terms, prices: Mapping[TierName, Price], judgement: Judged,
    scores: metrics.Floats, ahead: metrics.Floats,
) -> Curve:  # fmt: skip
    """The gateway's cascade at every dial.

    The aim chooses a tier, a cheaper one is tried first where that may save money, and after each answer the aim
    is asked again.

    Args:
        name: of the curve.
        rows: questions.
        terms: the checks.
        prices: what is paid.
        judgement: what the checks say.
        scores: the scorer's chances, rows by tiers.
        ahead: forecast costs, rows by tiers.
    """
    cost, right = costs_of(rows, prices), constants_right(rows)
    # Only what was sampled can be compared: self-agreement starts at medium.
    start = TIER_NAMES.index("medium") if terms.needs_samples else 0
    calls = 1 + SAMPLES["medium"] if terms.needs_samples else 1
    bills, gains = [], []
    for weight in WEIGHTS:
        served = np.argmax(scores - weight * ahead, axis=1)
        theirs = ahead[np.arange(len(rows)), served]
        open_, paid, got = np.ones(len(rows), bool), np.zeros(len(rows)), np.zeros(len(rows))
        for t, tier in enumerate(TIER_NAMES):
            pays = scores[:, t] * theirs > ahead[:, t] * calls
            tried = open_ & ((served == t) if t < start else (served <= t) | pays)
            paid += np.where(tried, cost[:, t], 0.0)
            kept = tried
            if start <= t < len(TIER_NAMES) - 1:
                worth = (judgement.above[tier] - weight * ahead)[:, t + 1 :].max(axis=1)
                kept = tried & ~judgement.barred[tier] & (judgement.own[tier] >= worth)
                if terms.needs_samples:
                    extra = np.array([_cost(row.answers[tier], prices[tier], sampled=True) for row in rows])
                    paid += np.where(tried & ~judgement.barred[tier], extra, 0.0)
            got[kept] = right[kept, t]
            open_ &= ~kept
        bills.append(paid)
        gains.append(got)
    return _with_ends(Curve(name, np.array(bills), np.array(gains)), rows, cost)


# --- measuring ---------------------------------------------------------------------------------------


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One figure: a value with its interval."""

    part: str
    prices: str
    method: str
    against: str
    where: str
    value: float
    low: float
    high: float
    n: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All figures."""

    n: int
    kinds: Mapping[str, int]
    accuracy: Mapping[str, Mapping[str, float]]
    lines: list[Line]
    coverage: Mapping[str, list[tuple[float, float]]]
    prices: Mapping[str, Mapping[str, tuple[float, float]]]


def measure(rows: Sequence[Row], draws: int) -> Report:
    """Every figure of the page. Self-agreement is measured on the questions that were asked again."""
    lines, coverage = _figures_of(rows, (WITH, WITHOUT), draws)
    again = [row for row in rows if row.answers["medium"].signals.agreement is not None]
    if len(again) > 2 * LEAST_ROWS:
        more, curves = _figures_of(again, (AGREEMENT,), draws)
        lines += [line for line in more if "agreement" in line.method]
        coverage |= curves
    return Report(
        n=len(rows), kinds=_count(rows), accuracy=_accuracy(rows), lines=lines, coverage=coverage,
        prices={name: {t: _usd(p) for t, p in table.items()} for name, table in PRICES.items()},
    )  # fmt: skip


def _figures_of(
    rows: Sequence[Row], kinds: Sequence[Terms], draws: int
) -> tuple[list[Line], dict[str, list[tuple[float, float]]]]:
    """Lines and risk-coverage curves of some kinds of evidence."""
    fold = folds_of(rows)
    priors = {"shipped": [shipped_scores(rows)] * FOLDS, "adapted": adapted_scores(rows, fold)}
    lines: list[Line] = []
    coverage: dict[str, list[tuple[float, float]]] = {}
    judgements: dict[tuple[str, str], Judged] = {}
    for name, terms in EVIDENCE.items():
        for scorer, prior in priors.items():
            if terms not in kinds:
                continue
            judgement = judgements[name, scorer] = judged(rows, terms, fold, prior)
            for tier in TIER_NAMES[:-1]:
                if scorer == "shipped" and judgement.own[tier].any():
                    lines += _confidence(rows, name, tier, judgement, draws)
                    coverage[f"{tier}, {name}"] = risk_coverage(rows, tier, judgement.own[tier])
    for priced, prices in PRICES.items():
        lines += _compare(rows, fold, priced, prices, priors, judgements, draws)
    return lines, coverage


def _usd(price: Price) -> tuple[float, float]:
    assert price.input is not None
    assert price.output is not None
    return price.input / 1e9, price.output / 1e9


def _count(rows: Sequence[Row]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in rows:
        for key in (row.task, row.language, row.source):
            counts[key] = counts.get(key, 0) + 1
    return dict(sorted(counts.items()))


def _accuracy(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    tasks = sorted({row.task for row in rows})
    table: dict[str, dict[str, float]] = {}
    for tier in TIER_NAMES:
        right = {task: [row.answers[tier].right for row in rows if row.task == task] for task in tasks}
        everything = [row.answers[tier].right for row in rows]
        table[tier] = {"all": float(np.mean(everything))} | {task: float(np.mean(v)) for task, v in right.items()}
    return table


def _confidence(rows: Sequence[Row], name: str, tier: TierName, judgement: Judged, draws: int) -> list[Line]:
    """How well the chance tells right from wrong: AUC, calibration error beside a perfect forecaster's."""
    right = np.array([row.answers[tier].right for row in rows])
    chance = judgement.own[tier]
    ids = [row.question for row in rows]

    def line(where: str, found: metrics.Interval) -> Line:
        return Line(
            part="confidence", prices="", method=f"{tier}, {name}", against="", where=where, value=found.value,
            low=found.low, high=found.high, n=len(rows),
        )  # fmt: skip

    rng = np.random.default_rng(SEED)
    auc = metrics.bootstrap(lambda picked: metrics.auc(right[picked], chance[picked]), ids, rng, draws)
    ece = metrics.bootstrap(lambda picked: metrics.ece(chance[picked], right[picked].astype(float)), ids, rng, draws)
    perfect = metrics.perfect_ece(chance, rng)
    return [
        line("AUC", auc),
        line("ECE", ece),
        line("ECE of a perfect forecaster", metrics.Interval(perfect, perfect, perfect)),
    ]


def risk_coverage(rows: Sequence[Row], tier: TierName, chance: metrics.Floats) -> list[tuple[float, float]]:
    """(share of answers kept, share of those that are wrong), the most confident kept first."""
    wrong = np.array([not row.answers[tier].right for row in rows], float)
    order = np.argsort(-chance, kind="stable")
    kept = np.arange(1, len(rows) + 1)
    risk = np.cumsum(wrong[order]) / kept
    at = [max(1, round(len(rows) * share)) for share in np.linspace(0.1, 1.0, 10)]
    return [(round(k / len(rows), 3), round(float(risk[k - 1]), 4)) for k in at]


def _compare(
    rows: Sequence[Row], fold: NDArray[np.int64], priced: str, prices: Mapping[TierName, Price],
    priors: Mapping[str, Priors], judgements: Mapping[tuple[str, str], Judged], draws: int,
) -> list[Line]:  # fmt: skip
    """Every cascade against every baseline, at equal cost."""
    cost = costs_of(rows, prices)
    ahead = forecasts(rows, cost, fold)
    scores = {scorer: own_fold(prior, fold) for scorer, prior in priors.items()}
    baselines = [
        constants(rows, cost),
        *(routed(f"prompt only, {scorer} scorer", rows, p, cost, ahead) for scorer, p in scores.items()),
    ]
    cascades = [
        cascaded(f"cascade {name}, {scorer} scorer", rows, EVIDENCE[name], prices, judgement, scores[scorer], ahead)
        for (name, scorer), judgement in judgements.items()
    ]
    drawn = resamples(len(rows), draws)
    lines = [line for curve in (*baselines, *cascades) for line in _figures(curve, None, cost, priced, drawn)]
    for curve in cascades:
        for baseline in baselines:
            lines += _figures(curve, baseline, cost, priced, drawn)
    return lines


def _figures(
    curve: Curve, baseline: Curve | None, cost: metrics.Floats, priced: str, resampled: metrics.Floats
) -> list[Line]:
    """Quality, or its difference to a baseline, at each budget and over the whole range."""
    least, most = (resampled @ cost[:, [0]], resampled @ cost[:, [-1]])
    lines = []
    for where, shares in [*((f"{b:.0%}", np.array([b])) for b in BUDGETS), ("10 to 90 %", GRID)]:
        budgets = least + (most - least) * shares
        found = curve.at(budgets, resampled).mean(axis=1)
        if baseline is not None:
            found = found - baseline.at(budgets, resampled).mean(axis=1)
        low, high = np.percentile(found[1:], metrics.INTERVAL)
        lines.append(
            Line(part="quality" if baseline is None else "difference", prices=priced, method=curve.name,
                 against=baseline.name if baseline else "", where=where, value=float(found[0]), low=float(low),
                 high=float(high), n=len(cost))
        )  # fmt: skip
    return lines


# --- shipping ----------------------------------------------------------------------------------------


def ship(rows: Sequence[Row], path: Path = SHIPPED) -> None:
    """Write the calibration that the gateway loads, learned from all rows."""
    made = calibrate(rows, KINDS, [None, shipped_scores(rows)], "short-answers-2026-11")
    body = {
        "version": 1,
        "name": made.name,
        "learned_from": {
            "rows": str(len(rows)),
            "file": f"evals/results/{FILE.name}",
            "command": "python -m evals.cascade --ship",
        },
        "heads": made.heads,
    }
    path.write_bytes(msgspec.json.format(msgspec.json.encode(body), indent=1) + b"\n")


if __name__ == "__main__":
    raise SystemExit(main())
