"""From a tree to a term: what names mean, and whether the sorts fit. Every mistake has its column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Final

from guardrails.config import suggest
from guardrails.reasoning.syntax import ExpressionError, Node
from guardrails.reasoning.terms import BOOL, COMPARE, DATE, INT, NUMBER, Sort, Term, number

_NUMERIC: Final = ("int", "number")


@dataclass(frozen=True, slots=True)
class Scope:
    """What names may mean.

    Attributes:
        variables: name -> sort.
        slots: values read from a text, name -> sort.
    """

    variables: Mapping[str, Sort]
    slots: Mapping[str, Sort]


def statement(node: Node, scope: Scope) -> Term:
    """The term of an expression that is true or false.

    Raises:
        ExpressionError: a name is not known, or the sorts do not fit.
    """
    return _truth(node, scope)


def _truth(node: Node, scope: Scope) -> Term:
    term, sort = _infer(node, scope)
    if sort.kind != "bool":
        raise ExpressionError(
            f"{_quote(node)} is {sort.words}, not true or false", node.column, "compare it with something"
        )
    return term


def _infer(node: Node, scope: Scope) -> tuple[Term, Sort]:
    if node.op in ("not", "and", "or", "=>"):
        return (node.op, *(_truth(part, scope) for part in node.parts)), BOOL
    if node.op in COMPARE:
        return _compare(node, scope), BOOL
    if node.op == "neg":
        return _negative(node, scope)
    if node.op in ("+", "-", "*"):
        return _arithmetic(node, scope)
    return _atom(node, scope)


def _atom(node: Node, scope: Scope) -> tuple[Term, Sort]:
    if node.op == "bool":
        return ("bool", node.text == "true"), BOOL
    if node.op == "number":
        value = Fraction(node.text)
        return number(value), INT if "." not in node.text else NUMBER
    if node.op == "date":
        return ("date", _date(node)), DATE
    if node.op == "name" and node.text in scope.slots:
        return ("slot", node.text), scope.slots[node.text]
    if node.op == "name" and node.text in scope.variables:
        return ("var", node.text), scope.variables[node.text]
    raise _unknown(node, scope)


def _date(node: Node) -> str:
    try:
        return date.fromisoformat(node.text).isoformat()
    except ValueError:
        raise ExpressionError(f"{node.text} is not a day of the calendar", node.column) from None


def _unknown(node: Node, scope: Scope) -> ExpressionError:
    owners = [name for name, sort in scope.variables.items() if node.text in sort.values]
    if owners:
        return ExpressionError(
            f"{node.text!r} is a value of {owners[0]} and says nothing by itself",
            node.column,
            f"write {owners[0]} = {node.text}",
        )
    if node.op == "text":
        return ExpressionError(f"the text {node.text!r} stands beside no enum", node.column, "compare it with an enum")
    return ExpressionError(
        f"unknown variable {node.text!r}", node.column, suggest(node.text, (*scope.variables, *scope.slots))
    )


def _compare(node: Node, scope: Scope) -> Term:
    left, right = node.parts
    # A word beside an enum is one of its values, whatever else it may mean.
    if _is_word(left, scope) and not _is_word(right, scope):
        (right_term, sort) = _infer(right, scope)
        left_term, left_sort = _member(left, sort, scope), sort
    else:
        left_term, left_sort = _infer(left, scope)
        if _is_word(right, scope):
            right_term, sort = _member(right, left_sort, scope), left_sort
        else:
            right_term, sort = _infer(right, scope)
    _fits(node, left_sort, sort)
    return (node.op, left_term, right_term)


def _is_word(node: Node, scope: Scope) -> bool:
    return node.op == "text" or (
        node.op == "name" and node.text not in scope.variables and node.text not in scope.slots
    )


def _member(node: Node, sort: Sort, scope: Scope) -> Term:
    if sort.kind != "enum":
        if node.op == "text" or any(node.text in other.values for other in scope.variables.values()):
            raise ExpressionError(f"{node.text!r} cannot be compared with {sort.words}", node.column)
        raise _unknown(node, scope)
    if node.text not in sort.values:
        raise ExpressionError(
            f"{node.text!r} is not a value of {sort.owner}", node.column, suggest(node.text, sort.values)
        )
    return ("enum", sort.owner, node.text)


def _fits(node: Node, left: Sort, right: Sort) -> None:
    same = left.kind == right.kind or (left.kind in _NUMERIC and right.kind in _NUMERIC)
    if not same or (left.kind == "enum" and left.values != right.values):
        raise ExpressionError(f"{left.words} cannot be compared with {right.words}", node.column)
    if node.op not in ("=", "!=") and not left.ordered:
        raise ExpressionError(
            f"{left.words} has no order, so {node.op!r} means nothing", node.column, "use '=' or '!='"
        )


def _negative(node: Node, scope: Scope) -> tuple[Term, Sort]:
    term, sort = _infer(node.parts[0], scope)
    if sort.kind not in _NUMERIC:
        raise ExpressionError(f"'-' needs a number, not {sort.words}", node.column)
    return (number(-Fraction(term[1])) if term[0] == "num" else ("neg", term)), sort


def _arithmetic(node: Node, scope: Scope) -> tuple[Term, Sort]:
    (left, one), (right, two) = (_infer(part, scope) for part in node.parts)
    kinds = one.kind, two.kind
    if all(kind in _NUMERIC for kind in kinds):
        sort = INT if kinds == ("int", "int") else NUMBER
    elif kinds == ("date", "date") and node.op == "-":
        sort = INT
    elif (kinds == ("date", "int") and node.op in ("+", "-")) or (kinds == ("int", "date") and node.op == "+"):
        sort = DATE
    else:
        hint = "a date takes whole days: date + 30, date - date" if "date" in kinds else ""
        raise ExpressionError(f"{node.op!r} cannot take {one.words} and {two.words}", node.column, hint)
    return (node.op, left, right), sort


def _quote(node: Node) -> str:
    return repr(node.text) if node.text else "this"
