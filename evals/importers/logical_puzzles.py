"""HAE-RAE's logical-puzzles: 19 kinds of generated puzzles, Korean and English, three difficulties.

A model's answers to one kind are one CSV whose name ends in the share of right answers. Some files do
not hold what their name says (llama-4-maverick's are copies of Llama-3.1-8B's answers): a file whose
share is further than ``TOLERANCE`` from its name is passed over. Ids repeat between versions of a
puzzle, so a row is the id with the prompt's hash.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from evals.importers.files import read_csv, truth_field
from evals.importers.outcomes import OutcomeError
from evals.importers.rows import LONGEST_REFERENCE, Row, prompt_hash, row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from evals.importers.tokens import Count

#: Folder under ``results`` -> model name in our rows.
MODELS: Final = {
    "EXAONE-3.5-7.8B-Instruct": "exaone-3.5-7.8b-instruct",
    "K-intelligence_Midm-2.0-Base-Instruct": "midm-2.0-base-11.5b",
    "LGAI-EXAONE_EXAONE-4.0-32B": "exaone-4.0-32b",
    "Llama-4-Maverick-17B-128E": "llama-4-maverick",
    "Meta-Llama-3.1-8B-Instruct": "llama-3.1-8b-instruct",
    "Qwen3.5-397B-A17B": "qwen3.5-397b-a17b",
    "Qwen3.5-9B": "qwen3.5-9b",
    "anthropic_claude-opus-4-8": "claude-opus-4-8",
    "gemini_gemini-3-flash-preview": "gemini-3-flash-preview",
    "gemini_gemini-3.1-pro-preview": "gemini-3.1-pro-preview",
    "google_gemma-4-31b-it": "gemma-4-31b-it",
    "openai_gpt-5.5": "gpt-5.5",
    "openai_gpt-oss-120b": "gpt-oss-120b",
    "openrouter_deepseek_deepseek-v4-flash": "deepseek-v4-flash",
    "openrouter_qwen_qwen3.5-27b": "qwen3.5-27b",
}
COLUMNS: Final = ("id", "question", "answer", "thinking_content", "resps", "exact_match", "difficulty")
METHOD: Final = "bytes/4 estimate over visible answer and stored thinking"
#: Names give two decimals of a share of about a hundred answers.
TOLERANCE: Final = 0.025
LEAST_MODELS: Final = 3
_STATED: Final = re.compile(r"__(\d\.\d+)$")
#: ``array_formula_ko_hard`` -> kind, language, difficulty.
_SUBSET: Final = re.compile(r"(?P<kind>[a-z_]+)_(?P<language>en|ko)_(?P<difficulty>easy|medium|hard)")


class _Puzzle(NamedTuple):
    id: str
    subset: str
    difficulty: str
    prompt: str
    reference: str
    scores: dict[str, float]
    tokens: dict[str, int]


def read(clone: Path, count: Count) -> Iterator[Row]:  # noqa: ARG001 - estimated from bytes
    """Every puzzle that at least ``LEAST_MODELS`` models answered."""
    folder = clone / "results"
    puzzles: dict[tuple[str, str], _Puzzle] = {}
    found = [(folder / name, model) for name, model in MODELS.items() if (folder / name).is_dir()]
    if not found:
        raise OutcomeError(f"{folder}: no folder of the known models; is this a clone of HAE-RAE/logical-puzzles?")
    for place, model in found:
        for path in sorted(place.glob("*/*.csv")):
            _gather(path, model, puzzles)
    for (_, digest), puzzle in sorted(puzzles.items()):
        if len(puzzle.scores) < LEAST_MODELS:
            continue
        named = _named(puzzle.subset)
        yield row(
            id=f"haerae-logic/{puzzle.id}/{digest[:6]}",
            source="haerae-logic",
            task=named["kind"],
            language=named["language"],
            prompt=puzzle.prompt,
            reference=puzzle.reference[:LONGEST_REFERENCE],
            scores=puzzle.scores,
            output_tokens=puzzle.tokens,
            token_method=METHOD,
            meta={"difficulty": puzzle.difficulty, "subset": puzzle.subset},
        )


def _gather(path: Path, model: str, into: dict[tuple[str, str], _Puzzle]) -> None:
    subset = path.parent.name
    if not _SUBSET.fullmatch(subset):
        raise OutcomeError(f"{path.parent}: not the name of a kind, language and difficulty")
    answers = list(read_csv(path, COLUMNS))
    right = {where: truth_field(item, "exact_match", where) for where, item in answers}
    stated = _STATED.search(path.stem)
    if not stated:
        raise OutcomeError(f"{path}: the name does not end in the share of right answers, as in __0.57.csv")
    if not right or abs(sum(right.values()) / len(right) - float(stated[1])) > TOLERANCE:
        return
    for where, item in answers:
        key = item["id"], prompt_hash(item["question"])
        if key not in into:
            into[key] = _Puzzle(item["id"], subset, item["difficulty"], item["question"], item["answer"], {}, {})
        into[key].scores[model] = right[where]
        said = len((item["resps"] + item["thinking_content"]).encode("utf-8", "replace"))
        into[key].tokens[model] = round(said / 4)


def _named(subset: str) -> dict[str, str]:
    match = _SUBSET.fullmatch(subset)
    assert match is not None
    return match.groupdict()
