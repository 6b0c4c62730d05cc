"""The seven findings, with what stands behind them, and the same in words.

Words are built from the variables' own descriptions, so they are in the policy's language.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from guardrails.reasoning.prove import MAX_FACTS
from guardrails.reasoning.rulebook import Rulebook
from guardrails.reasoning.terms import Term, Variable, freeze, value_of
from guardrails.types import Finding

#: From the worst; an answer with several findings is as bad as its worst one.
ORDER: Final = (
    "TOO_COMPLEX",
    "TRANSLATION_AMBIGUOUS",
    "IMPOSSIBLE",
    "INVALID",
    "SATISFIABLE",
    "VALID",
    "NO_TRANSLATION",
)
SENTENCES: Final[Mapping[str, str]] = {
    "VALID": "What this answer says follows from the rules.",
    "INVALID": "What this answer says contradicts the rules.",
    "SATISFIABLE": "What this answer says may be so, but does not follow from the rules and what is known.",
    "IMPOSSIBLE": "What is known contradicts the rules, or itself, so nothing follows from it.",
    "TRANSLATION_AMBIGUOUS": "What this answer says can be read in different ways.",
    "NO_TRANSLATION": "This answer says nothing that the rules speak of.",
    "TOO_COMPLEX": "What this answer says could not be checked within the limits.",
}
_HANGUL: Final = range(0xAC00, 0xD7A4)
_SIGNS: Final = {"=": "=", "!=": "≠", "<": "<", "<=": "≤", ">": ">", ">=": "≥", "+": "+", "-": "-", "*": "×"}

Scenario = Mapping[str, Term]


@dataclass(frozen=True, slots=True)
class Option:
    """One of several readings, and the share of translations that give it."""

    share: float
    premises: tuple[Term, ...]
    claims: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One finding of the solver.

    Attributes:
        finding: one of ``ORDER``.
        confidence: share of the translations that agree; 1 where patterns read.
        premises, claims: what was read.
        supporting, contradicting: the rules behind it: none of them can be left out.
        core_premises, core_claims: indices of the statements that take part in it.
        unproven: indices of the claims that do not follow.
        true_scenario, false_scenario: a situation in which the claims hold; one that the rules allow and in which
            they do not. Of TRANSLATION_AMBIGUOUS the first is one in which the readings differ.
        logic_warning: ``ALWAYS_TRUE`` or ``ALWAYS_FALSE`` where no rule is needed to see it.
        options: of TRANSLATION_AMBIGUOUS, the readings.
    """

    finding: str
    confidence: float = 1.0
    premises: tuple[Term, ...] = ()
    claims: tuple[Term, ...] = ()
    supporting: tuple[str, ...] = ()
    contradicting: tuple[str, ...] = ()
    core_premises: tuple[int, ...] = ()
    core_claims: tuple[int, ...] = ()
    unproven: tuple[int, ...] = ()
    true_scenario: Scenario | None = None
    false_scenario: Scenario | None = None
    logic_warning: str | None = None
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class ReasoningFinding(Finding):
    """A finding with its outcome. ``as_dict`` names rules, never what the texts say; ``told`` tells all.

    Attributes:
        told: for whoever may read the answer itself: statements, scenarios, rules, in words.
    """

    outcome: Outcome
    told: Mapping[str, Any]

    def as_dict(self) -> dict[str, object]:
        """See ``Finding``."""
        plain = Finding(self.guard, self.category, self.score, self.start, self.end, self.action, self.reason)
        extra = {
            "supporting": list(self.outcome.supporting),
            "contradicting": list(self.outcome.contradicting),
            "logic_warning": self.outcome.logic_warning,
        }
        return plain.as_dict() | {key: value for key, value in extra.items() if value}


def aggregate(findings: Iterable[str]) -> str:
    """The worst of several findings; ``NO_TRANSLATION`` when there is none."""
    return min(findings, key=ORDER.index, default="NO_TRANSLATION")


def read_outcomes(reply: Any, book: Rulebook) -> tuple[Outcome, ...]:
    """What ``prove`` replied.

    Raises:
        ValueError: it is not a reply of ``prove`` about ``book``.
    """
    try:
        found = tuple(_outcome(one) for one in reply["findings"])
        rules = {rule.id for rule in book.rules}
        for outcome in found:
            # Whatever cannot be told in words is not about this book.
            tell(outcome, book)
            if outcome.finding not in ORDER or not rules.issuperset((*outcome.supporting, *outcome.contradicting)):
                raise ValueError("an unknown finding or rule")
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, ZeroDivisionError) as error:
        # Its own words may quote what was read.
        raise ValueError(f"the solver's reply cannot be read ({type(error).__name__})") from None
    if not found or len(found) > MAX_FACTS:
        raise ValueError("the solver's reply holds no finding")
    return found


