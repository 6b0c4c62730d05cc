"""What a policy says of the topics that it denies. Names and limits follow Bedrock's."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from guardrails.config import ActionWord, Strict

Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"\S")]
Definition = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"\S")]
Examples = Annotated[tuple[Definition, ...], Field(max_length=20, strict=False)]


class Topic(Strict):
    """One topic.

    Attributes:
        definition: what it is about, in the words that people would use.
        examples: things people say that are about it.
        not_examples: things people say that are like it, and are welcome.
    """

    name: Name
    definition: Definition
    examples: Examples = ()
    not_examples: Examples = ()


Rate = Annotated[float, Field(ge=0.001, le=0.2, strict=False)]


class _Topics(Strict):
    """What both guards of topics are told.

    Attributes:
        false_alarms: the share of ordinary prompts that one topic may flag, as far as packaged ones can tell.
    """

    topics: Annotated[tuple[Topic, ...], Field(min_length=1, max_length=30, strict=False)]
    false_alarms: Rate = 0.01

    @field_validator("topics")
    @classmethod
    def _apart(cls, topics: tuple[Topic, ...]) -> tuple[Topic, ...]:
        names = [" ".join(topic.name.casefold().split()) for topic in topics]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two topics are called {', '.join(map(repr, twice))}: give each its own name")
        return topics


class TopicsConfig(_Topics):
    """The topics, judged sentence by sentence and without a model."""

    action: ActionWord = "block"


class JudgedTopicsConfig(_Topics):
    """The topics, where a tier has the last word on what is neither clearly about them nor clearly not.

    Attributes:
        ask: the tier.
        uncertain: a sentence that is more like a topic than all but this share of ordinary prompts is worth a question.
    """

    ask: Annotated[str, Field(min_length=1, max_length=100)]
    action: Literal["detect", "block"] = "block"
    uncertain: Rate = 0.05

    @model_validator(mode="after")
    def _leaves_a_band(self) -> JudgedTopicsConfig:
        if self.uncertain <= self.false_alarms:
            raise ValueError("'uncertain' must be larger than 'false_alarms': between them the tier is asked")
        return self
