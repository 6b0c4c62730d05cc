"""Runs a compiled list of guards over a text. The strictest action wins, every finding is kept."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from guardrails.catalog import CATALOG, RECOGNISERS
from guardrails.config import Strict, refuse, suggest
from guardrails.findings import Placed, Sieve, finding_of, placed, reads_raw
from guardrails.layers import layered
from guardrails.lookalikes import Lookalikes, has_any
from guardrails.normalize import normalize
from guardrails.placeholders import Placeholders
from guardrails.stream import StreamRail
from guardrails.types import Action, Finding, GuardConfigError, GuardConfigErrors, Verdict

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from guardrails.matching import Family


_DIGIT = re.compile("[0-9]")


class _Whole:
    """A family as it reads whole texts, and what tells beforehand that it need not.

    Attributes:
        plainly: the family for a text without look-alikes.
    """

    __slots__ = ("digits", "family", "plainly", "raw", "unseen")

    def __init__(self, family: Family) -> None:
        self.family = family
        self.plainly = family.inner if isinstance(family, Lookalikes) else family
        self.digits = family.digits
        self.raw = reads_raw(family)
        self.unseen = getattr(family, "unseen", False)


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
        enforcing = [family for family in families if max(family.actions) >= Action.MASK]
        watching = [family for family in families if max(family.actions) < Action.MASK]
        # A stream holds text back for those that enforce only, so what is written in another form is read for each
        # kind by itself; a whole text is decoded once for all.
        self.enforcing = (*enforcing, *layered(enforcing))
        self.watching = (*watching, *layered(watching))
        self._families = tuple(map(_Whole, (*enforcing, *watching, *layered(families))))
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
        found: list[Placed] = []
        # Most kinds of personal data have digits, most texts have none, and one look tells.
        without = _DIGIT.search(folded) is None
        alike = has_any(folded)
        for one in self._families:
            # What is told by characters that folding drops is not there when every character stayed in its place.
            if (one.digits and without) or (one.unseen and origins is None):
                continue
            family = one.family if alike else one.plainly
            read, back = (text, None) if one.raw else (folded, origins)
            if hits := family.scan(read, [0] * family.width, True)[0]:
                found += [placed(hit, read, back) for hit in hits]
        if not found:
            return Verdict(Action.NONE, text, (), len(text))
        found.sort(key=attrgetter("key"))
        sieve = Sieve()
        names = placeholders if placeholders is not None else Placeholders()
        pieces: list[str] = []
        findings: list[Finding] = []
        done = 0
        for hit, value in found:
            if not sieve.keeps(hit):
                continue
            findings.append(finding_of(hit))
            if hit.action >= Action.MASK and hit.end > done:
                pieces.append(text[done : hit.start])
                pieces.append(names.name(hit.category, value))
                done = hit.end
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
            families.extend(_read_twice(CATALOG[name].compile(config, index)))
            content.append([name, config.model_dump(mode="json")])
        except GuardConfigErrors as several:
            mistakes.extend(_below((index, *_key(item)), several.errors))
        except GuardConfigError as error:
            mistakes.append(GuardConfigError((index, *error.path), error.message, error.hint))
    if mistakes:
        raise GuardConfigErrors(tuple(mistakes))
    digest = hashlib.sha256(json.dumps(content, ensure_ascii=True, sort_keys=True).encode()).hexdigest()
    return Rails(families, digest, frozenset().union(*(family.actions for family in families)))


def _read_twice(families: Iterable[Family]) -> Iterator[Family]:
    """What is told by its letters is read once more where look-alikes stand for them; numbers have none."""
    for family in families:
        yield family if family.digits or reads_raw(family) else Lookalikes(family)


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
