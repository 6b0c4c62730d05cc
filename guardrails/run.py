"""Runs a compiled list of guards over a text. The strictest action wins, every finding is kept."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pydantic import ValidationError

from guardrails.catalog import CATALOG, RECOGNISERS
from guardrails.checks import CHECKS
from guardrails.common import ROLES, Common, split
from guardrails.config import Strict, refuse, suggest
from guardrails.findings import Sieve, located, order
from guardrails.matching import Family
from guardrails.normalize import normalize
from guardrails.placeholders import Placeholders
from guardrails.stream import Guarding, StreamRail
from guardrails.types import Action, Finding, GuardConfigError, GuardConfigErrors, Verdict

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from guardrails.matching import Hit
    from guardrails.views import Check


_DIGIT = re.compile("[0-9]")
#: Asked between two guards: whether the time for this text is over.
Hurry = Callable[[], bool]


class Rail(NamedTuple):
    """One family of a guard, with what was said of the guard."""

    family: Family
    width: int
    digits: bool
    guard: str
    common: Common

    @property
    def late(self) -> bool:
        """Whether it looks on while a stream passes, and can only stop it."""
        return self.common.stream == "async" or max(self.family.actions) < Action.MASK


class Checked(NamedTuple):
    """A check, and what it means that it could not be made."""

    check: Check
    lost: Action


class Rails:
    """Guards, compiled. Immutable, shared by all requests; ``compile_rails`` makes one.

    Attributes:
        hash: names the configuration and the recognisers' version; equal hashes give equal verdicts.
        masks, blocks: whether some guard may mask, may block.
        empty: no guard at all.
        checks: the guards that need more than one text, in order.
        max_hold: the longest text a stream may hold back, in code points.
    """

    __slots__ = ("_rails", "_roles", "_streams", "blocks", "checks", "empty", "hash", "masks", "max_hold")

    def __init__(self, rails: Sequence[Rail], checks: Sequence[Checked], content: str) -> None:
        # Those that enforce come first: in a stream they decide how much may leave.
        self._rails = tuple(sorted(rails, key=lambda rail: rail.late))
        roles = (None, *ROLES) if any(rail.common.roles for rail in rails) else ()
        self._roles = {role: tuple(rail for rail in self._rails if rail.common.reads(role)) for role in roles}
        self._streams = {role: _sides(of) for role, of in (*self._roles.items(), (None, self._rails))}
        actions = frozenset().union(*(rail.family.actions for rail in rails), *(each.check.actions for each in checks))
        self.hash = content
        self.masks = Action.MASK in actions
        self.blocks = Action.BLOCK in actions
        self.empty = not rails
        self.checks = tuple(checks)
        self.max_hold = max((rail.family.hold for rail in rails if not rail.late), default=0)

    def find(self, text: str, role: str | None = None, hurry: Hurry | None = None) -> tuple[Finding, ...]:
        """All findings of a whole text, in order of their start.

        Args:
            text: any text.
            role: who wrote it; guards that are not for this role do not read it.
            hurry: asked between the guards. A guard that could not be run, for time or for a fault of its own,
                is a finding of the category ``ERROR``.
        """
        folded, origins = normalize(text)
        hits: list[Hit] = []
        lost: list[Finding] = []
        # Most kinds of personal data have digits, most texts have none, and one look tells.
        without = _DIGIT.search(folded) is None
        for rail in self._roles.get(role, self._rails) if self._roles else self._rails:
            if rail.digits and without:
                continue
            try:
                if hurry is not None and hurry():
                    raise TimeoutError
                hits += rail.family.scan(folded, [0] * rail.width, True)[0]
            except Exception as fault:  # noqa: BLE001  (whatever it is, it must not read as "nothing found")
                lost.append(_lost(rail, len(text), fault))
        if not hits:
            return tuple(lost)
        hits.sort(key=order)
        sieve = Sieve()
        found = [located(hit, origins, 0) for hit in hits if sieve.keeps(hit)]
        return (*lost, *found)

    def check(
        self,
        text: str,
        placeholders: Placeholders | None = None,
        *,
        role: str | None = None,
        hurry: Hurry | None = None,
    ) -> Verdict:
        """Read the whole text and apply what was found.

        Args:
            text: any text.
            placeholders: one per request, so that numbers agree across its texts.
            role: who wrote it.
            hurry: as for ``find``.

        Returns:
            The verdict. What is masked or blocked is replaced in its text.
        """
        return judged(text, self.find(text, role, hurry), placeholders)

    def stream(self, placeholders: Placeholders | None = None, role: str | None = None) -> StreamRail:
        """The same over a text that arrives in pieces."""
        enforcing, late = self._streams[role if role in self._streams else None]
        return StreamRail(enforcing, late, placeholders if placeholders is not None else Placeholders())


def judged(text: str, findings: tuple[Finding, ...], placeholders: Placeholders | None = None) -> Verdict:
    """The verdict that findings amount to: the strictest action, and the text with its placeholders."""
    if not findings:
        return Verdict(Action.NONE, text, (), len(text))
    names = placeholders if placeholders is not None else Placeholders()
    pieces: list[str] = []
    done = 0
    for finding in findings:
        if finding.action >= Action.MASK and finding.end > done:
            pieces.append(text[done : max(done, finding.start)])
            pieces.append(names.name(finding.category, normalize(text[finding.start : finding.end])[0]))
            done = finding.end
    pieces.append(text[done:])
    return Verdict(max(finding.action for finding in findings), "".join(pieces), findings, len(text))


def _sides(rails: Sequence[Rail]) -> tuple[tuple[Guarding, ...], tuple[Guarding, ...]]:
    """For a stream: the families that hold it back, and those that look on."""
    parts: tuple[list[Guarding], list[Guarding]] = [], []
    for rail in rails:
        parts[rail.late].append(Guarding(rail.family, rail.guard, _lost_action(rail.common)))
    return tuple(parts[0]), tuple(parts[1])


def _lost_action(common: Common) -> Action:
    """What it means that a guard did not run."""
    return Action.BLOCK if common.on_error == "block" else Action.DETECT


def _lost(rail: Rail, size: int, fault: Exception) -> Finding:
    """A guard that did not run is a finding, never a pass."""
    why = "timeout" if isinstance(fault, TimeoutError) else "error"
    return Finding(rail.guard, "ERROR", 1.0, 0, size, _lost_action(rail.common), f"{rail.guard}.{why}")


def compile_rails(items: Iterable[Mapping[str, Any]]) -> Rails:
    """Compile a list of guards as a policy writes it: one key of the catalogue per item.

    Raises:
        GuardConfigErrors: with every mistake of the list (a ``GuardConfigError`` itself).
    """
    rails: list[Rail] = []
    checks: list[Checked] = []
    mistakes: list[GuardConfigError] = []
    content: list[object] = [RECOGNISERS]
    for index, item in enumerate(items):
        try:
            name, common, config = _parse(item)
            if name in CHECKS:
                checks.append(Checked(CHECKS[name].compile(config, index), _lost_action(common)))
            else:
                made = CATALOG[name].compile(config, index)
                rails += [Rail(family, family.width, family.digits, name, common) for family in made]
                _can_be_late(common, made)
            said = common.model_dump(mode="json", exclude_defaults=True)
            content.append([name, config.model_dump(mode="json"), *([said] if said else [])])
        except GuardConfigErrors as several:
            mistakes.extend(_below((index, *_key(item)), several.errors))
        except GuardConfigError as error:
            mistakes.append(GuardConfigError((index, *error.path), error.message, error.hint))
    if mistakes:
        raise GuardConfigErrors(tuple(mistakes))
    digest = hashlib.sha256(json.dumps(content, ensure_ascii=True, sort_keys=True).encode()).hexdigest()
    return Rails(rails, checks, digest)


def _can_be_late(common: Common, families: Iterable[Family]) -> None:
    """What has left cannot be masked any more.

    Raises:
        GuardConfigErrors: the guard masks.
    """
    if common.stream == "async" and any(Action.MASK in family.actions for family in families):
        hint = "use stream: sync, or let the guard detect or block"
        refuse([GuardConfigError(("stream",), "'async' lets text go before it is judged, and the guard masks", hint)])


def _parse(item: Mapping[str, Any]) -> tuple[str, Common, Strict]:
    """The guard's name, what is said of every guard, and its own validated settings.

    Raises:
        GuardConfigErrors: with paths below the item.
    """
    known = (*CATALOG, *CHECKS)
    keys = list(item) if isinstance(item, Mapping) else []
    if len(keys) != 1:
        hint = f"write one of {', '.join(known)} and its settings"
        raise GuardConfigError((), "a guard is one key with its settings", hint)
    name = keys[0]
    kind = CATALOG.get(name) or CHECKS.get(name)
    if kind is None:
        raise GuardConfigError((str(name),), f"unknown guard {name!r}", suggest(str(name), known))
    settings = item[name]
    if not isinstance(settings, Mapping | None):
        return name, Common(), _validated(kind.config, settings)
    common, own = split(settings or {})
    if name in CHECKS:  # it reads a whole answer: neither a role nor a stream is its concern
        own |= {key: common.pop(key) for key in ("roles", "stream") if key in common}
    return name, _validated(Common, common), _validated(kind.config, own)


S = TypeVar("S", bound=Strict)


def _validated(config: type[S], settings: object) -> S:
    try:
        return config.model_validate(settings)
    except ValidationError as error:
        refuse([_mistake(problem, config) for problem in error.errors(include_url=False)])
        raise


def _mistake(problem: ErrorDetails, config: type[Strict]) -> GuardConfigError:
    """One of pydantic's errors in the words of a policy's author."""
    path = tuple(problem["loc"])
    if problem["type"] == "extra_forbidden":
        return GuardConfigError(
            path, f"unknown setting {path[-1]!r}", suggest(str(path[-1]), (*config.model_fields, *Common.model_fields))
        )
    if problem["type"] == "missing":
        return GuardConfigError(path, f"the setting {path[-1]!r} is missing", "")
    return GuardConfigError(path, problem["msg"], "")


def _key(item: Mapping[str, Any]) -> tuple[str | int, ...]:
    return tuple(item)[:1]


def _below(prefix: tuple[str | int, ...], errors: Iterable[GuardConfigError]) -> Iterator[GuardConfigError]:
    return (GuardConfigError((*prefix, *error.path), error.message, error.hint) for error in errors)
