"""The guards: a library, text in, verdict out. Knows nothing of HTTP, tiers, policies or money."""

from guardrails.compile import compile_rails
from guardrails.placeholders import Placeholders
from guardrails.run import Rails
from guardrails.stream import StreamRail
from guardrails.types import Action, Finding, GuardConfigError, GuardConfigErrors, Verdict
from guardrails.whole import check

__all__ = [
    "Action",
    "Finding",
    "GuardConfigError",
    "GuardConfigErrors",
    "Placeholders",
    "Rails",
    "StreamRail",
    "Verdict",
    "check",
    "compile_rails",
]
