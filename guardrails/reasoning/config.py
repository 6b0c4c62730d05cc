"""What a policy may say about the ``reasoning`` guard."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from guardrails.config import Strict, Words

#: A name: letters of any script, digits, ``_``; rules and values may hold ``-`` too.
Name = Annotated[str, Field(pattern=r"^[^\W\d]\w{0,63}$")]
RuleId = Annotated[str, Field(pattern=r"^[^\W_][\w.-]{0,63}$")]
EnumValue = Annotated[str, Field(pattern=r"^[^'\"\s](?:[^'\"\n]{0,62}[^'\"\s])?$")]
Text = Annotated[str, Field(min_length=1, max_length=500)]
Expression = Annotated[str, Field(min_length=1, max_length=2048)]
TierName = Annotated[str, Field(min_length=1, max_length=64)]
Bound = int | float | str | date
PremiseOrigin = Literal["user", "document", "tool", "system"]
Side = Literal["premise", "claim", "both"]
FindingWord = Literal[
    "VALID",
    "INVALID",
    "SATISFIABLE",
    "IMPOSSIBLE",
    "TRANSLATION_AMBIGUOUS",
    "NO_TRANSLATION",
    "TOO_COMPLEX",
]
Act = Literal["none", "detect", "block"]

MAX_VARIABLES = 100
MAX_RULES = 200
MAX_READINGS = 200
MAX_VALUES = 100
MAX_TESTS = 500


def _text_as(key: str) -> BeforeValidator:
    """A bare text stands for the setting ``key``."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str) else value)


def _values(given: Any) -> Any:
    """A list of values stands for values that are their own only words."""
    if isinstance(given, (list, tuple)) and all(isinstance(value, str) for value in given):
        if len(set(given)) != len(given):
            raise ValueError("a value is listed twice")
        return dict.fromkeys(given, ())
    return given


class VariableConfig(Strict):
    """One variable.

    Attributes:
        description: what it means, in any language; people and translators read it.
        unit: of a number: ``day``, ``KRW``, ``kg``, or a word of your own.
        values: of an enum: a list, or each value with the words that a text may use for it.
        min, max: bounds, inclusive; of an int, a number or a date.
    """

    type: Literal["bool", "int", "number", "enum", "date"]
    description: Expression
    unit: Annotated[str, Field(min_length=1, max_length=20)] | None = None
    values: Annotated[Mapping[EnumValue, Words], Field(max_length=MAX_VALUES), BeforeValidator(_values)] | None = None
    min: Bound | None = None
    max: Bound | None = None


class RuleConfig(Strict):
    """One rule, in our language or in SMT-LIB; exactly one of the two.

    Attributes:
        words: the rule as its source says it, for people and for the feedback to a model.
    """

    rule: Expression | None = None
    smt: Expression | None = None
    words: Expression | None = None


class ReadingConfig(Strict):
    """How a text says something.

    Attributes:
        pattern: RE2, in any case; ``{days}`` stands for a value of the variable ``days``, ``{n:days}`` for a value
            like it, named ``n``.
        says: a statement that holds where the pattern matches; it may use the named values.
        of: whether it is read in premises, in claims, or in both.
    """

    pattern: Text
    says: Text | None = None
    of: Side = "both"


class TranslatorsConfig(Strict):
    """Models that read the texts, where patterns do not reach.

    Attributes:
        tiers: who is asked.
        samples: how often each is asked.
        agreement: the share of translations that must say the same.
        ask: ``always``, or only when the patterns found no claim.
    """

    tiers: Annotated[tuple[TierName, ...], Field(strict=False, min_length=1, max_length=5)]
    samples: Annotated[int, Field(ge=1, le=5)] = 1
    agreement: Annotated[float, Field(gt=0, le=1)] = 1.0
    ask: Literal["always", "unread"] = "always"
    max_tokens: Annotated[int, Field(ge=16, le=8192)] = 1024


class RewriteConfig(Strict):
    """Who mends an answer that breaks the rules."""

    tier: TierName
    max_tokens: Annotated[int, Field(ge=16, le=32768)] = 1024


class CaseConfig(Strict):
    """One test: of the rules (``given``, ``claim``), or of the reading too (``question``, ``answer``).

    Attributes:
        given: a statement that is known to hold.
        claim: the statement under judgement.
        expect: the finding.
        rules: the rules that must be named as supporting or contradicting, exactly.
    """

    name: Text | None = None
    given: Expression | None = None
    claim: Expression | None = None
    question: Annotated[str, Field(max_length=10_000)] | None = None
    answer: Annotated[str, Field(max_length=10_000)] | None = None
    expect: FindingWord
    rules: Words | None = None


class ReasoningConfig(Strict):
    """Rules that an answer must not break.

    Attributes:
        premises: whose words count as known.
        on_*: what to do about a finding. Those left out: an ambiguous, impossible or too complex answer blocks where
            an invalid one would (or would be rewritten), and is reported otherwise.
        rewrite: needed by ``on_invalid: rewrite``.
        limit_ms: how long the solver may think about one answer.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,39}$")] = "policy"
    variables: Annotated[Mapping[Name, VariableConfig], Field(min_length=1, max_length=MAX_VARIABLES)]
    rules: Annotated[
        Mapping[RuleId, Annotated[RuleConfig, _text_as("rule")]], Field(min_length=1, max_length=MAX_RULES)
    ]
    readings: Annotated[
        tuple[Annotated[ReadingConfig, _text_as("pattern")], ...], Field(strict=False, max_length=MAX_READINGS)
    ] = ()
    premises: Annotated[tuple[PremiseOrigin, ...], Field(strict=False)] = ("user",)
    translators: TranslatorsConfig | None = None
    on_invalid: Literal["detect", "block", "rewrite"] = "detect"
    on_impossible: Act | None = None
    on_satisfiable: Act = "detect"
    on_translation_ambiguous: Act | None = None
    on_too_complex: Act | None = None
    on_no_translation: Act = "none"
    rewrite: RewriteConfig | None = None
    limit_ms: Annotated[int, Field(ge=10, le=2000)] = 250
    tests: Annotated[tuple[CaseConfig, ...], Field(strict=False, max_length=MAX_TESTS)] = ()
