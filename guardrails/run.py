"""Runs a compiled list of guards over a text. The strictest action wins, every finding is kept."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from guardrails.catalog import CATALOG, RECOGNISERS
from guardrails.config import Strict, refuse, suggest
from guardrails.findings import Sieve, located, order
from guardrails.learned.family import join
from guardrails.normalize import normalize
from guardrails.placeholders import Placeholders
from guardrails.stream import StreamRail
from guardrails.types import Action, Finding, GuardConfigError, GuardConfigErrors, Verdict

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from guardrails.matching import Family, Hit


_DIGIT = re.compile("[0-9]")


class Rails:
    """Guards, compiled. Immutable, shared by all requests; ``compile_rails`` makes one.

    Attributes:
        hash: names the configuration and the recognisers' version; equal hashes give equal verdicts.
        masks, blocks: whether some guard may mask, may block.
        empty: no guard at all.
        max_hold: the longest text a stream may hold back, in code points.
    """

    __slots__ = ("_families", "blocks", "empty", "enforcing", "hash", "masks", "max_hold", "watching")

    def __init__(self, families: Sequence[Family], content: str, actions: frozenset[Action]) -> None:
        self.enforcing = tuple(family for family in families if max(family.actions) >= Action.MASK)
        self.watching = tuple(family for family in families if max(family.actions) < Action.MASK)
        self._families = tuple((f, f.width, f.digits) for f in (*self.enforcing, *self.watching))
        self.hash = content
        self.masks = Action.MASK in actions
        self.blocks = Action.BLOCK in actions
        self.empty = not families
        self.max_hold = max((family.hold for family in self.enforcing), default=0)

    def check(self, text: str, placeholders: Placeholders | None = None) -> Verdict:
        """Read the whole text.

        Args:
            text: any text.
            placeholders: one per request, so that numbers agree across its texts.

        Returns:
            The verdict. What is masked or blocked is replaced in its text.
        """
        folded, origins = normalize(text)
        hits: list[Hit] = []
        # Most kinds of personal data have digits, most texts have none, and one look tells.
        without = _DIGIT.search(folded) is None
        for family, width, digits in self._families:
            if not (digits and without):
                hits += family.scan(folded, [0] * width, True)[0]
        if not hits:
            return Verdict(Action.NONE, text, (), len(text))
        hits.sort(key=order)
        sieve = Sieve()
        names = placeholders if placeholders is not None else Placeholders()
        pieces: list[str] = []
        findings: list[Finding] = []
        done = 0
        for hit in filter(sieve.keeps, hits):
            finding = located(hit, origins, 0)
            findings.append(finding)
            if hit.action >= Action.MASK and finding.end > done:
                pieces.append(text[done : finding.start])
                pieces.append(names.name(hit.category, folded[hit.start : hit.end]))
                done = finding.end
        pieces.append(text[done:])
        action = max(finding.action for finding in findings)
        return Verdict(action, "".join(pieces), tuple(findings), len(text))

    def stream(self, placeholders: Placeholders | None = None) -> StreamRail:
        """The same over a text that arrives in pieces."""
        return StreamRail(self.enforcing, self.watching, placeholders if placeholders is not None else Placeholders())


def compile_rails(items: Iterable[Mapping[str, Any]]) -> Rails:
    """Compile a list of guards as a policy writes it: one key of the catalogue per item.

    Raises:
        GuardConfigErrors: with every mistake of the list (a ``GuardConfigError`` itself).
    """
    families: list[Family] = []
    mistakes: list[GuardConfigError] = []
    content: list[object] = [RECOGNISERS]
    for index, item in enumerate(items):
        try:
            name, config = _parse(item)
            families.extend(CATALOG[name].compile(config, index))
            content.append([name, config.model_dump(mode="json")])
        except GuardConfigErrors as several:
            mistakes.extend(_below((index, *_key(item)), several.errors))
        except GuardConfigError as error:
            mistakes.append(GuardConfigError((index, *error.path), error.message, error.hint))
    if mistakes:
        raise GuardConfigErrors(tuple(mistakes))
    digest = hashlib.sha256(json.dumps(content, ensure_ascii=True, sort_keys=True).encode()).hexdigest()
    return Rails(join(families), digest, frozenset().union(*(family.actions for family in families)))


def _parse(item: Mapping[str, Any]) -> tuple[str, Strict]:
    """The guard's name and its validated settings.

    Raises:
        GuardConfigErrors: with paths below the item.
    """
    keys = list(item) if isinstance(item, Mapping) else []
    if len(keys) != 1:
        hint = f"write one of {', '.join(CATALOG)} and its settings"
        raise GuardConfigError((), "a guard is one key with its settings", hint)
    name = keys[0]
    guard = CATALOG.get(name)
    if guard is None:
        raise GuardConfigError((str(name),), f"unknown guard {name!r}", suggest(str(name), CATALOG))
    settings = item[name]
    try:
        return name, guard.config.model_validate({} if settings is None else settings)
    except ValidationError as error:
        refuse([_mistake(problem, guard.config) for problem in error.errors(include_url=False)])
        raise


def _mistake(problem: ErrorDetails, config: type[Strict]) -> GuardConfigError:
    """One of pydantic's errors in the words of a policy's author."""
    path = tuple(problem["loc"])
    if problem["type"] == "extra_forbidden":
        return GuardConfigError(path, f"unknown setting {path[-1]!r}", suggest(str(path[-1]), config.model_fields))
    if problem["type"] == "missing":
        return GuardConfigError(path, f"the setting {path[-1]!r} is missing", "")
    return GuardConfigError(path, problem["msg"], "")


def _key(item: Mapping[str, Any]) -> tuple[str | int, ...]:
    return tuple(item)[:1]


def _below(prefix: tuple[str | int, ...], errors: Iterable[GuardConfigError]) -> Iterator[GuardConfigError]:
    return (GuardConfigError((*prefix, *error.path), error.message, error.hint) for error in errors)
