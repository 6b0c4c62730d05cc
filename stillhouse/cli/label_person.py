"""The parts of ``stillhouse label`` for people: the terminal, files, and what is only shown."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from stillhouse.cli import show

if TYPE_CHECKING:
    from evals.labels.choosing import Choice
    from router.ledger.place import Place

_KEYS: Final[Mapping[str, float]] = {"y": 1.0, "h": 0.5, "n": 0.0}
_MOST_SHOWN: Final = 4_000
_FEW: Final = 20


def ask(choice: Choice, ledger: Place, who: str) -> None:
    """Show each answer and keep what the person says of it, one by one: stopping loses nothing."""
    from router.ledger.feedback import Feedback, give
    from stillhouse.cli.label import now_ms

    kept = skipped = 0
    for number, row in enumerate(choice.rows, start=1):
        text = choice.texts[row.id]
        show.line(f"--- {number} of {len(choice.rows)}: {row.id}, answered by {row.tier}, asked {row.asked} times")
        show.line(inert(text.asked))
        show.line("--- answer")
        show.line(inert(text.answer))
        key = click.prompt(
            "Right? y yes, h half, n no, s skip, q stop", type=click.Choice([*_KEYS, "s", "q"]), show_choices=False
        )
        if key == "q":
            break
        if key == "s":
            skipped += 1
            continue
        label = Feedback(request_id=row.id, at_ms=row.at_ms, who=who, score=_KEYS[key], given_ms=now_ms())
        kept += give(ledger, label)[1]
    show.line(f"{kept:,} labels kept as {who}, {skipped:,} skipped.")


def inert(text: str) -> str:
    """``text`` without anything that a terminal would obey, cut to a readable length."""
    shown = "".join(
        c if c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cf", "Co", "Cs"} else "\N{REPLACEMENT CHARACTER}"
        for c in text[:_MOST_SHOWN]
    )
    return shown if len(text) <= _MOST_SHOWN else f"{shown}\n[{len(text) - _MOST_SHOWN:,} more characters]"


def bring(path: Path, ledger: Place, who: str, now_ms: int, as_json: bool) -> None:
    """Keep the scores of a file; exit code 1 where some could not be kept."""
    from evals.labels import elsewhere
    from evals.labels.texts import TextsError

    try:
        found = elsewhere.bring(path, ledger, who, now_ms)
    except TextsError as error:
        show.fail(str(error), "docs/labels.md shows the form")
    if as_json:
        show.json_line(found._asdict())
    else:
        show.line(f"{found.new:,} labels kept, {found.known:,} were there already, {found.skipped:,} have no score.")
        if found.unlike:
            show.line(f"Given before with another score, which stays: {', '.join(found.unlike[:10])}.")
        if found.unknown:
            show.line(f"No answer was served under: {', '.join(found.unknown[:10])}.")
    if found.unlike or found.unknown:
        raise SystemExit(1)


def tell_choice(choice: Choice, keep: float, as_json: bool) -> None:
    """What would be judged; ids and numbers, no text."""
    from evals.labels.value import doubt, values

    worth = values(choice.rows, keep)
    if as_json:
        for row, value in zip(choice.rows, worth, strict=True):
            show.json_line({"id": row.id, "tier": row.tier, "asked": row.asked, "value_nano": round(float(value))})
        return
    lines = [
        [row.id, row.tier, f"{doubt(row, keep):.2f}", f"{row.asked:,}", f"{value / 1e9:.6f}"]
        for row, value in zip(choice.rows[:_FEW], worth, strict=False)
    ]
    show.table(("request", "tier", "doubt", "asked", "value, USD"), lines)
    if len(choice.rows) > _FEW:
        show.line(f"and {len(choice.rows) - _FEW:,} more")


def tell_signals(ledger: Place, since_ms: int, tenant: str | None, as_json: bool) -> None:
    """Signs that nobody gave, and what they are worth by the feedback there is."""
    from router.ledger.implicit import signals, worth

    told = worth(ledger, signals(ledger, since_ms, tenant), since_ms, tenant)
    if as_json:
        for each in told:
            show.json_line({name: getattr(each, name) for name in each.__struct_fields__})
        return
    from evals.intervals import wilson

    lines = []
    for each in told:
        low, high = wilson(each.bad, each.judged)
        said = (
            f"{each.bad / each.judged:.0%} ({low:.0%} to {high:.0%}, n = {each.judged})" if each.judged else "unknown"
        )
        lines.append([each.kind, f"{each.seen:,}", said])
    show.table(("sign", "answers", "of those that were judged, not right"), lines)
    base = told[0]
    if base.judged_without:
        low, high = wilson(base.bad_without, base.judged_without)
        share = base.bad_without / base.judged_without
        show.line(f"Without any sign: {share:.0%} ({low:.0%} to {high:.0%}, n = {base.judged_without}).")
    else:
        show.line("Nothing without a sign was judged, so there is nothing to compare with.")
    show.note(
        "These are hints. They are kept nowhere and are no feedback; a kind that is no worse than none says nothing."
    )
