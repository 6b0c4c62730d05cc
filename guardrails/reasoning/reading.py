"""What texts say, by the policy's own patterns: RE2 with typed slots, each match a statement with its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import re2

from guardrails.config import refuse, suggest
from guardrails.normalize import normalize
from guardrails.reasoning.numerals import Quantity, day_pattern, quantity_pattern, read_day, read_quantity, torn
from guardrails.reasoning.rulebook import Rulebook, mistake, understand
from guardrails.reasoning.syntax import ExpressionError
from guardrails.reasoning.terms import Sort, Term, Variable, fill, literal, number, variables_in
from guardrails.types import GuardConfigError

if TYPE_CHECKING:
    from guardrails.reasoning.config import ReadingConfig, ReasoningConfig, Side

_SLOT: Final = re.compile(r"\{([^\W\d]\w*)(?::([^\W\d]\w*))?\}")
_MEMORY: Final = 8 << 20  # bytes one compiled pattern may use


class Said(NamedTuple):
    """A statement and where the text makes it, in code points of the original."""

    term: Term
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a pattern.

    Attributes:
        name: what it is called in ``says``; None when the match itself says something of the variable.
    """

    group: str
    variable: Variable
    name: str | None


@dataclass(frozen=True, slots=True)
class Pattern:
    """One compiled reading."""

    regex: Any
    slots: tuple[Slot, ...]
    says: Term | None
    of: Side


@dataclass(frozen=True, slots=True)
class Reader:
    """All readings of a policy."""

    patterns: tuple[Pattern, ...]
    words: Mapping[str, Mapping[str, str]]

    @property
    def variables(self) -> frozenset[str]:
        """Variables that some reading tells."""
        told = {slot.variable.name for pattern in self.patterns for slot in pattern.slots if slot.name is None}
        return frozenset(told.union(*(variables_in(p.says) for p in self.patterns if p.says is not None)))

    def read(self, text: str, side: Side) -> list[Said]:
        """What ``text`` says, in the order of its places; the same statement counts once."""
        folded, origins = normalize(text)
        found: list[Said] = []
        for pattern in self.patterns:
            if pattern.of not in ("both", side):
                continue
            for match in pattern.regex.finditer(folded):
                start, end = match.span()
                if origins is not None:
                    start, end = origins[start], origins[end - 1] + 1
                found += [Said(term, start, end) for term in self._statements(pattern, match, folded)]
        found.sort(key=lambda said: (said.start, said.end))
        return list({said.term: said for said in reversed(found)}.values())[::-1]

    def _statements(self, pattern: Pattern, match: Any, folded: str) -> Iterator[Term]:
        values: dict[str, Term] = {}
        told: list[Term] = []
        for slot in pattern.slots:
            group = pattern.regex.groupindex[slot.group]
            if match.group(group) is None:
                continue  # it stands in another branch of the pattern
            read = self._value(slot.variable, match.group(group))
            ordered = slot.variable.sort.ordered
            if read is None or (ordered and torn(folded, *match.span(group))):
                return  # it only looks like a value: the match says nothing
            relation, value = read
            if slot.name is None:
                told.append((relation, ("var", slot.variable.name), value))
            else:
                values[slot.name] = value
        yield from told
        # With a named value missing the statement would have a hole.
        if pattern.says is not None and values.keys() >= {slot.name for slot in pattern.slots if slot.name}:
            yield fill(pattern.says, values)

    def _value(self, variable: Variable, text: str) -> tuple[str, Term] | None:
        if variable.sort.kind == "enum":
            value = self.words[variable.name][_plain(text)]
            return "=", literal(variable, value)
        quantity = read_day(text) if variable.sort.kind == "date" else read_quantity(text, variable.unit)
        return None if quantity is None else _stated(quantity, variable)


def _stated(quantity: Quantity, variable: Variable) -> tuple[str, Term] | None:
    value = quantity.value
    if isinstance(value, date):
        return quantity.relation, ("date", value.isoformat())
    if variable.sort.kind == "int" and value.denominator != 1:
        return None
    return quantity.relation, number(Fraction(value))


def latest(texts: Iterable[Sequence[Said]]) -> tuple[Term, ...]:
    """What holds after texts that came one after another: a variable is as the last text that speaks of it says."""
    kept: list[Term] = []
    spoken: set[str] = set()
    for text in reversed(list(texts)):
        fresh = [said.term for said in text if not variables_in(said.term) & spoken]
        for term in fresh:
            spoken |= variables_in(term)
        kept = [*fresh, *kept]
    return tuple(dict.fromkeys(kept))


