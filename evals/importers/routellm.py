"""RouteLLM: MMLU, GSM8K and MT-Bench outcomes of Mixtral-8x7B and GPT-4-1106.

The field's reference benchmark. Its rows get no split: they measure, and never train what we ship.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from evals.importers.files import read_csv, read_jsonl, text_field, truth_field
from evals.importers.outcomes import OutcomeError
from evals.importers.rows import Row, row, without_repeats
from evals.importers.tokens import EXACT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from evals.importers.tokens import Count

#: Column or judged model -> the name it has in our rows.
MODELS: Final = {
    "mistralai/Mixtral-8x7B-Instruct-v0.1": "mixtral-8x7b-instruct-v0.1",
    "gpt-4-1106-preview": "gpt-4-1106-preview",
}
EVALS: Final = "routellm/evals"


def read(clone: Path, count: Count) -> Iterator[Row]:
    """Every row of the three benchmarks.

    ``meta.contaminated`` repeats RouteLLM's own list of prompts near its training data.
    """
    folder = clone / EVALS
    yield from without_repeats(_mmlu(folder / "mmlu"))
    yield from _gsm8k(folder / "gsm8k", count)
    yield from _mt_bench(folder / "mt_bench")


def _mmlu(folder: Path) -> Iterator[Row]:
    near = _contaminated(folder)
    files = sorted((folder / "responses").glob("mmlu_*.csv"))
    if not files:
        raise OutcomeError(f"{folder / 'responses'}: no mmlu_*.csv; is this a clone of lm-sys/RouteLLM?")
    for path in files:
        subject = path.stem.removeprefix("mmlu_")
        for number, (where, item) in enumerate(read_csv(path, ["prompt", *MODELS])):
            yield row(
                id=f"routellm/mmlu/{subject}/{number}",
                source="routellm-mmlu",
                task="mmlu",
                prompt=item["prompt"],
                scores={name: truth_field(item, column, where) for column, name in MODELS.items()},
                meta={"subset": subject, "contaminated": item["prompt"] in near},
                splits=False,
            )


def _gsm8k(folder: Path, count: Count) -> Iterator[Row]:
    near = _contaminated(folder)
    answers = [_final(text_field(item, "answer", where), where) for where, item in read_jsonl(folder / "test.jsonl")]
    path = folder / "gsm8k_responses.csv"
    responses = [f"{column}_response" for column in MODELS]
    for number, (where, item) in enumerate(read_csv(path, ["prompt", *MODELS, *responses])):
        if number >= len(answers):
            raise OutcomeError(f"{where}: more rows than test.jsonl has answers ({len(answers)})")
        tokens = {name: count(item[f"{column}_response"]) for column, name in MODELS.items()}
        yield row(
            id=f"routellm/gsm8k/{number}",
            source="routellm-gsm8k",
            task="gsm8k",
            prompt=item["prompt"],
            reference=answers[number],
            scores={name: truth_field(item, column, where) for column, name in MODELS.items()},
            output_tokens={name: n for name, n in tokens.items() if n},
            token_method=EXACT,
            meta={"contaminated": item["prompt"] in near},
            splits=False,
        )


def _mt_bench(folder: Path) -> Iterator[Row]:
    """The first turn is the prompt; the score is the mean judgement of both turns, over ten."""
    near = _contaminated(folder)
    judged = _judgements(folder / "judgements.jsonl")
    for where, item in read_jsonl(folder / "question.jsonl"):
        number, turns = item.get("question_id"), item.get("turns")
        if not (isinstance(turns, list) and turns and all(isinstance(turn, str) for turn in turns)):
            raise OutcomeError(f"{where}: 'turns' must be a list of texts")
        yield row(
            id=f"routellm/mt-bench/{number}",
            source="routellm-mtbench",
            task="mt-bench",
            prompt=turns[0],
            scores={name: sum(marks) / len(marks) / 10 for name, marks in judged[number].items()},
            meta={
                "subset": text_field(item, "category", where),
                "contaminated": any(turn in near for turn in turns),
            },
            splits=False,
        )


def _judgements(path: Path) -> Mapping[object, dict[str, list[float]]]:
    judged: dict[object, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for where, item in read_jsonl(path):
        model, mark = item.get("model"), item.get("score")
        if model not in MODELS:
            raise OutcomeError(f"{where}: a model that is neither of {', '.join(MODELS)}")
        if isinstance(mark, bool) or not isinstance(mark, int | float) or not 0 <= mark <= 10:
            raise OutcomeError(f"{where}: 'score' must be a number from 0 to 10")
        judged[item.get("question_id")][MODELS[model]].append(float(mark))
    return judged


def _contaminated(folder: Path) -> set[str]:
    path = folder / "contaminated_prompts.jsonl"
    return {text_field(item, "eval_prompt", where) for where, item in read_jsonl(path)}


def _final(answer: str, where: str) -> str:
    found = re.search(r"####\s*(\S.*)", answer)
    if not found:
        raise OutcomeError(f"{where}: 'answer' has no final line after ####")
    return found[1].strip()
