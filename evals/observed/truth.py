"""How far to trust what ``report --observe`` forecasts: its figures beside what happened, on recorded outcomes.

Every prompt is taken to have been asked of the large tier and only observed. The forecast sees what the ledger would
hold: the bill of the large tier's answer, the scorer's chances and the predicted costs. The truth is what the tier that
the policy wanted did cost and score on that prompt. Forecast less truth is what the forecast gets wrong.

    python -m evals.observed.truth --data DIR
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from evals.importers.outcomes import Outcome, read_outcomes
from evals.observed.forecast import Figure, outlook, ratio
from evals.routing.outside import ROUTELLM_FAMILY
from evals.routing.parts import costs_of
from evals.stamp import stamp
from evals.targets import Family, read_families
from policies.load import load_policy
from router.core.decide import Caller, Fleet, decide
from router.core.tokens import estimate_tokens
from router.ledger.observed import Observed
from router.score import load
from router.types import TIER_NAMES, Features, Price

if TYPE_CHECKING:
    from policies.policy import Policy
    from router.score import Scorer

RESULTS: Final = Path(__file__).parents[1] / "results"
FAMILIES: Final = ("llama-3.1", "gemma-2", "qwen2.5")
#: RouteLLM's pair. Its outcomes never trained the artefact; the profile is that of the nearest pair that did.
PAIR: Final = "mixtral-gpt4"
#: A policy that gives up little, beside the preset that weighs cost as much as quality.
CAREFUL: Final = "stillhouse: 1\nname: keep-95\nquality: {keep: 0.95}\n"
_NANO_A_MICRO: Final = 1_000


class Trial(NamedTuple):
    """One set of rows observed under one profile.

    Attributes:
        money: whether the rows' tokens were measured, so that what happened has a price.
        where: what kind of ground it is for the scorer.
    """

    rows: Sequence[Outcome]
    family: Family
    profile: str
    money: bool
    where: str


class Seen(NamedTuple):
    """A trial's rows as a ledger holds them, and the truth beside them: nano-dollars saved, change of score."""

    observed: list[Observed]
    saved: list[float]
    change: list[float]


def look_on(trial: Trial, policy: Policy, scorer: Scorer) -> Seen:
    """Observe every row of a trial."""
    prices = {
        tier: Price(input=round(given * 1e9), output=round(made * 1e9), source="families")
        for tier, (given, made) in trial.family.prices.items()
    }
    seen = Seen([], [], [])
    fleet = Fleet((), prices)
    tiers = list(trial.family.tiers)
    for row, score in zip(trial.rows, scorer.score_many([r.prompt for r in trial.rows], trial.profile), strict=True):
        features = Features(
            language=row.language or "en", input_tokens=estimate_tokens(row.prompt) + 4, ask_chars=len(row.prompt),
            turns=1, tools=False, images=False,
        )  # fmt: skip
        decision = decide(policy, features, score, Caller(text=row.prompt), fleet)
        wanted = next(tier for tier in TIER_NAMES[TIER_NAMES.index(decision.wanted) :] if tier in tiers)
        costs = dict(zip(tiers, costs_of(row, trial.family), strict=True)) if trial.money else {}
        paid = round(costs["large"] * _NANO_A_MICRO) if costs else None
        seen.observed.append(
            Observed(
                group=row.stem, tenant="default", policy=policy.name, outcome="ok", served="large", wanted=wanted,
                cost_nano=paid, estimated=False, predicted=dict(decision.cost), p_right=dict(score.p_right),
                blocked=False, masked=False, cascaded=False, missing=False, feedback=None,
            )
        )  # fmt: skip
        seen.saved.append((costs["large"] - costs[wanted]) * _NANO_A_MICRO if costs else np.nan)
        seen.change.append(row.scores[trial.family.tiers[wanted]] - row.scores[trial.family.tiers["large"]])
    return seen


def judge(seen: Seen) -> dict[str, tuple[Figure, Figure, Figure]]:
    """``saved`` (share of what was paid) and ``quality`` (points / 100): forecast, truth, forecast less truth."""
    told = outlook(seen.observed).total
    assert told is not None
    places: dict[str, int] = {}
    group = np.array([places.setdefault(row.group, len(places)) for row in seen.observed])
    change, ones = np.array(seen.change), np.ones(len(group))
    forecast = np.array([row.p_right[str(row.wanted)] - row.p_right["large"] for row in seen.observed])
    found: dict[str, tuple[Figure, Figure, Figure]] = {}
    if told.saved is not None:
        paid = np.array([float(row.cost_nano or 0) for row in seen.observed])
        shares = [1 - row.predicted[str(row.wanted)] / row.predicted["large"] for row in seen.observed]
        saved = paid * np.array(shares)
        truth = np.array(seen.saved)
        found["saved"] = told.saved, ratio(truth, paid, group), ratio(saved - truth, paid, group)
    if told.quality is not None:
        found["quality"] = told.quality, ratio(change, ones, group), ratio(forecast - change, ones, group)
    return found


