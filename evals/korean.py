"""Whether prompts in Korean are judged as well as the same kinds of prompts in English.

``python -m evals.korean --data DIR`` reads the valid split and writes ``evals/results/korean.json`` and ``.md``.
Only tasks that a source holds in both languages are compared, so that the tasks are alike and the questions are
not the same. For each tier of each family: how well P(right) tells right from wrong (AUC), and for each family
how well the gain ranks the prompts (APGR). The gap is English minus Korean, the mean over tiers or families,
with a bootstrap over questions; ECE and the share sent to unknown ground stand beside it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from evals import metrics
from evals import targets as learn
from evals.importers.outcomes import Outcome, OutcomeError, read_outcomes
from evals.stamp import commit, machine, today
from router.core.decide import NOVELTY_LIMIT
from router.score import Scorer, load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

SEED: Final = 20261124
RESULTS: Final = Path(__file__).parent / "results"
SOURCE: Final = "haerae-logic"
LANGUAGES: Final = ("en", "ko")
#: Fewer rows of one language than this say nothing about a tier.
LEAST: Final = 60
#: The gap that is promised, as a share.
PROMISE: Final = 0.03


class Tier(NamedTuple):
    """One tier of one family on all rows; NaN where its model did not answer."""

    family: str
    name: str
    chance: metrics.Floats
    outcome: metrics.Floats


class Line(NamedTuple):
    """One figure per language, their gap (English minus Korean) and its interval."""

    metric: str
    family: str
    english: float
    korean: float
    gap: float | None = None
    low: float | None = None
    high: float | None = None
    n_english: int = 0
    n_korean: int = 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evals.korean", description="Compare Korean with English.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the outcome files")
    parser.add_argument("--artefact", type=Path, help="scorer to measure; default: the shipped one")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for korean.json and korean.md")
    parser.add_argument("--draws", type=int, default=1000, help="bootstrap draws per interval")
    options = parser.parse_args(argv)
    try:
        rows = shared_tasks(read_outcomes(options.data / "valid.jsonl.gz"))
        families = learn.read_families(options.data / "families.json")
    except OutcomeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    scorer = load(options.artefact)
    lines = measure(scorer, rows, families, options.draws)
    write(lines, rows, scorer.digest, options.out)
    return 0


def shared_tasks(rows: Sequence[Outcome]) -> list[Outcome]:
    """The source's rows in both languages, of tasks that have both."""
    here = [row for row in rows if row.source == SOURCE and row.language in LANGUAGES]
    found = {language: {row.task for row in here if row.language == language} for language in LANGUAGES}
    both = found["en"] & found["ko"]
    return [row for row in here if row.task in both]


def tiers_of(scorer: Scorer, rows: Sequence[Outcome], families: Mapping[str, learn.Family]) -> list[Tier]:
    """Every tier of every profile whose model answered enough rows of both languages, some right and some wrong."""
    korean = np.array([row.language == "ko" for row in rows])
    found = []
    for family in scorer.families:
        if family not in families:
            continue
        scores = scorer.score_many((row.prompt for row in rows), family)
        for name in scorer.tiers(family):
            model = families[family].tiers[name]
            outcome = np.array([row.scores.get(model, np.nan) for row in rows], dtype=float)
            if all(_tells(outcome[~np.isnan(outcome) & of]) for of in (korean, ~korean)):
                chance = np.array([score.p_right[name] for score in scores])
                found.append(Tier(family, name, chance, outcome))
    return found


def _tells(outcome: NDArray[np.float64]) -> bool:
    """Whether a language's outcomes can tell good chances from bad ones."""
    return len(outcome) >= LEAST and 0 < outcome.mean() < 1


def measure(scorer: Scorer, rows: Sequence[Outcome], families: Mapping[str, learn.Family], draws: int) -> list[Line]:
    """All figures: pooled first, then by family."""
    korean = np.array([row.language == "ko" for row in rows])
    stems = [row.stem for row in rows]
    tiers = tiers_of(scorer, rows, families)
    pairs = _pairs(tiers)
    lines = [
        _gap("AUC of P(right)", "all, mean over tiers", _mean([_tier_auc(t) for t in tiers]), korean, stems, draws),
        _gap("APGR", "all, mean over families", _mean([_pair_apgr(*pair) for pair in pairs]), korean, stems, draws),
        *_calibration(tiers, korean),
        _abstention(scorer, rows, korean),
    ]
    for family in dict.fromkeys(tier.family for tier in tiers):
        own = [tier for tier in tiers if tier.family == family]
        lines.append(_gap("AUC of P(right)", family, _mean([_tier_auc(t) for t in own]), korean, stems, draws))
    return lines


def _pairs(tiers: Sequence[Tier]) -> list[tuple[Tier, Tier]]:
    families = dict.fromkeys(tier.family for tier in tiers)
    grouped = [[tier for tier in tiers if tier.family == family] for family in families]
    return [(own[0], own[-1]) for own in grouped if len(own) > 1]


