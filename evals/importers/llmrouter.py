"""LLMRouter: prompts of thirteen public tasks, answered by nine models of 7B to 70B.

The scores lie in ``dcrouter_preprocessed``; task and reference come
from the file of queries, joined by the question. What the files call train and test is their split,
not ours; ids keep it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from evals.importers.files import as_list, as_object, read_json, read_jsonl, text_field
from evals.importers.outcomes import OutcomeError
from evals.importers.rows import LONGEST_REFERENCE, Row, row, without_repeats

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from evals.importers.tokens import Count

#: GPQA's authors ask that its questions stay out of training.
PASSED_OVER: Final = frozenset({"gpqa"})
PARTS: Final = ("train", "test")
SCORES: Final = "data/dcrouter_preprocessed/{part}.json"
QUERIES: Final = "data/example_data/query_data/default_query_{part}.jsonl"


def read(clone: Path, count: Count) -> Iterator[Row]:  # noqa: ARG001 - the answers are not stored
    """Every question with scores whose task is known."""
    known: dict[str, tuple[str, str | None]] = {}
    for part in PARTS:
        known |= _queries(clone / QUERIES.format(part=part))
    yield from without_repeats(item for part in PARTS for item in _part(clone, part, known))


def _part(clone: Path, part: str, known: Mapping[str, tuple[str, str | None]]) -> Iterator[Row]:
    path = clone / SCORES.format(part=part)
    for number, entry in enumerate(as_list(read_json(path), str(path))):
        where = f"{path}: entry {number}"
        item = as_object(entry, where)
        question = text_field(item, "question", where)
        task, reference = known.get(question, ("", None))
        if task in PASSED_OVER:
            continue
        yield row(
            id=f"llmrouter/{part}/{number}",
            source="llmrouter-uiuc",
            task=task,
            prompt=question,
            reference=reference,
            scores=_scores(as_object(item.get("scores"), f"{where}: 'scores'"), where),
        )


def _queries(path: Path) -> Mapping[str, tuple[str, str | None]]:
    known: dict[str, tuple[str, str | None]] = {}
    for where, item in read_jsonl(path):
        truth: Any = item.get("ground_truth")
        reference = None if truth is None else str(truth)[:LONGEST_REFERENCE]
        known[text_field(item, "query", where)] = (text_field(item, "task_name", where), reference)
    return known


def _scores(said: dict[str, Any], where: str) -> dict[str, float]:
    for name, value in said.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise OutcomeError(f"{where}: the score of {name!r} is not a number from 0 to 1")
    return {name: float(value) for name, value in said.items()}
