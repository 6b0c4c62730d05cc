"""The formats by name: how a row is written, how it is checked, and how many may go into one file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from evals.distill.example import Example
from evals.distill.export import checks, shapes


class Format(NamedTuple):
    """One format.

    Attributes:
        make: a row, or ``Unfit``. check: what is wrong with a written line.
        answers: whether it carries answers of a teacher, whose terms then matter.
        fewest, most: rows that whoever reads it takes. largest: bytes.
    """

    make: Callable[[Example], shapes.Row]
    check: checks.Check
    answers: bool = True
    fewest: int = 1
    most: int = 1_000_000
    largest: int = 1 << 33


# Bedrock: at least 100 prompts, at most 15,000, less than 1 GB (user guide, and AWS's own validation script).
# OpenAI: at least 10 examples, at most 512 MB in one upload.
FORMATS: Final[dict[str, Format]] = {
    "openai": Format(shapes.openai, checks.checked(checks.openai), fewest=10, largest=512 << 20),
    "bedrock": Format(
        shapes.bedrock, checks.checked(checks.bedrock(answer=True, turns=False)),
        fewest=100, most=15_000, largest=(1 << 30) - 1,
    ),
    "bedrock-prompts": Format(
        shapes.bedrock_prompts, checks.checked(checks.bedrock(answer=False, turns=False)), answers=False,
        fewest=100, most=15_000, largest=(1 << 30) - 1,
    ),
    "nova": Format(
        shapes.nova, checks.checked(checks.bedrock(answer=True, turns=True)),
        fewest=100, most=15_000, largest=(1 << 30) - 1,
    ),
    "prompts": Format(shapes.prompts, checks.checked(checks.prompts), answers=False),
    "sharegpt": Format(shapes.sharegpt, checks.checked(checks.sharegpt)),
    "preference": Format(shapes.preference, checks.checked(checks.preference), fewest=10),
}  # fmt: skip