def make_reader(config: ReasoningConfig, book: Rulebook) -> Reader:
    """Compile the readings.

    Raises:
        GuardConfigErrors: a pattern that RE2 refuses or that matches an empty text, an unknown slot, a wrong
            statement.
    """
    mistakes: list[GuardConfigError] = []
    words = {name: _enum_words(name, config, book, mistakes) for name, v in book.variables.items() if v.sort.values}
    patterns = []
    for index, reading in enumerate(config.readings):
        try:
            patterns.append(_pattern(reading, book, words))
        except GuardConfigError as error:
            mistakes.append(GuardConfigError(("readings", index, *error.path), error.message, error.hint))
    refuse(mistakes)
    return Reader(tuple(patterns), words)


def _plain(text: str) -> str:
    return " ".join(normalize(text)[0].casefold().split())


def _enum_words(name: str, config: ReasoningConfig, book: Rulebook, mistakes: list[GuardConfigError]) -> dict[str, str]:
    """Word -> value. A value is a word of its own; ``_`` in it is a gap too."""
    found: dict[str, str] = {}
    values = config.variables[name].values or {}
    for value in book.variables[name].sort.values:
        for word in dict.fromkeys(map(_plain, (value, value.replace("_", " "), *values[value]))):
            if not word or found.get(word, value) != value:
                said = f"the word {word!r} stands for {found[word]!r} and for {value!r}" if word else "a word is empty"
                mistakes.append(GuardConfigError(("variables", name, "values", value), said, "a word means one value"))
            found[word] = value
    return found


def _pattern(reading: ReadingConfig, book: Rulebook, words: Mapping[str, Mapping[str, str]]) -> Pattern:
    slots: list[Slot] = []
    pieces: list[str] = []
    done = 0
    for match in _SLOT.finditer(reading.pattern):
        slot = _slot(match, book, len(slots))
        if slot.name in {other.name for other in slots if other.name}:
            raise GuardConfigError(("pattern",), f"two values are named {slot.name!r}", "give each its own name")
        slots.append(slot)
        pieces += [reading.pattern[done : match.start()], f"(?P<{slot.group}>{_shape(slot.variable, words)})"]
        done = match.end()
    regex = _compile("".join([*pieces, reading.pattern[done:]]))
    named = {slot.name: slot.variable.sort for slot in slots if slot.name is not None}
    if reading.says is None and len(named) == len(slots):
        hint = "add 'says', or a slot like {days}"
        raise GuardConfigError(("pattern",), "the pattern has no slot of a variable and says nothing", hint)
    says = None if reading.says is None else _says(reading.says, book, named)
    return Pattern(regex, tuple(slots), says, reading.of)


def _says(text: str, book: Rulebook, named: Mapping[str, Sort]) -> Term:
    try:
        return understand(book, text, named)
    except ExpressionError as error:
        raise mistake(("says",), "the statement", error) from None


def _slot(match: re.Match[str], book: Rulebook, index: int) -> Slot:
    name = match[2] or match[1]
    variable = book.variables.get(name)
    if variable is None:
        raise GuardConfigError(("pattern",), f"the slot {match[0]} names no variable", suggest(name, book.variables))
    if variable.sort.kind == "bool":
        hint = f"write what the words mean: says: {name}"
        raise GuardConfigError(("pattern",), f"the slot {match[0]} is a bool, which has no value in a text", hint)
    if match[2] and match[1] in book.variables:
        raise GuardConfigError(("pattern",), f"{match[1]!r} is the name of a variable", "give the value another name")
    return Slot(f"slot{index}", variable, match[1] if match[2] else None)


def _shape(variable: Variable, words: Mapping[str, Mapping[str, str]]) -> str:
    if variable.sort.kind == "date":
        return day_pattern()
    if variable.sort.kind != "enum":
        return quantity_pattern(variable.unit)
    longest = sorted(words[variable.name], key=lambda word: (-len(word), word))
    return "|".join(re2.escape(word).replace(r"\ ", r"\s+") for word in longest)


def _compile(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    options.case_sensitive = False
    try:
        regex = re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        hint = "RE2 has no look-around and no back-references"
        raise GuardConfigError(("pattern",), f"RE2 refuses it: {said}", hint) from None
    if any(match.end() == match.start() for probe in ("", "a 1", "가-A") for match in regex.finditer(probe)):
        raise GuardConfigError(("pattern",), "it matches an empty text", "require at least one character")
    return regex