def _outcome(one: Mapping[str, Any]) -> Outcome:
    return Outcome(
        finding=one["finding"],
        confidence=float(one["confidence"]),
        premises=freeze(one.get("premises", ())),
        claims=freeze(one.get("claims", ())),
        supporting=tuple(one.get("supporting", ())),
        contradicting=tuple(one.get("contradicting", ())),
        core_premises=tuple(one.get("core_premises", ())),
        core_claims=tuple(one.get("core_claims", ())),
        unproven=tuple(one.get("unproven", ())),
        true_scenario=_scenario(one.get("true_scenario", one.get("difference"))),
        false_scenario=_scenario(one.get("false_scenario")),
        logic_warning=one.get("logic_warning"),
        options=tuple(
            Option(float(option["share"]), freeze(option["premises"]), freeze(option["claims"]))
            for option in one.get("options", ())
        ),
    )


def _scenario(given: Mapping[str, Any] | None) -> Scenario | None:
    return None if given is None else {name: freeze(term) for name, term in given.items()}


# --- words


def tell(outcome: Outcome, book: Rulebook) -> dict[str, Any]:
    """The outcome in words, as JSON values; empty parts are left out."""
    words = {rule.id: rule.words for rule in book.rules}
    rules = outcome.supporting or outcome.contradicting
    told = {
        "finding": outcome.finding,
        "sentence": SENTENCES[outcome.finding],
        "confidence": outcome.confidence,
        "premises": [phrase(term, book) for term in outcome.premises],
        "claims": [phrase(term, book) for term in outcome.claims],
        "supporting_rules": list(outcome.supporting),
        "contradicting_rules": list(outcome.contradicting),
        "rule_words": {rule: words[rule] for rule in rules if words[rule]},
        "because_of": [
            *(phrase(outcome.premises[index], book) for index in outcome.core_premises),
            *(phrase(outcome.claims[index], book) for index in outcome.core_claims),
        ],
        "unproven": [phrase(outcome.claims[index], book) for index in outcome.unproven],
        "claims_true_scenario": scenario_words(outcome.true_scenario, book),
        "claims_false_scenario": scenario_words(outcome.false_scenario, book),
        "logic_warning": outcome.logic_warning,
        "options": [
            {
                "share": option.share,
                "premises": [phrase(term, book) for term in option.premises],
                "claims": [phrase(term, book) for term in option.claims],
            }
            for option in outcome.options
        ],
    }
    if outcome.finding == "TRANSLATION_AMBIGUOUS":
        told["difference"] = told.pop("claims_true_scenario")
    return {key: value for key, value in told.items() if value not in (None, [], {}, "")}


def scenario_words(scenario: Scenario | None, book: Rulebook) -> str:
    """A situation in one line: ``days since delivery = 45 day; the goods were opened: yes``."""
    if not scenario:
        return ""
    return "; ".join(phrase(_equal(book.variables[name], value), book) for name, value in scenario.items())


def _equal(variable: Variable, value: Term) -> Term:
    if variable.sort.kind == "bool":
        return ("var", variable.name) if value[1] else ("not", ("var", variable.name))
    return ("=", ("var", variable.name), value)


def phrase(term: Term, book: Rulebook, depth: int = 0) -> str:
    """A statement in words, with the variables' descriptions."""
    op = term[0]
    if op == "var":
        return f"{_name(term, book)}: {_yes(True, book.variables[term[1]])}"
    if op == "not" and term[1][0] == "var":
        return f"{_name(term[1], book)}: {_yes(False, book.variables[term[1][1]])}"
    if op == "bool":
        return "true" if term[1] else "false"
    if op == "not":
        return f"not ({phrase(term[1], book)})"
    if op in ("and", "or"):
        said = f" {op} ".join(phrase(part, book, depth + 1) for part in term[1:])
        return f"({said})" if depth else said
    if op == "=>":
        said = f"if {phrase(term[1], book, depth + 1)} then {phrase(term[2], book, depth + 1)}"
        return f"({said})" if depth else said
    return f"{_side(term[1], book)} {_SIGNS[op]} {_side(term[2], book, _unit(term[1], book))}"


def _side(term: Term, book: Rulebook, unit: str = "") -> str:
    op = term[0]
    if op == "var":
        return _name(term, book)
    if op == "num":
        value = Fraction(term[1])
        return f"{_number(value)} {unit}".strip()
    if op in ("date", "enum"):
        return str(value_of(term))
    if op == "neg":
        return f"-{_side(term[1], book)}"
    if op in ("+", "-", "*"):
        return f"({_side(term[1], book)} {_SIGNS[op]} {_side(term[2], book)})"
    return f"({phrase(term, book)})"


def _name(term: Term, book: Rulebook) -> str:
    variable = book.variables[term[1]]
    return variable.description or variable.name


def _unit(term: Term, book: Rulebook) -> str:
    return book.variables[term[1]].unit if term[0] == "var" else ""


def _yes(value: bool, variable: Variable) -> str:
    if any(ord(char) in _HANGUL for char in variable.description):
        return "예" if value else "아니요"
    return "yes" if value else "no"


def _number(value: Fraction) -> str:
    if value.denominator == 1:
        return f"{value.numerator:,}"
    exact = 10**9 % value.denominator == 0
    return f"{float(value):,.9f}".rstrip("0") if exact else str(value)
