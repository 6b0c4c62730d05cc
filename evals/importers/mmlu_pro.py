"""MMLU-Pro: questions with up to ten options, answered five-shot by many models.

Each model's outputs are one zip under ``eval_results``. Base models and models without a family member
beside them are passed over; llama-2 is the exception, the only family of three base models.
"""

from __future__ import annotations

import zipfile
import zlib
from typing import TYPE_CHECKING, Any, Final

from evals.importers.files import as_list, as_object, parse_json, text_field
from evals.importers.outcomes import OutcomeError
from evals.importers.rows import Row, row, without_repeats
from evals.importers.tokens import EXACT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from evals.importers.tokens import Count

#: File name between ``model_outputs_`` and ``_5shots.zip`` -> model name in our rows.
MODELS: Final = {
    "Meta-Llama-3_1-8B-Instruct": "llama-3.1-8b-instruct",
    "Meta-Llama-3_1-70B-Instruct": "llama-3.1-70b-instruct",
    "gemini-1.5-flash-002": "gemini-1.5-flash-002",
    "gemini-1.5-pro-002": "gemini-1.5-pro-002",
    "Qwen1.5-7B-Chat": "qwen1.5-7b-chat",
    "Qwen1.5-72B-Chat": "qwen1.5-72b-chat",
    "Mistral-7B-Instruct-v0.2": "mistral-7b-instruct-v0.2",
    "Mixtral-8x7B-Instruct-v0.1": "mixtral-8x7b-instruct-v0.1",
    "Phi-3-mini-4k-instruct": "phi-3-mini-4k-instruct",
    "c4ai-command-r-v01": "command-r",
    "Llama-2-7b-hf": "llama-2-7b",
    "Llama-2-13b-hf": "llama-2-13b",
    "Llama-2-70b-hf": "llama-2-70b",
    "jamba-1.5-large": "jamba-1.5-large",
    "DeepSeek-Coder-V2": "deepseek-coder-v2",
    "gpt4o(2024-05-13)": "gpt-4o-2024-05-13",
}
RESULTS: Final = "eval_results"


def read(clone: Path, count: Count) -> Iterator[Row]:
    """Every question that the first model answered, with the outcomes of all models whose file is there."""
    folder = clone / RESULTS
    answered = {
        name: _outputs(path)
        for file, name in MODELS.items()
        if (path := folder / f"model_outputs_{file}_5shots.zip").exists()
    }
    if not answered:
        raise OutcomeError(
            f"{folder}: none of the {len(MODELS)} files is there; is this a clone of TIGER-AI-Lab/MMLU-Pro?"
        )
    yield from without_repeats(_rows(answered, count))


def _rows(answered: dict[str, dict[int, tuple[str, dict[str, Any]]]], count: Count) -> Iterator[Row]:
    questions = {number: entry for outputs in reversed(answered.values()) for number, entry in outputs.items()}
    for number in sorted(questions):
        where, item = questions[number]
        said = {name: outputs[number] for name, outputs in answered.items() if number in outputs}
        tokens = {name: count(_text(item, where)) for name, (where, item) in said.items()}
        yield row(
            id=f"mmlu-pro/{number}",
            source="mmlu-pro",
            task="mmlu-pro",
            prompt=_prompt(item, where),
            reference=text_field(item, "answer", where),
            # each file's own key: a few questions were mended between runs
            scores={name: float(item.get("pred") == item.get("answer")) for name, (_, item) in said.items()},
            output_tokens={name: n for name, n in tokens.items() if n},
            token_method=EXACT,
            meta={"subset": text_field(item, "category", where)},
        )


def _prompt(item: dict[str, Any], where: str) -> str:
    options = as_list(item.get("options"), f"{where}: 'options'")
    lines = [f"{chr(ord('A') + index)}. {option}" for index, option in enumerate(options)]
    return "\n".join([text_field(item, "question", where).strip(), *lines])


def _text(item: dict[str, Any], where: str) -> str:
    """The answer, without the further questions that a five-shot model may invent after it."""
    field = "model_outputs" if "model_outputs" in item else "generated_text"
    return text_field(item, field, where).split("\n\nQuestion:", 1)[0]


def _outputs(path: Path) -> dict[int, tuple[str, dict[str, Any]]]:
    try:
        with zipfile.ZipFile(path) as packed:
            names = [name for name in packed.namelist() if name.endswith(".json") and not name.startswith("__MACOSX")]
            if len(names) != 1:
                raise OutcomeError(f"{path}: expected one .json inside, found {len(names)}")
            text = packed.read(names[0]).decode("utf-8")
    except (zipfile.BadZipFile, OSError, UnicodeDecodeError, zlib.error) as error:
        raise OutcomeError(f"{path}: cannot be unpacked ({type(error).__name__}); is it a Git LFS pointer?") from None
    outputs: dict[int, tuple[str, dict[str, Any]]] = {}
    for index, entry in enumerate(as_list(parse_json(text, str(path)), str(path))):
        where = f"{path}: entry {index}"
        if isinstance(entry, str):
            continue  # DeepSeek-Coder-V2's file keeps the requests that failed as bare texts
        item = as_object(entry, where)
        number = item.get("question_id")
        if not isinstance(number, int) or isinstance(number, bool):
            raise OutcomeError(f"{where}: 'question_id' must be a number")
        outputs.setdefault(number, (where, item))
    return outputs
