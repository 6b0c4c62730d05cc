"""Checkers of answers: what each needs, what each says, and the chance that an answer is right.

Some checks say no by themselves (an answer that was cut off, refuses, or is not the JSON that was asked
for). Others bring evidence: log-probabilities, self-agreement, the answer's other signs. All evidence
together, with what the scorer thought of the prompt, becomes one chance by a small logistic model of the
tier that answered, calibrated by task type (``Calibration``, plain numbers that the edge has read). The same
answer tells what the tiers above would reach, so the policy's aim can be asked again, now knowing the answer.
A check that did not run is ``missing``, and missing is never a pass.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from policies.schema import Quality
from router.core.signals import Demand, Signals
from router.types import TIER_NAMES, Frozen, TierName

CheckName = Literal["logprobs", "agreement", "likelihood", "finish", "refusal", "hedging", "format", "shape"]
Need = Literal["first tokens", "whole answer"]
CUT_SHORT = frozenset({"length", "content_filter"})
LIKELIHOOD = "likelihood"
EVIDENCE: tuple[CheckName, ...] = ("logprobs", "agreement", "likelihood")

TASKS = ("letter", "number", "json", "free")
PLAIN = (
    *(f"task_{task}" for task in TASKS), "korean", "log_tokens", "cut_short", "refusal", "hedging", "shape_broken",
)  # fmt: skip
LOGPROBS = ("p_mean", "p_first", "p_least", "p_low")
AGREEMENT = ("agreement",)
SCORE = tuple(f"score_{tier}" for tier in TIER_NAMES)


class Terms(Frozen, frozen=True, kw_only=True):
    """What a policy asks of an answer before it is kept. Of the three measures at most one is set.

    Attributes:
        checks: in the order they are run.
        accept: the least chance of being right.
        keep: the same as a share of what the best tier above would reach.
        quality: the policy's aim, asked again of the answer.
        dial: the policy's ``cost_quality``: a tier above is worth asking where ``d * (its chance - this
            one's)`` exceeds ``(1 - d) * its cost``.
    """

    checks: tuple[CheckName, ...]
    accept: float | None = None
    keep: float | None = None
    quality: Quality | None = None
    dial: float | None = None

    @property
    def needs_logprobs(self) -> bool:
        """Log-probabilities must be asked for."""
        return "logprobs" in self.checks

    @property
    def needs_samples(self) -> bool:
        """The same question must be asked again."""
        return "agreement" in self.checks

    @property
    def needs_chance(self) -> bool:
        """How likely the answer is right decides, too."""
        return any(check in EVIDENCE for check in self.checks)


class Prior(Frozen, frozen=True, kw_only=True):
    """What was known before the answer.

    Attributes:
        score: tier -> the scorer's chance for this prompt; None without a scorer.
        cost: tier -> what asking it would cost, as a share of the dearest tier's.
    """

    score: Mapping[TierName, float] | None = None
    cost: Mapping[TierName, float] = {}

    @property
    def scored(self) -> bool:
        """The scorer's chances are known for every tier, so they count as evidence."""
        return self.score is not None and all(tier in self.score for tier in TIER_NAMES)


NOTHING_KNOWN = Prior()


class Head(Frozen, frozen=True, kw_only=True):
    """One logistic model: ``logit P = bias + weights . evidence``."""

    bias: float
    weights: tuple[float, ...]


class Calibration(Frozen, frozen=True, kw_only=True):
    """Chances by evidence, learned from outcomes.

    Attributes:
        name: what it was learned from, for reasons and cards.
        digest: of the file it came from.
        heads: tier that answered -> kind of evidence (see ``kind_of``) -> tier whose answer would be
            right -> model. The tier's own head judges its answer; those above say what asking them would bring.
    """

    name: str
    digest: str
    heads: Mapping[TierName, Mapping[str, Mapping[TierName, Head]]]


class Verdict(Frozen, frozen=True, kw_only=True):
    """What the checkers said.

    Attributes:
        good: the answer may be kept.
        check: the check that decided; empty where all are satisfied.
        missing: that check did not run.
        words: the reason, to stand behind *because*.
        chance: that the answer is right, where it was reckoned.
    """

    good: bool
    check: str = ""
    missing: bool = False
    words: str = ""
    chance: float | None = None


