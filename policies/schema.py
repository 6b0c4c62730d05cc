"""The grammar of a policy: strict, frozen, content-hashed. YAML in, one ``Policy`` out.

Knows nothing of HTTP, models or the clock. Field by field it is explained in docs/policies.md.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from policies.mistakes import Problem, refuse
from policies.patterns import PatternError, compile_pattern

TierName = Literal["small", "medium", "large"]
StreamMode = Literal["immediate", "guarded", "checked"]
CheckName = Literal["logprobs", "agreement", "likelihood", "finish", "refusal", "hedging", "format", "shape"]
Share = Annotated[float, Field(ge=0, le=1)]

TIERS: tuple[TierName, ...] = ("small", "medium", "large")
AIMS = ("quality", "cost_quality", "budget")
EVIDENCE: tuple[CheckName, ...] = ("logprobs", "agreement", "likelihood")
EFFECTS = ("pin", "at_least", "forbid", "private")
DEFAULT_KEEP = 0.95
_RESERVED_NAMES = frozenset({"auto", "default", *TIERS})


def _tiers_in_order(value: tuple[TierName, ...]) -> tuple[TierName, ...]:
    refuse(_order_problems(value))
    return value


def _order_problems(value: tuple[TierName, ...]) -> Iterator[Problem]:
    ordered = [tier for tier in TIERS if tier in value]
    if len(set(value)) != len(value):
        twice = ", ".join(tier for tier, count in Counter(value).items() if count > 1)
        yield Problem((), f"names {twice} twice", f"write [{', '.join(ordered)}]")
    elif list(value) != ordered:
        yield Problem((), "the tiers are not in order, cheapest first", f"write [{', '.join(ordered)}]")


def _no_repeats(value: tuple[str, ...]) -> tuple[str, ...]:
    refuse(Problem((), f"names {item} twice") for item, count in Counter(value).items() if count > 1)
    return value


def _pattern_compiles(value: str) -> str:
    try:
        compile_pattern(value)
    except PatternError as error:
        refuse([Problem((), str(error), error.hint)])
    return value


def _free_name(value: str) -> str:
    if value in _RESERVED_NAMES:
        words = f"{value!r} has a meaning of its own as a model name"
        refuse([Problem((), words, "choose another name; callers use it as 'model'")])
    return value


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Tiers = Annotated[tuple[TierName, ...], Field(min_length=1), AfterValidator(_tiers_in_order)]
SomeTiers = Annotated[tuple[TierName, ...], Field(min_length=1), AfterValidator(_no_repeats)]
Word = Annotated[str, Field(min_length=1, max_length=256)]
Words = Annotated[tuple[Word, ...], Field(min_length=1), AfterValidator(_no_repeats)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Strict(BaseModel):
    """Unknown keys are mistakes, values are never coerced, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class ByTier(Strict):
    """A figure of its own for each tier below the highest; where none is said, the strictest."""

    small: Share | None = None
    medium: Share | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.small is None and self.medium is None:
            refuse([Problem((), "names no tier", "write {small: …, medium: …}, or one number for all")])
        return self


def _form(value: object) -> str:
    return "by tier" if isinstance(value, dict | ByTier) else "one for all"


Shares = Annotated[Annotated[Share, Tag("one for all")] | Annotated[ByTier, Tag("by tier")], Discriminator(_form)]


