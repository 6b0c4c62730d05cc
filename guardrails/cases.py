"""A policy's own cases: every line of an ``allow`` list is a promise, and so a test.

Whoever adds a line because of a false alarm gets the regression test with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from guardrails.compile import compile_rails
from guardrails.types import Finding


class AllowCase(NamedTuple):
    """One line of an ``allow`` list.

    Attributes:
        path: where it stands below the list of guards, e.g. ``(0, "words", "allow", 2)``.
        text: the line.
        guard: the guard it belongs to, as the policy writes it.
    """

    path: tuple[str | int, ...]
    text: str
    guard: Mapping[str, Any]

    def failures(self) -> tuple[Finding, ...]:
        """What its guard still finds in it; nothing when the promise is kept.

        Raises:
            GuardConfigErrors: the guard does not compile.
        """
        return compile_rails([self.guard]).check(self.text).findings


def allow_cases(items: Iterable[Mapping[str, Any]]) -> Iterator[AllowCase]:
    """A case for every ``allow`` line of a list of guards, in their order."""
    for index, item in enumerate(items):
        for name, settings in item.items():
            allow = settings.get("allow", ()) if isinstance(settings, Mapping) else ()
            if not isinstance(allow, Sequence) or isinstance(allow, str):
                continue
            for line, text in enumerate(allow):
                yield AllowCase((index, name, "allow", line), text, {name: settings})