def need(check: CheckName, demand: Demand) -> Need:
    """How much of an answer a check must have seen. What is not demanded needs nothing more to be checked."""
    whole = {
        "finish": True,
        "agreement": True,
        "format": demand.json or demand.tools,
        "shape": demand.shape is not None,
    }
    return "whole answer" if whole.get(check, False) else "first tokens"


def needs_whole(terms: Terms, demand: Demand) -> bool:
    """Whether one of the checks must see the whole answer."""
    return any(need(check, demand) == "whole answer" for check in terms.checks)


def by_itself(terms: Terms, signals: Signals, demand: Demand) -> Verdict | None:
    """The first check that says no by itself or did not run; None where the evidence must decide.

    Samples are not looked for, so that they need not be bought for an answer that fails anyway.
    """
    for check in terms.checks:
        verdict = _RUN[check](signals, demand)
        if verdict is not None:
            return verdict
    return None


def judge(
    terms: Terms, signals: Signals, demand: Demand, tier: TierName, above: Sequence[TierName],
    calibration: Calibration | None, prior: Prior = NOTHING_KNOWN,
) -> Verdict:  # fmt: skip
    """All checks over one answer of ``tier``; ``above`` are the tiers that may still be asked."""
    found = by_itself(terms, signals, demand)
    if found is not None:
        return found
    if terms.needs_samples and signals.agreement is None:
        return _missing("agreement", "there are no samples to compare it with")
    if not terms.needs_chance:
        return Verdict(good=True, words="every check is satisfied")
    chances = chances_of(terms, signals, demand, tier, calibration, prior)
    own = chances.get(tier)
    if own is None:
        return _missing(LIKELIHOOD, f"no calibration tells how likely an answer of {tier} is right")
    if terms.accept is None and not any(name in chances for name in above):
        return _missing(LIKELIHOOD, f"no calibration tells what a tier above {tier} would reach")
    least, words = _least(terms, tier, own, {name: chances[name] for name in above if name in chances}, prior)
    good = own >= least
    return Verdict(
        good=good, check="" if good else LIKELIHOOD, chance=own, words=f"it is right with chance {own:.2f}, and {words}"
    )


def _least(
    terms: Terms, tier: TierName, own: float, above: Mapping[TierName, float], prior: Prior
) -> tuple[float, str]:
    """The chance that an answer must have to be kept, and the words for it."""
    if terms.accept is not None:
        return terms.accept, f"{terms.accept:.2f} is asked for"
    if terms.keep is not None:
        best = max(own, *above.values())
        return terms.keep * best, f"{terms.keep:.0%} of {best:.2f} is asked for"
    if terms.quality is not None:
        p = {tier: own, **above}
        return terms.quality.need(tier, p), f"it must keep {terms.quality.words(tier, p)}"
    dial = 0.5 if terms.dial is None else terms.dial
    if dial == 0:
        return 0.0, "only cost counts"
    worth = {name: chance - (1 - dial) / dial * prior.cost.get(name, 1.0) for name, chance in above.items()}
    name = max(worth, key=lambda tier: worth[tier])
    return worth[name], f"asking {name} is worth {worth[name]:.2f} after its cost"


def chances_of(
    terms: Terms, signals: Signals, demand: Demand, tier: TierName, calibration: Calibration | None,
    prior: Prior = NOTHING_KNOWN,
) -> dict[TierName, float]:  # fmt: skip
    """Tier -> the chance that its answer is right, given what the answer of ``tier`` showed."""
    if calibration is None:
        return {}
    heads = calibration.heads.get(tier, {}).get(kind_of(terms, prior), {})
    x = evidence(signals, demand, terms, prior)
    return {name: _chance(head, x) for name, head in heads.items() if len(head.weights) == len(x)}