class Quality(Strict):
    """The aim that speaks of right answers: the cheapest tier that will do.

    Exactly one: ``keep`` = share of the best chance that a tier has; ``lose`` = the chance that the highest tier is
    right and this one is not, were the two independent; ``floor`` = the chance itself. ``keep`` and ``lose`` may differ
    by tier. Only the tiers that rules leave are compared.
    """

    keep: Shares | None = None
    lose: Shares | None = None
    floor: Share | None = None

    @property
    def kind(self) -> Literal["keep", "lose", "floor"]:
        """Which of them is said."""
        return "floor" if self.floor is not None else "keep" if self.lose is None else "lose"

    def figure(self, tier: TierName) -> float:
        """What is asked of ``tier``; the strictest there is where nothing is said of it."""
        said = getattr(self, self.kind)
        if isinstance(said, ByTier):
            said = getattr(said, tier, None)
        if said is None:
            said = 0.0 if self.kind == "lose" else 1.0
        return float(said)

    def need(self, tier: TierName, p: Mapping[TierName, float]) -> float:
        """The chance at which ``tier`` will do, where ``p`` holds those of the tiers to choose from, cheapest first."""
        figure = self.figure(tier)
        if self.kind == "floor":
            return figure
        if self.kind == "keep":
            return figure * max(p.values())
        top = list(p)[-1]
        return 0.0 if tier == top or p[top] <= 0 else 1.0 - figure / p[top]

    def words(self, tier: TierName, p: Mapping[TierName, float]) -> str:
        """What ``tier`` keeps where it will do."""
        figure = self.figure(tier)
        if self.kind == "floor":
            return f"the promised {figure:.2f}"
        if self.kind == "keep":
            return f"{100 * figure:.4g}% of the best tier's {max(p.values()):.2f}"
        top = list(p)[-1]
        if tier == top:
            return f"all that {top} is right about"
        return f"the chance that only {top} (right with {p[top]:.2f}) is right at {100 * figure:.4g}% or less"

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [kind for kind in ("keep", "lose", "floor") if getattr(self, kind) is not None]
        if len(given) != 1:
            words = "says neither keep nor lose nor floor" if not given else f"says both {' and '.join(given)}"
            refuse([Problem((), words, "keep: 0.95 is the usual one; keep one of them")])
        return self


#: The aim of a policy that states none.
USUAL_QUALITY = Quality(keep=DEFAULT_KEEP)


_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?) ?%")


def _percent(value: object) -> object:
    """``2%`` as 0.02; anything else as it came, to be judged as a number."""
    found = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    # Through a decimal text, so that 2% is the very float that 0.02 is.
    return float(f"{found[1]}e-2") if found else value


_Written = BeforeValidator(_percent, json_schema_input_type=float | Annotated[str, Field(pattern=_PERCENT.pattern)])
SliceName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]


class Promise(Strict):
    """What may be lost against one tier's answers, and how sure that is. Shown by outcomes, not by the scorer.

    Attributes:
        max_quality_loss: the most that an average request may lose, in points of the outcomes' scale 0..1.
        confidence: with which probability the bound holds that a setting must show before it is proposed.
        against: the tier whose answers are the measure.
        measure: ``loss`` counts what a request loses and no gain makes up for it; ``net`` weighs gains against losses.
        slices: columns of the outcomes (``language``, ``task``, ...) in each of whose values the promise must hold.
    """

    max_quality_loss: Annotated[float, Field(gt=0, le=0.5), _Written]
    confidence: Annotated[float, Field(ge=0.5, lt=1), _Written] = 0.95
    against: TierName = "large"
    measure: Literal["loss", "net"] = "loss"
    slices: Annotated[tuple[SliceName, ...], AfterValidator(_no_repeats)] = ()


class Budget(Strict):
    """Spend at most this much on one request: the best tier whose predicted cost fits."""

    usd_per_request: Annotated[float, Field(gt=0, le=1_000)]


class When(Strict):
    """All conditions that are given must hold; of a list, any one. No condition holds always.

    Attributes:
        tenant: the key's tenant.
        tag: one of the request's ``x-stillhouse-tag`` values.
        language: ISO 639-1 code of the prompt, e.g. ``ko``.
        tools: whether the request offers tools.
        images: whether it holds images.
        context_tokens_over: its input is longer than this many tokens.
        pattern: an re2 pattern found anywhere in the last ask.
        findings: a guard saw this: ``pii`` (any category of that guard), ``EMAIL`` or ``pii.EMAIL``; of a learned
            guard also how sure it is, e.g. ``attacks.HIGH`` (LOW, MEDIUM, HIGH).
    """

    tenant: Words | None = None
    tag: Words | None = None
    language: Words | None = None
    tools: bool | None = None
    images: bool | None = None
    context_tokens_over: Annotated[int, Field(ge=0)] | None = None
    pattern: Annotated[str, Field(min_length=1), AfterValidator(_pattern_compiles)] | None = None
    findings: Words | None = None


