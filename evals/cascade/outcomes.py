"""What the short questions gave, as numbers: the file that ``python -m evals.cascade`` reads and CI replays.

One JSON object a question: its hash, kind and language, numbers about its prompt, and for each tier whether
the greedy answer was right, what it showed (``router.core.signals``) and what it cost in tokens. No text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from router.core.features import language_of
from router.core.peek import reading_of
from router.core.signals import Demand, Reading, Signals, agreement, demand_of, signals_of
from router.score.features import read
from router.types import TIER_NAMES, TierName

if TYPE_CHECKING:
    from evals.cascade.questions import Question
    from router.score import Scorer

FILE: Final = Path(__file__).parents[1] / "results" / "cascade-outcomes.jsonl"
#: Families whose chances stand for where the scorer places a prompt: each is another view on it.
VIEWS: Final = ("generic", "llama-3.1", "gemma-2", "qwen2.5", "gpt-4o", "claude-3", "mistral", "openai-2026")
#: How often each tier is asked besides its greedy answer. Nobody asks the last tier twice, and samples of the
#: smallest cost more than they say: it is seldom right.
SAMPLES: Final[Mapping[TierName, int]] = {"small": 0, "medium": 1, "large": 0}
_DIGITS: Final = 5


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tier's greedy answer.

    Attributes:
        right: by the question's grader.
        tokens_in, tokens_out: of the greedy call.
        sampled_in, sampled_out: of all samples together; 0 where none were drawn.
    """

    right: bool
    signals: Signals
    tokens_in: int
    tokens_out: int
    sampled_in: int = 0
    sampled_out: int = 0


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question.

    Attributes:
        question: its hash.
        demand: what its prompt demands; names the task by which chances are calibrated.
        prompt: numbers about the prompt, for scorers that see nothing else.
        p_right: the shipped scorer's chances under the ``generic`` profile.
        answers: tier -> answer.
    """

    question: str
    task: str
    language: str
    source: str
    demand: Demand
    prompt: tuple[float, ...]
    p_right: Mapping[TierName, float]
    answers: Mapping[TierName, Answer]


def read_rows(path: Path = FILE) -> list[Row]:
    """The recorded rows.

    Raises:
        ValueError: a line is not a row.
    """
    decoder = msgspec.json.Decoder(Row)
    return [decoder.decode(line) for line in path.read_bytes().split(b"\n") if line.strip()]


def write_rows(rows: Iterable[Row], path: Path = FILE) -> None:
    """Record rows, one a line."""
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))


def rows_of(asked: Sequence[Question], raw: Sequence[Mapping[str, Any]], scorer: Scorer) -> list[Row]:
    """Rows of the questions that every tier has answered; the others are left out."""
    given: dict[tuple[str, str], dict[int, Mapping[str, Any]]] = {}
    for row in raw:
        if row["sample"] <= SAMPLES[row["tier"]]:
            given.setdefault((row["question"], row["tier"]), {})[row["sample"]] = row["answer"]
    rows = []
    for question in asked:
        answers = {tier: given.get((question.hash, tier), {}) for tier in TIER_NAMES}
        if all(0 in got for got in answers.values()):
            rows.append(_row(question, answers, scorer))
    return rows


def _row(question: Question, answers: Mapping[TierName, Mapping[int, Mapping[str, Any]]], scorer: Scorer) -> Row:
    language = language_of(question.prompt)
    demand = demand_of(question.prompt, None, tools=False, language=language)
    return Row(
        question=question.hash, task=question.task, language=question.language, source=question.source, demand=demand,
        prompt=_prompt_numbers(question.prompt, scorer),
        p_right={t: _short(p) for t, p in scorer.score(question.prompt).p_right.items() if t in TIER_NAMES},
        answers={tier: _answer(question, demand, got) for tier, got in answers.items()},
    )  # fmt: skip


def _prompt_numbers(prompt: str, scorer: Scorer) -> tuple[float, ...]:
    chances = [
        p for family in VIEWS if family in scorer.families for p in scorer.score(prompt, family).p_right.values()
    ]
    places = [math.log(p / (1 - p)) for p in chances]
    return tuple(_short(value) for value in (*places, *read(prompt).structure.tolist()))


def _answer(question: Question, demand: Demand, got: Mapping[int, Mapping[str, Any]]) -> Answer:
    readings: list[tuple[Reading, int, int]] = []
    for sample in sorted(got):
        reading, usage = reading_of(msgspec.json.encode(got[sample]))
        assert usage is not None
        readings.append((reading, usage.input_tokens, usage.output_tokens))
    (greedy, tokens_in, tokens_out), *samples = readings
    signals = signals_of(greedy, demand)
    if samples:
        agreed = agreement(greedy.said, [reading.said for reading, _, _ in samples], demand)
        signals = msgspec.structs.replace(signals, agreement=agreed)
    if signals.logprobs is not None:
        kept = {name: _short(getattr(signals.logprobs, name)) for name in signals.logprobs.__struct_fields__}
        signals = msgspec.structs.replace(signals, logprobs=msgspec.structs.replace(signals.logprobs, **kept))
    return Answer(
        right=question.grade(greedy.text), signals=signals, tokens_in=tokens_in, tokens_out=tokens_out,
        sampled_in=sum(n for _, n, _ in samples), sampled_out=sum(n for _, _, n in samples),
    )  # fmt: skip


def _short(value: float) -> float:
    return round(float(value), _DIGITS)
