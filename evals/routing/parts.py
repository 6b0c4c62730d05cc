"""What the protocols of ``evals.routing`` share: a bench of prompts, its routers, and lines with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np

from evals import metrics
from evals import targets as learn
from evals.routing import baselines
from evals.routing.report import Line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from evals.importers.outcomes import Outcome
    from router.score import Scorer

SEED: Final = 20261124
FOLDS: Final = 5
KEEP: Final = (0.95, 0.98, 1.0)
#: Standard errors by which a setting must clear its promise to be chosen "with margin".
MARGIN: Final = 1.0
RIVALS: Final = ("prompt length", "random", "LiteLLM v1 tiers", "LiteLLM v2 tiers", "group mean", "kNN-MiniLM")
#: Bytes of UTF-8 per input token; the sources store no input counts.
BYTES_PER_TOKEN: Final = 4.0
#: Below this many bits over the tiers a router has collapsed onto one.
ENTROPY_FLOOR: Final = 0.5

Figure: TypeAlias = "Callable[[NDArray[np.int64]], float]"


class Stated(NamedTuple):
    """What a scorer said of every tier of every family that answered a row, one entry each, pooled."""

    chance: metrics.Floats
    outcome: metrics.Floats
    rows: Sequence[Outcome]


def stated(scorer: Scorer, rows: Sequence[Outcome], families: Mapping[str, learn.Family]) -> Stated:
    """The chances of the families that both the scorer and ``families`` know, beside the outcomes."""
    chances: list[float] = []
    outcomes: list[float] = []
    answered: list[Outcome] = []
    for name in (name for name in scorer.families if name in families):
        tiers = families[name].tiers
        held = [row for row in rows if any(model in row.scores for model in tiers.values())]
        for row, score in zip(held, scorer.score_many((row.prompt for row in held), name), strict=True):
            for tier, model in tiers.items():
                if model in row.scores:
                    chances.append(score.p_right[tier])
                    outcomes.append(row.scores[model])
                    answered.append(row)
    return Stated(np.array(chances), np.array(outcomes), answered)


def bill(row: Outcome, family: learn.Family, output: Sequence[float]) -> list[float]:
    """Micro-dollars per tier: input tokens estimated from bytes, output tokens as given."""
    asked = len(row.prompt.encode("utf-8", "replace")) / BYTES_PER_TOKEN
    prices = [family.prices[tier] for tier in family.tiers]
    return [asked * price[0] + tokens * price[1] for price, tokens in zip(prices, output, strict=True)]


def costs_of(row: Outcome, family: learn.Family) -> list[float]:
    """The bill with the output tokens as stored."""
    return bill(row, family, [float(row.output_tokens[model] or 0) for model in family.tiers.values()])


class Bench(NamedTuple):
    """Prompts of one protocol with two or three tiers' outcomes.

    Attributes:
        quality: rows by tiers, smallest first.
        ours: ways of scoring -> rows by tiers of P(right); the first is ours.
        others: further baselines -> the same, learned on other rows (a table of group means, neighbours).
        note: goes beside every line.
    """

    protocol: str
    target: str
    rows: Sequence[Outcome]
    quality: metrics.Floats
    ours: Mapping[str, metrics.Floats]
    others: Mapping[str, metrics.Floats] = {}
    note: str = ""

    @property
    def stems(self) -> list[str]:
        """Each row's question."""
        return [row.stem for row in self.rows]

    def line(self, metric: str, router: str, figure: Figure, draws: int, note: str = "") -> Line:
        """A figure with its interval by question."""
        interval = metrics.bootstrap(figure, self.stems, np.random.default_rng(SEED), draws)
        return Line(self.protocol, self.target, metric, router, *interval, len(self.rows), note or self.note)

    def point(self, metric: str, router: str, value: float, note: str = "") -> Line:
        """A figure without an interval."""
        return Line(self.protocol, self.target, metric, router, value, None, None, len(self.rows), note or self.note)