class Rule(Strict):
    """A condition and exactly one effect on the tiers a request may use.

    ``at_least``, ``forbid`` and ``private`` of all rules that match add up, in order; the first
    matching ``pin`` wins, inside what the others leave.
    """

    name: Name
    when: When
    pin: TierName | None = None
    at_least: TierName | None = None
    forbid: SomeTiers | None = None
    private: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_effect(self) -> Self:
        given = [effect for effect in EFFECTS if getattr(self, effect) is not None]
        if not given:
            refuse([Problem((), "the rule has no effect", f"add one of {', '.join(EFFECTS)}")])
        more = "one effect a rule: write a second rule with the same 'when'"
        refuse(Problem((effect,), f"stands beside {given[0]!r}", more) for effect in given[1:])
        if self.forbid is not None and len(self.forbid) == len(TIERS):
            refuse([Problem(("forbid",), "forbids every tier", "leave at least one")])
        return self


class GuardLists(Strict):
    """Guards per direction: each item is one key of the catalogue with its settings."""

    input: tuple[dict[str, Any], ...] = ()
    output: tuple[dict[str, Any], ...] = ()

    @model_validator(mode="after")
    def _guards_compile(self) -> Self:
        refuse([*_guard_problems("input", self.input), *_guard_problems("output", self.output)])
        return self


class Guards(GuardLists):
    """The guards, and how they are run.

    Attributes:
        shadow: a second set that reads the same texts and changes nothing: what it would have done is on record.
        limit_ms: the longest the guards of one direction may take; one that finds no time left was not run, and
            its ``on_error`` says what that means.
        restore: put the values that a guard of the input masked back into the answer: the model never sees them,
            the caller does. Needs a stream that may hold text.
        tagging: ``allowed`` lets a caller mark what is to be read (docs/guards/tagging.md); the rest is not.
    """

    shadow: GuardLists | None = None
    limit_ms: Annotated[int, Field(ge=1, le=60_000)] = 5_000
    restore: bool = False
    tagging: Literal["off", "allowed"] = "off"


_HOLDS = {"answer": "checked", "calls": "guarded"}


def _guard_problems(direction: str, items: tuple[dict[str, Any], ...]) -> Iterator[Problem]:
    if not items:
        return
    from guardrails import GuardConfigErrors, compile_rails  # half a second, for what is no policy too

    try:
        compile_rails(items)
    except GuardConfigErrors as error:
        for each in error.errors:
            yield Problem((direction, *each.path), each.message, each.hint)


class Refusal(Strict):
    """The words a caller reads when a guard blocks."""

    input: Annotated[str, Field(min_length=1, max_length=2_000)] = "This request was stopped by the gateway's policy."
    output: Annotated[str, Field(min_length=1, max_length=2_000)] = "The answer was stopped by the gateway's policy."


class Timeouts(Strict):
    """Seconds. ``gap`` is the longest silence inside a stream."""

    connect: Seconds = 5.0
    first_byte: Seconds = 120.0
    gap: Seconds = 60.0
    total: Seconds = 600.0


class Explore(Strict):
    """Now and then the other tier, where both nearly meet the aim; see ``router.core.explore``.

    Attributes:
        epsilon: the share of such requests that try it.
        band: how near the threshold they are: in chance of a right answer, or in worth under ``cost_quality``.
    """

    epsilon: Annotated[float, Field(gt=0, le=0.5)] = 0.05
    band: Annotated[float, Field(gt=0, le=0.5)] = 0.05


class Capture(Strict):
    """Which texts are kept to learn from; see docs/distill.md. Without it none is.

    Attributes:
        tenants: of whom; nobody else's are kept.
        share: of their requests, by a keyed hash of the request id.
        keep_days: after so many days they are removed.
    """

    tenants: Words
    share: Annotated[float, Field(gt=0, le=1), _Written] = 0.1
    keep_days: Annotated[int, Field(ge=1, le=3_650)] = 30


