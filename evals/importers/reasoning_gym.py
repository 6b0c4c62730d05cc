"""reasoning-gym-eval: generated puzzles, the zero-shot *easy* runs of ten models.

The *hard* runs are left alone: they are kept for judging from outside, and whoever trains on them
spoils that. A score is the mean over a model's samples.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from evals.importers.files import as_list, as_object, read_json, text_field
from evals.importers.outcomes import OutcomeError
from evals.importers.rows import LONGEST_REFERENCE, Row, prompt_hash, row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from evals.importers.tokens import Count

#: Folder of a run -> model name in our rows.
MODELS: Final = {
    "anthropic_claude-3.5-sonnet_20250315_163713": "claude-3.5-sonnet",
    "anthropic_claude-sonnet-4_20250524_191444": "claude-sonnet-4",
    "deepseek_deepseek-r1_20250315_181530": "deepseek-r1",
    "google_gemma-3-27b-it_20250315_181541": "gemma-3-27b-it",
    "meta-llama_llama-3.3-70b-instruct_20250315_165756": "llama-3.3-70b-instruct",
    "meta-llama_llama-4-maverick_20250406_081553": "llama-4-maverick",
    "meta-llama_llama-4-scout_20250409_195646": "llama-4-scout",
    "mistralai_mistral-small-3.1-24b-instruct_20250322_063733": "mistral-small-3.1-24b-instruct",
    "openai_o3-mini_20250315_181742": "o3-mini",
    "qwen_qwq-32b_20250316_144841": "qwq-32b",
}
RUNS: Final = "reasoninggym-paper-experiments/zero-shot/easy"
METHOD: Final = "bytes/4 estimate over the visible answer (mean over samples)"


class _Answered(NamedTuple):
    dataset: str
    category: str
    prompt: str
    reference: str
    scores: dict[str, float]
    tokens: dict[str, int]


def read(clone: Path, count: Count) -> Iterator[Row]:  # noqa: ARG001 - estimated from bytes
    """Every prompt that more than half of the models saw: some generators drew new ones for each run.

    A prompt twice in one run counts once, the later outcome.
    """
    gathered: dict[tuple[str, str], _Answered] = {}
    folder = clone / RUNS
    found = [(folder / run, name) for run, name in MODELS.items() if (folder / run).is_dir()]
    if not found:
        raise OutcomeError(f"{folder}: no run of the known models; is this a clone of open-thought/reasoning-gym-eval?")
    for run, name in found:
        for path in sorted(run.glob("*/*.json")):
            _gather(path, name, gathered)
    for (dataset, digest), item in sorted(gathered.items()):
        if 2 * len(item.scores) <= len(found):
            continue
        yield row(
            id=f"reasoning-gym/easy/{dataset}/{digest[:8]}",
            source="reasoning-gym-easy",
            task=f"reasoning-gym/{item.category}",
            prompt=item.prompt,
            reference=item.reference[:LONGEST_REFERENCE],
            scores=item.scores,
            output_tokens=item.tokens,
            token_method=METHOD,
            meta={"subset": dataset, "difficulty": "easy"},
        )


def _gather(path: Path, model: str, into: dict[tuple[str, str], _Answered]) -> None:
    run = as_object(read_json(path), str(path))
    dataset, category = text_field(run, "name", str(path)), text_field(run, "category", str(path))
    for index, entry in enumerate(as_list(run.get("results"), f"{path}: 'results'")):
        where = f"{path}: result {index}"
        item = as_object(entry, where)
        prompt = text_field(item, "question", where)
        key = dataset, prompt_hash(prompt)
        if key not in into:
            into[key] = _Answered(dataset, category, prompt, _plain(item.get("expected_answer")), {}, {})
        into[key].scores[model] = _score(item, where)
        sizes = [len(text.encode("utf-8", "replace")) / 4 for text in _answers(item, where)]
        if sizes:
            into[key].tokens[model] = round(sum(sizes) / len(sizes))


def _score(item: dict[str, Any], where: str) -> float:
    value = item.get("mean_score")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not 0 <= value <= 1:
        raise OutcomeError(f"{where}: 'mean_score' must be a number from 0 to 1")
    return round(float(value), 4)


def _answers(item: dict[str, Any], where: str) -> Iterator[str]:
    for index, entry in enumerate(as_list(item.get("completions"), f"{where}: 'completions'")):
        text = as_object(entry, f"{where}: completion {index}").get("full_model_response")
        if isinstance(text, str):
            yield text


def _plain(value: object) -> str:
    return value if isinstance(value, str) else str(value)
