"""The rows of a suite, whatever file they come from. A bad row is refused by file and line, never skipped."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from evals.importers.files import read_csv, text_of
from evals.importers.outcomes import OutcomeError
from evals.importers.rows import stem_hash
from router.types import TIER_NAMES, Frozen, TierName

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from evals.suites.grammar import Data, Fields

Direction = Literal["input", "output"]
_DIRECTIONS: Final = get_args(Direction)
_MISSING: Final = object()


class Wanted(Frozen, frozen=True, kw_only=True):
    """What a row expects of a decision or of guards. ``None`` expects nothing.

    Attributes:
        tier, at_least, at_most, private, reason: of a decision, as in a probe.
        found: whether the guards should find anything.
        action, categories, becomes: of the guards, as in a probe.
    """

    tier: TierName | None = None
    at_least: TierName | None = None
    at_most: TierName | None = None
    private: bool | None = None
    reason: str | None = None
    found: bool | None = None
    action: str | None = None
    categories: tuple[str, ...] = ()
    becomes: str | None = None


class Row(Frozen, frozen=True, kw_only=True):
    """One thing to ask, decide or guard.

    Attributes:
        messages: OpenAI's; empty for a bare text.
        text: the last thing asked, or the text that guards read.
        reference: right answers; the first is shown in reports.
        stem: equal for rows that share a question.
        fields: what slices read.
        tier: the one the author had in mind.
        wanted: what is expected of a decision or of guards.
        guarded: the row is a text for guards, not a request; ``direction`` and ``role`` say whose text.
        given: the scorer's opinion, where the row is about the policy alone: tier -> chance; its tokens, novelty.
        caller: tenant, tags, tier, as a key and headers would give them.
        scores, tokens: recorded outcomes: model -> score, model -> output tokens.
    """

    id: str
    text: str
    messages: tuple[Mapping[str, Any], ...] = ()
    tools: tuple[Mapping[str, Any], ...] = ()
    reference: tuple[str, ...] = ()
    stem: str = ""
    fields: Mapping[str, str] = {}
    tier: TierName | None = None
    wanted: Wanted = Wanted()
    guarded: bool = False
    direction: Direction = "input"
    role: str | None = None
    given: Mapping[str, Any] | None = None
    caller: Mapping[str, Any] = {}
    scores: Mapping[str, float] = {}
    tokens: Mapping[str, float | None] = {}

    def slices(self, names: Sequence[str]) -> dict[str, str]:
        """The values by which results are told apart; a row that lacks one has none there."""
        return {name: self.fields[name] for name in names if name in self.fields}


class DataError(OutcomeError):
    """Rows that cannot be used: file, line or id, what is wrong, how to mend it."""


def row_of(fields: Mapping[str, Any], names: Fields, where: str, number: int) -> Row:
    """A row of a file by the names its columns have.

    Raises:
        DataError: it has no prompt, or a value that does not fit.
    """
    get = _getter(fields)
    messages, prompt = get(names.messages), get(names.prompt)
    if (messages is _MISSING) == (prompt is _MISSING):
        both = f"both {names.prompt!r} and {names.messages!r}" if messages is not _MISSING else "no prompt"
        raise DataError(f"{where}: {both}; name one column with data.fields.prompt or data.fields.messages")
    said = _messages(messages if prompt is _MISSING else [{"role": "user", "content": prompt}], where)
    text = _last_text(said)
    tier, direction = get(names.tier), get(names.direction)
    if tier is not _MISSING and tier not in TIER_NAMES:
        raise DataError(f"{where}: {names.tier!r} must be one of {', '.join(TIER_NAMES)}")
    if direction is not _MISSING and direction not in _DIRECTIONS:
        raise DataError(f"{where}: {names.direction!r} must be input or output")
    label = get(names.label)
    stem = get(names.stem)
    return Row(
        id=_word(get(names.id), str(number)),
        text=text,
        messages=said,
        tools=_list(get(names.tools), names.tools, where),
        reference=_references(get(names.reference), where),
        stem=stem_hash(text) if stem is _MISSING else _word(stem),
        fields={name: _word(value) for name, value in _flat(fields) if isinstance(value, str | int | float | bool)},
        tier=None if tier is _MISSING else tier,
        wanted=Wanted() if label is _MISSING else Wanted(found=_truth(label, names.label, where)),
        direction="input" if direction is _MISSING else direction,
    )


def read_file(path: Path, names: Fields) -> list[Row]:
    """The rows of a JSON Lines or CSV file.

    Raises:
        OutcomeError: the file cannot be read, or a row is wrong.
    """
    kind = path.name.removesuffix(".gz").rpartition(".")[2]
    if kind == "csv":
        found: Iterable[tuple[str, Mapping[str, Any]]] = read_csv(path, [])
    elif kind in {"jsonl", "ndjson"}:
        found = json_lines(path)
    else:
        raise DataError(f"{path}: rows are read from .jsonl, .jsonl.gz, .ndjson or .csv")
    return [row_of(fields, names, where, number) for number, (where, fields) in enumerate(found, start=1)]


def json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each object with its ``file:line``; gzip where the name says so.

    Raises:
        DataError: the file cannot be read, or a line is no object.
    """
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            value = json.loads(line)
        except (json.JSONDecodeError, RecursionError):
            raise DataError(f"{where}: not JSON") from None
        if not isinstance(value, dict):
            raise DataError(f"{where}: a row must be a JSON object")
        yield where, value


