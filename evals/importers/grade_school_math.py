"""OpenAI's grade-school-math: GSM8K test questions answered by GPT-3 6B and 175B, four ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evals.importers.files import as_object, read_jsonl, text_field, truth_field
from evals.importers.outcomes import OutcomeError
from evals.importers.rows import Row, row
from evals.importers.tokens import EXACT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from evals.importers.tokens import Count

#: Field of the file -> model name in our rows.
MODELS: Final = {
    "6b_finetuning": "gpt3-6b-finetuning",
    "6b_verification": "gpt3-6b-verification",
    "175b_finetuning": "gpt3-175b-finetuning",
    "175b_verification": "gpt3-175b-verification",
}
SOLUTIONS: Final = "grade_school_math/data/example_model_solutions.jsonl"


def read(clone: Path, count: Count) -> Iterator[Row]:
    """Every question of the file of example solutions."""
    for number, (where, item) in enumerate(read_jsonl(clone / SOLUTIONS)):
        answers = {name: as_object(item.get(field), f"{where}: {field!r}") for field, name in MODELS.items()}
        tokens = {name: count(text_field(answer, "solution", where)) for name, answer in answers.items()}
        truth = text_field(item, "ground_truth", where)
        if "A: " not in truth:
            raise OutcomeError(f"{where}: 'ground_truth' has no final line after 'A: '")
        yield row(
            id=f"gsm-openai/{number}",
            source="gsm-openai-6b-175b",
            task="gsm8k",
            prompt=text_field(item, "question", where),
            reference=truth.rsplit("A: ", 1)[1].strip(),
            scores={name: truth_field(answer, "is_correct", where) for name, answer in answers.items()},
            output_tokens={name: n for name, n in tokens.items() if n},
            token_method=EXACT,
        )
