"""Laying one policy over another: a layer may tighten its floor, never loosen it.

``tighten`` merges two bodies and names every loosening. The laws, one function each below:

- tiers: a part of the floor's;
- aim: a floor that promises ``quality`` or limits ``budget`` keeps that kind of aim, and its figure only
  gets stricter; a floor's ``cost_quality`` dial is a preference, so it may be turned, or replaced by a
  promise; a floor without an aim leaves it open;
- promise: loses no more, is no less sure, against the same tier, by the same measure or the stricter one, in at
  least the same slices;
- fallback_tier: not below the floor's, where the floor says one;
- fallbacks: for a tier the floor speaks of, a part of the floor's; elsewhere only upwards;
- models: for a tier the floor speaks of, a part of the floor's; elsewhere free, for which model is a tier's is a fact;
- allow_degrade: never switched on; at_limit: never ``cheaper`` over a floor that refuses;
- stream: never less strict (immediate < guarded < checked);
- explore: a floor's figures only shrink; over a floor that promises and does not explore, never switched on;
- capture: of no tenant, no share and for no day more than the floor says; over a floor that captures nothing, nothing;
- cascade: over one of the floor's only stricter; over a promised ``quality`` only with the same promise for
  each answer, over a ``budget`` never, for its tries add up;
- timeouts: never longer than the floor says; family and profile: the floor's, where it names one of them;
- session: affinity that the floor switches on stays on, errands that it switches off stay off, and its
  hysteresis only grows; times are free, for they are facts about upstreams;
- rules and guards: the floor's come first and stay; others are added; shadow guards too. Their time never grows,
  and over a floor that guards, nobody may tag what is read or put back what was masked;
- unguarded: not accepted over a floor that guards, or that says it is refused;
- name, description and refusal words are free.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policies.mistakes import Path, Problem
from policies.schema import (
    AIMS,
    TIERS,
    USUAL_QUALITY,
    Budget,
    ByTier,
    Capture,
    Cascade,
    GuardLists,
    Guards,
    PolicyBody,
    Promise,
    Quality,
    TierName,
)

STREAM_ORDER = ("immediate", "guarded", "checked")
BELOW_THE_BEST: tuple[TierName, ...] = TIERS[:-1]
_GROUPS = ("refusal", "timeouts", "session")


@dataclass(frozen=True, slots=True)
class Layered:
    """A body together with who decided what.

    Attributes:
        body: the merged settings so far.
        origin: setting -> layer; settings that nobody wrote are missing.
    """

    body: PolicyBody
    origin: Mapping[str, str]


def bottom(body: PolicyBody) -> Layered:
    """The lowest layer."""
    return Layered(body, dict.fromkeys(written(body), body.name))


def written(body: PolicyBody) -> frozenset[str]:
    """The settings that a file says itself, in the form of ``Policy.origin``'s names."""
    found: set[str] = set()
    for name in body.model_fields_set - {"stillhouse", "extends"}:
        value = getattr(body, name)
        if name in _GROUPS:
            found |= {f"{name}.{key}" for key in value.model_fields_set}
        elif name in ("fallbacks", "models"):
            found |= {f"{name}.{tier}" for tier in value or {}}
        elif name not in (*AIMS, "cascade", "profile", "promise") or value is not None:
            found.add(name)
    if body.aim is not None:
        found.add("aim")
    return frozenset(found)