class Session(Strict):
    """How a conversation is followed from turn to turn.

    Attributes:
        affinity: whether a session stays on its tier where leaving would gain little.
        hysteresis: by how much a lower tier's chance must clear what the aim asks before a session goes down.
        ttl_seconds: how long a silent session is remembered.
        cache_seconds: how long the upstreams keep a prompt cache.
        errands: whether a client's own housekeeping (titles, tags, summaries) goes to the lowest tier allowed.
    """

    affinity: Literal["on", "off"] = "on"
    hysteresis: Share = 0.02
    ttl_seconds: Seconds = 1800.0
    cache_seconds: Seconds = 300.0
    errands: Literal["on", "off"] = "on"


class Cascade(Strict):
    """Ask a small tier first and keep its answer if the checks are satisfied; else ask the next one up.

    At most one of ``accept`` (the least chance that the answer is right) and ``keep`` (that chance as a
    share of what the best tier above would reach); with neither, the policy's aim decides. See docs/cascade.md.
    """

    start: TierName
    checks: Annotated[tuple[CheckName, ...], Field(min_length=1), AfterValidator(_no_repeats)]
    accept: Share | None = None
    keep: Share | None = None
    max_escalations: Annotated[int, Field(ge=1, le=2)] = 2
    samples: Annotated[int, Field(ge=1, le=8)] = 2
    hold: Annotated[int, Field(ge=1, le=4_096)] = 64
    deadline: Seconds = 60.0

    @property
    def evidence(self) -> tuple[CheckName, ...]:
        """The checks that say how likely an answer is right."""
        return tuple(check for check in self.checks if check in EVIDENCE)

    @model_validator(mode="after")
    def _checks_agree(self) -> Self:
        refuse(self._problems())
        return self

    def _problems(self) -> Iterator[Problem]:
        if self.accept is not None and self.keep is not None:
            yield Problem(("keep",), "stands beside 'accept'", "a cascade has one measure: keep one of them")
        for measure in ("accept", "keep"):
            if getattr(self, measure) is not None and not self.evidence:
                words = "measures how likely an answer is right, and no check tells that"
                yield Problem((measure,), words, f"add one of {', '.join(EVIDENCE)} to the checks")
        if "samples" in self.model_fields_set and "agreement" not in self.checks:
            yield Problem(("samples",), "no check compares samples", "add agreement to the checks, or remove it")


def _best_tier(known: Mapping[str, Any]) -> TierName:
    tiers: tuple[TierName, ...] = known.get("tiers", TIERS)
    return tiers[-1]


def _cascade_tiers(cascade: Cascade, tiers: tuple[TierName, ...]) -> Iterator[Problem]:
    if cascade.start not in tiers:
        listed = f"tiers are [{', '.join(tiers)}]"
        yield Problem(("cascade", "start"), f"{cascade.start} is not among the policy's tiers", listed)
    elif cascade.start == tiers[-1]:
        words = f"no tier stands above {cascade.start}, so nothing can be escalated"
        yield Problem(("cascade", "start"), words, "start with a lower tier, or remove the cascade")