def orderings(bench: Bench) -> dict[str, metrics.Floats]:
    """Every router as a score: the higher, the more the prompt deserves the large tier."""
    prompts = [row.prompt for row in bench.rows]
    scores = {name: chance[:, -1] - chance[:, 0] for name, chance in {**bench.ours, **bench.others}.items()}
    scores["prompt length"] = np.array([len(prompt) for prompt in prompts], dtype=float)
    scores["random"] = np.zeros(len(prompts))
    scores |= {f"LiteLLM {name}": score for name, score in baselines.litellm_scores(prompts).items()}
    scores["oracle"] = metrics.oracle_score(bench.quality[:, 0], bench.quality[:, -1])
    return scores


def apgr_lines(bench: Bench, draws: int) -> list[Line]:
    """APGR of every router, paired differences to the rivals, CPT50 and CPT80."""
    weak, strong = bench.quality[:, 0], bench.quality[:, -1]
    scores = orderings(bench)

    def of(score: metrics.Floats) -> Figure:
        return metrics.apgr_on(weak, strong, score)

    lines = [bench.line("APGR", router, of(score), draws) for router, score in scores.items()]
    for name in bench.ours:
        rivals = RIVALS if name == "ours" else ("prompt length",)
        for rival in [rival for rival in rivals if rival in scores]:
            figure = minus(of(scores[name]), of(scores[rival]))
            lines.append(bench.line("APGR difference", f"{name} - {rival}", figure, draws))
    for share in (0.5, 0.8):
        for router, score in scores.items():
            lines.append(bench.point(f"CPT{share * 100:.0f}", router, metrics.cpt(weak, strong, score, share)))
    return lines


def ece_lines(bench: Bench) -> list[Line]:
    """Calibration of our chances over all tiers, beside a perfect forecaster's."""
    name = next(iter(bench.ours))
    chance, outcome = bench.ours[name].ravel(), bench.quality.ravel()
    perfect = metrics.perfect_ece(chance, np.random.default_rng(SEED), 50)
    return [bench.point("ECE", name, metrics.ece(chance, outcome)), bench.point("ECE", "perfect", perfect)]


def saving_lines(bench: Bench, cost: metrics.Floats, guess: metrics.Floats, draws: int) -> list[Line]:
    """Cost saved at each share of quality kept, with settings chosen on other folds.

    Args:
        bench: prompts and outcomes.
        cost: rows by tiers, what each tier really costs.
        guess: the same as forecast before asking.
        draws: bootstrap draws.
    """
    scores = orderings(bench)
    n, tiers = cost.shape
    ours = next(iter(bench.ours))
    routers = {
        ours: baselines.by_dial(bench.ours[ours], guess),
        f"{ours}, keep rule": baselines.by_keep(bench.ours[ours]),
        "constant": baselines.constant(n, tiers),
        "random": baselines.random_mix(n, tiers),
        "oracle": baselines.by_worth(bench.quality, cost),
    }
    routers |= {name: baselines.by_dial(chance, guess) for name, chance in bench.others.items()}
    for name in ("prompt length", "LiteLLM v1 tiers", "LiteLLM v2 tiers"):
        routers[name] = baselines.by_score(scores[name], tiers)
    fold = learn.folds(bench.rows, FOLDS, SEED)
    lines: list[Line] = []
    for share in KEEP:
        for margin, word in ((0.0, ""), (MARGIN, " with margin")):
            metric = f"saving at {share:.0%}{word}"
            results = {
                name: metrics.held_out_saving(settings, bench.quality, cost, fold, share, margin)
                for name, settings in routers.items()
            }
            for name, result in results.items():
                note = f"kept {result.kept:.1%}, pick entropy {metrics.pick_entropy(result.shares):.2f}"
                lines.append(bench.line(metric, name, saved_on(result), draws, note))
            for rival in RIVALS:
                if rival in results:
                    figure = minus(saved_on(results[ours]), saved_on(results[rival]))
                    lines.append(bench.line(f"{metric} difference", f"{ours} - {rival}", figure, draws))
    return lines


def saved_on(result: metrics.Saving) -> Figure:
    """The saving on some of the rows."""
    return lambda index: metrics.saved(result.cost[index], result.always[index])


def minus(one: Figure, other: Figure) -> Figure:
    """The paired difference of two figures."""
    return lambda index: one(index) - other(index)