def tighten(floor: Layered, body: PolicyBody) -> tuple[Layered, tuple[Problem, ...]]:
    """Lay ``body`` over ``floor``.

    Returns:
        the merged layer, and every place where ``body`` loosens the floor; with problems the
        merged layer must not be used.
    """
    problems = tuple(_loosenings(floor, body))
    mine = written(body)
    tiers = body.tiers if "tiers" in mine else floor.body.tiers
    merged: dict[str, Any] = {
        "stillhouse": 1,
        "name": body.name,
        "description": body.description,
        "family": body.family if "family" in mine else floor.body.family,
        "profile": body.profile or floor.body.profile,
        "tiers": tiers,
        "models": _models(floor, body, tiers),
        "fallback_tier": _fallback_tier(floor, body, tiers),
        "rules": (*floor.body.rules, *body.rules),
        "fallbacks": _fallbacks(floor, body, tiers),
        "allow_degrade": body.allow_degrade if "allow_degrade" in mine else floor.body.allow_degrade,
        "at_limit": body.at_limit if "at_limit" in mine else floor.body.at_limit,
        "explore": body.explore if "explore" in mine else floor.body.explore,
        "capture": body.capture if "capture" in mine else floor.body.capture,
        "stream": body.stream if "stream" in mine else floor.body.stream,
        "cascade": body.cascade or floor.body.cascade,
        "promise": body.promise or floor.body.promise,
        "guards": _guards(floor.body.guards, body.guards),
        "unguarded": body.unguarded if "unguarded" in mine else floor.body.unguarded,
    }
    for group in _GROUPS:
        over = getattr(body, group)
        changes = {key: getattr(over, key) for key in over.model_fields_set}
        merged[group] = getattr(floor.body, group).model_copy(update=changes)
    source = body if body.aim is not None else floor.body
    merged |= {aim: getattr(source, aim) for aim in AIMS}
    origin = dict(floor.origin)
    if body.aim is not None:
        origin = {setting: layer for setting, layer in origin.items() if setting not in AIMS}
    origin |= dict.fromkeys(mine, body.name)
    # Every part is validated already; building without checks keeps what the laws above refuse reportable.
    return Layered(PolicyBody.model_construct(**merged), origin), problems


def complete(layered: Layered) -> PolicyBody:
    """The merged body with its aim said: without one it is ``quality: {keep: 0.95}``."""
    body = layered.body
    quality = USUAL_QUALITY if body.aim is None else body.quality
    return body.model_copy(update={"extends": None, "quality": quality})


def _rank(tier: TierName) -> int:
    return TIERS.index(tier)


def _fallback_tier(floor: Layered, body: PolicyBody, tiers: tuple[TierName, ...]) -> TierName:
    """The layer's own, else the floor's; where that tier is gone, the next one up, else the best."""
    wanted = body.fallback_tier if "fallback_tier" in body.model_fields_set else floor.body.fallback_tier
    return _next_up(wanted, tiers)


def _next_up(wanted: TierName, tiers: tuple[TierName, ...]) -> TierName:
    return next((tier for tier in tiers if _rank(tier) >= _rank(wanted)), tiers[-1])


def _fallbacks(
    floor: Layered, body: PolicyBody, tiers: tuple[TierName, ...]
) -> dict[TierName, tuple[TierName, ...]] | None:
    merged = {**(floor.body.fallbacks or {}), **(body.fallbacks or {})}
    if not merged:
        return None
    return {tier: tuple(t for t in others if t in tiers) for tier, others in merged.items() if tier in tiers}


def _models(floor: Layered, body: PolicyBody, tiers: tuple[TierName, ...]) -> dict[TierName, tuple[str, ...]] | None:
    merged = {**(floor.body.models or {}), **(body.models or {})}
    return {tier: merged[tier] for tier in tiers if tier in merged} or None


def _model_loosenings(floor: Layered, body: PolicyBody) -> Iterator[Problem]:
    tiers = body.tiers if "tiers" in body.model_fields_set else floor.body.tiers
    for tier, names in (body.models or {}).items():
        if tier not in tiers:
            yield _not_allowed(floor, ("models", tier), tier)
        theirs = (floor.body.models or {}).get(tier)
        for index, name in enumerate(names):
            if theirs is not None and name not in theirs:
                words = f"{name!r} is not among the models that {_layer(floor)} has for {tier}"
                yield Problem(("models", tier, index), words, f"they are {', '.join(theirs)}")


