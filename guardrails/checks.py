"""The guards that need a view (``guardrails.views``): name -> configuration and compiler.

Adding one is adding a line.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from guardrails.reasoning import ReasoningConfig, compile_reasoning

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from guardrails.config import Strict
    from guardrails.views import Check


@dataclass(frozen=True, slots=True)
class CheckKind:
    """One guard of the table.

    Attributes:
        name: its key in a policy.
        summary: one sentence for people.
        config: what a policy may say about it.
        compile: configuration and place in the list -> check. It raises ``GuardConfigError`` with paths below the
            configuration.
    """

    name: str
    summary: str
    config: type[Strict]
    compile: Callable[[Any, int], Check]


CHECKS: Mapping[str, CheckKind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            CheckKind("reasoning", "Rules that an answer must not break, proved.", ReasoningConfig, compile_reasoning),
        )
    }
)
