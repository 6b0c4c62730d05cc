"""The grammar of a suite: data, targets, scorers, slices, assertions, budget. Strict, frozen; see docs/evals.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Self

from pydantic import Field, model_validator

from evals.suites.claims import RUN, Asserted, Assertion
from evals.suites.scorer_kinds import READING, Scored
from evals.suites.sources import IMPORTERS, NEEDS_NO_PATH
from evals.suites.target_kinds import Target, Text
from policies.mistakes import Problem, refuse
from policies.schema import TIERS, Name, Share, Strict

#: What the runner itself writes into a request.
_OURS: Final = frozenset({"model", "messages", "tools", "stream", "stream_options", "n"})


class Fields(Strict):
    """Our word -> the column or key of the file. What is not there is left out; ``a.b`` looks inside objects.

    Attributes:
        id: unique in the file; the row's number where it has none.
        prompt: one user message; for guards, the text. messages: OpenAI's messages instead.
        tools: OpenAI's tools.
        reference: the right answer, or a list of right answers.
        stem: equal for rows that share a question; by default the prompt's own.
        tier: the tier that the author had in mind.
        label: whether a guard should find something: true, false, 1 or 0.
        direction: ``input`` or ``output``, for guards.
    """

    id: Text = "id"
    prompt: Text = "prompt"
    messages: Text = "messages"
    tools: Text = "tools"
    reference: Text = "reference"
    stem: Text = "stem"
    tier: Text = "tier"
    label: Text = "label"
    direction: Text = "direction"


class Data(Strict):
    """The rows: a file of your own, or an importer with the path it reads.

    Attributes:
        file: JSON Lines (also gzip) or CSV with a head; relative to the suite's file.
        fields: how its columns are called.
        importer: reads a known format; ``stillhouse eval --data PATH`` gives a path that stands not here.
        where: only rows whose field has one of these values.
        limit: at most so many rows, the first ones.
    """

    file: Text | None = None
    fields: Fields = Fields()
    importer: Text | None = None
    path: Text | None = None
    where: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(default_factory=dict)
    limit: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.file is None) == (self.importer is None):
            refuse([Problem((), "give either file or importer")])
        if self.file is not None and self.path is not None:
            refuse([Problem(("path",), "stands beside file", "path is what an importer reads")])
        if self.importer is not None and "fields" in self.model_fields_set:
            refuse([Problem(("fields",), "an importer knows its own fields", "remove it")])
        if self.importer is not None and self.importer not in IMPORTERS:
            known = f"one of {', '.join(sorted(IMPORTERS))}"
            refuse([Problem(("importer",), f"there is no importer {self.importer!r}", known)])
        if self.importer in NEEDS_NO_PATH and self.path is not None:
            refuse([Problem(("path",), f"{self.importer!r} reads what ships with the project", "remove it")])
        return self


class Budget(Strict):
    """The most that one run may spend. A call whose predicted cost would exceed it is not made."""

    usd: Annotated[float, Field(gt=0, le=1_000_000)]


class Suite(Strict):
    """The whole file.

    Attributes:
        suite: its name.
        about: what it is for, in a sentence.
        config: a settings file (stillhouse.yaml) with the models; by default the embedded ones.
        system: a system message before every row's own messages.
        params: further fields of every request, e.g. ``{temperature: 0, max_tokens: 64}``. A ``seed`` is raised
            by one for every sample.
        slices: fields of the rows by which results are told apart.
        asserts: what must hold, for exit status 0; written ``assert``.
        repeat: how often each row is asked; ``--repeat`` has the last word.
        parallel: the most calls at once, for one target.
        discordant: the share of rows expected to come out otherwise in a compared run, from which the smallest
            visible difference is told before a run; measured where the other run asked more than once.
    """

    suite: Name
    about: Annotated[str, Field(min_length=1, max_length=500)]
    data: Data
    config: Text | None = None
    system: Text | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    targets: Annotated[tuple[Target, ...], Field(min_length=1)]
    scorers: Annotated[tuple[Scored, ...], Field(min_length=1)]
    slices: tuple[Text, ...] = ()
    asserts: tuple[Asserted, ...] = Field(default=(), alias="assert")
    budget: Budget | None = None
    repeat: Annotated[int, Field(ge=1, le=100)] = 1
    parallel: Annotated[int, Field(ge=1, le=256)] = 4
    discordant: Annotated[Share, Field(gt=0)] = 0.2

    @property
    def about_targets(self) -> tuple[str, ...]:
        """The targets that an assertion speaks of when it names none."""
        return tuple(target.name for target in self.targets)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        refuse([*self._names(), *self._judges(), *self._texts(), *self._asserted()])
        return self

    def _names(self) -> Iterator[Problem]:
        for key, titles in (
            ("targets", [target.name for target in self.targets]),
            ("scorers", [scorer.title for scorer in self.scorers]),
            ("slices", list(self.slices)),
        ):
            for index, title in enumerate(titles):
                if title in titles[:index]:
                    at = (key, index) if key == "slices" else (key, index, "name")
                    yield Problem(at, f"{title!r} stands above already", "give it a name of its own")
        for key in sorted(_OURS & set(self.params)):
            yield Problem(("params", key), "the runner writes this itself", "remove it")
        if not any(scorer.weight for scorer in self.scorers):
            yield Problem(("scorers",), "every weight is 0, so nothing has a quality", "give one a weight")

    def _judges(self) -> Iterator[Problem]:
        answering = {target.name for target in self.targets if target.calls}
        for index, scorer in enumerate(self.scorers):
            if scorer.judge is not None and scorer.judge.by not in answering | set(TIERS):
                words = f"there is nobody called {scorer.judge.by!r} who could judge"
                yield Problem(("scorers", index, "judge", "by"), words, "name a tier, or a target that is asked")

    def _texts(self) -> Iterator[Problem]:
        """A scorer that reads answers needs a target that gives some, and the other way round."""
        kinds = Counter(target.kind for target in self.targets)
        for index, scorer in enumerate(self.scorers):
            at = ("scorers", index)
            if scorer.kind in READING and not any(target.calls for target in self.targets):
                words = f"{scorer.kind} reads an answer, and no target gives one"
                yield Problem(at, words, "add a target of kind tier, model or gateway")
            if scorer.kind == "verdict" and not kinds.keys() & {"guards", "policy", "gateway"}:
                yield Problem(at, "verdict needs a target of kind guards, policy or gateway")
            if scorer.kind == "recorded" and not kinds["outcomes"]:
                yield Problem(at, "recorded needs a target of kind outcomes")

    def _asserted(self) -> Iterator[Problem]:
        targets = {target.name for target in self.targets}
        scorers = {scorer.title for scorer in self.scorers}
        for index, item in enumerate(self.asserts):
            at: tuple[str | int, ...] = ("assert", index)
            claim = item.claim
            if claim.kind == "score" and claim.scorer not in scorers:
                known = f"scorers are {', '.join(sorted(scorers))}"
                yield Problem((*at, "that"), f"nothing is measured that is called {claim.scorer!r}", known)
            for name in item.of or ():
                if name not in targets:
                    yield Problem((*at, "of"), f"there is no target {name!r}", f"targets are {', '.join(targets)}")
            for name in [*item.where, *([item.each] if item.each else [])]:
                if name not in self.slices:
                    listed = f"slices are [{', '.join(self.slices)}]"
                    yield Problem(at, f"{name!r} is not among the slices", listed)
            if claim.than and claim.than != RUN and claim.than in (item.of or ()):
                yield Problem((*at, "that"), f"compares {claim.than!r} with itself")


def targets_of(item: Assertion, suite: Suite) -> tuple[str, ...]:
    """Whom an assertion is about: never the target it compares with."""
    than = item.claim.than
    return tuple(name for name in item.of or suite.about_targets if name != than)


def as_written(suite: Suite) -> Mapping[str, Any]:
    """The suite as plain data, with its words as they stand in the file."""
    return suite.model_dump(mode="json", by_alias=True)