def _guards(floor: Guards, over: Guards) -> Guards:
    """The floor's come first and stay; the time is the shorter one; tagging the layer's, which the laws allow."""
    shadows = [each for each in (floor.shadow, over.shadow) if each is not None]
    said = over.model_fields_set
    return floor.model_copy(
        update={
            "input": (*floor.input, *over.input),
            "output": (*floor.output, *over.output),
            "shadow": GuardLists.model_construct(
                input=tuple(item for each in shadows for item in each.input),
                output=tuple(item for each in shadows for item in each.output),
            )
            if shadows
            else None,
            "limit_ms": over.limit_ms if "limit_ms" in said else floor.limit_ms,
            "restore": over.restore if "restore" in said else floor.restore,
            "tagging": over.tagging if "tagging" in said else floor.tagging,
        }
    )


def _guard_loosenings(floor: Layered, body: PolicyBody) -> Iterator[Problem]:
    under, over = floor.body.guards, body.guards
    if "limit_ms" in over.model_fields_set and "limit_ms" in under.model_fields_set and over.limit_ms > under.limit_ms:
        words = f"{over.limit_ms} is longer than {_layer(floor)} allows"
        yield Problem(("guards", "limit_ms"), words, f"use at most {under.limit_ms}")
    if over.restore and not under.restore and under.input:
        words = f"shows the caller what {_layer(floor)} masks"
        yield Problem(("guards", "restore"), words, "remove it, or allow it in the floor")
    if over.tagging == "allowed" and under.tagging == "off" and (under.input or under.output):
        words = f"lets callers choose what is read, and {_layer(floor)} guards all of it"
        yield Problem(("guards", "tagging"), words, "remove it, or allow it in the floor")
    refuses = floor.body.unguarded == "refused" and ("unguarded" in floor.origin or bool(under.input or under.output))
    if body.unguarded == "accepted" and refuses:
        words = f"lets pass what no guard reads, and {_layer(floor)} guards or refuses it"
        yield Problem(("unguarded",), words, "remove it, or accept it in the floor")


def _loosenings(floor: Layered, body: PolicyBody) -> Iterator[Problem]:
    yield from _guard_loosenings(floor, body)
    yield from _tier_loosenings(floor, body)
    yield from _aim_loosenings(floor, body)
    yield from _lost_promises(floor, body.promise)
    yield from _fallback_loosenings(floor, body)
    yield from _model_loosenings(floor, body)
    yield from _promise_loosenings(floor, body)
    yield from _explore_loosenings(floor, body)
    yield from _session_loosenings(floor, body)
    yield from _capture_loosenings(floor, body.capture)
    if body.cascade is not None:
        yield from _cascade_loosenings(floor, body.cascade)
    theirs = {rule.name for rule in floor.body.rules}
    for index, rule in enumerate(body.rules):
        if rule.name in theirs:
            words = f"{_layer(floor)} has a rule {rule.name!r}, which stays as it is"
            yield Problem(("rules", index, "name"), words, "add a rule with another name")


def _layer(floor: Layered) -> str:
    return f"the floor {floor.body.name!r}"


def _listed(tiers: tuple[TierName, ...]) -> str:
    return f"[{', '.join(tiers)}]"


def _tier_loosenings(floor: Layered, body: PolicyBody) -> Iterator[Problem]:
    if "tiers" not in body.model_fields_set:
        return
    for index, tier in enumerate(body.tiers):
        if tier not in floor.body.tiers:
            yield _not_allowed(floor, ("tiers", index), tier)


def _not_allowed(floor: Layered, path: Path, tier: TierName) -> Problem:
    return Problem(path, f"{tier} is not allowed by {_layer(floor)}", f"its tiers are {_listed(floor.body.tiers)}")


def _aim_loosenings(floor: Layered, body: PolicyBody) -> Iterator[Problem]:
    theirs, mine = floor.body.aim, body.aim
    if mine is None or theirs in {None, "cost_quality"}:
        return
    promise = floor.body.quality or floor.body.budget
    said = _aim_words(promise)
    if mine != theirs:
        words = f"{_layer(floor)} promises {said}; another aim would not keep it"
        yield Problem((mine,), words, f"remove it, or state a stricter {theirs}")
    elif isinstance(promise, Quality) and body.quality is not None:
        yield from _quality_loosenings(floor, promise, body.quality)
    elif isinstance(promise, Budget) and body.budget is not None:
        value, most = body.budget.usd_per_request, promise.usd_per_request
        if value > most:
            words = f"{value:g} is more than {_layer(floor)} allows ({said})"
            yield Problem(("budget", "usd_per_request"), words, f"{most:g} or less")


