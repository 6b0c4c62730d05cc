"""Situations to show: a solution of the solver, brought near to values that people know.

The solver's own solutions are odd (a price of -7/3). Each variable in turn takes the first plain value with which
everything still holds, by the definition of terms; no question to the solver is needed. A solution may depend on what
the solver solved before, so an example may differ between two runs; findings and rules do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from itertools import islice
from typing import Any, Final

from guardrails.reasoning.rulebook import Rulebook, known_value
from guardrails.reasoning.terms import COMPARE, Term, Value, Variable, literal, meaning, value_of, variables_in, walk

MAX_SHOWN: Final = 12
_CANDIDATES: Final = 6


class Chart:
    """What is often asked about a rulebook, worked out once.

    Attributes:
        names: of the variables of each rule.
        touching: variable -> indices of the rules that speak of it.
        meanings: of the rules.
    """

    def __init__(self, book: Rulebook) -> None:
        self.book = book
        self.names = tuple(variables_in(rule.term) for rule in book.rules)
        self.touching: dict[str, list[int]] = {name: [] for name in book.variables}
        for index, names in enumerate(self.names):
            for name in names:
                self.touching[name].append(index)
        self.meanings = tuple(meaning(rule.term) for rule in book.rules)
        self._plain = {name: tuple(self._candidates(variable)) for name, variable in book.variables.items()}

    def rules_about(self, names: Iterable[str]) -> list[int]:
        """Rules that speak of any of the variables, in order."""
        return sorted({index for name in names for index in self.touching[name]})

    def candidates(self, name: str, facts: Sequence[Term]) -> Iterator[Value]:
        """Values worth showing: those that the facts speak of, then the rules', then the plainest."""
        variable = self.book.variables[name]
        near = (value for term in facts for value in _beside(term, name) if known_value(variable, value))
        return islice(dict.fromkeys((*near, *self._plain[name])), _CANDIDATES)

    def _candidates(self, variable: Variable) -> Iterator[Value]:
        kind = variable.sort.kind
        if kind == "bool":
            yield from (False, True)
            return
        if kind == "enum":
            yield from variable.sort.values
            return
        rules = (self.book.rules[index].term for index in self.touching[variable.name])
        spoken = [value for term in rules for value in _beside(term, variable.name)]
        near: list[Any] = [value for spot in spoken for value in (spot, *_next_to(spot))]
        edges = [variable.low, variable.high] if kind == "date" else [Fraction(0), variable.low]
        yield from (value for value in (*near, *edges) if value is not None and known_value(variable, value))


def shown(chart: Chart, facts: Iterable[Term], rules: Iterable[int]) -> list[str]:
    """The variables of the facts, then those of the rules; the first few."""
    wanted: dict[str, None] = {}
    for term in facts:
        wanted.update(dict.fromkeys(sorted(variables_in(term))))
    for index in rules:
        wanted.update(dict.fromkeys(sorted(chart.names[index])))
    return list(wanted)[:MAX_SHOWN]


def needed(chart: Chart, names: Iterable[str], facts: Iterable[Term]) -> list[str]:
    """The variables whose values must be known in order to move those of ``names``."""
    wanted = set(names).union(*(chart.names[index] for index in chart.rules_about(names)), *map(variables_in, facts))
    return sorted(wanted)


def plainer(
    chart: Chart,
    start: Mapping[str, Value],
    names: Sequence[str],
    facts: Sequence[Term],
    rules: Iterable[int] | None = None,
) -> dict[str, Term]:
    """The situation ``start`` moved to plain values, as literals of ``names``.

    Args:
        chart: of the rules.
        start: a value of every variable that ``needed`` names.
        names: the variables to move and show.
        facts: what holds in ``start``, and must go on to hold.
        rules: those that hold in ``start``, and must too; all of them where it is left out.
    """
    values = dict(start)
    keep = None if rules is None else frozenset(rules)
    about = [(variables_in(fact), meaning(fact)) for fact in facts]
    for name in names:
        held = [means for names_in, means in about if name in names_in]
        held += [chart.meanings[index] for index in chart.touching[name] if keep is None or index in keep]
        before = values[name]
        for candidate in chart.candidates(name, facts):
            values[name] = candidate
            if candidate == before or all(holds(values) for holds in held):
                break
        else:
            values[name] = before
    return {name: literal(chart.book.variables[name], values[name]) for name in names}


def _beside(term: Term, name: str) -> Iterator[Any]:
    """Whole literals that the variable is compared with."""
    here = ("var", name)
    for part in walk(term):
        if part[0] in COMPARE and (part[1] == here or part[2] == here):
            other = part[2] if part[1] == here else part[1]
            if other[0] in ("num", "date"):
                value = value_of(other)
                if not isinstance(value, Fraction) or value.denominator == 1:
                    yield value


def _next_to(value: Any) -> tuple[Any, Any]:
    if isinstance(value, date):
        day = timedelta(1)
        return (min(value, date.max - day) + day, max(value, date.min + day) - day)
    return (value + 1, value - 1)
