"""Exploration near the threshold: now and then the other tier, where both are nearly as good.

Without it a ledger never shows what the tier not taken would have done, and thresholds cannot be checked on own
traffic. With ``explore: {epsilon: e, band: b}`` a request whose aim is met by one tier and missed by another by at
most ``b`` goes to that other with probability ``e``. The draw is a keyed hash of policy and request id: whoever
holds the salt can replay it, nobody else can guess it. The draw comes in as an argument; nothing here is random.

Laws: the propensities of all outcomes add up to one over the draws; only tiers that rules, budget and the fleet
leave are explored; a pin, a caller's tier, a private request and a session that stays are never touched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from policies.policy import Policy
from policies.schema import USUAL_QUALITY
from router.core.cost import cost_shares
from router.types import TIER_NAMES, Reason, TierName

#: Reasons after which there is something to explore: the aim chose, and nothing overruled it.
EXPLORABLE: Final = frozenset({"quality-kept", "dial", "budget-kept"})
KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Lot:
    """One request's lot.

    Attributes:
        value: uniform in [0, 1).
        key: names the salt it was drawn with, without giving it away.
    """

    value: float
    key: str


def lot_of(salt: bytes, policy_hash: str, request_id: str) -> Lot:
    """The lot of a request: equal salt, policy and id give the same one."""
    name = f"{policy_hash}\0{request_id}".encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(name, key=salt[:KEY_BYTES], digest_size=8, person=b"explore").digest()
    # 53 bits: every such float is exact, and none rounds up to 1.
    return Lot((int.from_bytes(digest, "big") >> 11) / 2**53, key_id(salt))


def key_id(salt: bytes) -> str:
    """A public name of a salt: 12 hex digits of its hash."""
    return hashlib.sha256(b"stillhouse-explore\0" + salt).hexdigest()[:12]


def explore(
    policy: Policy,
    wanted: TierName,
    p: Mapping[TierName, float],
    costs: Mapping[str, int],
    there: Sequence[TierName],
    lot: Lot | None,
    reasons: list[Reason],
) -> tuple[TierName, float]:
    """The tier to ask and the probability of asking it.

    Args:
        policy: whose ``explore`` says how often and how near.
        wanted: the tier that the aim chose.
        p: the chance of a right answer, of the tiers that rules leave.
        costs: tier -> predicted nano-dollars.
        there: the tiers that can serve this request.
        lot: None where nothing may be explored.
        reasons: gets one more where the other tier is taken.
    """
    rule = policy.body.explore
    if rule is None or lot is None or not reasons or reasons[-1].id not in EXPLORABLE or wanted not in there:
        return wanted, 1.0
    others = [tier for tier in near(policy, wanted, p, costs, rule.band) if tier in there]
    if not others:
        return wanted, 1.0
    if lot.value >= rule.epsilon:
        return wanted, 1.0 - rule.epsilon
    taken = others[min(int(lot.value / rule.epsilon * len(others)), len(others) - 1)]
    text = f"{taken} instead of {wanted}: both are near the threshold, and {rule.epsilon:.0%} of such requests explore."
    reasons.append(Reason(id="explored", text=text, layer=policy.origin["explore"]))
    return taken, rule.epsilon / len(others)


def near(
    policy: Policy, wanted: TierName, p: Mapping[TierName, float], costs: Mapping[str, int], band: float
) -> list[TierName]:
    """The tiers next to ``wanted`` whose choice would have needed a change of at most ``band``."""
    body = policy.body
    if body.budget is not None:
        limit = int(body.budget.usd_per_request * 1e9)
        return [t for t in p if t != wanted and t in costs and costs[t] <= limit and p[wanted] - p[t] <= band]
    if body.cost_quality is not None:
        shares, dial = cost_shares(tuple(p), costs), body.cost_quality
        worth = {t: dial * p[t] - (1 - dial) * shares[t] for t in p}
        return [t for t in p if t != wanted and worth[wanted] - worth[t] <= band]
    quality = body.quality or USUAL_QUALITY
    at = TIER_NAMES.index(wanted)
    below = [t for t in p if TIER_NAMES.index(t) < at and quality.need(t, p) - p[t] <= band]
    above = [t for t in p if TIER_NAMES.index(t) > at]
    return [*below[-1:], *(above[:1] if p[wanted] - quality.need(wanted, p) <= band else [])]
