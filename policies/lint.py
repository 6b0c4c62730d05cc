"""Warnings: what the grammar allows but hardly anybody means."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace

from policies.mistakes import Problem
from policies.schema import EFFECTS, TIERS, PolicyBody, Rule, TierName, When


def lint(body: PolicyBody, own: int | None = None, said: AbstractSet[str] | None = None) -> tuple[Problem, ...]:
    """Doubtful settings of a merged policy.

    Args:
        body: the merged settings.
        own: how many of the last rules are this file's own; only those are spoken of. All by default.
        said: the settings that this file says itself. All by default.

    Returns:
        Problems whose rule indices count the file's own rules.
    """
    first = 0 if own is None else len(body.rules) - own
    doubtful = () if said is not None and "cascade" not in said else tuple(_cascade(body))
    doubtful += tuple(_idle_exploring(body))
    return doubtful + tuple(
        replace(problem, path=("rules", index - first, *problem.path))
        for index, rule in enumerate(body.rules[first:], first)
        for problem in (*_absent_tiers(rule, body.tiers), *_earlier(rule, body.rules[:index], body.tiers))
    )


def _cascade(body: PolicyBody) -> Iterator[Problem]:
    cascade = body.cascade
    if cascade is None:
        return
    if body.stream != "checked":
        words = f"under 'stream: {body.stream}' nothing is held for a check, so only whole answers are cascaded"
        yield Problem(("cascade",), words, "use 'stream: checked' to cascade streamed requests too")
    if TIERS.index(cascade.start) >= TIERS.index(body.tiers[-1]):
        listed = f"tiers are [{', '.join(body.tiers)}]"
        yield Problem(
            ("cascade", "start"), f"no tier stands above {cascade.start}, so the cascade does nothing", listed
        )
    whole = [check for check in cascade.checks if check in ("finish", "agreement")]
    if whole and "hold" in cascade.model_fields_set:
        words = f"the check {whole[0]} must see the whole answer, so streams are held to their end"
        yield Problem(("cascade", "hold"), words, f"remove 'hold', or the check {whole[0]}")


def _idle_exploring(body: PolicyBody) -> Iterator[Problem]:
    if body.explore is not None and len(body.tiers) == 1:
        yield Problem(("explore",), f"{body.tiers[0]} is the only tier, so there is nothing to explore")


def _absent_tiers(rule: Rule, tiers: tuple[TierName, ...]) -> Iterator[Problem]:
    listed = f"tiers are [{', '.join(tiers)}]"
    if rule.pin is not None and rule.pin not in tiers:
        yield Problem(("pin",), f"{rule.pin} is not among the policy's tiers, so the next one up is used", listed)
    for index, tier in enumerate(rule.forbid or ()):
        if tier not in tiers:
            yield Problem(("forbid", index), f"{tier} is not among the policy's tiers anyway", listed)
    if rule.forbid is not None and set(tiers) <= set(rule.forbid):
        yield Problem(("forbid",), "nothing is left of the policy's tiers, so the rule does nothing", listed)
    if rule.at_least is not None and TIERS.index(rule.at_least) > TIERS.index(tiers[-1]):
        yield Problem(("at_least",), f"no tier reaches {rule.at_least}, so {tiers[-1]} is used", listed)
    if rule.at_least is not None and TIERS.index(rule.at_least) <= TIERS.index(tiers[0]):
        yield Problem(("at_least",), f"every tier is at least {rule.at_least}, so the rule does nothing", listed)


def _earlier(rule: Rule, before: tuple[Rule, ...], tiers: tuple[TierName, ...]) -> Iterator[Problem]:
    """Rules above that make this one pointless or contradict it."""
    for other in before:
        if not implies(rule.when, other.when):
            continue
        if rule.pin is not None and other.pin is not None:
            yield Problem((), f"is never used: rule {other.name!r} above always pins first", "move it up")
            return
        if _effect(rule) == _effect(other):
            yield Problem((), f"says again what rule {other.name!r} above says already")
            return
        left = _left(rule, tiers) & _left(other, tiers)
        if rule.pin is None and other.pin is None and not left:
            yield Problem((), f"leaves no tier together with rule {other.name!r} above")
            return


def implies(narrow: When, wide: When) -> bool:
    """Whether every request that meets ``narrow`` surely meets ``wide``."""
    for name in When.model_fields:
        inner, outer = getattr(narrow, name), getattr(wide, name)
        if outer is None or inner == outer:
            continue
        if inner is None:
            return False
        if isinstance(outer, tuple) and set(inner) <= set(outer):
            continue
        if name == "context_tokens_over" and inner >= outer:
            continue
        return False
    return True


def _effect(rule: Rule) -> tuple[object, ...]:
    return tuple(getattr(rule, effect) for effect in EFFECTS)


def _left(rule: Rule, tiers: tuple[TierName, ...]) -> set[TierName]:
    """The tiers that ``rule`` alone leaves."""
    if rule.forbid is not None:
        return {tier for tier in tiers if tier not in rule.forbid}
    if rule.at_least is not None:
        return {tier for tier in tiers if TIERS.index(tier) >= TIERS.index(rule.at_least)} or {tiers[-1]}
    return set(tiers)
