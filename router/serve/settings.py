"""What an operator may write in ``stillhouse.yaml``, and the settings that come without a file.

Three ways to the same frozen ``Settings``: a file, provider keys in the environment, or the embedded
default. Nothing is guessed: a foreign server's models come from the command line or its own listing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from policies.schema import Strict, TierName
from policies.yaml import load_strict, read_text
from router.postgres import SCHEMES, Dsn
from router.registry.prices import PriceBook
from router.registry.weights import Weights
from router.serve.limits.settings import LimitSettings
from router.types import TIER_NAMES, Deployment, Lineage, Price

Secret = Annotated[str, Field(pattern=r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$")]

BulkheadName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]

DEFAULT_PORT = 8484
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class ServerSettings(Strict):
    """Where we listen and what we accept."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = DEFAULT_PORT
    keys: Literal["auto", "required", "off"] = "auto"
    max_body_mb: Annotated[float, Field(gt=0, le=512)] = 32
    drain_seconds: Annotated[float, Field(ge=0)] = 30
    read_seconds: Annotated[float, Field(gt=0)] = 30
    tls_cert: str | None = None
    tls_key: str | None = None
    cors_origins: tuple[Annotated[str, Field(pattern=r"^(\*|https?://[^/\s]+)$")], ...] = ()
    cell: str = "0"
    observe: bool = False
    observe_tier: TierName | None = None
    max_concurrent: Annotated[int, Field(ge=1)] = 4000
    queue: Annotated[int, Field(ge=0)] = 400
    queue_seconds: Annotated[float, Field(gt=0, le=600)] = 5
    tenant_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    max_held_mb: Annotated[float, Field(gt=0)] = 1024
    stuck_seconds: Annotated[float, Field(gt=0)] = 30

    @model_validator(mode="after")
    def _pair(self) -> ServerSettings:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("server.tls_cert and server.tls_key are given together or not at all")
        return self


class BreakerSettings(Strict):
    """When a deployment is left alone, and for how long; see ``router.core.resilience.breaker``."""

    failures: Annotated[int, Field(ge=1)] = 5
    rate: Annotated[float, Field(gt=0, le=1)] = 0.5
    calls: Annotated[int, Field(ge=1)] = 20
    window: Annotated[float, Field(gt=0)] = 10
    limits: Annotated[int, Field(ge=1)] = 3
    pause: Annotated[float, Field(gt=0)] = 2
    longest: Annotated[float, Field(gt=0)] = 30
    silence: Annotated[float, Field(ge=0)] = 1.5


class RetrySettings(Strict):
    """The budget of further calls: a share of the first ones, some a second besides, and how many may be saved up."""

    share: Annotated[float, Field(ge=0, le=1)] = 0.1
    per_second: Annotated[float, Field(ge=0)] = 5
    burst: Annotated[float, Field(ge=0)] = 10


class BulkheadSettings(Strict):
    """A group of tenants with places, a queue, breakers and budgets of its own."""

    tenants: Annotated[tuple[str, ...], Field(min_length=1)]
    max_concurrent: Annotated[int, Field(ge=1)]
    queue: Annotated[int, Field(ge=0)] = 0


class ResponsesSettings(Strict):
    """How much of ``/v1/responses`` is remembered for ``previous_response_id``."""

    keep_mb: Annotated[float, Field(ge=0, le=65536)] = 64
    keep_minutes: Annotated[float, Field(gt=0)] = 60


class UpstreamSettings(Strict):
    """One place where models answer. ``api_key`` names an environment variable or a file, never a key."""

    kind: Literal["openai", "anthropic", "litellm", "local", "nano"]
    wire: Literal["chat", "responses"] = "chat"
    base_url: str | None = None
    api_key: Secret | None = None
    private: bool = False
    path: str | None = None
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None

    @model_validator(mode="after")
    def _complete(self) -> UpstreamSettings:
        if self.kind == "openai" and not self.base_url:
            raise ValueError("an upstream of kind openai needs a base_url")
        if self.base_url is None and self.kind == "anthropic":
            raise ValueError("an upstream of kind anthropic needs a base_url, e.g. https://api.anthropic.com/v1")
        if self.kind != "openai" and self.wire != "chat":
            raise ValueError("wire: responses needs an upstream of kind openai")
        if self.kind in {"local", "nano"} and (self.base_url or self.api_key):
            raise ValueError(f"an upstream of kind {self.kind} has no base_url and no api_key")
        if self.kind == "nano" and (self.path is None or self.sha256 is None):
            raise ValueError("an upstream of kind nano needs the path of its nano.json and the sha256 of that file")
        if self.kind != "nano" and (self.path is not None or self.sha256 is not None):
            raise ValueError("path and sha256 belong to an upstream of kind nano")
        if self.base_url is not None and not self.base_url.startswith(("http://", "https://")):
            raise ValueError("base_url must begin with https:// or http://")
        return self

    @property
    def speaks(self) -> Literal["chat", "responses", "anthropic"]:
        """The protocol in which it is asked."""
        return "anthropic" if self.kind == "anthropic" else self.wire


