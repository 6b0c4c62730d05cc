"""Runs compiled guards over a text. The strictest action wins, every finding is kept.

``compile_rails`` (``guardrails.compile``) makes ``Rails`` of a policy's list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from guardrails.canary import LeakMold
from guardrails.common import ROLES, Common
from guardrails.findings import Placed, Sieve, finding_of, placed, reads_raw, told_once, value_of
from guardrails.layers import layered
from guardrails.learned.family import LearnedFamily
from guardrails.long import WINDOW, occurs, scan_long
from guardrails.lookalikes import Lookalikes, has_any
from guardrails.matching import Family
from guardrails.normalize import normalize
from guardrails.placeholders import Placeholders
from guardrails.stream import Guarding, StreamRail, Watching
from guardrails.types import Action, Finding, Verdict

if TYPE_CHECKING:
    from guardrails.views import Check


_DIGIT = re.compile("[0-9]")
BRIEF = 1024  # code points: a text of which it is asked once whether the time is over
#: Asked between two guards: whether the time for this text is over.
Hurry = Callable[[], bool]
#: What is read in another form (base64, escapes, ...) is read with all guards at once; this names the reading.
LAYERS = "layers"


class Rail(NamedTuple):
    """One family of a guard, with what was said of the guard."""

    family: Family
    guard: str
    common: Common

    @property
    def late(self) -> bool:
        """Whether it looks on while a stream passes, and can only stop it."""
        return self.common.stream == "async" or max(self.family.actions) < Action.MASK

    @property
    def lost(self) -> Action:
        """What it means that it did not run."""
        return lost_action(self.common)


class Checked(NamedTuple):
    """A check, and what it means that it could not be made."""

    check: Check
    lost: Action


def lost_action(common: Common) -> Action:
    """What it means that a guard did not run."""
    return Action.BLOCK if common.on_error == "block" else Action.DETECT


class _Whole:
    """A family as it reads whole texts, and what tells beforehand that it need not.

    Attributes:
        plainly: the family for a text without look-alikes.
        steps: it reads a long text in windows. Learned guards do not: theirs are their own, and sums of numbers
            may differ in the last place with what is summed beside them.
    """

    __slots__ = ("digits", "family", "of", "plainly", "raw", "steps", "unseen", "width")

    def __init__(self, of: Guarding) -> None:
        family = of.family
        self.of = of
        self.family = family
        self.plainly = family.inner if isinstance(family, Lookalikes) else family
        self.digits = family.digits
        self.width = family.width
        self.steps = not isinstance(family, LearnedFamily)
        self.raw = reads_raw(family)
        self.unseen = getattr(family, "unseen", False)


class _Reading:
    """The rails that read texts of one role: as wholes, and in a stream those that hold it and those that look on."""

    __slots__ = ("_narrowed", "holding", "left", "watching", "whole")

    def __init__(self, rails: Sequence[Rail]) -> None:
        parts: tuple[list[Rail], list[Rail]] = [], []
        for rail in joined(rails):
            parts[rail.late].append(rail)
        # A stream holds text back for those that enforce only, so what is written in another form is read for each
        # kind by itself; a whole text is decoded once for all.
        self.holding, late = ((*map(_guarding, part), *_layers(part)) for part in parts)
        self.watching = (
            *(Watching.made(each, late=False) for each in self.holding),
            *(Watching.made(each, late=True) for each in late),
        )
        self.left = max((each.of.family.left for each in self.watching), default=0)
        every = [*parts[0], *parts[1]]
        self.whole = tuple(map(_Whole, (*map(_guarding, every), *_layers(every))))
        self._narrowed = {
            (digits, moved): tuple(
                one for one in self.whole if (digits or not one.digits) and (moved or not one.unseen)
            )
            for digits in (False, True)
            for moved in (False, True)
        }

    def narrowed(self, *, digits: bool, moved: bool) -> tuple[_Whole, ...]:
        """Those of ``whole`` that must read a text with or without digits, of which folding moved characters or none.

        What is told by characters that folding drops is not there when every character stayed in its place.
        """
        return self._narrowed[digits, moved]


def joined(rails: Sequence[Rail]) -> list[Rail]:
    """The same rails, with one for all learned ones of one fate: they read the same n-grams of the same windows."""
    made: list[Rail] = []
    learned: dict[tuple[bool, Action], list[Rail]] = {}
    for rail in rails:
        if isinstance(rail.family, LearnedFamily):
            learned.setdefault((rail.late, rail.lost), []).append(rail)
        else:
            made.append(rail)
    for same in learned.values():
        readers = tuple(reader for rail in same for reader in rail.family.readers)  # type: ignore[attr-defined]
        names = "+".join(dict.fromkeys(rail.guard for rail in same))
        made.append(Rail(LearnedFamily(readers), names, same[0].common))
    return made


def _guarding(rail: Rail) -> Guarding:
    return Guarding(rail.family, rail.guard, rail.lost)


def _layers(rails: Sequence[Rail]) -> list[Guarding]:
    lost = max((rail.lost for rail in rails), default=Action.BLOCK)
    return [Guarding(family, LAYERS, lost) for family in layered([rail.family for rail in rails])]


class Rails:
    """Guards, compiled. Immutable, shared by all requests; ``compile_rails`` makes one.

    Attributes:
        hash: names the configuration and the recognisers' version; equal hashes give equal verdicts.
        masks, blocks: whether some guard may mask, may block.
        empty: no guard at all.
        checks: the guards that need more than one text, in order.
        max_hold: the longest text a stream may hold back, in code points.
        molded: some guard depends on the request; see ``for_request``.
    """

    __slots__ = ("_all", "_of_role", "_rails", "blocks", "checks", "empty", "hash", "masks", "max_hold", "molded")

    def __init__(self, rails: Sequence[Rail], checks: Sequence[Checked], content: str) -> None:
        self._rails = tuple(rails)
        self.molded = any(isinstance(rail.family, LeakMold) for rail in rails)
        self._all = _Reading(rails)
        roles = ROLES if any(rail.common.roles for rail in rails) else ()
        self._of_role = {role: _Reading([rail for rail in rails if rail.common.reads(role)]) for role in roles}
        actions = frozenset().union(*(rail.family.actions for rail in rails), *(each.check.actions for each in checks))
        self.hash = content
        self.masks = Action.MASK in actions
        self.blocks = Action.BLOCK in actions
        self.empty = not rails
        self.checks = tuple(checks)
        self.max_hold = max((each.family.hold for each in self._all.holding), default=0)

    def __setattr__(self, name: str, value: object) -> None:
        """Only while it is made: one object serves every policy and every request that says the same."""
        if hasattr(self, "max_hold"):
            raise AttributeError(f"rails are shared and do not change: compile others to have another {name!r}")
        super().__setattr__(name, value)

    def for_request(self, system: Iterable[str], known: Iterable[str]) -> Rails:
        """The same, with the guards that depend on a request cast for one.

        Args:
            system: the texts of its system prompt.
            known: what its user wrote.
        """
        if not self.molded:
            return self
        rails: list[Rail] = []
        for rail in self._rails:
            family = rail.family.cast(system, known) if isinstance(rail.family, LeakMold) else rail.family
            if family is not None:
                rails.append(rail._replace(family=family))
        return Rails(rails, self.checks, self.hash)

    @property
    def families(self) -> tuple[Family, ...]:
        """All that read a text of any role, in the order in which they do."""
        return tuple(one.family for one in self._all.whole)

    def find(self, text: str, role: str | None = None, hurry: Hurry | None = None) -> tuple[Finding, ...]:
        """All findings of a whole text, in order of their start.

        Args:
            text: any text.
            role: who wrote it; guards that are not for this role do not read it.
            hurry: asked between the guards, for a brief text once before them, and on the way through a long one. A
                guard that could not be run, for time or for a fault of its own, is a finding of the category ``ERROR``.
        """
        folded, origins = normalize(text)
        found: list[Placed] = []
        lost: list[Finding] = []
        # Most kinds of personal data have digits, most texts have none, and one look tells.
        long = len(folded) > WINDOW
        digits = occurs(_DIGIT, folded, hurry) if long else _DIGIT.search(folded) is not None
        alike = has_any(folded)
        ask = hurry
        late = False
        if hurry is not None and len(text) <= BRIEF:  # all guards together take less time than asking tells apart
            ask, late = None, hurry()
        for one in self._reading(role).narrowed(digits=digits, moved=origins is not None):
            family = one.family if alike else one.plainly
            read, back = (text, None) if one.raw else (folded, origins)
            try:
                if late or (ask is not None and ask()):
                    raise TimeoutError
                steps = long and one.steps
                if hits := scan_long(family, read, hurry) if steps else family.scan(read, [0] * one.width, True)[0]:
                    found += [placed(hit, read, back, raw=one.raw) for hit in hits]
            except Exception as fault:  # noqa: BLE001  (whatever it is, it must not read as "nothing found")
                lost.append(_lost(one.of, len(text), fault))
        if not found:
            return tuple(lost)
        found.sort(key=attrgetter("key"))
        sieve = Sieve()
        return (*lost, *told_once(finding_of(hit) for hit, _ in found if sieve.keeps(hit)))

    def _reading(self, role: str | None) -> _Reading:
        return self._of_role.get(role, self._all) if role is not None else self._all

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
        reading = self._reading(role)
        return StreamRail(reading.watching, reading.left, placeholders if placeholders is not None else Placeholders())


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
            written = text[finding.start : finding.end]
            pieces.append(names.name(finding.category, value_of(written), written))
            done = finding.end
    pieces.append(text[done:])
    return Verdict(max(finding.action for finding in findings), "".join(pieces), findings, len(text))


def _lost(of: Guarding, size: int, fault: Exception) -> Finding:
    """A guard that did not run is a finding, never a pass."""
    why = "timeout" if isinstance(fault, TimeoutError) else "error"
    return Finding(of.guard, "ERROR", 1.0, 0, size, of.lost, f"{of.guard}.{why}")
