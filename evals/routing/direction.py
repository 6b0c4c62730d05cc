"""Does the score point the right way on everyday requests: prompts of our own, never trained on.

``python -m evals.routing.direction`` reads ``evals/suites/own-prompts.jsonl`` (no other data) and writes
``evals/results/direction.json`` and ``.md``: mean complexity of the prompts meant for small, medium and
large, and how well the score tells small from large, per language. What its author had in mind is no
outcome: this is a smoke test of direction, not a figure of quality.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import msgspec
import numpy as np

from evals import metrics
from evals.importers.outcomes import OutcomeError
from evals.routing import baselines
from evals.stamp import stamp
from router.score import Scorer, load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

PROMPTS: Final = Path(__file__).parents[1] / "suites" / "own-prompts.jsonl"
RESULTS: Final = Path(__file__).parents[1] / "results"
INTENTS: Final = ("small", "medium", "large")
SEED: Final = 20261124


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One message, as OpenAI writes it."""

    role: Literal["system", "user", "assistant"]
    content: str


class OwnPrompt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One request and the tier its author had in mind."""

    id: str
    intent: Literal["small", "medium", "large"]
    language: Literal["en", "ko"]
    kind: Literal["everyday", "code", "maths", "law", "multi-turn", "tools"]
    messages: tuple[Message, ...]

    @property
    def ask(self) -> str:
        """The last thing that was asked: what the gateway scores."""
        return self.messages[-1].content


class Figure(NamedTuple):
    """One figure of one router on one language."""

    language: str
    metric: str
    router: str
    value: float
    low: float
    high: float
    n: int


def read_prompts(path: Path = PROMPTS) -> list[OwnPrompt]:
    """The prompts.

    Raises:
        OutcomeError: a line is malformed, an id is used twice, or the last message is not the user's.
    """
    prompts: list[OwnPrompt] = []
    seen: set[str] = set()
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            prompt = msgspec.json.decode(line, type=OwnPrompt)
        except msgspec.DecodeError as error:
            raise OutcomeError(f"{path}:{number}: {error}") from None
        if prompt.id in seen:
            raise OutcomeError(f"{path}:{number}: id {prompt.id!r} was used before")
        if not prompt.messages or prompt.messages[-1].role != "user":
            raise OutcomeError(f"{path}:{number}: the last message must be the user's")
        seen.add(prompt.id)
        prompts.append(prompt)
    return prompts


def measure(scorer: Scorer, prompts: Sequence[OwnPrompt], draws: int = 1000) -> list[Figure]:
    """Every figure, with bootstrap intervals over prompts."""
    figures: list[Figure] = []
    for language in ("en", "ko"):
        chosen = [prompt for prompt in prompts if prompt.language == language]
        asks = [prompt.ask for prompt in chosen]
        intents = np.array([prompt.intent for prompt in chosen])
        litellm = baselines.litellm_scores(asks)
        scores = {
            "ours": np.array([score.complexity for score in scorer.score_many(asks)]),
            "prompt length": np.array([len(ask) for ask in asks], dtype=float),
            "LiteLLM v1": litellm["v1 tiers"],
            "LiteLLM v2": litellm["v2 tiers"],
        }
        names = [prompt.id for prompt in chosen]
        for intent in INTENTS:
            here = intents == intent
            figures.append(_mean(language, intent, scores["ours"][here], np.array(names)[here].tolist(), draws))
        ends = intents != "medium"
        large = (intents == "large")[ends]
        for router, score in scores.items():
            figures.append(_auc(language, router, large, score[ends], np.array(names)[ends].tolist(), draws))
    return figures


def _mean(language: str, intent: str, score: metrics.Floats, names: list[str], draws: int) -> Figure:
    interval = metrics.bootstrap(lambda index: float(score[index].mean()), names, np.random.default_rng(SEED), draws)
    return Figure(language, f"mean complexity, {intent}", "ours", *interval, len(names))


def _auc(
    language: str, router: str, large: NDArray[np.bool_], score: metrics.Floats, names: list[str], draws: int
) -> Figure:
    interval = metrics.bootstrap(
        lambda index: metrics.auc(large[index], score[index]), names, np.random.default_rng(SEED), draws
    )
    return Figure(language, "AUC small against large", router, *interval, len(names))


def write(figures: Sequence[Figure], digest: str, folder: Path) -> None:
    """Write ``direction.json`` and ``direction.md``."""
    folder.mkdir(parents=True, exist_ok=True)
    stored: dict[str, Any] = {
        **stamp("python -m evals.routing.direction"),
        "artefact": digest,
        "figures": [figure._asdict() for figure in figures],
    }
    (folder / "direction.json").write_text(json.dumps(stored, indent=1) + "\n", "utf-8")
    lines = [
        "# Direction on prompts of our own",
        "",
        f"Made by `{stored['command']}` at {stored['commit']}, {stored['date']}, {stored['machine']}.",
        f"Artefact `{digest[:12]}`. Prompts written for this test, by intent; no outcomes, never trained on.",
        "",
        "| language | metric | router | value | 95 % interval | n |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {f.language} | {f.metric} | {f.router} | {f.value:.3f} | {f.low:.3f} to {f.high:.3f} | {f.n} |"
        for f in figures
    ]
    (folder / "direction.md").write_text("\n".join(lines) + "\n", "utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evals.routing.direction", description="A smoke test of direction.")
    parser.add_argument("--artefact", type=Path, help="scorer to measure; default: the shipped one")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for direction.json and .md")
    parser.add_argument("--draws", type=int, default=1000)
    options = parser.parse_args(argv)
    try:
        scorer = load(options.artefact)
        figures = measure(scorer, read_prompts(), options.draws)
    except OutcomeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    write(figures, scorer.digest, options.out)
    print(f"wrote {options.out / 'direction.md'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