class LineageSettings(Strict):
    """Where a model's weights come from."""

    family: str = "unknown"
    teacher: str = "unknown"
    student_base: str = "unknown"
    dataset_hash: str = "unknown"
    recipe_hash: str = "unknown"
    gate: Literal["unknown", "passed", "failed"] = "unknown"
    generation: Annotated[int, Field(ge=1)] = 1


class PriceSettings(Strict):
    """Your own price in USD per million tokens; it wins over the price book."""

    input: Annotated[float, Field(ge=0)]
    output: Annotated[float, Field(ge=0)]
    cached_input: Annotated[float, Field(ge=0)] | None = None


class TierSettings(Strict):
    """One deployment of a tier. The same tier twice is two generations side by side, split by ``share``."""

    tier: TierName
    upstream: str
    model: str
    name: str | None = None
    context_window: Annotated[int, Field(gt=0)] | None = None
    tools: bool = True
    images: bool = True
    max_output: Annotated[int, Field(gt=0)] | None = None
    reasoning: bool = False
    share: Annotated[float, Field(gt=0)] = 1.0
    max_concurrent: Annotated[int, Field(ge=1)] | None = None
    candidate: bool = False
    price: PriceSettings | None = None
    lineage: LineageSettings = LineageSettings()


class EmbeddingSettings(Strict):
    """One embeddings model."""

    model: str
    upstream: str
    price: PriceSettings | None = None


class MediaSettings(Strict):
    """An upstream that takes audio, images or files. They pass only where the policy says ``unguarded: accepted``."""

    serves: Annotated[tuple[Literal["audio", "images", "files"], ...], Field(min_length=1)]
    upstream: str


class Settings(Strict):
    """The whole file. Relative paths are taken from where the file lies."""

    stillhouse: Literal[1] = 1
    server: ServerSettings = ServerSettings()
    upstreams: dict[str, UpstreamSettings]
    tiers: tuple[TierSettings, ...]
    embeddings: tuple[EmbeddingSettings, ...] = ()
    media: tuple[MediaSettings, ...] = ()
    responses: ResponsesSettings = ResponsesSettings()
    policies: tuple[str, ...] = ("balanced",)
    default_policy: str | None = None
    ledger: str | None = None
    ledger_keep_days: Annotated[int, Field(ge=1)] | None = None
    ledger_exports: str | None = None
    registry: str | None = None
    capture_key: Secret | None = None
    places: bool = True
    keys_file: str | None = None
    limits: LimitSettings = LimitSettings()
    scorer: Annotated[str, Field(min_length=1)] | None = None
    notices: tuple[str, ...] = ()
    breaker: BreakerSettings = BreakerSettings()
    retries: RetrySettings = RetrySettings()
    bulkheads: dict[BulkheadName, BulkheadSettings] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _parted(self) -> Settings:
        grouped = [tenant for bulk in self.bulkheads.values() for tenant in bulk.tenants]
        twice = sorted({tenant for tenant in grouped if grouped.count(tenant) > 1})
        if twice:
            raise ValueError(f"the tenant {twice[0]!r} stands in two bulkheads; it can be in one only")
        places = sum(bulk.max_concurrent for bulk in self.bulkheads.values())
        if places >= self.server.max_concurrent:
            words = f"the bulkheads take {places} places, and server.max_concurrent is {self.server.max_concurrent}"
            raise ValueError(f"{words}; leave some for everybody else")
        return self

    @field_validator("ledger", "registry")
    @classmethod
    def _no_password(cls, where: str | None) -> str | None:
        return refuse_password(where)

    @field_validator("registry")
    @classmethod
    def _a_server(cls, where: str | None) -> str | None:
        if where is not None and not where.startswith((*SCHEMES, "env:", "file:")):
            raise ValueError("the registry lies in the home folder, or in a PostgreSQL by env:NAME or file:PATH")
        return where

    @model_validator(mode="after")
    def _refers(self) -> Settings:
        users = [(t.model, t.upstream) for t in self.tiers] + [(e.model, e.upstream) for e in self.embeddings]
        for model, upstream in users:
            if upstream not in self.upstreams:
                known = ", ".join(sorted(self.upstreams)) or "none"
                raise ValueError(f"{model!r} names the upstream {upstream!r}, which is not listed (known: {known})")
        for each in self.media:
            if each.upstream not in self.upstreams or self.upstreams[each.upstream].kind != "openai":
                raise ValueError(f"media names the upstream {each.upstream!r}, which is not one of kind openai")
        for name, place in self.upstreams.items():
            if place.kind == "local" and len({t.model for t in self.tiers if t.upstream == name}) > 1:
                raise ValueError(f"the local upstream {name!r} runs one model; list another upstream of kind local")
        aim = self.server.observe_tier
        if aim is not None and aim not in {tier.tier for tier in self.tiers if not tier.candidate}:
            raise ValueError(f"server.observe_tier is {aim!r}, and no deployment under 'tiers' is of that tier")
        if self.tiers and all(tier.candidate for tier in self.tiers):
            raise ValueError("every deployment is a candidate, so a policy that names none of them has no model")
        names = [tier.name or tier.model for tier in self.tiers]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two deployments are called {twice[0]!r}; give one of them a 'name'")
        return self


