"""The grammar of a policy: strict, frozen, content-hashed. YAML in, one ``Policy`` out.

Knows nothing of HTTP, models or the clock.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

TierName = Literal["small", "medium", "large"]
StreamMode = Literal["immediate", "guarded", "checked"]
Share = Annotated[float, Field(ge=0, le=1)]


class Strict(BaseModel):
    """Unknown keys are mistakes, values are never coerced, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Quality(Strict):
    """The promise: the cheapest tier that keeps this much.

    Exactly one: ``keep`` = share of the best allowed tier's probability of a right answer;
    ``floor`` = that probability itself.
    """

    keep: Share | None = None
    floor: Share | None = None


class Budget(Strict):
    """Spend at most this much on one request: the best tier whose predicted cost fits."""

    usd_per_request: Annotated[float, Field(gt=0)]


class When(Strict):
    """All conditions that are given must hold."""

    tenant: tuple[str, ...] | None = None
    tag: tuple[str, ...] | None = None
    language: tuple[str, ...] | None = None
    tools: bool | None = None
    images: bool | None = None
    context_tokens_over: Annotated[int, Field(ge=0)] | None = None
    pattern: str | None = None
    findings: tuple[str, ...] | None = None


class Rule(Strict):
    """A condition and exactly one effect on the tiers a request may use."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    when: When
    pin: TierName | None = None
    at_least: TierName | None = None
    forbid: tuple[TierName, ...] | None = None
    private: Literal[True] | None = None


class Guards(Strict):
    """Guards per direction: each item is one key of the catalogue with its settings."""

    input: tuple[dict[str, Any], ...] = ()
    output: tuple[dict[str, Any], ...] = ()


class Refusal(Strict):
    """The words a caller reads when a guard blocks."""

    input: str = "This request was stopped by the gateway's policy."
    output: str = "The answer was stopped by the gateway's policy."


class Timeouts(Strict):
    """Seconds. ``gap`` is the longest silence inside a stream."""

    connect: Annotated[float, Field(gt=0)] = 5.0
    first_byte: Annotated[float, Field(gt=0)] = 120.0
    gap: Annotated[float, Field(gt=0)] = 60.0
    total: Annotated[float, Field(gt=0)] = 600.0


class PolicyBody(Strict):
    """What a policy file may say. One of ``quality``, ``cost_quality``, ``budget`` states the aim."""

    stillhouse: Literal[1]
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    description: str = ""
    extends: str | None = None
    family: str = "generic"
    tiers: tuple[TierName, ...] = ("small", "medium", "large")
    fallback_tier: TierName = "large"
    quality: Quality | None = None
    cost_quality: Share | None = None
    budget: Budget | None = None
    rules: tuple[Rule, ...] = ()
    fallbacks: dict[TierName, tuple[TierName, ...]] | None = None
    allow_degrade: bool = False
    stream: StreamMode = "guarded"
    guards: Guards = Guards()
    refusal: Refusal = Refusal()
    timeouts: Timeouts = Timeouts()
