"""Probes: a policy's own test cases, as data.

A probe says what comes in and what the policy must make of it. A probe that gives ``score`` tests the
policy alone, whatever the scorer thinks; one without it tests policy and scorer together.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from guardrails.common import Role
from policies.mistakes import Problem, refuse
from policies.schema import Name, Share, Strict, TierName, Word
from policies.yaml import load_strict, read_text

ActionWord = Literal["none", "detect", "mask", "block"]


class GivenScore(Strict):
    """What the scorer is taken to have said.

    Attributes:
        right: tier -> probability of a right answer.
        tokens: tier -> expected output tokens; 200 each by default.
        novelty: 0 like the training data .. 1 unlike anything known.
    """

    right: dict[TierName, Share]
    tokens: dict[TierName, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    novelty: Share = 0.0


class Request(Strict):
    """What comes in: a prompt, or whole messages; and who sends it.

    Attributes:
        prompt: one user message.
        messages: OpenAI's messages, instead of ``prompt``.
        tools: OpenAI's tools.
        tenant, tags, tier: as the key and the request's headers give them.
        repeat: the prompt is this many copies of itself, for long contexts.
    """

    prompt: Annotated[str, Field(min_length=1)] | None = None
    messages: tuple[dict[str, Any], ...] | None = None
    tools: tuple[dict[str, Any], ...] | None = None
    tenant: Word = "default"
    tags: tuple[Word, ...] = ()
    tier: TierName | None = None
    repeat: Annotated[int, Field(ge=1, le=100_000)] = 1

    @model_validator(mode="after")
    def _one_text(self) -> Self:
        if (self.prompt is None) == (self.messages is None):
            refuse([Problem((), "give either prompt or messages")])
        return self


class GuardCase(Strict):
    """What the guards of one direction do to a text.

    Attributes:
        text: the text.
        direction: which list of guards reads it.
        role: who wrote it; by default the user of a request, the assistant of an answer.
        action: the strictest action.
        categories: all that must be found, e.g. ``EMAIL``; others may be found besides.
        becomes: the text after masking, where it matters.
    """

    text: str
    direction: Literal["input", "output"] = "input"
    role: Role | None = None
    action: ActionWord
    categories: tuple[Word, ...] = ()
    becomes: str | None = None


class Expect(Strict):
    """What the decision must be. Give at least one.

    Attributes:
        tier: exactly this one.
        at_least, at_most: not below, not above.
        private: whether it stays on private models.
        reason: the stable id of one of the reasons, e.g. ``rule.korean-prompts``.
    """

    tier: TierName | None = None
    at_least: TierName | None = None
    at_most: TierName | None = None
    private: bool | None = None
    reason: Word | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            refuse([Problem((), "expects nothing", "give tier, at_least, at_most, private or reason")])
        return self


class Probe(Strict):
    """One case: a request with its decision, or a text with its guards.

    Attributes:
        id: unique in the file.
        about: labels for slices, e.g. ``ko``, ``collision``, ``negative``.
        score: the scorer's opinion, where the case is about the policy alone.
    """

    id: Name
    about: tuple[Word, ...] = ()
    request: Request | None = None
    score: GivenScore | None = None
    expect: Expect | None = None
    guard: GuardCase | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.request is None) == (self.guard is None):
            refuse([Problem((), "give either request (with expect) or guard")])
        if (self.request is None) != (self.expect is None):
            refuse([Problem((), "request and expect go together")])
        if self.score is not None and self.request is None:
            refuse([Problem(("score",), "a guard has no score")])
        return self


class Probes(Strict):
    """The whole file.

    Attributes:
        policy: a path relative to the file, or a preset's name.
    """

    stillhouse: Literal[1]
    policy: Annotated[str, Field(min_length=1)] = "policy.yaml"
    probes: Annotated[tuple[Probe, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _unique(self) -> Self:
        seen: set[str] = set()
        twice: list[Problem] = []
        for index, probe in enumerate(self.probes):
            if probe.id in seen:
                twice.append(Problem(("probes", index, "id"), f"a probe named {probe.id!r} stands above already"))
            seen.add(probe.id)
        refuse(twice)
        return self


def load_probes(path: Path) -> Probes:
    """Read a probes file.

    Raises:
        Mistakes: all that is wrong with it.
    """
    return load_strict(read_text(path), Probes, file=str(path), stand_ins={"stillhouse": 1})