def kind_of(terms: Terms, prior: Prior = NOTHING_KNOWN) -> str:
    """The kind of evidence: ``plain``, or what is had of ``logprobs``, ``agreement``, ``score``, with plus signs."""
    parts = [name for name in ("logprobs", "agreement") if name in terms.checks]
    return "+".join([*parts, *(["score"] if prior.scored else [])]) or "plain"


def evidence(signals: Signals, demand: Demand, terms: Terms, prior: Prior = NOTHING_KNOWN) -> tuple[float, ...]:
    """The numbers that a ``Head`` weighs, in the order of ``evidence_names``."""
    found = [float(demand.task == task) for task in TASKS]
    found += [
        float(demand.language == "ko"),
        math.log1p(signals.tokens),
        float(signals.finish in CUT_SHORT),
        float(signals.refusal),
        float(signals.hedging),
        float(signals.shape_ok is False),
    ]
    if terms.needs_logprobs and signals.logprobs is not None:
        logprobs = signals.logprobs
        found += [math.exp(v) for v in (logprobs.mean, logprobs.first, logprobs.least, logprobs.low)]
    if terms.needs_samples and signals.agreement is not None:
        found.append(signals.agreement)
    if prior.scored and prior.score is not None:
        found += [_logit(prior.score[tier]) for tier in TIER_NAMES]
    return tuple(found)


def evidence_names(kind: str) -> tuple[str, ...]:
    """Names of the numbers of one kind of evidence."""
    parts = {"logprobs": LOGPROBS, "agreement": AGREEMENT, "score": SCORE}
    return (*PLAIN, *(name for part, names in parts.items() if part in kind.split("+") for name in names))


def _logit(chance: float) -> float:
    bounded = min(0.999, max(0.001, chance))
    return math.log(bounded / (1 - bounded))


def tiers_above(tier: TierName) -> tuple[TierName, ...]:
    """The tiers above one, cheapest first."""
    return TIER_NAMES[TIER_NAMES.index(tier) + 1 :]


def _chance(head: Head, x: Sequence[float]) -> float:
    logit = head.bias + math.fsum(w * v for w, v in zip(head.weights, x, strict=True))
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, logit))))


# --- the checks one by one: None is a pass ------------------------------------------------------------


def _missing(check: str, words: str) -> Verdict:
    return Verdict(good=False, check=check, missing=True, words=words)


def _no(check: str, words: str) -> Verdict:
    return Verdict(good=False, check=check, words=words)


def _logprobs(signals: Signals, _: Demand) -> Verdict | None:
    return _missing("logprobs", "its server gave no log-probabilities") if signals.logprobs is None else None


def _evidence_only(_signals: Signals, _demand: Demand) -> Verdict | None:
    return None  # ``judge`` asks whether there is any


def _finish(signals: Signals, _: Demand) -> Verdict | None:
    if signals.finish is None:
        return _missing("finish", "its end was not seen")
    return _no("finish", f"it was cut off ({signals.finish})") if signals.finish in CUT_SHORT else None


def _refusal(signals: Signals, _: Demand) -> Verdict | None:
    return _no("refusal", "it refuses") if signals.refusal else None


def _hedging(signals: Signals, _: Demand) -> Verdict | None:
    return _no("hedging", "it hedges") if signals.hedging else None


def _format(signals: Signals, demand: Demand) -> Verdict | None:
    if not (demand.json or demand.tools):
        return None
    if signals.format_unchecked:
        return _missing("format", signals.format_unchecked)
    if signals.format_ok is None:
        return _missing("format", "its end was not seen")
    return None if signals.format_ok else _no("format", "it does not keep the format that was asked for")


def _shape(signals: Signals, demand: Demand) -> Verdict | None:
    if demand.shape is None:
        return None
    if signals.shape_ok is None:
        # A tool call answers in a shape of its own; the prompt's words do not bind it.
        return None if signals.ended else _missing("shape", "its end was not seen")
    return None if signals.shape_ok else _no("shape", f"the prompt asks for a {demand.shape} alone")


_RUN = {
    "logprobs": _logprobs,
    "agreement": _evidence_only,
    "likelihood": _evidence_only,
    "finish": _finish,
    "refusal": _refusal,
    "hedging": _hedging,
    "format": _format,
    "shape": _shape,
}
