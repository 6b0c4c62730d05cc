"""A policy's own tests, as data: scenarios try the rules alone, questions with answers try the reading too."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from guardrails.config import refuse, suggest
from guardrails.reasoning.outcome import Outcome, aggregate, read_outcomes
from guardrails.reasoning.prove import Reading, Shelf, make_job, prove
from guardrails.reasoning.rulebook import Rulebook, mistake, understand
from guardrails.reasoning.syntax import ExpressionError
from guardrails.reasoning.terms import Term
from guardrails.types import GuardConfigError
from guardrails.views import Ask, CheckFailed, Prove, View

if TYPE_CHECKING:
    from guardrails.reasoning.check import ReasoningCheck
    from guardrails.reasoning.config import CaseConfig, ReasoningConfig

Answerer = Callable[[Ask], str]
Prover = Callable[[Prove], Any]


@dataclass(frozen=True, slots=True)
class Case:
    """One test.

    Attributes:
        scenario: the statements, where the test gives them itself; else ``question`` and ``answer`` are read.
        rules: the rules that must be named; None: any.
    """

    name: str
    expect: str
    scenario: Reading | None
    question: str = ""
    answer: str = ""
    rules: frozenset[str] | None = None


class CaseResult(NamedTuple):
    """How a test went.

    Attributes:
        found: the aggregate finding, or ``FAILED``.
        rules: the rules named.
        message: why it failed; empty where it passed.
    """

    name: str
    kind: str
    expect: str
    found: str
    rules: tuple[str, ...]
    passed: bool
    message: str


def read_cases(config: ReasoningConfig, book: Rulebook) -> tuple[Case, ...]:
    """The tests of a policy.

    Raises:
        GuardConfigErrors: a test that is half a scenario and half a question, a wrong statement, an unknown rule.
    """
    mistakes: list[GuardConfigError] = []
    cases = []
    for index, given in enumerate(config.tests):
        try:
            cases.append(_case(given, index, book))
        except GuardConfigError as error:
            mistakes.append(GuardConfigError(("tests", index, *error.path), error.message, error.hint))
    refuse(mistakes)
    return tuple(cases)


def _case(given: CaseConfig, index: int, book: Rulebook) -> Case:
    name = given.name or f"test {index + 1}"
    known = {rule.id for rule in book.rules}
    for rule in given.rules or ():
        if rule not in known:
            raise GuardConfigError(("rules",), f"unknown rule {rule!r}", suggest(rule, known))
    rules = None if given.rules is None else frozenset(given.rules)
    if (given.claim is None) == (given.answer is None):
        hint = "'claim' (and 'given') try the rules; 'answer' (and 'question') try the reading too"
        raise GuardConfigError((), "a test has either a 'claim' or an 'answer'", hint)
    if given.claim is None:
        if given.given is not None:
            raise GuardConfigError(("given",), "a test with an 'answer' reads what is given", "write it as 'question'")
        return Case(name, given.expect, None, given.question or "", given.answer or "", rules)
    if given.question is not None:
        raise GuardConfigError(("question",), "a test with a 'claim' reads no question", "write it as 'given'")
    premises = () if given.given is None else (_statement(given.given, "given", book),)
    return Case(name, given.expect, Reading(premises, (_statement(given.claim, "claim", book),)), rules=rules)


def _statement(text: str, key: str, book: Rulebook) -> Term:
    try:
        return understand(book, text)
    except ExpressionError as error:
        raise mistake((key,), "the statement", error) from None


def settle(work: Generator[Ask | Prove, Any, Any], ask: Answerer | None = None, prover: Prover | None = None) -> Any:
    """Run a check to its end here: the solver in this process, models through ``ask``.

    Raises:
        CheckFailed: as the check; also when it asks a model and there is none.
    """
    shelf = Shelf()
    reply: Any = None
    try:
        while True:
            wanted = work.send(reply)
            if isinstance(wanted, Prove):
                reply = prover(wanted) if prover is not None else prove(wanted.job, shelf)
            elif ask is None:
                raise CheckFailed(f"the tier {wanted.tier!r} is asked, and there is no model here")
            else:
                reply = ask(wanted)
    except StopIteration as done:
        return done.value
    finally:
        work.close()


def run_cases(
    check: ReasoningCheck, ask: Answerer | None = None, prover: Prover | None = None
) -> tuple[CaseResult, ...]:
    """Run a policy's own tests.

    Args:
        check: the compiled policy.
        ask: answers its questions to models; without it a test that needs one fails.
        prover: solves; by default in this process.
    """
    shelf = Shelf()

    def here(wanted: Prove) -> Any:
        return prove(wanted.job, shelf)

    return tuple(_run(check, case, ask, prover or here) for case in check.cases)


def _run(check: ReasoningCheck, case: Case, ask: Answerer | None, prover: Prover) -> CaseResult:
    kind = "scenario" if case.scenario is not None else "question"
    try:
        outcomes = _outcomes(check, case, ask, prover)
    except (CheckFailed, ValueError) as error:
        return CaseResult(case.name, kind, case.expect, "FAILED", (), passed=False, message=str(error))
    found = aggregate(outcome.finding for outcome in outcomes)
    named = {rule for one in outcomes if one.finding == found for rule in (*one.supporting, *one.contradicting)}
    message = ""
    if found != case.expect:
        message = f"expected {case.expect}, found {found}"
    elif case.rules is not None and named != case.rules:
        message = f"expected the rules {_list(case.rules)}, found {_list(named)}"
    rules = tuple(sorted(named))
    return CaseResult(case.name, kind, case.expect, found, rules, passed=not message, message=message)


def _list(rules: frozenset[str] | set[str]) -> str:
    return ", ".join(sorted(rules)) or "(none)"


def _outcomes(check: ReasoningCheck, case: Case, ask: Answerer | None, prover: Prover) -> tuple[Outcome, ...]:
    if case.scenario is not None:
        job = make_job(check.book, case.scenario, [], agreement=1.0, limit_ms=check.config.limit_ms)
        return read_outcomes(prover(Prove(check.book.hash, job)), check.book)
    findings = settle(check.judge(View(case.answer, case.question)), ask, prover)
    return tuple(finding.outcome for finding in findings)
