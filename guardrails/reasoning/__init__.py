"""The ``reasoning`` guard: an answer must not break declared rules, and it is proved, not guessed, whether it does.

From the bottom: ``terms`` (what a statement is), ``syntax`` and ``smtlib`` (characters to trees), ``meaning`` (trees to
terms), ``rulebook`` (a policy's variables and rules), ``solver`` (the one door to z3), ``prove`` (job to findings),
``lint``, ``numerals`` and ``reading`` (texts to statements), ``translate`` (the same by a model), ``outcome`` (findings
and words), ``cases`` (a policy's own tests), ``check`` (the guard).
"""

from guardrails.reasoning.cases import CaseResult, run_cases, settle
from guardrails.reasoning.check import ReasoningCheck, compile_reasoning
from guardrails.reasoning.config import ReasoningConfig
from guardrails.reasoning.outcome import Outcome, ReasoningFinding, aggregate
from guardrails.reasoning.prove import Shelf, prove

__all__ = [
    "CaseResult",
    "Outcome",
    "ReasoningCheck",
    "ReasoningConfig",
    "ReasoningFinding",
    "Shelf",
    "aggregate",
    "compile_reasoning",
    "prove",
    "run_cases",
    "settle",
]
