"""Where a policy sends every row of a table: ``router.core.decide``, a million rows at a time.

The law, kept by a property test: row by row this is what ``decide`` says of a request that stands alone (no session,
no operator's pin). Tiers are handled as columns of ``TIER_NAMES``; what a tier lacks is NaN there, as a mapping
without it is in ``decide``.

It does not know texts. A rule with a ``pattern`` needs the fact ``pattern:…``, computed where the texts were at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np

from evals.tuning.table import Floats, Ints, Mask, Table, Tiers
from policies.policy import LayeredRule, Policy
from policies.schema import USUAL_QUALITY, PolicyBody, When
from router.core.cost import cost_shares
from router.core.decide import NOVELTY_LIMIT, RANK, Fleet
from router.types import TIER_NAMES, Deployment

ALL: Final = len(TIER_NAMES)
#: Costs that are unknown compare as dearer than any.
_UNKNOWN_COST: Final = float(1 << 62)


class Unanswerable(ValueError):
    """A rule asks what the rows do not know; says which rule, what, and how to mend it."""


class Decided(NamedTuple):
    """Decisions over n rows.

    Attributes:
        wanted: (n,), the tier that the policy chose, as a column of ``TIER_NAMES``.
        served: (n,), the tier that is asked first, as a column of the table; -1 where none can serve the row.
        shares: (n, T), the probability with which each tier of the table is asked first; differs from ``served``
            only where the policy explores.
    """

    wanted: Tiers
    served: Tiers
    shares: Floats


def tiers_of(policy: Policy, table: Table, *, fleet: Fleet | None = None) -> Tiers:
    """The tier that is asked first, as a column of the table; -1 where none can serve the row.

    Args:
        policy: whose decisions.
        table: the rows.
        fleet: the models that are there; without one, every tier of the table has a model that serves any request,
            private ones too. Tiers that the table does not know are never there.

    Raises:
        Unanswerable: a rule asks what the rows do not know.
    """
    return decided(policy, table, fleet=fleet).served


def left_by_rules(policy: Policy, table: Table) -> Mask:
    """(n, 3): the tiers that the policy's rules leave, as columns of ``TIER_NAMES``; errors as of ``tiers_of``."""
    return _rules(policy, table).allowed


def patterns_of(policy: Policy) -> tuple[str, ...]:
    """The patterns that the policy's rules look for, each once."""
    found = (layered.rule.when.pattern for layered in policy.rules)
    return tuple(dict.fromkeys(pattern for pattern in found if pattern is not None))


def decided(policy: Policy, table: Table, *, fleet: Fleet | None = None) -> Decided:
    """Decide for every row; arguments and errors as of ``tiers_of``."""
    n = len(table)
    ruled = _rules(policy, table)
    chance, guess = spread(table, table.chance), spread(table, table.guess)
    aimed, met = _aim(policy, ruled.allowed, chance, guess, table.novelty)
    free = np.ones(n, dtype=bool)
    wanted = aimed
    if table.asked is not None:
        asks = table.asked >= 0
        names = np.array([RANK[tier] for tier in table.tiers], dtype=np.int64)
        wanted = np.where(asks, _clamp(names[table.asked], ruled.allowed), wanted)
        free &= ~asks
    pinned = ruled.pin >= 0
    wanted = np.where(pinned, _clamp(ruled.pin, ruled.allowed), wanted)
    free &= ~pinned & ~ruled.private
    there = ruled.allowed & _serving(table, fleet, ruled.private)
    served = _present(policy, wanted, there)
    shares = _one_hot(served)
    if policy.body.explore is not None:
        _explore(policy, shares, wanted, _Field(ruled.allowed, there, chance, guess), free & met)
    column = np.full(ALL + 1, -1, dtype=np.int8)  # the last entry is that of -1
    for place, tier in enumerate(table.tiers):
        column[RANK[tier]] = place
    return Decided(wanted.astype(np.int8), column[served], shares[:, [RANK[tier] for tier in table.tiers]])


def spread(table: Table, values: Floats) -> Floats:
    """A column for every tier there is, NaN for those that the table does not know."""
    if table.tiers == TIER_NAMES:
        return values
    whole = np.full((len(values), ALL), np.nan)
    whole[:, [RANK[tier] for tier in table.tiers]] = values
    return whole