class PolicyBody(Strict):
    """What a policy file may say.

    At most one of ``quality``, ``cost_quality``, ``budget`` states the aim; none means
    ``quality: {keep: 0.95}``. Without ``fallback_tier`` it is the best of ``tiers``. ``unguarded`` says whether audio,
    images and files, which no guard reads, may pass. ``models`` says by name which deployments serve a tier; a tier
    that it leaves out is served by all that are no candidates. ``profile`` is the SHA-256 of what is expected of these
    very models, in place of what the scorer expects of the family's.
    """

    stillhouse: Literal[1]
    name: Annotated[Name, AfterValidator(_free_name)]
    description: Annotated[str, Field(max_length=2_000)] = ""
    extends: Annotated[str, Field(min_length=1)] | None = None
    family: Annotated[str, Field(min_length=1)] = "generic"
    profile: Digest | None = None
    tiers: Tiers = TIERS
    models: dict[TierName, Words] | None = None
    fallback_tier: TierName = Field(default_factory=_best_tier)
    quality: Quality | None = None
    cost_quality: Share | None = None
    budget: Budget | None = None
    promise: Promise | None = None
    rules: tuple[Rule, ...] = ()
    fallbacks: dict[TierName, SomeTiers] | None = None
    allow_degrade: bool = False
    at_limit: Literal["refuse", "cheaper"] = "refuse"
    stream: StreamMode = "guarded"
    cascade: Cascade | None = None
    guards: Guards = Guards()
    unguarded: Literal["refused", "accepted"] = "refused"
    refusal: Refusal = Refusal()
    timeouts: Timeouts = Timeouts()
    explore: Explore | None = None
    capture: Capture | None = None
    session: Session = Session()

    @property
    def aim(self) -> str | None:
        """The name of the setting that states the aim, if one does."""
        return next((aim for aim in AIMS if getattr(self, aim) is not None), None)

    @model_validator(mode="after")
    def _settings_agree(self) -> Self:
        problems = (self._aim_problems, self._tier_problems, self._rule_problems, self.stream_problems)
        refuse([problem for find in problems for problem in find()])
        return self

    def stream_problems(self) -> Iterator[Problem]:
        """A mask must hold text back until it knows what the text becomes; ``immediate`` forbids that."""
        from guardrails import Action, compile_rails

        rails = compile_rails(self.guards.output)
        blocking = [each.check for each in rails.checks if Action.BLOCK in each.check.actions]
        for check in blocking:
            if self.stream == "immediate" or (self.stream == "guarded" and check.scope == "answer"):
                path = ("stream",) if "stream" in self.model_fields_set else ("guards", "output")
                words = f"{check.guard!r} judges a whole answer, and under '{self.stream}' it has left by then"
                yield Problem(path, words, f"use 'stream: {_HOLDS[check.scope]}', or let {check.guard} detect only")
        if self.stream == "immediate" and self.guards.restore:
            words = "'immediate' holds nothing back, but a placeholder must be held until it is whole"
            yield Problem(("guards", "restore"), words, "use 'stream: guarded', or remove 'restore'")
        if self.stream == "immediate" and rails.masks:
            path = ("stream",) if "stream" in self.model_fields_set else ("guards", "output")
            words = "'immediate' holds nothing back, but a guard of the output masks, which must hold back"
            yield Problem(path, words, "use 'stream: guarded', or let the guards of the output detect or block")
        if self.stream == "immediate" and self.cascade is not None:
            path = ("stream",) if "stream" in self.model_fields_set else ("cascade",)
            words = "'immediate' holds nothing back, but a cascade must hold an answer until it is checked"
            yield Problem(path, words, "use 'stream: checked', or remove the cascade")

    def _aim_problems(self) -> Iterator[Problem]:
        given = [aim for aim in AIMS if getattr(self, aim) is not None]
        for aim in given[1:]:
            yield Problem((aim,), f"is a second aim beside {given[0]!r}", "a policy has one aim: keep one of them")

    def _tier_problems(self) -> Iterator[Problem]:
        allowed = f"tiers are [{', '.join(self.tiers)}]"
        cascade = self.cascade
        if cascade and cascade.evidence and self.budget and cascade.accept is None and cascade.keep is None:
            words = f"{cascade.evidence[0]} says how likely an answer is right, a budget not how likely is enough"
            yield Problem(("cascade", "checks"), words, "add accept: 0.8, or keep: 0.95")
        if self.fallback_tier not in self.tiers:
            yield Problem(("fallback_tier",), f"{self.fallback_tier} is not among the policy's tiers", allowed)
        if self.cascade is not None:
            yield from _cascade_tiers(self.cascade, self.tiers)
        for tier in self.models or {}:
            if tier not in self.tiers:
                yield Problem(("models", tier), f"{tier} is not among the policy's tiers", allowed)
        for tier, others in (self.fallbacks or {}).items():
            if tier not in self.tiers:
                yield Problem(("fallbacks", tier), f"{tier} is not among the policy's tiers", allowed)
            for index, other in enumerate(others):
                if other == tier:
                    yield Problem(("fallbacks", tier, index), f"{tier} cannot fall back to itself")
                elif other not in self.tiers:
                    yield Problem(("fallbacks", tier, index), f"{other} is not among the policy's tiers", allowed)

    def _rule_problems(self) -> Iterator[Problem]:
        seen: set[str] = set()
        for index, rule in enumerate(self.rules):
            if rule.name in seen:
                yield Problem(("rules", index, "name"), f"a rule named {rule.name!r} stands above already")
            seen.add(rule.name)