def _quality_loosenings(floor: Layered, theirs: Quality, mine: Quality) -> Iterator[Problem]:
    said, kind = _aim_words(theirs), mine.kind
    if theirs.kind != kind:
        words = f"{_layer(floor)} promises {said}; '{kind}' is another promise"
        yield Problem(("quality", kind), words, f"remove it, or state a stricter {theirs.kind}")
        return
    stated = getattr(mine, kind)
    for tier in [t for t in BELOW_THE_BEST if t in floor.body.tiers] or floor.body.tiers:
        value, limit = mine.figure(tier), theirs.figure(tier)
        if value > limit if kind == "lose" else value < limit:
            more = "more" if kind == "lose" else "less"
            of = f" for {tier}" if isinstance(getattr(theirs, kind), ByTier) or isinstance(stated, ByTier) else ""
            words = f"{value:g}{of} is {more} than {_layer(floor)} promises ({said})"
            path = ("quality", kind, tier) if isinstance(stated, ByTier) else ("quality", kind)
            yield Problem(path, words, f"{limit:g} or {'less' if kind == 'lose' else 'more'}")
            if path == ("quality", kind):
                return


def _lost_promises(floor: Layered, mine: Promise | None) -> Iterator[Problem]:
    theirs = floor.body.promise
    if theirs is None or mine is None:
        return
    if mine.max_quality_loss > theirs.max_quality_loss:
        words = f"{mine.max_quality_loss:g} is more than {_layer(floor)} allows ({theirs.max_quality_loss:g})"
        yield Problem(("promise", "max_quality_loss"), words, f"{theirs.max_quality_loss:g} or less")
    if mine.confidence < theirs.confidence:
        words = f"{mine.confidence:g} is less sure than {_layer(floor)} is ({theirs.confidence:g})"
        yield Problem(("promise", "confidence"), words, f"{theirs.confidence:g} or more")
    if mine.against != theirs.against:
        words = f"{_layer(floor)} promises against {theirs.against}"
        yield Problem(("promise", "against"), words, f"against: {theirs.against}")
    if mine.measure == "net" and theirs.measure == "loss":
        words = f"{_layer(floor)} promises the loss itself; a net loss lets gains make up for it"
        yield Problem(("promise", "measure"), words, "measure: loss")
    missing = [name for name in theirs.slices if name not in mine.slices]
    if missing:
        words = f"{_layer(floor)} promises it in each {' and '.join(missing)}, too"
        yield Problem(("promise", "slices"), words, f"add {', '.join(missing)}")


def _aim_words(promise: Quality | Budget | None) -> str:
    if isinstance(promise, Budget):
        return f"budget: {{usd_per_request: {promise.usd_per_request:g}}}"
    if promise is None:
        return ""
    said = getattr(promise, promise.kind)
    if isinstance(said, ByTier):
        each = ", ".join(f"{tier}: {figure:g}" for tier, figure in said.model_dump(exclude_none=True).items())
        return f"quality: {{{promise.kind}: {{{each}}}}}"
    return f"quality: {{{promise.kind}: {said:g}}}"


def _fallback_loosenings(floor: Layered, body: PolicyBody) -> Iterator[Problem]:
    tiers = body.tiers if "tiers" in body.model_fields_set else floor.body.tiers
    if "fallback_tier" in body.model_fields_set:
        mine, theirs = body.fallback_tier, floor.body.fallback_tier
        least = _next_up(theirs, tiers)
        if mine not in tiers:
            yield _not_allowed(floor, ("fallback_tier",), mine)
        elif "fallback_tier" in floor.origin and _rank(mine) < _rank(least):
            words = f"{mine} is below {theirs}, as {_layer(floor)} has it"
            yield Problem(("fallback_tier",), words, f"{least} or above")
    for tier, others in (body.fallbacks or {}).items():
        listed = (floor.body.fallbacks or {}).get(tier)
        for index, other in enumerate(others):
            path = ("fallbacks", tier, index)
            if other not in tiers:
                yield _not_allowed(floor, path, other)
            elif listed is not None and other not in listed:
                yield Problem(path, f"{_layer(floor)} lets {tier} fall back to {_listed(listed)} only")
            elif listed is None and _rank(other) < _rank(tier) and not floor.body.allow_degrade:
                yield Problem(path, f"{_layer(floor)} lets no request fall from {tier} down to {other}")


