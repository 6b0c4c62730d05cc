"""ZeroEval: CRUXEval-O, GSM8K and MATH level 5, answered zero-shot by about fifty models.

A model's outputs are one JSON list a task under ``result_dirs``. The answer is asked for as the field
``answer`` of a JSON object; ours is a second reading of it, so a score may differ from the project's own
where a model broke the format.

The published outcomes count a sum *without any answer* as right: the project marks it with a text, and
its summary takes every text for true. ``read`` repeats that, because our rows were made of those
outcomes; ``read_mended`` counts it as wrong. MMLU-Redux and ZebraLogic are not read: docs/importers.md.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from evals.importers.files import as_list, as_object, read_json, text_field
from evals.importers.outcomes import OutcomeError
from evals.importers.rows import Row, row
from evals.importers.tokens import EXACT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from evals.importers.tokens import Count

RESULTS: Final = "result_dirs"
#: File names whose model has another name in our rows; the others are lowered.
RENAMED: Final = {
    "Llama-3.1-405B-Inst-fp8": "llama-3.1-405b-instruct@together-fp8",
    "Llama-3.1-405B-Instruct-Turbo": "llama-3.1-405b-instruct@together-fp8",
    "Llama-3.1-405B-Inst@sambanova": "llama-3.1-405b-instruct@sambanova",
    "Meta-Llama-3.1-405B-Instruct@hyperbolic": "llama-3.1-405b-instruct",
    "DeepSeek-Coder-V2-0724": "deepseek-v2-coder-0724",
    "deepseek-chat": "deepseek-v2-chat-0628",
    "deepseek-coder": "deepseek-v2-coder-0614",
    "gemma-2-27b-it@together": "gemma-2-27b-it",
}
#: Two runs of one model: the file that does not count.
PASSED_OVER: Final = frozenset({"Meta-Llama-3.1-70B-Instruct@hyperbolic"})


class _Task(NamedTuple):
    """``unanswered`` is the published score of an output without an answer."""

    folder: str
    name: str
    question: str
    right: Callable[[str, str], bool]
    unanswered: float


def read(clone: Path, count: Count) -> Iterator[Row]:
    """Every question of the three tasks with the models that answered it, scored as published."""
    for task in TASKS:
        yield from _task(clone / RESULTS / task.folder, task, count)


def read_mended(clone: Path, count: Count) -> Iterator[Row]:
    """The same, an output without an answer counted as wrong."""
    for task in TASKS:
        yield from _task(clone / RESULTS / task.folder, task._replace(unanswered=0.0), count)


def _task(folder: Path, task: _Task, count: Count) -> Iterator[Row]:
    files = sorted(path for path in folder.glob("*.json") if path.stem not in PASSED_OVER)
    if not files:
        raise OutcomeError(f"{folder}: no model's file; is this a clone of WildEval/ZeroEval?")
    asked: dict[str, tuple[str, str]] = {}
    scores: dict[str, dict[str, float]] = {}
    tokens: dict[str, dict[str, int]] = {}
    for path in files:
        model = model_name(path.stem)
        for index, entry in enumerate(as_list(read_json(path), str(path))):
            where = f"{path}: entry {index}"
            item = as_object(entry, where)
            number, reference = str(item.get("id")), text_field(item, "answer", where)
            said = as_list(item.get("output"), f"{where}: 'output'")
            if not said or not isinstance(said[0], str):
                raise OutcomeError(f"{where}: 'output' must hold a text")
            asked.setdefault(number, (text_field(item, task.question, where), reference))
            answer = answer_in(said[0])
            score = task.unanswered if answer is None else float(task.right(answer, reference))
            scores.setdefault(number, {})[model] = score
            length = count(said[0])
            if length:
                tokens.setdefault(number, {})[model] = length
    for number, (prompt, reference) in asked.items():
        yield row(
            id=f"zeroeval/{task.name}/{number}",
            source=f"zeroeval-{task.name}",
            task=task.name,
            prompt=prompt,
            reference=reference,
            scores=scores[number],
            output_tokens=tokens.get(number),
            token_method=EXACT,
        )


def model_name(file: str) -> str:
    """The name in our rows of the model whose outputs are in ``file`` (without its ending)."""
    return RENAMED.get(file, file.lower().removeprefix("meta-"))


def answer_in(output: str) -> str | None:
    """The ``answer`` of the first JSON object in an output, or what stands after that word."""
    whole = _first_object(output)
    if whole is not None and "answer" in whole:
        return str(whole["answer"])
    for pattern in _ANSWERS:
        found = pattern.search(output)
        if found:
            return found[1]
    return None


_ANSWERS: Final = (
    re.compile(r'"answer"\s*:\s*"([^"]*)"'),
    re.compile(r'"answer"\s*:\s*([^,\s]*)'),
    re.compile(r"answer\s*:\s*([^,\s]*)"),
)


def _first_object(output: str) -> dict[str, Any] | None:
    depth = start = 0
    for index, letter in enumerate(output):
        if letter == "{":
            if depth == 0:
                start = index
            depth += 1
        elif letter == "}" and depth:
            depth -= 1
            if depth == 0:
                try:
                    found = json.loads(output[start : index + 1].replace("\n", ""))
                except json.JSONDecodeError:
                    return None
                return found if isinstance(found, dict) else None
    return None


def same_literal(answer: str, reference: str) -> bool:
    """Equal as written, without the quotes around them, or equal as Python literals."""
    if answer.strip("'\"").replace("\n", "\\n") == reference.strip("'\""):
        return True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a model's odd escapes are its own affair
            return bool(ast.literal_eval(answer) == ast.literal_eval(reference))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False


def same_number(answer: str, reference: str) -> bool:
    """The first numbers of both are equal; a lone fraction counts as its value."""
    one, other = _first_number(answer), _first_number(reference.replace("#", ""))
    return one is not None and one == other


def _first_number(text: str) -> float | None:
    plain = text.replace("$", "").replace(",", "").strip()
    fraction = re.fullmatch(r"(-?\d+(?:\.\d+)?)\s*/\s*(\d+(?:\.\d+)?)", plain)
    if fraction and float(fraction[2]):
        return float(fraction[1]) / float(fraction[2])
    found = re.search(r"-?\d+(?:\.\d+)?", plain)
    return float(found[0]) if found else None


TASKS: Final = (
    _Task("crux", "cruxeval-o", "question", same_literal, 0.0),
    _Task("gsm", "gsm8k", "question", same_number, 1.0),
    _Task("math-l5", "math-l5", "problem", same_number, 1.0),
)
