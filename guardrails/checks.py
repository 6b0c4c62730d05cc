"""The explicit list of guards that need a ``View``: name -> configuration and compiler."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from guardrails.grounding import GroundingConfig, compile_grounding
from guardrails.reasoning import ReasoningConfig, compile_reasoning
from guardrails.tool_targets import ToolTargetsConfig, compile_tool_targets
from guardrails.topics import JudgedTopicsConfig, compile_judged_topics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from guardrails.config import Strict
    from guardrails.views import Check


@dataclass(frozen=True, slots=True)
class CheckKind:
    """One guard of this list.

    Attributes:
        name: its key in a policy.
        summary: one sentence for people.
        config: what a policy may say about it.
        compile: configuration and place in the list -> the check.
    """

    name: str
    summary: str
    config: type[Strict]
    compile: Callable[[Any, int], Check]


_KINDS = (
    CheckKind("reasoning", "Rules that an answer must not break, proved.", ReasoningConfig, compile_reasoning),
    CheckKind(
        "tool_targets", "Untrusted text may not say where a tool call goes.", ToolTargetsConfig, compile_tool_targets
    ),
    CheckKind(
        "grounding", "An answer rests on its sources, and answers the question.", GroundingConfig, compile_grounding
    ),
    CheckKind(
        "judged_topics",
        "Denied topics, where a tier has the last word on the doubtful ones.",
        JudgedTopicsConfig,
        compile_judged_topics,
    ),
)

CHECKS: Mapping[str, CheckKind] = MappingProxyType({kind.name: kind for kind in _KINDS})
