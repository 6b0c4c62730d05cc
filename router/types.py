"""The frozen values that travel through the router. No behaviour beyond reading themselves.

Units: money is integer nano-dollars (1e-9 USD); prices are nano-dollars per million tokens; time is
seconds as float when it is a duration, milliseconds in the ledger; token counts are integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

TierName = Literal["small", "medium", "large"]
TIER_NAMES: tuple[TierName, ...] = ("small", "medium", "large")

TokenSource = Literal["upstream", "estimated"]


class Frozen(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every value here."""


class Reason(Frozen, frozen=True, kw_only=True):
    """Why something was decided: a stable id, a sentence, and the policy layer that said so."""

    id: str
    text: str
    layer: str = ""


class Lineage(Frozen, frozen=True, kw_only=True):
    """Where a deployment's weights come from. Everything may be unknown; nothing is guessed."""

    family: str = "unknown"
    teacher: str = "unknown"
    student_base: str = "unknown"
    dataset_hash: str = "unknown"
    recipe_hash: str = "unknown"
    gate: Literal["unknown", "passed", "failed"] = "unknown"
    generation: int = 1


class Price(Frozen, frozen=True, kw_only=True):
    """Nano-dollars per million tokens; ``None`` means unknown, which is never zero."""

    input: int | None = None
    output: int | None = None
    cached_input: int | None = None
    source: str = "unknown"


class Deployment(Frozen, frozen=True, kw_only=True):
    """One way to serve a tier: a model behind an upstream.

    Two generations of one tier are two deployments with the same ``tier``; ``share`` splits them.
    """

    name: str
    tier: TierName
    model: str
    upstream: str
    private: bool = False
    context_window: int | None = None
    tools: bool = True
    images: bool = True
    max_output: int | None = None
    reasoning: bool = False  # takes ``reasoning_effort``
    share: float = 1.0
    max_concurrent: int | None = None
    abstains: bool = False  # a head: asked before the tier's others, and leaves to them what it is not sure of
    candidate: bool = False  # serves only under a policy that names it
    price: Price = Price()
    lineage: Lineage = Lineage()


class Features(Frozen, frozen=True, kw_only=True):
    """Numbers about a request that a policy's rules and the ledger use. They never hold text.

    ``input_tokens`` counts messages and offered tools; ``max_output`` is the caller's limit, 0 without one.
    """

    language: str
    input_tokens: int
    ask_chars: int
    turns: int
    tools: bool
    images: bool
    findings: tuple[str, ...] = ()
    max_output: int = 0


class Score(Frozen, frozen=True, kw_only=True):
    """The scorer's opinion of one prompt under one family profile.

    Attributes:
        p_right: tier name -> calibrated probability that the tier's answer is right, 0..1.
        output_tokens: tier name -> expected output tokens.
        complexity: 0 (any tier will do) .. 1 (only the best tier, if any).
        novelty: 0 (like the training data) .. 1 (unlike anything known).
        artefact: content hash of the artefact that said so.
        family: the profile that was used.
        place: where the prompt lies along the artefact's shared directions, little-endian 16-bit floats.
    """

    p_right: Mapping[str, float]
    output_tokens: Mapping[str, float]
    complexity: float
    novelty: float
    artefact: str
    family: str
    place: bytes = b""


class Decision(Frozen, frozen=True, kw_only=True):
    """Where a request goes and why.

    Attributes:
        wanted: the tier the policy chose.
        served: the tier that will be asked first; differs when the wanted one is missing; None
            when no model may serve the request.
        fallbacks: tiers to try after it, in order.
        reasons: in the order they were found; the last one decided.
        propensity: probability of this choice under the policy (1.0 where nothing could be explored).
        private: only private deployments may serve it.
        free: the tiers that the rules left to choose from; empty where a pin or the caller chose.
        cost: tier name -> predicted nano-dollars (absent where the price is unknown).
    """

    wanted: TierName
    served: TierName | None
    fallbacks: tuple[TierName, ...]
    reasons: tuple[Reason, ...]
    propensity: float
    private: bool = False
    free: tuple[TierName, ...] = ()
    cost: Mapping[str, int]

    @property
    def because(self) -> Reason:
        """The reason that chose ``wanted``; what came of it afterwards stands behind it."""
        after = ("tier-missing", "no-tier", "cascade-", "breaker-", "retries-", "limit-", "abstained")
        return next(r for r in reversed(self.reasons) if not r.id.startswith(after))


class Usage(Frozen, frozen=True, kw_only=True):
    """Tokens of one answer and how they are known."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    source: TokenSource = "upstream"
