"""Who is calling, what they may do, and what they ask for: keys, headers, model names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, get_args

import msgspec

from policies.policy import Policy
from router.core.decide import Caller
from router.errors import BadRequest, Forbidden, ModelNotFound, Unauthorized
from router.serve.http.bodies import token_of
from router.serve.http.exchange import Incoming, text_header
from router.serve.memory.sessions import client_session
from router.types import Deployment, TierName

if TYPE_CHECKING:
    from router.registry.keys import Key
    from router.serve.cell import Cell
    from router.serve.story import Story

AUTO = "auto"
TIERS: frozenset[str] = frozenset(get_args(TierName))
_HEADERS = ("policy", "tier", "tag", "session", "guard-tag")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}")
_GUARD_TAG = re.compile(r"[A-Za-z0-9_-]{8,64}")


class Order(msgspec.Struct, frozen=True):
    """What the caller asked for, resolved.

    Attributes:
        policy: governs the request.
        caller: who asks, for the decision.
        deployment: the one model the caller named, if any; the policy may still overrule it.
        session: the caller's id of the conversation, if one was sent.
        guard_tag: the tag around the parts that guards shall read, if the caller marks them.
    """

    policy: Policy
    caller: Caller
    deployment: Deployment | None = None
    session: str | None = None
    guard_tag: str | None = None


def accept(cell: Cell, incoming: Incoming, story: Story, scope: str) -> Key | None:
    """Check the key. None means that keys are off, which only a loopback address may be.

    Raises:
        Unauthorized: no key, or an unknown, expired or revoked one.
        Forbidden: the key lacks ``scope``.
    """
    if not cell.keys_on:
        return None
    if not (token := token_of(incoming.headers)):
        raise Unauthorized("No API key: send 'Authorization: Bearer sk-stillhouse-…'.")
    key = cell.keys.find(token)
    if key is None or key.expired(cell.now_ms()):
        raise Unauthorized("The API key is not known to this gateway, or has expired.")
    story.tenant, story.key_id = key.tenant, key.id
    if scope not in key.scopes:
        raise Forbidden(f"The API key {key.id} may not use this endpoint (it lacks the scope '{scope}').")
    return key


def order(cell: Cell, incoming: Incoming, story: Story, key: Key | None, model: str) -> Order:
    """Resolve the model name and the ``x-stillhouse-*`` headers.

    Raises:
        ModelNotFound: no policy, tier or model of that name, or not one that the key may use.
        Forbidden: the key may not send one of the headers.
        BadRequest: a header is malformed or names a tier that does not exist.
    """
    story.requested_model = recorded(model)
    sent = _sent_headers(incoming, key)
    policy = cell.policies[cell.default_policy]
    tier: TierName | None = None
    deployment: Deployment | None = None
    if key is not None and key.models and model not in key.models:
        raise ModelNotFound(f"The model {model!r} does not exist, or this key may not use it.", param="model")
    if model in TIERS:
        tier = model  # type: ignore[assignment]
    elif model in cell.policies:
        policy = cell.policies[model]
    elif model != AUTO:
        deployment = cell.deployment(model)
        if deployment is None:
            raise ModelNotFound(
                f"The model {model!r} does not exist; GET /v1/models lists those that do.", param="model"
            )
        tier = deployment.tier
    if name := sent.get("policy"):
        if name not in cell.policies:
            raise BadRequest(f"There is no policy {name!r} here.", param="x-stillhouse-policy")
        policy = cell.policies[name]
    if name := sent.get("tier"):
        if name not in TIERS:
            raise BadRequest("x-stillhouse-tier must be small, medium or large.", param="x-stillhouse-tier")
        tier, deployment = name, None  # type: ignore[assignment]
    if deployment is not None and deployment.candidate and deployment not in cell.fleet(policy).deployments:
        raise ModelNotFound(f"The model {model!r} is a candidate, and the policy does not name it.", param="model")
    story.policy, story.session = policy, sent.get("session")
    story.tag = ",".join(filter(None, (*key.tags, sent.get("tag")))) if key and key.tags else sent.get("tag")
    if tier is not None:
        story.mode = "direct"
    tags = tuple(t.strip() for t in (story.tag or "").split(",") if t.strip())
    session = story.session or client_session(incoming.headers)
    guard_tag = _guard_tag(policy, sent.get("guard-tag"))
    return Order(policy, Caller(tenant=story.tenant, tags=tags, tier=tier), deployment, session, guard_tag)


def recorded(model: str) -> str:
    """What a record keeps of the model that was asked for: a name, and no text in its place."""
    return model if _NAME.fullmatch(model) else ""


def under(order: Order, policy: Policy) -> Order:
    """The same order under another policy.

    Raises:
        BadRequest: the caller marks what guards shall read, and the other policy allows no marks.
    """
    if order.guard_tag is not None:
        _guard_tag(policy, order.guard_tag.removeprefix("guard-"))
    return msgspec.structs.replace(order, policy=policy)


def _guard_tag(policy: Policy, suffix: str | None) -> str | None:
    """The tag's name. Its suffix should be random for each request, so that no text can close it.

    Raises:
        BadRequest: the policy allows no tags, or this is none.
    """
    if suffix is None:
        return None
    header = "x-stillhouse-guard-tag"
    if policy.body.guards.tagging == "off":
        raise BadRequest(f"The policy {policy.name!r} reads all of a request; {header} is not allowed.", param=header)
    if not _GUARD_TAG.fullmatch(suffix):
        raise BadRequest(f"{header} must be 8 to 64 letters, digits, '-' or '_'.", param=header)
    return f"guard-{suffix}"


def _sent_headers(incoming: Incoming, key: Key | None) -> dict[str, str]:
    sent: dict[str, str] = {}
    for name in _HEADERS:
        header = f"x-stillhouse-{name}"
        value = text_header(incoming.headers, header.encode())
        if value is None:
            continue
        if key is not None and name not in key.headers:
            raise Forbidden(f"The API key {key.id} may not send the header '{header}'.", param=header)
        sent[name] = value
    return sent
