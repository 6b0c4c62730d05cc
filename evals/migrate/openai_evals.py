"""OpenAI's hosted evals, exported as JSON Lines: output items of runs, or the items of a data source.

An *output item* (``eval.run.output_item``) has the item, the messages that were sent, the answer and what each grader
said. It gives a row of a suite, and an outcome: how well this model answered this question, which training and
simulating read. A *data item* (``{"item": {…}}``) gives a row alone. The graders' definitions are not part of an
export, so the suite's scorers are a guess by their types.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeGuard

from evals.importers.rows import Row, row
from evals.migrate.calls import MOST_NAMED, LogError, RowError, json_rows
from evals.migrate.suites import Made
from evals.migrate.told import Tale

OBJECT: Final = "eval.run.output_item"
#: Where a right answer is usually kept; the first that is there is taken, and told.
REFERENCES: Final = (
    "reference", "ground_truth", "expected", "expected_output", "expected_answer", "ideal", "answer", "correct_label",
    "target", "label",
)  # fmt: skip
PROMPTS: Final = ("messages", "input", "prompt", "question", "query", "text")
_SCORERS: Final[Mapping[str, Any]] = {
    "string_check": {"exact": {"strict": True}},
    "text_similarity": {"similarity": {"by": "words"}},
    "label_model": {"judge": {"by": "large"}},
    "score_model": {"judge": {"by": "large"}},
    "multi": {"judge": {"by": "large"}},
}


class Export(NamedTuple):
    """What came of a file: a suite with its rows, the outcomes of the models that were asked, and the tale."""

    suite: Made
    outcomes: tuple[Row, ...]
    tale: Tale


class _Seen(NamedTuple):
    """One line, read."""

    key: str
    item: Mapping[str, Any]
    messages: list[dict[str, Any]]
    model: str
    tokens: int | None
    score: float | None
    graders: tuple[str, ...]


def openai_export(
    path: Path, *, name: str, prompt: str | None, reference: str | None, config: str
) -> Export:  # fmt: skip
    """Read an export.

    Args:
        path: the file.
        name: of the suite.
        prompt: the item's field that holds the question (or messages), where the file has no messages.
        reference: the item's field that holds the right answer.
        config: the settings file that the suite names.

    Raises:
        LogError: a row is wrong, all of them named; or nothing can be asked.
    """
    tale = Tale()
    seen, failed = _read(path, prompt)
    for reason, count in failed.items():
        tale.say("lost", path.name, 1, "rows left out", f"{count:,}: {reason}")
    if not seen:
        raise LogError(f"{path}: no item in it has a question and, where it was run, an answer")
    field = reference or _reference(seen, tale, path.name)
    if field is not None and reference is not None and not any(field in each.item for each in seen):
        raise LogError(f"{path}: no item has a field {field!r}")
    rows: dict[str, dict[str, Any]] = {}
    for each in seen:
        found = each.item.get(field) if field else None
        made = {"id": each.key, "messages": each.messages, "item": dict(each.item)}
        rows.setdefault(each.key, made | ({"reference": found} if _fits(found) else {}))
    answered = any("reference" in each for each in rows.values())
    suite = {
        "about": f"From OpenAI's hosted evals: {path.name}"[:500],
        "config": config,
        "targets": [{"name": "large", "tier": "large"}],
        "scorers": _scorers(seen, with_reference=answered, tale=tale, file=path.name),
    }
    return Export(Made(name, suite, list(rows.values())), tuple(_outcomes(seen, name, field, tale, path.name)), tale)


def _read(path: Path, prompt: str | None) -> tuple[list[_Seen], Counter[str]]:
    found: list[_Seen] = []
    bad: list[str] = []
    left: Counter[str] = Counter()
    for number, (where, line) in enumerate(json_rows(path, inside=("data",)), start=1):
        try:
            if not isinstance(line, Mapping):
                raise RowError("it is no object")
            each = _ran(line) if line.get("object") == OBJECT else _item(line, number, prompt)
        except RowError as error:
            bad.append(f"{where}: {error}")
            continue
        if isinstance(each, str):
            left[each] += 1
        else:
            found.append(each)
    if bad:
        more = f"\n… and {len(bad) - MOST_NAMED:,} more" if len(bad) > MOST_NAMED else ""
        raise LogError("\n".join(bad[:MOST_NAMED]) + more)
    return found, left


def _ran(line: Mapping[str, Any]) -> _Seen | str:
    """An output item; a word where the run failed for it."""
    item, sample, key = line.get("datasource_item"), line.get("sample"), line.get("datasource_item_id")
    if not isinstance(item, Mapping) or not isinstance(sample, Mapping) or key is None:
        raise RowError("an output item needs 'datasource_item', 'datasource_item_id' and 'sample'")
    error = sample.get("error")
    if isinstance(error, Mapping) and (error.get("code") or error.get("message")):
        return "the model did not answer (sample.error)"
    messages, model = sample.get("input"), sample.get("model")
    if not _are_messages(messages):
        raise RowError("'sample.input' must be messages with a role and a text")
    if not isinstance(model, str) or not model:
        raise RowError("'sample.model' must be text")
    results = line.get("results")
    if not isinstance(results, list) or not all(isinstance(each, Mapping) for each in results):
        raise RowError("'results' must be a list of what graders said")
    passed = [each.get("passed") for each in results]
    if not all(isinstance(each, bool) for each in passed):
        raise RowError("a grader's 'passed' must be true or false")
    usage = sample.get("usage")
    tokens = usage.get("completion_tokens") if isinstance(usage, Mapping) else None
    kinds = tuple(str(each.get("type") or each.get("name") or "") for each in results)
    score = sum(map(bool, passed)) / len(passed) if passed else None
    return _Seen(f"item-{key}", item, list(messages), model, tokens if isinstance(tokens, int) else None, score, kinds)


def _item(line: Mapping[str, Any], number: int, prompt: str | None) -> _Seen:
    """An item of a data source, with or without its ``item`` around it."""
    item = line.get("item", line)
    if not isinstance(item, Mapping):
        raise RowError("'item' must be an object")
    name = prompt or next((each for each in PROMPTS if each in item), None)
    value = None if name is None else item.get(name)
    if isinstance(value, str) and value:
        messages: Any = [{"role": "user", "content": value}]
    elif _are_messages(value):
        messages = value
    else:
        missing = "no field holds the question; name it (--prompt)"
        raise RowError(f"{name!r} holds neither a text nor messages" if name else missing)
    return _Seen(f"item-{number}", item, list(messages), "", None, None, ())


def _are_messages(value: object) -> TypeGuard[list[dict[str, Any]]]:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(m, Mapping) and isinstance(m.get("role"), str) and "content" in m for m in value)
    )


def _reference(seen: Sequence[_Seen], tale: Tale, file: str) -> str | None:
    """The field that most likely holds the right answer."""
    for name in REFERENCES:
        if any(_fits(each.item.get(name)) for each in seen):
            words = f"the right answer is in {name!r} of each item (--reference says otherwise)"
            tale.say("guess", file, 1, "reference", words)
            return name
    tale.say("lost", file, 1, "reference", "no field is known to hold the right answer; name it (--reference)")
    return None


def _fits(value: object) -> bool:
    return (isinstance(value, str) and value != "") or (isinstance(value, int | float) and not isinstance(value, bool))


def _scorers(seen: Sequence[_Seen], *, with_reference: bool, tale: Tale, file: str) -> list[Any]:
    kinds = sorted({kind for each in seen for kind in each.graders})
    found: list[Any] = []
    for kind in kinds:
        plain = kind.lower().replace("-", "_")
        scorer = next((made for name, made in _SCORERS.items() if plain.startswith(name)), None)
        if scorer is None:
            words = "code of your own is not run; score it with a pattern or a judge"
            tale.say("lost", file, 1, f"grader {kind}", words)
        elif "judge" not in scorer and not with_reference:
            tale.say("lost", file, 1, f"grader {kind}", "without a right answer it has nothing to compare with")
        elif scorer not in found:
            words = f"as {next(iter(scorer))}; its own settings are not in an export"
            tale.say("guess", file, 1, f"grader {kind}", words)
            found.append(scorer)
    if not found:
        found = ["exact"] if with_reference else [{"judge": {"by": "large"}}]
        tale.say("guess", file, 1, "scorers", f"{'exact' if with_reference else 'a judge'}, for the export names none")
    return found


def _outcomes(seen: Sequence[_Seen], name: str, field: str | None, tale: Tale, file: str) -> list[Row]:
    """One row an item: model -> the mean share of graders that it passed, over its runs."""
    items: dict[str, list[_Seen]] = {}
    for each in seen:
        if each.score is not None:
            items.setdefault(each.key, []).append(each)
    found: list[Row] = []
    for key, runs in items.items():
        asked = [str(m.get("content")) for m in runs[0].messages if m.get("role") == "user"]
        if asked:
            answer = runs[0].item.get(field) if field else None
            found.append(_outcome(key, name, asked[-1], str(answer) if _fits(answer) else None, runs))
        else:
            tale.say("lost", file, 1, f"outcome of {key}", "no user asked anything in it")
    return found


def _outcome(key: str, task: str, prompt: str, reference: str | None, runs: Sequence[_Seen]) -> Row:
    scores: dict[str, float] = {}
    tokens: dict[str, int] = {}
    for model in dict.fromkeys(run.model for run in runs):
        mine = [run for run in runs if run.model == model]
        scores[model] = sum(run.score or 0.0 for run in mine) / len(mine)
        counted = [run.tokens for run in mine if run.tokens is not None]
        if len(counted) == len(mine):
            tokens[model] = round(sum(counted) / len(counted))
    how = "upstream"
    return row(
        id=key, source="openai-evals", task=task, prompt=prompt, scores=scores, output_tokens=tokens, token_method=how,
        reference=reference, splits=False,
    )  # fmt: skip
