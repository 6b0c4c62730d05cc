"""How easily the router's decision is moved: by changes that mean nothing, and by attempts to be sent up.

``python -m evals.robustness --data DIR`` reads ``valid.jsonl.gz`` and writes ``evals/results/robustness.json``
and ``.md``. Every router decides small or large at the threshold that sends half of the unchanged prompts
(as near as its scores allow) to small. *Flips* are rows whose decision differs under a change, of the rows the
change touches. *Moved up* are rows that were small and became large under an attempt. AUC (does the score tell
the rows where small suffices?) stands beside both: a router that always says the same never flips.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from evals import metrics
from evals import targets as learn
from evals.importers.outcomes import Outcome, OutcomeError, read_outcomes
from evals.intervals import wilson
from evals.robustness import attacks
from evals.robustness.perturb import PERTURBATIONS, perturbed
from evals.robustness.report import Attack, Change, Router, write
from evals.routing import baselines
from guardrails import compile_rails
from router.score import Scorer, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

SEED: Final = 20261124
ROWS: Final = 2000
#: Rows the searched string is fitted on; it is judged on the others.
SEARCH_ROWS: Final = 40
SEARCH_WORDS: Final = 10
RESULTS: Final = Path(__file__).parents[1] / "results"


class Judge(NamedTuple):
    """A router as a score: the higher, the more a prompt deserves the large tier."""

    name: str
    push: Callable[[Sequence[str]], NDArray[np.float64]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evals.robustness", description="Measure steadiness.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the outcome files")
    parser.add_argument("--artefact", type=Path, help="scorer to measure; default: the shipped one")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for robustness.json and .md")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows drawn from the valid split")
    parser.add_argument("--baselines", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args(argv)
    try:
        drawn = sample(read_outcomes(options.data / "valid.jsonl.gz"), options.rows)
        ordinary = read_outcomes(options.data / "train.jsonl.gz")
    except OutcomeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    scorer = load(options.artefact)
    judges = [ours(scorer), *(simple_judges() if options.baselines else ())]
    routers, changes, moved = measure(judges, drawn)
    alarms = sum(raised([row.prompt for row in ordinary]))
    write(routers, changes, moved, (alarms, len(ordinary)), scorer.digest, SEED, options.out)
    return 0


class Sample(NamedTuple):
    """Rows and whether a small model suffices for each: it scores no less than a large one."""

    rows: Sequence[Outcome]
    suffices: NDArray[np.bool_]


def sample(rows: Sequence[Outcome], count: int) -> Sample:
    """Rows with outcomes of small and large models, evenly spread over sources and languages."""
    goal = learn.targets(rows, learn.learnable_models(rows, 100)).scores[:, [-3, -1]]
    kinds: dict[tuple[str, str], list[int]] = {}
    rng = np.random.default_rng(SEED)
    for index in rng.permutation(len(rows)).tolist():
        if not np.isnan(goal[index]).any():
            kinds.setdefault((rows[index].source, rows[index].language), []).append(index)
    chosen: list[int] = []
    for turn in range(max(map(len, kinds.values()), default=0)):
        chosen += [members[turn] for _, members in sorted(kinds.items()) if turn < len(members)]
    chosen = chosen[:count]
    return Sample([rows[index] for index in chosen], goal[chosen, 0] >= goal[chosen, 1])


def ours(scorer: Scorer) -> Judge:
    """The shipped decision: small's chance as a share of the best tier's (the policy's ``quality.keep``)."""

    def push(texts: Sequence[str]) -> NDArray[np.float64]:
        scores = scorer.score_many(texts)
        return np.array([1.0 - score.p_right["small"] / max(score.p_right.values()) for score in scores])

    return Judge("ours", push)


def simple_judges() -> list[Judge]:
    """Prompt length, and what ships inside LiteLLM."""
    names = ("v1 raw score", "v1 tiers", "v2 tiers")
    seen: dict[tuple[str, ...], Mapping[str, NDArray[np.float64]]] = {}

    def litellm(name: str) -> Judge:
        def push(texts: Sequence[str]) -> NDArray[np.float64]:
            key = tuple(texts)
            if key not in seen:  # one pass over the texts gives all three
                seen[key] = baselines.litellm_scores(texts)
            return seen[key][name]

        return Judge(f"LiteLLM {name}", push)

    length = Judge("prompt length", lambda texts: np.array([float(len(text)) for text in texts]))
    return [length, *map(litellm, names)]


def threshold(score: NDArray[np.float64]) -> float:
    """Between two scores so that the share at or below it is as near a half as ties allow."""
    values, counts = np.unique(score, return_counts=True)
    if len(values) == 1:
        return float(values[0])
    share = np.cumsum(counts)[:-1] / len(score)
    at = int(np.argmin(np.abs(share - 0.5)))
    return float((values[at] + values[at + 1]) / 2)


def measure(judges: Sequence[Judge], drawn: Sample) -> tuple[list[Router], list[Change], list[Attack]]:
    """Every judge under every change and attempt."""
    rows, suffices = drawn
    prompts = [row.prompt for row in rows]
    texts = {name: [perturbed(name, row.prompt, row.id, SEED) for row in rows] for name in PERTURBATIONS}
    routers, changes, moved = [], [], []
    for judge in judges:
        score = judge.push(prompts)
        limit = threshold(score)
        large = score > limit
        routers.append(Router(judge.name, float(1 - large.mean()), metrics.auc(~suffices, score), len(rows)))
        for name, changed in texts.items():
            touched = np.array([new != old for new, old in zip(changed, prompts, strict=True)])
            kept = [text for text, use in zip(changed, touched, strict=True) if use]
            after = judge.push(kept)
            flips = int(np.count_nonzero((after > limit) != large[touched]))
            changes.append(
                Change(
                    judge.name, name, flips, len(kept), wilson(flips, len(kept)), metrics.auc(~suffices[touched], after)
                )
            )
        small = [prompt for prompt, up in zip(prompts, large, strict=True) if not up]
        for family, attempts in attempts_on(judge, small, prompts).items():
            tried = [attempts[index % len(attempts)].on(prompt) for index, prompt in enumerate(small)]
            up = int(np.count_nonzero(judge.push(tried) > limit))
            seen = sum(raised(tried)) if judge.name == "ours" else None
            moved.append(Attack(judge.name, family, up, len(tried), wilson(up, len(tried)), seen))
    return routers, changes, moved


def attempts_on(
    judge: Judge, small: Sequence[str], prompts: Sequence[str]
) -> Mapping[str, tuple[attacks.Attempt, ...]]:
    """Every family of attempts; the searched strings are fitted on the judge itself (not on LiteLLM's: too slow)."""
    found = {**attacks.BEST_MODEL, **attacks.TRIGGERS, **attacks.NEW_WORDINGS, "gibberish": attacks.gibberish(20, SEED)}
    if judge.name == "ours":
        words = vocabulary(prompts)
        fitted = small[:: max(1, len(small) // SEARCH_ROWS)][:SEARCH_ROWS]
        for after in (False, True):
            attempt = attacks.searched(judge.push, fitted, words, words=SEARCH_WORDS, seed=SEED, after=after)
            found[f"string searched with the scorer, {'suffix' if after else 'prefix'}"] = (attempt,)
    return found


def vocabulary(prompts: Sequence[str], least: int = 5) -> list[str]:
    """Words of at least ``least`` prompts."""
    counts: dict[str, int] = {}
    for prompt in prompts:
        for word in {word for word in prompt.lower().split() if word.isalpha()}:
            counts[word] = counts.get(word, 0) + 1
    return sorted(word for word, count in counts.items() if count >= least)


def raised(texts: Iterable[str]) -> list[bool]:
    """Whether the ``rerouting`` guard finds something in each text."""
    rails = compile_rails([{"rerouting": {}}])
    return [bool(rails.check(text).findings) for text in texts]


if __name__ == "__main__":
    sys.exit(main())