def trials(data: Path) -> Iterator[Trial]:
    """The families on rows that were never trained on, by their own profile and ``generic``; then RouteLLM's pair."""
    families = read_families(data / "families.json")
    valid = read_outcomes(data / "valid.jsonl.gz")
    for name in FAMILIES:
        family = families[name]
        rows = [row for row in valid if _whole(row, family) and _measured(row, family)]
        for profile in (name, "generic"):
            yield Trial(rows, family, profile, True, "sources of the training data, questions it never saw")
    known = {row.stem for row in [*valid, *read_outcomes(data / "train.jsonl.gz")]}
    pair = families[PAIR]
    rows = [row for row in read_outcomes(data / "routellm.jsonl.gz") if _whole(row, pair) and row.stem not in known]
    for profile in (ROUTELLM_FAMILY, "generic"):
        yield Trial(rows, pair, profile, False, "a source that trained nothing, shared questions dropped")


def _whole(row: Outcome, family: Family) -> bool:
    return all(model in row.scores for model in family.tiers.values())


def _measured(row: Outcome, family: Family) -> bool:
    counted = all(row.output_tokens.get(model) for model in family.tiers.values())
    return counted and (row.token_method or "").startswith("o200k_base")


def lines_of(data: Path, policies: Sequence[Policy], scorer: Scorer) -> list[dict[str, object]]:
    """Every figure of every trial under every policy."""
    lines: list[dict[str, object]] = []
    for policy, trial in itertools.product(policies, list(trials(data))):
        seen = look_on(trial, policy, scorer)
        moved = sum(row.wanted != "large" for row in seen.observed) / len(seen.observed)
        for what, figures in judge(seen).items():
            told = {word: _short(figure) for word, figure in zip(("forecast", "truth", "error"), figures, strict=True)}
            about = {"policy": policy.name, "family": trial.family.name, "profile": trial.profile, "where": trial.where}
            lines.append({**about, "what": what, "moved": round(moved, 4), "n": len(trial.rows), **told})
    return lines


def _short(figure: Figure) -> list[float | None]:
    return [None if value is None else round(value, 4) for value in (figure.value, figure.low, figure.high)]


def markdown(about: Mapping[str, str], lines: Sequence[Mapping[str, object]]) -> str:
    """The figures for people."""
    made = ", ".join(about[name] for name in ("date", "commit", "machine"))
    words = (
        "Everything was asked of the large tier and only observed. *moved*: share that the policy would have sent "
        "elsewhere; *saved*: share of what was paid; *quality*: change of the mean score, in points. Error is forecast "
        "less truth, paired, with its 95 % interval over questions."
    )
    out = [
        "# What `report --observe` forecasts, beside what happened",
        "",
        f"`{about['command']}`, {made}, artefact {about['artefact']}.",
        "",
        words,
        "",
        "| policy | family (n) | profile | moved | what | forecast | truth | error |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for line in lines:
        cells = [_cell(line[word], str(line["what"])) for word in ("forecast", "truth", "error")]
        name = f"{line['family']} ({line['n']:,})"
        about_it = (line["policy"], name, line["profile"], f"{line['moved']:.0%}", line["what"], *cells)
        out.append(f"| {' | '.join(map(str, about_it))} |")
    places = dict.fromkeys(f"{line['family']}: {line['where']}." for line in lines)
    return "\n".join([*out, "", *places]) + "\n"


def _cell(values: object, what: str) -> str:
    assert isinstance(values, list)
    shape = "{:+.1f}" if what == "quality" else "{:.1f} %"
    value, low, high = (None if v is None else shape.format(100 * v) for v in values)
    return f"{value} ({low} to {high})"


def main() -> None:
    """Write ``observed.json`` and ``observed.md``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    scorer = load()
    with tempfile.TemporaryDirectory() as folder:
        careful = Path(folder) / "policy.yaml"
        careful.write_text(CAREFUL, "utf-8")
        policies = [load_policy("balanced"), load_policy(careful)]
    lines = lines_of(given.data, policies, scorer)
    about = stamp("python -m evals.observed.truth --data DIR")
    about |= {"artefact": scorer.digest[:12]}
    (given.out / "observed.json").write_text(json.dumps({"about": about, "lines": lines}, indent=1) + "\n")
    (given.out / "observed.md").write_text(markdown(about, lines))


if __name__ == "__main__":
    main()