def _tier_auc(tier: Tier) -> Callable[[NDArray[np.int64]], float]:
    right = tier.outcome >= 0.5
    known = ~np.isnan(tier.outcome)

    def figure(index: NDArray[np.int64]) -> float:
        use = index[known[index]]
        return metrics.auc(right[use], tier.chance[use])

    return figure


def _pair_apgr(small: Tier, large: Tier) -> Callable[[NDArray[np.int64]], float]:
    gain = large.chance - small.chance
    known = ~np.isnan(small.outcome) & ~np.isnan(large.outcome)

    def figure(index: NDArray[np.int64]) -> float:
        use = index[known[index]]
        return metrics.apgr(small.outcome[use], large.outcome[use], gain[use])

    return figure


def _mean(figures: Sequence[Callable[[NDArray[np.int64]], float]]) -> Callable[[NDArray[np.int64]], float]:
    return lambda index: float(np.nanmean([figure(index) for figure in figures]))


def _gap(
    metric: str,
    family: str,
    figure: Callable[[NDArray[np.int64]], float],
    korean: NDArray[np.bool_],
    stems: Sequence[str],
    draws: int,
) -> Line:
    def gap(index: NDArray[np.int64]) -> float:
        return figure(index[~korean[index]]) - figure(index[korean[index]])

    value, low, high = metrics.bootstrap(gap, stems, np.random.default_rng(SEED), draws)
    every = np.arange(len(korean))
    n = int(korean.sum())
    return Line(metric, family, figure(every[~korean]), figure(every[korean]), value, low, high, len(korean) - n, n)


def _calibration(tiers: Sequence[Tier], korean: NDArray[np.bool_]) -> list[Line]:
    """ECE over all tiers, pooled, and that of a perfect forecaster at the same counts."""
    chance = np.concatenate([tier.chance for tier in tiers])
    outcome = np.concatenate([tier.outcome for tier in tiers])
    of_korean = np.tile(korean, len(tiers))
    rng = np.random.default_rng(SEED)
    measured, perfect, counts = [], [], []
    for use in (~of_korean & ~np.isnan(outcome), of_korean & ~np.isnan(outcome)):
        measured.append(metrics.ece(chance[use], outcome[use]))
        perfect.append(metrics.perfect_ece(chance[use], rng, 50))
        counts.append(int(use.sum()))
    return [
        Line("ECE", "all tiers, pooled", measured[0], measured[1], n_english=counts[0], n_korean=counts[1]),
        Line(
            "ECE of a perfect forecaster",
            "all tiers, pooled",
            perfect[0],
            perfect[1],
            n_english=counts[0],
            n_korean=counts[1],
        ),
    ]


def _abstention(scorer: Scorer, rows: Sequence[Outcome], korean: NDArray[np.bool_]) -> Line:
    novel = np.array([score.novelty > NOVELTY_LIMIT for score in scorer.score_many(row.prompt for row in rows)])
    n = int(korean.sum())
    return Line(
        "share on unknown ground", "all", float(novel[~korean].mean()), float(novel[korean].mean()),
        n_english=len(rows) - n, n_korean=n,
    )  # fmt: skip


def write(lines: Sequence[Line], rows: Sequence[Outcome], digest: str, out: Path) -> None:
    """Write ``korean.json`` and ``korean.md`` into ``out``."""
    about: dict[str, Any] = {
        "command": "python -m evals.korean --data DIR",
        "date": today(),
        "commit": commit(),
        "machine": machine(),
        "artefact": digest,
        "split": f"valid, {SOURCE}, tasks in both languages: {', '.join(sorted({row.task for row in rows}))}",
        "seed": SEED,
    }
    out.mkdir(parents=True, exist_ok=True)
    body = {"about": about, "lines": [_rounded(line) for line in lines]}
    (out / "korean.json").write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    text = [
        "# Korean beside English",
        "",
        "Made by `python -m evals.korean`; do not edit. The gap is English minus Korean; 95 % interval, bootstrap by",
        f"question. Promised: the interval of the pooled gap reaches {PROMISE:.2f} or below.",
        "",
        *(f"- {name}: {value}" for name, value in about.items()),
        "",
        "| metric | over | English | Korean | gap | 95 % interval | n English | n Korean |",
        "|---|---|---|---|---|---|---|---|",
        *(_row(line) for line in lines),
    ]
    (out / "korean.md").write_text("\n".join(text) + "\n", encoding="utf-8")


def _rounded(line: Line) -> dict[str, Any]:
    return {k: round(v, 4) if isinstance(v, float) and np.isfinite(v) else v for k, v in line._asdict().items()}


def _row(line: Line) -> str:
    gap = "" if line.gap is None else f"{line.gap:+.3f}"
    span = "" if line.low is None or line.high is None else f"{line.low:+.3f} to {line.high:+.3f}"
    shown = f"| {line.metric} | {line.family} | {line.english:.3f} | {line.korean:.3f} | {gap} | {span} "
    return f"{shown}| {line.n_english} | {line.n_korean} |"


if __name__ == "__main__":
    sys.exit(main())