def _one_hot(tier: Ints) -> Floats:
    shares = np.zeros((len(tier), ALL))
    there = tier >= 0
    shares[np.flatnonzero(there), tier[there]] = 1.0
    return shares


# --- rules -----------------------------------------------------------------------------------------


class _Ruled(NamedTuple):
    """``allowed``: (n, 3); ``pin``: (n,), -1 where there is none; ``private``: (n,)."""

    allowed: Mask
    pin: Ints
    private: Mask


def _rules(policy: Policy, table: Table) -> _Ruled:
    """Run the rules in order. A rule may narrow what is left, but never to nothing."""
    n = len(table)
    tiers = np.array([tier in policy.body.tiers for tier in TIER_NAMES])
    out = _Ruled(np.tile(tiers, (n, 1)), np.full(n, -1, dtype=np.int64), np.zeros(n, dtype=bool))
    for layered in policy.rules:
        here = _matches(layered, table)
        rule = layered.rule
        if rule.pin is not None:
            out.pin[here & (out.pin < 0)] = RANK[rule.pin]
        elif rule.at_least is not None:
            narrowed = out.allowed & (np.arange(ALL) >= RANK[rule.at_least])
            nothing = ~narrowed.any(axis=1)
            narrowed[nothing] = _one_hot(_last(out.allowed))[nothing] > 0
            out.allowed[here] = narrowed[here]
        elif rule.forbid is not None:
            left = out.allowed & np.array([tier not in rule.forbid for tier in TIER_NAMES])
            here = here & left.any(axis=1)
            out.allowed[here] = left[here]
        elif rule.private:
            out.private[here] = True
    return out


def _matches(layered: LayeredRule, table: Table) -> Mask:
    when = layered.rule.when
    here = np.ones(len(table), dtype=bool)
    for condition, holds in _CONDITIONS.items():
        if getattr(when, condition) is not None:
            try:
                here &= holds(when, table)
            except KeyError:
                words = f"rule {layered.rule.name!r} asks for {condition}, which these rows do not tell"
                raise Unanswerable(f"{words}; {_MEND.get(condition, 'simulate on rows that do')}") from None
    return here


_MEND: Final[Mapping[str, str]] = {
    "pattern": "a ledger keeps no text: simulate on outcome rows with their prompts, or take the rule out",
}


def _tenant(when: When, table: Table) -> Mask:
    return _labelled(table, "tenant", lambda name: name in (when.tenant or ()))


def _language(when: When, table: Table) -> Mask:
    return _labelled(table, "language", lambda name: name in (when.language or ()))


def _tag(when: When, table: Table) -> Mask:
    wanted = set(when.tag or ())
    return _labelled(table, "tag", lambda sent: any(tag.strip() in wanted for tag in sent.split(",")))


def _findings(when: When, table: Table) -> Mask:
    """As ``decide`` reads them: ``pii`` names a guard, ``pii.EMAIL`` or ``EMAIL`` a category."""
    wanted = set(when.findings or ())

    def holds(found: str) -> bool:
        return any(not wanted.isdisjoint((f, f.split(".", 1)[0], f.split(".", 1)[-1])) for f in found.split(",") if f)

    return _labelled(table, "findings", holds)


def _labelled(table: Table, column: str, holds: Callable[[str], bool]) -> Mask:
    """Judged once a name, not once a row."""
    labels = table.slices[column]
    found: Mask = np.array([holds(name) for name in labels.names], dtype=bool)[labels.codes]
    return found


def _pattern(when: When, table: Table) -> Mask:
    return table.facts[f"pattern:{when.pattern}"]


_CONDITIONS: Final[Mapping[str, Callable[[When, Table], Mask]]] = {
    "tenant": _tenant,
    "tag": _tag,
    "language": _language,
    "tools": lambda when, table: table.facts["tools"] == when.tools,
    "images": lambda when, table: table.facts["images"] == when.images,
    "context_tokens_over": lambda when, table: table.input_tokens > (when.context_tokens_over or 0),
    "findings": _findings,
    "pattern": _pattern,
}


def _last(allowed: Mask) -> Ints:
    last: Ints = ALL - 1 - np.argmax(allowed[:, ::-1], axis=1)
    return last


