"""The one door to z3, which is loaded on first use.

z3's own classes cost several times the question, so what is done for each question calls its C functions directly. A
handle that such a function returns lives until the next one returns another, and is used up before that.

One ``Warm`` keeps the rules of one policy asserted; facts come and go with ``push`` and ``pop``. Each rule and
fact hangs on a literal of its own, so that an unsatisfiable core names them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from fractions import Fraction
from typing import Any, Final, NamedTuple
from typing import Literal as OneOf

from guardrails.reasoning.examples import Chart
from guardrails.reasoning.rulebook import Rulebook
from guardrails.reasoning.terms import Term, Value, Variable, value_of

Answer = OneOf["sat", "unsat"]
#: Steps of z3 that one question may take: the bound that does not depend on the machine. An ordinary question takes
#: some hundreds; this many took 0.15 s.
STEPS: Final = 500_000
_REMEMBERED: Final = 2048  # statements


class SolverMissing(RuntimeError):
    """z3 is not installed."""


class Undecided(Exception):
    """The solver gave up: too many steps, too much time, or a question that it cannot decide."""


def load_z3() -> Any:
    """The library.

    Raises:
        SolverMissing: it is not installed.
    """
    try:
        import z3
    except ImportError:
        raise SolverMissing("the solver z3 is not installed: pip install 'stillhouse[reasoning]'") from None
    return z3


def limit_memory(size: int) -> None:
    """How many bytes the solver may use in this process; over it, a question is undecided."""
    load_z3().set_param("memory_max_size", max(1, size >> 20))


class Literal(NamedTuple):
    """A name that the solver may assume.

    Attributes:
        ast: z3's handle.
        id: what z3 calls it in a core.
        term: keeps the handle alive.
    """

    ast: Any
    id: int
    term: Any


class Warm:
    """The rules of one policy inside z3. One thread at a time.

    Args:
        clock: seconds, for the limit of a job; without it only ``steps`` bounds the work.
        steps: that one question may take.
    """

    def __init__(self, book: Rulebook, clock: Callable[[], float] | None = None, steps: int = STEPS) -> None:
        self.book = book
        self.chart = Chart(book)
        self._z3 = z3 = load_z3()
        self._clock = clock
        self._until = 0.0
        self._limit_ms = 0
        self._context = context = z3.Context()
        self._solver = solver = z3.SimpleSolver(ctx=context)
        solver.set("auto_config", False)
        solver.set("random_seed", 0)
        solver.set("rlimit", steps)
        self._encoded: dict[Term, Any] = {}
        self._facts: list[Literal] = []
        self._consts = {name: self._const(variable) for name, variable in book.variables.items()}
        for variable in book.variables.values():
            for bound in self._bounds(variable):
                solver.add(bound)
        self.rules = tuple(self._literal(f"rule {index}") for index in range(len(book.rules)))
        for literal, rule in zip(self.rules, book.rules, strict=True):
            solver.add(z3.Implies(literal.term, self.encode(rule.term)))
        # Most questions concern all rules: one literal in place of many.
        self.all_rules = self._literal("rules")
        solver.add(z3.Implies(self.all_rules.term, z3.And([rule.term for rule in self.rules])))
        self._open = 0
        self.asked = 0

    def begin(self, limit_ms: int) -> None:
        """A new job, which ends after ``limit_ms``."""
        self.asked = 0
        if self._clock is not None:
            self._until = self._clock() + limit_ms / 1000
            if limit_ms != self._limit_ms:
                self._solver.set("timeout", limit_ms)
                self._limit_ms = limit_ms

    @contextmanager
    def facts(self, terms: Sequence[Term]) -> Iterator[tuple[Literal, ...]]:
        """A literal for each term, as long as the context lasts."""
        z3, context, solver, before = self._z3, self._context.ref(), self._solver.solver, self._open
        self._open += len(terms)
        while len(self._facts) < self._open:
            self._facts.append(self._literal(f"fact {len(self._facts)}"))
        literals = tuple(self._facts[before : self._open])
        z3.Z3_solver_push(context, solver)
        try:
            for literal, term in zip(literals, terms, strict=True):
                meant = self._remembered(term)
                z3.Z3_solver_assert(context, solver, z3.Z3_mk_implies(context, literal.ast, meant.as_ast()))
            yield literals
        finally:
            z3.Z3_solver_pop(context, solver, 1)
            self._open = before

    def _remembered(self, term: Term) -> Any:
        """``encode`` of a statement; the same ones come again and again."""
        if len(self._encoded) > _REMEMBERED:
            self._encoded.clear()
        found = self._encoded.get(term)
        if found is None:
            found = self._encoded[term] = self.encode(term)
        return found

    def _literal(self, name: str) -> Literal:
        term = self._z3.Bool(name, self._context)
        return Literal(term.as_ast(), term.get_id(), term)

    def ask(self, *assumed: Literal) -> Answer:
        """Whether all that is ``assumed`` can be true together.

        Raises:
            Undecided: it could not be told within the limits.
        """
        if self._clock is not None and self._clock() > self._until:
            raise Undecided
        z3, size = self._z3, len(assumed)
        self.asked += 1
        try:
            answer = z3.Z3_solver_check_assumptions(
                self._context.ref(), self._solver.solver, size, (z3.Ast * size)(*(one.ast for one in assumed))
            )
        except z3.Z3Exception:
            raise Undecided from None
        if answer == z3.Z3_L_TRUE:
            return "sat"
        if answer == z3.Z3_L_FALSE:
            return "unsat"
        raise Undecided

    def example(self, *assumed: Literal) -> Any:
        """A solution for ``values``, or None when there is none.

        Raises:
            Undecided: as ``ask``.
        """
        return self._solver.model() if self.ask(*assumed) == "sat" else None

    def core(self) -> frozenset[int]:
        """Ids of the literals that clash, after ``unsat``; not minimal."""
        return frozenset(literal.get_id() for literal in self._solver.unsat_core())

    def values(self, solution: Any, names: Sequence[str]) -> dict[str, Value]:
        """What the variables are in a solution."""
        return {name: self._value(self.book.variables[name], solution) for name in names}

    def _value(self, variable: Variable, solution: Any) -> Value:
        z3, context, kind = self._z3, self._context.ref(), variable.sort.kind
        found = (z3.Ast * 1)()
        const = self._consts[variable.name]
        z3.Z3_model_eval(context, solution.model, const.as_ast(), True, found)
        if kind == "bool":
            return bool(z3.Z3_get_bool_value(context, found[0]) == z3.Z3_L_TRUE)
        if not z3.Z3_is_numeral_ast(context, found[0]):  # an irrational root: near enough for an example
            root = solution.eval(const, model_completion=True)
            return Fraction(root.approx(6).as_fraction()) if z3.is_algebraic_value(root) else Fraction(0)
        value = Fraction(z3.Z3_get_numeral_string(context, found[0]))
        if kind == "number":
            return value
        whole = value.numerator
        if kind == "enum":
            return str(variable.sort.values[whole])
        if kind == "date":
            return date.fromordinal(whole)
        return Fraction(whole)

    def _const(self, variable: Variable) -> Any:
        z3, name = self._z3, f"v {variable.name}"
        kind = variable.sort.kind
        if kind == "bool":
            return z3.Bool(name, self._context)
        return z3.Real(name, self._context) if kind == "number" else z3.Int(name, self._context)

    def _bounds(self, variable: Variable) -> Iterator[Any]:
        const, kind = self._consts[variable.name], variable.sort.kind
        if kind == "enum":
            yield const >= 0
            yield const < len(variable.sort.values)
            return
        low, high = variable.low, variable.high
        if kind == "date":
            low, high = low or date.min, high or date.max
        for bound, op in ((low, "__ge__"), (high, "__le__")):
            if bound is not None:
                number = Fraction(bound.toordinal()) if isinstance(bound, date) else bound
                yield getattr(const, op)(self._number(number))

    def _number(self, value: Fraction) -> Any:
        if value.denominator == 1:
            return self._z3.IntVal(value.numerator, self._context)
        return self._z3.Q(value.numerator, value.denominator, self._context)

    def encode(self, term: Term) -> Any:
        """The z3 expression of a term."""
        z3, op = self._z3, term[0]
        if op == "var":
            return self._consts[term[1]]
        if op == "bool":
            return z3.BoolVal(term[1], self._context)
        if op == "enum":
            values = self.book.variables[term[1]].sort.values
            return z3.IntVal(values.index(term[2]), self._context)
        if op in ("num", "date"):
            value = value_of(term)
            return self._number(Fraction(value.toordinal()) if isinstance(value, date) else Fraction(value))
        inner = [self.encode(part) for part in term[1:]]
        if op in ("and", "or"):
            return (z3.And if op == "and" else z3.Or)(inner)
        if op == "not":
            return z3.Not(inner[0])
        if op == "=>":
            return z3.Implies(inner[0], inner[1])
        if op == "neg":
            return -inner[0]
        return _BINARY[op](inner[0], inner[1])


_BINARY: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
}
