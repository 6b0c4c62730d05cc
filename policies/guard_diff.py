"""What would change if one set of guards stood where another stands: counted by guard and category. Pure; no texts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from guardrails import Action, Finding

Key = tuple[str, str]  # guard, category
EXAMPLES = 5  # ids shown of each kind of change


class Side(NamedTuple):
    """What one set of guards did about one text: the strictest action of each guard and category, and of all."""

    by_key: Mapping[Key, Action]

    @property
    def action(self) -> Action:
        """The strictest of all."""
        return max(self.by_key.values(), default=Action.NONE)

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> Side:
        """From findings."""
        return cls.strictest(((f.guard, f.category), f.action) for f in findings)

    @classmethod
    def strictest(cls, acted: Iterable[tuple[Key, Action]]) -> Side:
        """From actions, the strictest of each key."""
        strict: dict[Key, Action] = {}
        for key, action in acted:
            strict[key] = max(strict.get(key, Action.NONE), action)
        return cls(strict)


@dataclass(slots=True)
class Change:
    """How one guard and category, or the whole, went from one action to another.

    Attributes:
        before, after: the two actions; never alike.
        count: of texts.
        examples: ids of the first few.
    """

    before: Action
    after: Action
    count: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def words(self) -> str:
        """In words: ``newly blocked``, ``no longer masked``, ``masked instead of blocked``."""
        done = {Action.DETECT: "flagged", Action.MASK: "masked", Action.BLOCK: "blocked"}
        if self.before is Action.NONE:
            return f"newly {done[self.after]}"
        if self.after is Action.NONE:
            return f"no longer {done[self.before]}"
        return f"{done[self.after]} instead of {done[self.before]}"


class Diff:
    """Fed text by text. ``rows`` counts them, ``changed`` those whose strictest action differs."""

    def __init__(self) -> None:
        self.rows = 0
        self.changed = 0
        self.before: Counter[str] = Counter()
        self.after: Counter[str] = Counter()
        self._whole: dict[tuple[Action, Action], Change] = {}
        self._by_key: defaultdict[Key, dict[tuple[Action, Action], Change]] = defaultdict(dict)

    def add(self, name: str, before: Side, after: Side) -> None:
        """One text, told by its name alone."""
        self.rows += 1
        self.before[before.action.word] += 1
        self.after[after.action.word] += 1
        self.changed += before.action is not after.action
        _count(self._whole, name, before.action, after.action)
        for key in {*before.by_key, *after.by_key}:
            changes = self._by_key[key]
            _count(changes, name, before.by_key.get(key, Action.NONE), after.by_key.get(key, Action.NONE))

    def whole(self) -> list[Change]:
        """Changes of the strictest action, the most frequent first."""
        return _sorted(self._whole.values())

    def by_key(self) -> list[tuple[Key, Change]]:
        """Changes by guard and category, in the order of their names."""
        return [(key, change) for key in sorted(self._by_key) for change in _sorted(self._by_key[key].values())]


def _count(changes: dict[tuple[Action, Action], Change], name: str, before: Action, after: Action) -> None:
    if before is after:
        return
    change = changes.setdefault((before, after), Change(before, after))
    change.count += 1
    if len(change.examples) < EXAMPLES:
        change.examples.append(name)


def _sorted(changes: Iterable[Change]) -> list[Change]:
    return sorted(changes, key=lambda change: (-change.count, -change.after, -change.before))