def _clamp(tier: Ints | int, allowed: Mask) -> Ints:
    """``tier`` if allowed, else the next one up, else the best allowed."""
    up = allowed & (np.arange(ALL) >= np.reshape(tier, (-1, 1)))
    found: Ints = np.where(up.any(axis=1), np.argmax(up, axis=1), _last(allowed))
    return found


# --- the aim ---------------------------------------------------------------------------------------


def _aim(policy: Policy, allowed: Mask, chance: Floats, guess: Floats, novelty: Floats) -> tuple[Ints, Mask]:
    """The tier that the aim chooses, and where it did reach what it aims at (there one may explore)."""
    body = policy.body
    known = allowed & ~np.isnan(chance)
    if body.budget is not None:
        tier, met = _by_budget(int(body.budget.usd_per_request * 1e9), known, chance, guess)
    elif body.cost_quality is not None:
        tier, met = _by_dial(body.cost_quality, known, chance, guess)
    else:
        tier, met = _by_quality(body, known, chance)
    lost = (novelty > NOVELTY_LIMIT) | ~known.any(axis=1)
    tier = np.where(lost, _clamp(RANK[body.fallback_tier], allowed), tier)
    alone = np.count_nonzero(allowed, axis=1) == 1
    return np.where(alone, _last(allowed), tier), met & ~lost & ~alone


def _by_quality(body: PolicyBody, known: Mask, chance: Floats) -> tuple[Ints, Mask]:
    """The cheapest tier that keeps the promise, else the one that comes nearest."""
    stated = _only(known, chance)
    enough = known & (stated >= _need(body, known, chance))
    met: Mask = np.any(enough, axis=1)
    return np.where(met, np.argmax(enough, axis=1), np.argmax(stated, axis=1)), met


def _need(body: PolicyBody, known: Mask, chance: Floats) -> Floats:
    """The chance that a tier must have to be enough: (n, 1), or (n, 3) where it differs by tier."""
    quality = body.quality or USUAL_QUALITY
    stated = np.where(known, chance, 0.0)
    figure = np.array([quality.figure(tier) for tier in TIER_NAMES])
    if quality.kind == "floor":
        return np.full((len(chance), 1), figure[0])
    if quality.kind == "keep":
        return np.asarray(figure * stated.max(axis=1, keepdims=True))
    top = _last(known)[:, None]
    best = np.take_along_axis(stated, top, axis=1)
    return np.where((best > 0) & (np.arange(ALL) != top), 1.0 - figure / np.where(best > 0, best, 1.0), 0.0)


def _by_dial(dial: float, known: Mask, chance: Floats, guess: Floats) -> tuple[Ints, Mask]:
    """Best of ``d·P - (1 - d)·cost / dearest cost``; ties go to the cheaper tier."""
    worth = _worth(dial, known, chance, guess)
    return np.argmax(worth, axis=1), np.ones(len(worth), dtype=bool)


def _worth(dial: float, known: Mask, chance: Floats, guess: Floats) -> Floats:
    return np.where(known, dial * np.where(known, chance, 0.0) - (1 - dial) * _shares(known, guess), -np.inf)


def _shares(known: Mask, guess: Floats) -> Floats:
    """Each tier's predicted cost as a share of the dearest's; the usual shares where one is unknown."""
    costs = np.where(known & ~np.isnan(guess), guess, 0.0)
    dearest = costs.max(axis=1, keepdims=True)
    priced = ~(known & np.isnan(guess)).any(axis=1, keepdims=True) & (dearest > 0)
    usual = cost_shares(TIER_NAMES, {})
    return np.where(priced, costs / np.where(priced, dearest, 1.0), [usual[tier] for tier in TIER_NAMES])


def _by_budget(limit: int, known: Mask, chance: Floats, guess: Floats) -> tuple[Ints, Mask]:
    """The best tier whose predicted cost fits, else the cheapest."""
    costs = np.where(known, np.where(np.isnan(guess), _UNKNOWN_COST, guess), np.inf)
    fitting = known & (np.where(np.isnan(guess), np.inf, guess) <= limit)
    met: Mask = np.any(fitting, axis=1)
    return np.where(met, np.argmax(_only(fitting, chance), axis=1), np.argmin(costs, axis=1)), met


def _only(mask: Mask, values: Floats) -> Floats:
    return np.where(mask, values, -np.inf)


