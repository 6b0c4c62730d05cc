"""What a suite may write under ``targets``: who is asked, or what decides."""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from policies.mistakes import Problem, refuse
from policies.schema import Name, Strict, TierName
from router.serve.settings import PriceSettings, Secret

Text = Annotated[str, Field(min_length=1)]
KINDS: Final = ("policy", "tier", "model", "gateway", "guards", "outcomes")
#: Those that ask a model, so that they cost money and time.
CALLING: Final = frozenset({"tier", "model", "gateway"})


class Gateway(Strict):
    """The whole gateway: guards, decision, model, guards again.

    Attributes:
        policy: a file or a preset; by default the settings' own.
        model: what the caller writes as ``model``: ``auto``, a tier, a policy or a deployment.
        base_url: a running gateway, up to ``/v1``; without it one is opened in this process.
        api_key: of the running gateway: ``env:NAME`` or ``file:PATH``.
    """

    policy: Text | None = None
    model: Text = "auto"
    base_url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    api_key: Secret | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.base_url is not None and self.policy is not None:
            words = "a running gateway has its own policies"
            refuse([Problem(("policy",), words, "name one of them as 'model', or leave out base_url")])
        if self.api_key is not None and self.base_url is None:
            refuse([Problem(("api_key",), "a gateway in this process takes no key", "remove it, or add base_url")])
        return self


class Outcomes(Strict):
    """Recorded outcomes; nothing is asked. Either one model's, or those of the tiers a policy chooses.

    Attributes:
        model: the model whose scores are taken.
        policy: decides for each row; ``family`` says which model stands for a tier.
        family: tier -> model of the outcome rows.
        prices: tier -> USD per million tokens; with them and the rows' tokens, cost is known.
    """

    model: Text | None = None
    policy: Text | None = None
    family: dict[TierName, Text] = Field(default_factory=dict)
    prices: dict[TierName, PriceSettings] = Field(default_factory=dict)

    @property
    def models(self) -> frozenset[str]:
        """Those whose outcomes a row must hold."""
        return frozenset(self.family.values()) | ({self.model} if self.model else set())

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.model is None) == (self.policy is None):
            refuse([Problem((), "give either model, or policy with family")])
        if self.policy is not None and not self.family:
            refuse([Problem((), "a policy chooses tiers", "add family: {small: …, medium: …, large: …}")])
        if self.model is not None and self.family and self.model not in self.family.values():
            refuse([Problem(("family",), f"does not name {self.model!r}", "list the model under its tier")])
        return self


class Target(Strict):
    """One target: a name, and exactly one kind.

    Attributes:
        policy: a policy decides; no model is asked. Without ``config`` every tier is taken to be there.
        tier: the deployment of this tier alone: no guards, no decision.
        model: one deployment, by its name or its model's.
        otherwise: with ``model``, a head: who is asked, one after the other, where it abstains.
        gateway: the whole gateway.
        guards: a policy's guards read each text.
        outcomes: recorded outcomes.
        config: a settings file for this target; by default the suite's.
    """

    name: Name
    policy: Text | None = None
    tier: TierName | None = None
    model: Text | None = None
    otherwise: tuple[Text, ...] = ()
    gateway: Gateway | None = None
    guards: Text | None = None
    outcomes: Outcomes | None = None
    config: Text | None = None

    @property
    def kind(self) -> str:
        """Which one it is."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def calls(self) -> bool:
        """Whether a model is asked."""
        return self.kind in CALLING

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if not given:
            refuse([Problem((), "names nobody to ask", f"one of {', '.join(KINDS)}")])
        refuse(Problem((kind,), f"stands beside {given[0]!r}", "one kind a target") for kind in given[1:])
        if self.otherwise and self.model is None:
            refuse([Problem(("otherwise",), "only a model, a head, abstains", "remove it, or name the head as model")])
        return self
