"""What rules and claims are made of: sorts, terms, and what a term means.

A term is a nested tuple, so that it is plain data (JSON lists) on its way to the solver and back:

* ``("var", name)``, ``("slot", name)`` (a value still to be read from a text)
* ``("bool", True)``, ``("num", "61/2")``, ``("date", "2026-11-24")``, ``("enum", variable, value)``
* ``("not", a)``, ``("and", a, ...)``, ``("or", a, ...)``, ``("=>", a, b)``
* ``("=", a, b)`` and ``!=``, ``<``, ``<=``, ``>``, ``>=``; ``("+", a, b)``, ``-``, ``*``; ``("neg", a)``

``evaluate`` is the meaning of a term by definition; the solver must agree with it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

Term: TypeAlias = tuple[Any, ...]
Kind = Literal["bool", "int", "number", "enum", "date"]
#: A value of a variable: bool, Fraction (int and number), date, or an enum's word.
Value: TypeAlias = bool | Fraction | date | str

#: Deepest nesting of a term: readers and the solver recurse.
MAX_DEPTH: Final = 200

ATOMS: Final = frozenset({"var", "slot", "bool", "num", "date", "enum"})
COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = MappingProxyType(
    {
        "=": operator.eq,
        "!=": operator.ne,
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
    }
)


@dataclass(frozen=True, slots=True)
class Sort:
    """The type of a term.

    Attributes:
        values: the words of an enum, in the order of their declaration.
        owner: the variable that declares them.
    """

    kind: Kind
    values: tuple[str, ...] = ()
    owner: str = ""

    @property
    def ordered(self) -> bool:
        """Whether ``<`` means something."""
        return self.kind in ("int", "number", "date")

    @property
    def words(self) -> str:
        """For an error message."""
        return (
            f"a value of {self.owner}" if self.kind == "enum" else f"a {self.kind}" if self.kind != "int" else "an int"
        )


BOOL: Final = Sort("bool")
INT: Final = Sort("int")
NUMBER: Final = Sort("number")
DATE: Final = Sort("date")


@dataclass(frozen=True, slots=True)
class Variable:
    """A declared variable, as the solver and the reader of words need it.

    Attributes:
        low, high: bounds, inclusive; numbers, or dates for a date.
    """

    name: str
    sort: Sort
    description: str
    unit: str = ""
    low: Fraction | date | None = None
    high: Fraction | date | None = None


def freeze(value: object, depth: int = 0) -> Any:
    """JSON lists as the tuples that they were.

    Raises:
        ValueError: nested deeper than a term can be.
    """
    if depth > MAX_DEPTH:
        raise ValueError("a term is nested too deeply")
    if isinstance(value, (list, tuple)):
        return tuple(freeze(part, depth + 1) for part in value)
    return value


def number(value: Fraction | int) -> Term:
    """A numeric literal."""
    return ("num", str(Fraction(value)))


def literal(variable: Variable, value: Value) -> Term:
    """The literal of ``value``, which is one of ``variable``."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, Fraction):
        return number(value)
    if isinstance(value, date):
        return ("date", value.isoformat())
    return ("enum", variable.sort.owner, value)


def value_of(term: Term) -> Value:
    """The value that a literal stands for."""
    if term[0] == "num":
        return Fraction(term[1])
    if term[0] == "date":
        return date.fromisoformat(term[1])
    value: Value = term[-1]
    return value


def both(terms: tuple[Term, ...]) -> Term:
    """Their conjunction."""
    return terms[0] if len(terms) == 1 else ("and", *terms)


def parts(term: Term) -> tuple[Term, ...]:
    """The terms directly inside."""
    return () if term[0] in ATOMS else term[1:]


def walk(term: Term) -> Iterator[Term]:
    """The term and every term inside it, outermost first."""
    yield term
    for part in parts(term):
        yield from walk(part)


def variables_in(term: Term) -> frozenset[str]:
    """Names of the variables that occur."""
    return frozenset(part[1] for part in walk(term) if part[0] == "var")


def fill(term: Term, slots: Mapping[str, Term]) -> Term:
    """The term with its slots replaced by what was read."""
    if term[0] == "slot":
        return slots[term[1]]
    if term[0] in ATOMS:
        return term
    return (term[0], *(fill(part, slots) for part in term[1:]))


#: What a term is in a situation.
Meaning: TypeAlias = Callable[[Mapping[str, Value]], Any]


def evaluate(term: Term, given: Mapping[str, Value]) -> Any:
    """What ``term`` is where the variables have the values ``given``. Dates count as days."""
    return meaning(term)(given)


def meaning(term: Term) -> Meaning:
    """``evaluate`` for a term that is asked about often."""
    op = term[0]
    if op == "var":
        name = term[1]
        return lambda given: _days(given[name])
    if op in ATOMS:
        value = _days(value_of(term))
        return lambda _: value
    inner = tuple(meaning(part) for part in term[1:])
    if op == "and":
        return lambda given: all(part(given) for part in inner)
    if op == "or":
        return lambda given: any(part(given) for part in inner)
    one, two = inner[0], inner[-1]
    if op == "not":
        return lambda given: not one(given)
    if op == "=>":
        return lambda given: not one(given) or two(given)
    if op == "neg":
        return lambda given: -one(given)
    apply = COMPARE.get(op) or _ARITHMETIC[op]
    return lambda given: apply(one(given), two(given))


_ARITHMETIC: Final[Mapping[str, Callable[[Any, Any], Any]]] = MappingProxyType(
    {"+": operator.add, "-": operator.sub, "*": operator.mul}
)


def _days(value: Value) -> Any:
    if isinstance(value, date):
        return value.toordinal()
    # Whole numbers as int: many times faster to compare.
    return value.numerator if isinstance(value, Fraction) and value.denominator == 1 else value
