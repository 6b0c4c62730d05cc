"""A configuration's variables and rules, understood: names resolved, sorts checked, ready for the solver."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from guardrails.config import refuse
from guardrails.reasoning.meaning import Scope, statement
from guardrails.reasoning.smtlib import parse_smt
from guardrails.reasoning.syntax import ExpressionError, parse
from guardrails.reasoning.terms import BOOL, DATE, INT, NUMBER, Sort, Term, Value, Variable, freeze
from guardrails.types import GuardConfigError

if TYPE_CHECKING:
    from guardrails.reasoning.config import ReasoningConfig, VariableConfig

_PLAIN_SORTS = {"bool": BOOL, "int": INT, "number": NUMBER, "date": DATE}


@dataclass(frozen=True, slots=True)
class RuleTerm:
    """One rule.

    Attributes:
        words: as the source says it; empty when the policy does not tell.
    """

    id: str
    term: Term
    words: str = ""

    @property
    def premise(self) -> Term | None:
        """What must hold for the rule to say something; None when it always does."""
        return self.term[1] if self.term[0] == "=>" else None


@dataclass(frozen=True)
class Rulebook:
    """Variables and rules.

    Attributes:
        hash: names what the solver sees of them (not descriptions).
    """

    variables: Mapping[str, Variable]
    rules: tuple[RuleTerm, ...]
    hash: str

    def scope(self, slots: Mapping[str, Sort] | None = None) -> Scope:
        """What names mean in this policy."""
        return Scope({name: variable.sort for name, variable in self.variables.items()}, slots or {})

    def plain(self) -> dict[str, Any]:
        """As JSON values; ``from_plain`` reads it."""
        return {
            "variables": [
                [v.name, v.sort.kind, v.sort.values, v.sort.owner, _said(v.low), _said(v.high)]
                for v in self.variables.values()
            ],
            "rules": [[rule.id, rule.term] for rule in self.rules],
        }


def make_rulebook(variables: Iterable[Variable], rules: Iterable[RuleTerm]) -> Rulebook:
    """A rulebook with its hash."""
    book = Rulebook(MappingProxyType({v.name: v for v in variables}), tuple(rules), "")
    digest = hashlib.sha256(json.dumps(book.plain(), ensure_ascii=True).encode()).hexdigest()
    return Rulebook(book.variables, book.rules, digest)


def from_plain(plain: Mapping[str, Any]) -> Rulebook:
    """The rulebook that ``plain`` was made of, without descriptions.

    Raises:
        ValueError, KeyError, TypeError, IndexError: it was not made so.
    """
    variables = [
        Variable(name, Sort(kind, tuple(values), owner), "", low=_meant(kind, low), high=_meant(kind, high))
        for name, kind, values, owner, low, high in plain["variables"]
    ]
    return make_rulebook(variables, [RuleTerm(rule, freeze(term)) for rule, term in plain["rules"]])


def _said(bound: Fraction | date | None) -> str | None:
    return None if bound is None else str(bound)


def _meant(kind: str, bound: str | None) -> Fraction | date | None:
    if bound is None:
        return None
    return date.fromisoformat(bound) if kind == "date" else Fraction(bound)


def read_rulebook(config: ReasoningConfig) -> Rulebook:
    """Resolve and check.

    Raises:
        GuardConfigErrors: every mistake, with its place and, inside a rule, its column.
    """
    mistakes: list[GuardConfigError] = []
    variables = [_variable(name, given, mistakes) for name, given in config.variables.items()]
    scope = Scope({variable.name: variable.sort for variable in variables}, {})
    _clashing_words(variables, mistakes)
    rules: list[RuleTerm] = []
    for name, rule in config.rules.items():
        if (rule.rule is None) == (rule.smt is None):
            mistakes.append(
                GuardConfigError(("rules", name), "a rule has either 'rule' or 'smt'", "write one of the two")
            )
            continue
        key, text = ("rule", rule.rule) if rule.rule is not None else ("smt", rule.smt)
        try:
            tree = parse(str(text)) if key == "rule" else parse_smt(str(text))
            rules.append(RuleTerm(name, statement(tree, scope), rule.words or ""))
        except ExpressionError as error:
            mistakes.append(mistake(("rules", name, key), f"rule {name!r}", error))
    refuse(mistakes)
    return make_rulebook(variables, rules)


def mistake(path: tuple[str | int, ...], what: str, error: ExpressionError) -> GuardConfigError:
    """An expression's error at its place in the policy."""
    return GuardConfigError(path, f"{what}, column {error.column}: {error.message}", error.hint)


def understand(book: Rulebook, text: str, slots: Mapping[str, Sort] | None = None) -> Term:
    """The term of a statement about the variables of ``book``.

    Raises:
        ExpressionError: it is not one.
    """
    return statement(parse(text), book.scope(slots))


def _variable(name: str, given: VariableConfig, mistakes: list[GuardConfigError]) -> Variable:
    at = ("variables", name)
    if given.type == "enum":
        values = tuple(given.values or ())
        if len(values) < 2:
            mistakes.append(GuardConfigError((*at, "values"), "an enum needs at least two different values", ""))
        sort = Sort("enum", values, name)
    else:
        sort = _PLAIN_SORTS[given.type]
        if given.values is not None:
            hint = "use 'type: enum'" if given.type != "bool" else "a bool is true or false"
            mistakes.append(GuardConfigError((*at, "values"), f"a variable of type {given.type} has no values", hint))
    if given.unit is not None and given.type not in ("int", "number"):
        mistakes.append(GuardConfigError((*at, "unit"), f"a variable of type {given.type} has no unit", ""))
    low, high = (_bound(given, key, at, mistakes) for key in ("min", "max"))
    if low is not None and high is not None and low > high:  # type: ignore[operator]
        mistakes.append(GuardConfigError((*at, "min"), "'min' is greater than 'max'", "exchange them"))
    return Variable(name, sort, given.description, given.unit or "", low, high)


def _bound(
    given: VariableConfig, key: str, at: tuple[str, ...], mistakes: list[GuardConfigError]
) -> Fraction | date | None:
    value = getattr(given, key)
    if value is None:
        return None
    if given.type in ("int", "number") and isinstance(value, (int, float)) and not isinstance(value, bool):
        bound = Fraction(str(value)) if math.isfinite(value) else None
        if bound is not None and (given.type == "number" or bound.denominator == 1):
            return bound
    if given.type == "date":
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            pass
    hint = "write a day, like 2026-01-31" if given.type == "date" else "only an int, a number or a date has bounds"
    mistakes.append(GuardConfigError((*at, key), f"{value!r} is no bound for a variable of type {given.type}", hint))
    return None


def _clashing_words(variables: Iterable[Variable], mistakes: list[GuardConfigError]) -> None:
    """A word is a variable or a value, not both: a rule could be read in two ways."""
    known = list(variables)
    names = {variable.name for variable in known}
    for variable in known:
        for value in variable.sort.values:
            if value in names:
                hint = "rename one of them"
                words = f"{value!r} is also the name of a variable"
                mistakes.append(GuardConfigError(("variables", variable.name, "values", value), words, hint))


def known_value(variable: Variable, value: Value) -> bool:
    """Whether ``value`` lies inside the variable's bounds and words."""
    if variable.sort.kind == "enum":
        return value in variable.sort.values
    low, high = variable.low, variable.high
    return (low is None or value >= low) and (high is None or value <= high)  # type: ignore[operator]
