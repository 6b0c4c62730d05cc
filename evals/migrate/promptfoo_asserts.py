"""promptfoo's assertions as scorers: what one test expects goes into its row, the rest into scorers of its suite."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from evals.migrate.places import Tree
from policies.patterns import PatternError, compile_pattern
from router.core.schema_check import Unsupported, meets

if TYPE_CHECKING:
    from evals.migrate.told import Kind, Tale

VARIABLE: Final = re.compile(r"\{\{-?\s*([A-Za-z_][\w.]*)\s*-?\}\}")
_TEMPLATE: Final = re.compile(r"\{[{%#]")
UNKNOWN: Final = "there is nothing like it in a suite (docs/evals.md)"
REASONS: Final[Mapping[str, str]] = {
    "regex": "the pattern is none that re2 knows: it has no looking around and no references back",
    "not-regex": "the pattern is none that re2 knows: it has no looking around and no references back",
    "is-json": "the schema is beyond the part of JSON Schema that is checked here",
    "javascript": "code is not run; say it with a pattern, a schema or a judge",
    "python": "code is not run; say it with a pattern, a schema or a judge",
    "transform": "code is not run: answers are scored as they came",
    "postprocess": "code is not run: answers are scored as they came",
    "threshold": "an item passes by the weighted mean of its scorers",
    "cost": "write 'cost per item <= … usd' under 'assert'",
    "latency": "write 'latency p95 <= … ms' under 'assert'",
    "scenarios": "write them out as tests",
    "redteam": "the guards' own attack suites are here: stillhouse eval",
    "contains-json": "an answer must be JSON, alone or in one code fence: write json_schema by hand",
    "similar": "likeness is measured by words or letters (similarity), not by embeddings",
    "evaluateOptions": "the runner's own options: stillhouse eval --help",
    "outputPath": "runs are kept by themselves: stillhouse eval --help",
    "description": "",
    "sharing": "nothing is shared",
    "env": "set it in the environment",
    "nunjucksFilters": "code is not run",
    "extensions": "code is not run",
    "metric": "scorers have their own names",
    "provider": "a judge is one of the suite's tiers or targets",
}
#: Assertions whose expectation goes into the row, and the scorer that reads it there.
_BY_ROW: Final[Mapping[str, tuple[str, dict[str, Any]]]] = {
    "equals": ("exact", {"strict": True}),
    "contains": ("contains", {}),
    "icontains": ("contains", {}),
    "contains-any": ("contains", {}),
    "icontains-any": ("contains", {}),
}
_JUDGED: Final = frozenset({"llm-rubric", "model-graded-closedqa"})


class Wanted(NamedTuple):
    """What a test asserts: what its row holds, and the scorers of its suite as JSON, so that equal ones are equal."""

    references: tuple[str, ...]
    scorers: tuple[str, ...]


class Asserts:
    """Reads assertions; what cannot be said here is told."""

    def __init__(self, tale: Tale, file: str) -> None:
        self._tale, self._file = tale, file
        self._judged = False

    def _say(self, kind: Kind, tree: Tree, words: str) -> None:
        self._tale.say(kind, self._file, tree.line, tree.path, words)

    def wanted(self, asserts: Sequence[Tree]) -> Wanted:
        """What a test asserts, as far as it can be said."""
        references: tuple[str, ...] = ()
        taken = ""
        scorers: list[str] = []
        for each in asserts:
            kind, weight = each.text("type") or "", each.number("weight")
            values = _listed(each.get("value"))
            by_row = _BY_ROW.get(kind)
            plain = not any(_TEMPLATE.search(VARIABLE.sub("", value)) for value in values)
            if by_row is not None and values and plain and taken in {"", by_row[0]} and not references:
                references, taken = values, by_row[0]
                made: dict[str, Any] | None = {by_row[0]: by_row[1]}
                if by_row[0] == "contains":
                    self._say(
                        "guess", each, "a text counts where it stands as words of its own, in any case of letters"
                    )
            else:
                made = self._scorer(kind, values, each)
            if made is None:
                self._say("lost", each.account(), f"{kind!r}: {REASONS.get(kind, UNKNOWN)}")
                continue
            for left in list(each.left()):
                name = left.path.rsplit(".", 1)[-1]
                self._say("lost", left.account(), REASONS.get(name, UNKNOWN))
            if weight is not None and weight != 1:
                made["weight"] = weight
            text = json.dumps(made, sort_keys=True, ensure_ascii=False)
            scorers += [] if text in scorers else [text]
        return Wanted(references, tuple(_named(scorers)))

    def _scorer(self, kind: str, values: tuple[str, ...], each: Tree) -> dict[str, Any] | None:
        """A scorer that says itself what it expects; None where there is none."""
        if kind == "is-json":
            schema = each.get("value")
            if schema is not None and not isinstance(schema.value, dict):
                return None
            wanted = {} if schema is None else schema.account().data()
            return {"json_schema": {"schema": wanted}} if _checkable(wanted) else None
        if not values or any(_TEMPLATE.search(value) for value in values):
            return None
        if kind in _JUDGED:
            if not self._judged:
                self._say("guess", each, "rubrics are judged by the large tier, asked twice")
                self._judged = True
            return {"judge": {"by": "large", "question": "\n".join(values)}}
        pattern = _pattern(kind.removeprefix("not-"), values)
        if pattern is None or not _compiles(pattern):
            return None
        return {"regex": {"pattern": pattern, "absent": True} if kind.startswith("not-") else {"pattern": pattern}}


def _checkable(schema: dict[str, Any]) -> bool:
    """Whether a schema is within the part of JSON Schema that is checked here."""
    try:
        meets(None, schema)
    except (Unsupported, TypeError, AttributeError):
        return False
    return True


def _compiles(pattern: str) -> bool:
    """Whether a pattern is one of re2's, which knows no looking around and no references back."""
    try:
        compile_pattern(pattern)
    except PatternError:
        return False
    return True


def text_of(value: object) -> str:
    """A scalar as promptfoo writes it into a prompt."""
    return json.dumps(value) if isinstance(value, bool) else "" if value is None else str(value)


def _listed(tree: Tree | None) -> tuple[str, ...]:
    """A value, or each of a list, as text; empty for anything else."""
    if tree is None:
        return ()
    items = list(tree) if isinstance(tree.value, list) else [tree]
    if any(isinstance(item.value, dict | list) for item in items):
        return ()
    return tuple(text_of(item.account().value) for item in items)


def _pattern(kind: str, values: tuple[str, ...]) -> str | None:
    """An assertion as a pattern; None where it is none."""
    escaped = [re.sub(r"([.^$*+?()\[\]{}|\\])", r"\\\1", value) for value in values]
    if kind == "regex" and len(values) == 1:
        return values[0]
    if kind == "starts-with" and len(values) == 1:
        return rf"^\s*{escaped[0]}"
    if kind in {"contains", "contains-any"}:
        return "|".join(escaped)
    if kind in {"icontains", "icontains-any"}:
        return f"(?i){'|'.join(escaped)}"
    if kind == "equals" and len(values) == 1:
        return rf"^\s*{escaped[0]}\s*$"
    return None


def _named(scorers: Sequence[str]) -> Iterator[str]:
    """Two scorers of one kind need names."""
    seen: dict[str, int] = {}
    for text in scorers:
        made = json.loads(text)
        kind = next(name for name in made if name != "weight")
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] > 1:
            made["name"] = f"{kind.replace('_', '-')}-{seen[kind]}"
        yield json.dumps(made, sort_keys=True, ensure_ascii=False)