def refuse_password(where: str | None) -> str | None:
    """A place that may be a PostgreSQL URL, as it came.

    Raises:
        ValueError: it is a URL that cannot be read, or one with a password in it.
    """
    if where is not None and where.startswith(SCHEMES) and Dsn(where).password:
        raise ValueError("a password does not belong here; put the whole URL into env:NAME or file:PATH and name that")
    return where


def dsn_of(where: str) -> Dsn | None:
    """The PostgreSQL that a setting names, by its URL or by a secret that holds it; None where it names a file.

    Raises:
        ValueError: the variable or file is not there, or holds no URL.
    """
    if where.startswith(SCHEMES):
        return Dsn(where)
    if not where.startswith(("env:", "file:")):
        return None
    try:
        return Dsn(read_secret(where))
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def read_secret(reference: str | None) -> str:
    """The value behind ``env:NAME`` or ``file:PATH``; empty for None.

    Raises:
        ValueError: the variable or file is not there.
    """
    if reference is None:
        return ""
    kind, _, where = reference.partition(":")
    if kind == "env":
        if where not in os.environ:
            raise ValueError(f"the environment variable {where} is not set")
        return os.environ[where]
    try:
        return Path(where).expanduser().read_text().strip()
    except OSError as error:
        raise ValueError(f"the secret file {where} cannot be read: {error.strerror}") from None


def deployments_of(settings: Settings, book: PriceBook) -> tuple[Deployment, ...]:
    """The configured tiers as runtime values, each with its price."""
    return tuple(_deployment(tier, settings.upstreams[tier.upstream], book) for tier in settings.tiers)


def _deployment(tier: TierSettings, upstream: UpstreamSettings, book: PriceBook) -> Deployment:
    if tier.price is not None:
        price = price_of(tier.price)
    elif upstream.kind in {"local", "nano"}:
        price = Price(input=0, output=0, cached_input=0, source="config")  # your own processor sends no bill
    else:
        price = book.price(tier.model)
    return Deployment(
        name=tier.name or tier.model,
        tier=tier.tier,
        model=tier.model,
        upstream=tier.upstream,
        private=upstream.private or upstream.kind in {"local", "nano"},
        context_window=tier.context_window,
        tools=tier.tools,
        images=tier.images,
        max_output=tier.max_output,
        reasoning=tier.reasoning,
        share=tier.share,
        max_concurrent=tier.max_concurrent,
        abstains=upstream.kind == "nano",
        candidate=tier.candidate,
        price=price,
        lineage=Lineage(**tier.lineage.model_dump()),
    )


def price_of(said: PriceSettings) -> Price:
    """A price as it was written."""
    return Price(
        input=_nano(said.input),
        output=_nano(said.output),
        cached_input=None if said.cached_input is None else _nano(said.cached_input),
        source="config",
    )


def _nano(usd_per_million: float) -> int:
    return round(usd_per_million * 1e9)


# --- without a file --------------------------------------------------------------------------------

# Provider keys by the names their own SDKs read, and the tiers each provider itself presents as small,
# medium and large. A model that litellm's price table no longer lists is refused by a test.
PROVIDERS: tuple[tuple[str, str, str | None, tuple[str, str, str]], ...] = (
    ("OPENAI_API_KEY", "openai", "https://api.openai.com/v1", ("gpt-5-nano", "gpt-5-mini", "gpt-5")),
    (
        "ANTHROPIC_API_KEY",
        "anthropic",
        None,
        ("anthropic/claude-haiku-4-5", "anthropic/claude-sonnet-4-5", "anthropic/claude-opus-4-5"),
    ),
    (
        "GEMINI_API_KEY",
        "gemini",
        None,
        ("gemini/gemini-2.5-flash-lite", "gemini/gemini-2.5-flash", "gemini/gemini-2.5-pro"),
    ),
    (
        "MISTRAL_API_KEY",
        "mistral",
        "https://api.mistral.ai/v1",
        ("mistral-small-latest", "mistral-medium-latest", "mistral-large-latest"),
    ),
)