def _promise_loosenings(floor: Layered, body: PolicyBody) -> Iterator[Problem]:
    mine = body.model_fields_set
    if body.allow_degrade and not floor.body.allow_degrade:
        yield Problem(("allow_degrade",), f"{_layer(floor)} says false", "remove it")
    if body.at_limit == "cheaper" and floor.body.at_limit == "refuse":
        words = f"{_layer(floor)} lets nobody have less than the policy promises, and refuses at a limit"
        yield Problem(("at_limit",), words, "remove it")
    if "stream" in mine and STREAM_ORDER.index(body.stream) < STREAM_ORDER.index(floor.body.stream):
        words = f"{body.stream} is less strict than {floor.body.stream}, as {_layer(floor)} has it"
        stricter = STREAM_ORDER[STREAM_ORDER.index(floor.body.stream) :]
        yield Problem(("stream",), words, " or ".join(stricter))
    if "family" in floor.origin and "family" in mine and body.family != floor.body.family:
        words = f"{_layer(floor)} reckons with {floor.body.family!r}"
        yield Problem(("family",), words, "remove it: its promise is made with that family's figures")
    named = floor.body.profile or ("family" in floor.origin)
    if body.profile is not None and named and body.profile != floor.body.profile:
        words = f"{_layer(floor)} reckons with {floor.body.profile or floor.body.family!r}"
        yield Problem(("profile",), words, "remove it, or let the floor name it")
    for key in sorted(body.timeouts.model_fields_set):
        value, most = getattr(body.timeouts, key), getattr(floor.body.timeouts, key)
        if f"timeouts.{key}" in floor.origin and value > most:
            words = f"{value:g} s is longer than {_layer(floor)} allows ({most:g} s)"
            yield Problem(("timeouts", key), words, f"{most:g} or less")


def _explore_loosenings(floor: Layered, body: PolicyBody) -> Iterator[Problem]:
    """Exploring takes a tier that misses the promise by a little: a floor's promise must have agreed to that."""
    mine, theirs = body.explore, floor.body.explore
    if mine is None:
        return
    if theirs is None and floor.body.aim not in {None, "cost_quality"}:
        words = f"{_layer(floor)} promises {_aim_words(floor.body.quality or floor.body.budget)} and does not explore"
        yield Problem(("explore",), words, "remove it, or let the floor say how much may be explored")
    elif theirs is not None:
        for key in ("epsilon", "band"):
            value, most = getattr(mine, key), getattr(theirs, key)
            if value > most:
                words = f"{value:g} is more than {_layer(floor)} allows ({most:g})"
                yield Problem(("explore", key), words, f"{most:g} or less")


def _capture_loosenings(floor: Layered, mine: Capture | None) -> Iterator[Problem]:
    """Texts that nobody agreed to keep must not be kept because a layer says so."""
    theirs = floor.body.capture
    if mine is None:
        return
    if theirs is None:
        words = f"{_layer(floor)} captures nothing"
        yield Problem(("capture",), words, "remove it, or let the floor say how much may be captured")
        return
    for index, tenant in enumerate(mine.tenants):
        if tenant not in theirs.tenants:
            words = f"{_layer(floor)} captures nothing of {tenant!r}"
            yield Problem(("capture", "tenants", index), words, f"its tenants are {', '.join(theirs.tenants)}")
    for key, word in (("share", ""), ("keep_days", " days")):
        value, most = getattr(mine, key), getattr(theirs, key)
        if value > most:
            words = f"{value:g}{word} is more than {_layer(floor)} allows ({most:g})"
            yield Problem(("capture", key), words, f"{most:g} or less")