# --- what is there -----------------------------------------------------------------------------------


def _present(policy: Policy, wanted: Ints, there: Mask) -> Ints:
    """The tier that is asked first; -1 where none may be."""
    up = there & (np.arange(ALL) >= wanted[:, None])
    lower = _last(there) if policy.body.allow_degrade else np.full(len(wanted), -1)
    return np.where(up.any(axis=1), np.argmax(up, axis=1), np.where(there.any(axis=1), lower, -1))


def _serving(table: Table, fleet: Fleet | None, private: Mask) -> Mask:
    """(n, 3): which tiers have a model that can carry the request."""
    serves = np.zeros((len(table), ALL), dtype=bool)
    if fleet is None:
        serves[:, [RANK[tier] for tier in table.tiers]] = True
        return serves
    # decide takes the input alone where no model of any tier has room for the output that was asked for.
    asked = 0 if table.output_limit is None else table.output_limit
    room = [_fits(d, table, private, table.input_tokens + asked) for d in fleet.deployments]
    none = ~np.any([*room, np.zeros(len(table), dtype=bool)], axis=0)
    for d, fits in zip(fleet.deployments, room, strict=True):
        if d.tier in table.tiers:
            serves[:, RANK[d.tier]] |= np.where(none, _fits(d, table, private, table.input_tokens), fits)
    return serves


def _fits(d: Deployment, table: Table, private: Mask, tokens: Ints) -> Mask:
    fits = np.ones(len(table), dtype=bool) if d.private else ~private
    for able, fact in ((d.tools, "tools"), (d.images, "images")):
        if not able and fact in table.facts:
            fits &= ~table.facts[fact]
    return fits if d.context_window is None else fits & (tokens <= d.context_window)


# --- exploration --------------------------------------------------------------------------------------


class _Field(NamedTuple):
    """What exploration looks at, all of it (n, 3)."""

    allowed: Mask
    there: Mask
    chance: Floats
    guess: Floats


def _explore(policy: Policy, shares: Floats, wanted: Ints, field: _Field, may: Mask) -> None:
    """Give the tiers near the threshold their share, as ``router.core.explore`` does; changes ``shares``."""
    rule = policy.body.explore
    assert rule is not None
    at = np.arange(len(wanted))
    near = _near(policy, wanted, field, rule.band) & field.there
    count = np.count_nonzero(near, axis=1)
    here = may & field.there[at, wanted] & (count > 0)
    shares[at[here], wanted[here]] = 1.0 - rule.epsilon
    shares += np.where(here[:, None] & near, rule.epsilon / np.maximum(count, 1)[:, None], 0.0)


def _near(policy: Policy, wanted: Ints, field: _Field, band: float) -> Mask:
    """(n, 3): the tiers whose choice would have needed a change of at most ``band``."""
    body = policy.body
    known = field.allowed & ~np.isnan(field.chance)
    stated = np.where(known, field.chance, 0.0)
    here = np.arange(ALL) == wanted[:, None]
    mine = np.take_along_axis(stated, wanted[:, None], axis=1)
    near: Mask
    if body.budget is not None:
        limit = int(body.budget.usd_per_request * 1e9)
        costs = np.where(np.isnan(field.guess), np.inf, field.guess)
        near = known & ~here & (costs <= limit) & (mine - stated <= band)
        return near
    if body.cost_quality is not None:
        worth = _worth(body.cost_quality, known, field.chance, field.guess)
        best = np.take_along_axis(worth, wanted[:, None], axis=1)
        # A tier whose chance is unknown is worth -inf; nothing is near it, and nothing is explored there.
        near = known & ~here & (np.where(best > -np.inf, best, 0.0) - worth <= band)
        return near
    need = np.broadcast_to(_need(body, known, field.chance), stated.shape)
    below = known & (np.arange(ALL) < wanted[:, None]) & (need - stated <= band)
    above = known & (np.arange(ALL) > wanted[:, None])
    above &= mine - np.take_along_axis(need, wanted[:, None], axis=1) <= band
    near = (_one_hot(np.where(below.any(axis=1), _last(below), -1)) > 0) | (
        _one_hot(np.where(above.any(axis=1), np.argmax(above, axis=1), -1)) > 0
    )
    return near