def settings_from_env(
    env: Mapping[str, str], chosen: Mapping[TierName, str], listing: Sequence[str] | None, server: ServerSettings
) -> Settings:
    """Settings from provider keys.

    Args:
        env: the process environment.
        chosen: ``--small``, ``--medium``, ``--large``.
        listing: the model ids of ``OPENAI_BASE_URL``'s own listing, where it was asked.
        server: from the command line.

    Raises:
        ValueError: no key is set, or a foreign server lists no model and none was named.
    """
    base_url = env.get("OPENAI_BASE_URL")
    if base_url:
        if not base_url.startswith(("http://", "https://")):
            raise ValueError("OPENAI_BASE_URL must begin with https:// or http://")
        return _foreign(base_url, env, chosen, listing or (), server)
    for variable, name, url, models in PROVIDERS:
        if env.get(variable):
            upstream = UpstreamSettings(kind="openai" if url else "litellm", base_url=url, api_key=f"env:{variable}")
            named = dict(zip(TIER_NAMES, models, strict=True)) | dict(chosen)
            tiers = tuple(TierSettings(tier=tier, upstream=name, model=named[tier]) for tier in TIER_NAMES)
            return Settings(server=server, upstreams={name: upstream}, tiers=tiers)
    names = ", ".join(variable for variable, *_ in PROVIDERS)
    raise ValueError(f"no provider key is set (looked for OPENAI_BASE_URL, {names})")


def _foreign(
    base_url: str,
    env: Mapping[str, str],
    chosen: Mapping[TierName, str],
    listing: Sequence[str],
    server: ServerSettings,
) -> Settings:
    """Any compatible server: named models, else its own ids small/medium/large, else its first for all."""
    key = "env:OPENAI_API_KEY" if env.get("OPENAI_API_KEY") else None
    notices: tuple[str, ...] = ()
    named: dict[TierName, str] = dict(chosen)
    if not named:
        named = {tier: tier for tier in TIER_NAMES if tier in listing}
    if not named:
        if not listing:
            raise ValueError("the server at OPENAI_BASE_URL lists no models; name them with --small, --medium, --large")
        named = dict.fromkeys(TIER_NAMES, listing[0])
        words = f"The server's first model, {listing[0]}, stands in for every tier."
        notices = (f"{words} Name others with --small, --medium, --large.",)
    shared = len(set(named.values())) < len(named)
    tiers = tuple(
        TierSettings(tier=tier, upstream="openai", model=model, name=f"{tier}-{model}" if shared else None)
        for tier, model in named.items()
    )
    upstream = UpstreamSettings(kind="openai", base_url=base_url, api_key=key)
    return Settings(server=server, upstreams={"openai": upstream}, tiers=tiers, notices=notices)


def load_settings(path: Path) -> Settings:
    """Settings from a YAML file; policies named by path are taken from where the file lies.

    Raises:
        Mistakes: every mistake of the file, with line and column.
    """
    settings = load_strict(read_text(path), Settings, file=str(path))
    here = path.resolve().parent
    sources = tuple(str(here / p) if p.endswith((".yaml", ".yml")) else p for p in settings.policies)
    scorer = settings.scorer
    if scorer is not None and scorer != "shipped":
        scorer = str(here / Path(scorer).expanduser())
    tls = {
        name: str(here / Path(value).expanduser())
        for name in ("tls_cert", "tls_key")
        if (value := getattr(settings.server, name)) is not None
    }
    server = settings.server.model_copy(update=tls)
    upstreams = {
        name: u if u.path is None else u.model_copy(update={"path": str(here / Path(u.path).expanduser())})
        for name, u in settings.upstreams.items()
    }
    return settings.model_copy(update={"policies": sources, "scorer": scorer, "server": server, "upstreams": upstreams})


def embedded_settings(weights: Sequence[Weights], server: ServerSettings) -> Settings:
    """The default without a key: every registered model, served by the embedded engine.

    With one model the ``demo`` policy lets every tier fall down to it, and says so; nothing else does.
    """
    upstreams = {f"local-{w.name}": UpstreamSettings(kind="local") for w in weights}
    tiers = tuple(
        TierSettings(
            tier=w.tier,
            upstream=f"local-{w.name}",
            model=w.name,
            context_window=w.context,
            tools=w.tools,
            images=False,
            share=w.share,
            lineage=LineageSettings(**{f: getattr(w.lineage, f) for f in w.lineage.__struct_fields__}),
        )
        for w in weights
    )
    return Settings(server=server, upstreams=upstreams, tiers=tiers, policies=("demo", "balanced", "private", "korean"))