def _session_loosenings(floor: Layered, body: PolicyBody) -> Iterator[Problem]:
    """Staying on a tier and scoring errands like other asks both keep quality: a layer may not undo them."""
    theirs, mine = floor.body.session, body.session
    for key, strict in (("affinity", "on"), ("errands", "off")):
        given = f"session.{key}" in floor.origin and key in mine.model_fields_set
        if given and getattr(theirs, key) == strict and getattr(mine, key) != strict:
            yield Problem(("session", key), f"{_layer(floor)} says {strict}", "remove it")
    given = "session.hysteresis" in floor.origin and "hysteresis" in mine.model_fields_set
    if given and mine.hysteresis < theirs.hysteresis:
        words = f"{mine.hysteresis:g} is less than {_layer(floor)} has ({theirs.hysteresis:g})"
        yield Problem(("session", "hysteresis"), words, f"{theirs.hysteresis:g} or more")


def _cascade_loosenings(floor: Layered, mine: Cascade) -> Iterator[Problem]:
    theirs, budget, quality = floor.body.cascade, floor.body.budget, floor.body.quality
    if theirs is not None:
        yield from _weaker_cascade(floor, theirs, mine)
    elif budget is not None:
        words = f"{_layer(floor)} promises {_aim_words(budget)}; the tries of a cascade add up beyond it"
        yield Problem(("cascade",), words, "remove it")
    elif quality is not None:
        if mine.evidence and mine.accept is None and mine.keep is None:
            return  # the promise itself decides on the answer
        if quality.kind == "lose":
            words = f"{_layer(floor)} promises {_aim_words(quality)}; a cascade's own measure is another promise"
            yield Problem(("cascade",), words, "remove accept or keep, and let a check bring evidence for the promise")
            return
        # A cascade has one share for all its answers: the strictest that is promised.
        below = [tier for tier in BELOW_THE_BEST if tier in floor.body.tiers]
        strictest = max((quality.figure(tier) for tier in below), default=0.0)
        kind, least = ("accept", quality.floor) if quality.floor is not None else ("keep", strictest)
        value = getattr(mine, kind)
        if least is not None and (value is None or value < least):
            words = f"{_layer(floor)} promises {_aim_words(quality)}; an answer may be kept only by the same promise"
            yield Problem(("cascade",) if value is None else ("cascade", kind), words, f"{kind}: {least:g} or more")


def _weaker_cascade(floor: Layered, theirs: Cascade, mine: Cascade) -> Iterator[Problem]:
    """Each setting of a cascade that asks less of an answer than the floor's does."""
    if _rank(mine.start) < _rank(theirs.start):
        words = f"{mine.start} is below {theirs.start}, where {_layer(floor)} starts"
        yield Problem(("cascade", "start"), words, f"{theirs.start} or above")
    for check in theirs.checks:
        if check not in mine.checks:
            yield Problem(("cascade", "checks"), f"{_layer(floor)} runs the check {check}", f"add {check}")
    for kind in ("accept", "keep"):
        value, least = getattr(mine, kind), getattr(theirs, kind)
        if least is not None and (value is None or value < least):
            words = f"{_layer(floor)} asks for {kind}: {least:g}"
            yield Problem(("cascade",) if value is None else ("cascade", kind), words, f"{kind}: {least:g} or more")
    for name, word in (("max_escalations", "escalations"), ("samples", "samples")):
        value, least = getattr(mine, name), getattr(theirs, name)
        if value < least and (name != "samples" or "agreement" in theirs.checks):
            yield Problem(
                ("cascade", name), f"{value} is less than {_layer(floor)} has ({least} {word})", f"{least} or more"
            )
    if mine.deadline > theirs.deadline:
        words = f"{mine.deadline:g} s is longer than {_layer(floor)} allows ({theirs.deadline:g} s)"
        yield Problem(("cascade", "deadline"), words, f"{theirs.deadline:g} or less")
