"""What a suite may write under ``scorers``: one key an item, its settings, and a weight."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, ValidationError, model_validator

from evals.suites.claims import short_or_long
from policies.explain import closest
from policies.mistakes import Problem, refuse
from policies.patterns import PatternError, compile_pattern
from policies.schema import Name, Strict
from router.core.schema_check import Unsupported, meets

Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[tuple[Text, ...], Field(min_length=1)]


def _compiles(value: str) -> str:
    try:
        compile_pattern(value)
    except PatternError as error:
        refuse([Problem((), str(error), error.hint)])
    return value


class Exact(Strict):
    """The answer is one of the references.

    Attributes:
        strict: letter by letter; by default case, punctuation and white space do not count.
    """

    strict: bool = False


class Contains(Strict):
    """The answer holds one of the references, or what is said here, as words of their own.

    Attributes:
        any_: one of these must be there. all_: all of these. none: none of these.
    """

    any_: Texts | None = Field(default=None, alias="any")
    all_: Texts | None = Field(default=None, alias="all")
    none: Texts | None = None


class Numeric(Strict):
    """The last number of the answer is the reference's.

    Attributes:
        tolerance: how far it may be off. relative: as a share of the reference.
    """

    tolerance: Annotated[float, Field(ge=0)] = 1e-6
    relative: bool = False


class Regex(Strict):
    """A pattern (re2) is found in the answer.

    Attributes:
        absent: it must not be found.
    """

    pattern: Annotated[str, Field(min_length=1), AfterValidator(_compiles)]
    absent: bool = False


class Choice(Strict):
    """Multiple choice: the letter that the answer names is the reference's."""


class JsonSchema(Strict):
    """The answer is JSON (alone or in one code fence) that meets a schema.

    Attributes:
        schema_: the schema, in the part of JSON Schema that structured outputs use.
        same: it must also equal the reference, which is JSON.
    """

    schema_: dict[str, Any] = Field(alias="schema")
    same: bool = False

    @model_validator(mode="after")
    def _known(self) -> Self:
        try:
            meets(None, self.schema_)
        except (Unsupported, TypeError, AttributeError) as error:
            refuse([Problem(("schema",), str(error), "the part of JSON Schema that structured outputs use is checked")])
        return self


class Similarity(Strict):
    """How like the reference the answer is, 0..1: F1 over words, or over n-grams of letters.

    Attributes:
        by: words suit answers in English; letters suit Korean, names and short texts.
        n: letters of an n-gram.
    """

    by: Literal["words", "letters"] = "words"
    n: Annotated[int, Field(ge=1, le=8)] = 3


class Judge(Strict):
    """A model says whether the answer is right. It is asked twice, with order and wording swapped.

    Two verdicts that disagree are none: the item counts as not judged.

    Attributes:
        by: a target of this suite, or a tier of the settings.
        mode: ``grade`` asks right or wrong (against the reference, where there is one); ``compare`` asks which
            is better, the answer or the reference: 1, 0, or 0.5 for a tie.
        question: what makes an answer right, in the author's words.
        max_tokens: room for the judge's answer.
    """

    by: Name
    mode: Literal["grade", "compare"] = "grade"
    question: Annotated[str, Field(min_length=1, max_length=4_000)] = "Is the answer correct and complete?"
    max_tokens: Annotated[int, Field(ge=1, le=8_192)] = 16


class Tier(Strict):
    """The tier is not below the one that the row's author had in mind.

    Attributes:
        exact: it is that very tier.
    """

    exact: bool = False


class Decision(Strict):
    """The decision is what the row (a probe) expects: tier, bounds, privacy, reason."""


class Verdict(Strict):
    """The guards do what the row expects: an action with its categories, or to find something or nothing."""


class Recorded(Strict):
    """The recorded outcome of the model that answers; for targets of kind ``outcomes``."""


KINDS: Final = (
    "exact", "contains", "numeric", "regex", "choice", "json_schema", "similarity", "judge", "tier", "decision",
    "verdict", "recorded",
)  # fmt: skip
#: Those that read an answer's text, so that a target must give one.
READING: Final = frozenset(KINDS[:8])


class Scorer(Strict):
    """One scorer: its kind with its settings.

    Attributes:
        name: in reports and assertions; by default the kind.
        weight: in an item's quality, which is the weighted mean of its scores. 0 only reports it.
    """

    name: Name | None = None
    weight: Annotated[float, Field(ge=0)] = 1.0
    exact: Exact | None = None
    contains: Contains | None = None
    numeric: Numeric | None = None
    regex: Regex | None = None
    choice: Choice | None = None
    json_schema: JsonSchema | None = None
    similarity: Similarity | None = None
    judge: Judge | None = None
    tier: Tier | None = None
    decision: Decision | None = None
    verdict: Verdict | None = None
    recorded: Recorded | None = None

    @cached_property
    def kind(self) -> str:
        """Which one it is."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @cached_property
    def title(self) -> str:
        """Its name in reports."""
        return self.name or self.kind.replace("_", "-")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if not given:
            refuse([Problem((), "names no scorer", f"one of {', '.join(KINDS)}")])
        refuse(Problem((kind,), f"stands beside {given[0]!r}", "one scorer an item") for kind in given[1:])
        return self


def _in_short(kind: str) -> Scorer:
    """A name alone is the scorer with its usual settings."""
    if kind not in KINDS:
        meant = closest(kind, list(KINDS))
        hint = f"did you mean {meant!r}?" if meant else f"one of {', '.join(KINDS)}"
        refuse([Problem((), f"there is no scorer {kind!r}", hint)])
    try:
        return Scorer.model_validate({kind: {}})
    except ValidationError:
        refuse([Problem((), f"{kind} needs settings", f"write {{{kind}: {{…}}}}; docs/evals.md shows them")])
        raise


if TYPE_CHECKING:
    Scored = Scorer  # what is left of both ways once it is read
else:
    Scored = Annotated[
        Annotated[Scorer, Tag("settings")] | Annotated[str, AfterValidator(_in_short), Tag("text")],
        Discriminator(short_or_long),
    ]