def chosen(rows: Sequence[Row], data: Data, where: str) -> list[Row]:
    """Those the suite wants.

    Raises:
        DataError: none is left, or an id stands twice.
    """
    kept = [row for row in rows if all(row.fields.get(name) in values for name, values in data.where.items())]
    kept = kept[: data.limit]
    if not kept:
        words = "no row is left by data.where" if rows else "there are no rows"
        raise DataError(f"{where}: {words}")
    seen: set[str] = set()
    for row in kept:
        if row.id in seen:
            raise DataError(f"{where}: the id {row.id!r} stands twice; ids tell rows apart in reports and comparisons")
        seen.add(row.id)
    return kept


# --- values ------------------------------------------------------------------------------------------


def _text(path: Path) -> str:
    if path.suffix != ".gz":
        return text_of(path)
    try:
        with gzip.open(path, "rb") as stream:
            return stream.read().decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {type(error).__name__}") from None


def _getter(fields: Mapping[str, Any]) -> Any:
    """Look a name up, ``a.b`` inside objects; an empty cell of a CSV is not there."""

    def get(name: str) -> Any:
        value: Any = fields
        if name in fields:
            value = fields[name]
        else:
            for part in name.split("."):
                value = value.get(part, _MISSING) if isinstance(value, Mapping) else _MISSING
        return _MISSING if value is None or value == "" else value

    return get


def _flat(fields: Mapping[str, Any], before: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    for name, value in fields.items():
        if isinstance(value, Mapping) and depth < 4:
            yield from _flat(value, f"{before}{name}.", depth + 1)
        else:
            yield f"{before}{name}", value


def _word(value: Any, default: str = "") -> str:
    if value is _MISSING:
        return default
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _messages(value: Any, where: str) -> tuple[Mapping[str, Any], ...]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise DataError(f"{where}: messages must be a JSON list") from None
    if not isinstance(value, list) or not value or not all(isinstance(item, Mapping) for item in value):
        raise DataError(f"{where}: messages must be a list of OpenAI's messages")
    return tuple(value)


def _last_text(messages: Sequence[Mapping[str, Any]]) -> str:
    """What the last message says, its parts joined."""
    content = messages[-1].get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(part["text"]) for part in parts if isinstance(part, Mapping) and "text" in part)


def _list(value: Any, name: str, where: str) -> tuple[Any, ...]:
    if value is _MISSING:
        return ()
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise DataError(f"{where}: {name!r} must be a JSON list") from None
    if not isinstance(value, list):
        raise DataError(f"{where}: {name!r} must be a list")
    return tuple(value)


def _references(value: Any, where: str) -> tuple[str, ...]:
    if value is _MISSING:
        return ()
    if isinstance(value, Mapping):
        return (json.dumps(value, ensure_ascii=False),)
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str | int | float) for item in items):
        raise DataError(f"{where}: a reference must be a text, a number, or a list of these")
    return tuple(_word(item) for item in items)


def _truth(value: Any, name: str, where: str) -> bool:
    said = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
    found = said.get(_word(value).strip().lower())
    if found is None:
        raise DataError(f"{where}: {name!r} must be true, false, 1 or 0")
    return found
