"""The content guard's figures as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardrails.content import HEADS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_WHICH = ("ours", "naive TF-IDF", "word list", "constant")


def markdown(told: Mapping[str, Any]) -> str:
    """The whole report."""
    stamp = told["stamp"]
    head = (
        "# Content\n\n"
        f"Made by `{stamp['command']}` on {stamp['date']}, commit {stamp['commit']}, {stamp['machine']}. Brackets hold "
        "95 % intervals: by resampling texts, Wilson's for shares. Sources differ in what they call toxic: read the "
        "rows, not only the sums.\n"
    )
    return head + "\n".join([*_toxicity(told["toxicity"]), *_categories(told["categories"]), *_alarms(told["alarms"])])


def _toxicity(told: Mapping[str, Any]) -> Iterator[str]:
    for lang, name in (("ko", "Korean"), ("en", "English")):
        of_lang = told[lang]
        yield f"\n## Toxicity, {name}, in distribution (five folds by text)\n"
        yield _head("", "n", "AUC", "recall at 1 % false alarms", "at 5 %")
        for which in _WHICH:
            yield _judged(which, of_lang["in_distribution"][which])
        for source, judgement in of_lang["by_source"].items():
            yield _judged(f"ours, {source}", judgement)
        yield f"\n## Toxicity, {name}, each source left out\n"
        medians = ", ".join(f"{which} {of_lang[f'left_out_median_auc {which}']:.3f}" for which in _WHICH[:3])
        yield f"Median AUC: {medians} (a source in brackets below is not part of it).\n"
        yield _head("left out", "n", "dropped", "AUC", "recall at 5 %", "naive TF-IDF", "word list")
        for source, row in of_lang["left_out"].items():
            shown = source if source in of_lang["by_source"] else f"({source})"
            ours = row["ours"]
            others = [_interval(row[which]["auc"]) for which in _WHICH[1:3]]
            cells = [str(ours["n"]), str(row["rows_dropped_for_shared_texts"]), _interval(ours["auc"])]
            yield _row([shown, *cells, _interval(ours["recall_at_5"]), *others])


def _categories(told: Mapping[str, Any]) -> Iterator[str]:
    yield "\n## Categories (five folds; recall at the strengths as shipped)\n"
    yield _head("head", "source", "n", "AUC against twins", "low", "medium", "high")
    for head in HEADS:
        for lang, own in told[head]["own_pairs"].items():
            if own:
                yield _row([head, f"own ({lang})", str(own["positives"]), _interval(own["auc"]), *_strengths(own)])
        for source, row in told[head]["recall"].items():
            if source != "own":
                yield _row([head, source, str(row["n"]), "", *_strengths(row)])
        yield _row([head, "false alarms on own twins", "", "", *_strengths(told[head]["false_alarms_on_own_twins"])])


def _alarms(told: Mapping[str, Any]) -> Iterator[str]:
    yield "\n## Ordinary prompts flagged by any category at the shipped thresholds\n"
    yield (
        f"None of them trained or scaled the weights. CPU {told['cpu_us_per_text']} µs a text of "
        f"{told['mean_characters']} characters in the mean, all heads.\n"
    )
    yield _head("prompts", "n", "low", "medium (default)", "high")
    yield _row(["all", str(told["all"]["n"]), *_strengths(told["all"])])
    for source, row in told["by_source"].items():
        yield _row([source, str(row["n"]), *_strengths(row)])
    for head, row in told["by_head"].items():
        yield _row([f"head {head}", "", *_strengths(row)])
    yield ""


def _judged(name: str, row: Mapping[str, Any]) -> str:
    measures = [_interval(row[measure]) for measure in ("auc", "recall_at_1", "recall_at_5")]
    return _row([name, str(row["n"]), *measures])


def _strengths(row: Mapping[str, Any]) -> list[str]:
    return [_interval(row[strength]) for strength in ("low", "medium", "high")]


def _interval(values: Sequence[float]) -> str:
    value, low, high = (f"{value:.3f}".removeprefix("0") for value in values)
    return f"{value} [{low}, {high}]"


def _head(*names: str) -> str:
    return _row(names) + "\n|" + "---|" * len(names)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
