"""The plan of a request: which deployment to ask, in what order, after what pause. Pure.

``plan`` is a generator: it yields a ``Try`` and is sent what came of it (None when it worked, the
error when not). The pipeline drives it with real calls, a replay with recorded outcomes, a test with
a list. At most three tries in all; only errors that another try may cure are tried again; the pause
doubles and carries jitter so that callers do not return in step. An abstention counts as no try: it took no time,
and nothing failed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import msgspec

from router.errors import CallError, UpstreamAbstained, UpstreamRejected
from router.types import Deployment, TierName

MAX_TRIES = 3
FIRST_PAUSE = 0.1  # seconds
MAX_PAUSE = 5.0  # seconds; a Retry-After beyond it goes to the next tier or back to the caller


class Try(msgspec.Struct, frozen=True):
    """Ask ``deployment`` after ``pause`` seconds. ``index`` counts from 0."""

    index: int
    tier: TierName
    deployment: Deployment
    pause: float


def plan(
    tiers: Sequence[tuple[TierName, Deployment]], draw: Callable[[], float]
) -> Generator[Try, CallError | None, None]:
    """Yield tries until one works or none is left.

    Args:
        tiers: what to ask, the served tier first, then its fallbacks.
        draw: uniform in [0, 1); the jitter.
    """
    tries = abstained = 0
    for place, (tier, deployment) in enumerate(tiers):
        last = place == len(tiers) - 1
        pause = 0.0
        # One more try on the same model; where nothing else is left, all that remain.
        for repeat in range(MAX_TRIES if last else 2):
            if tries - abstained == MAX_TRIES:
                return
            error = yield Try(tries, tier, deployment, pause)
            tries += 1
            if error is None or isinstance(error, UpstreamRejected):
                return
            if isinstance(error, UpstreamAbstained):
                abstained += 1
            if not error.retryable:
                break
            after = _seconds(error.retry_after)
            if after > MAX_PAUSE:
                break
            pause = max(after, FIRST_PAUSE * 2**repeat * (0.5 + draw()))


def _seconds(retry_after: str | None) -> float:
    """Retry-After as seconds; dates and nonsense count as unknown."""
    try:
        return max(0.0, float(retry_after or 0))
    except ValueError:
        return 0.0


def pick(deployments: Sequence[Deployment], draw: float) -> Deployment:
    """One of several generations of a tier, by their shares; ``draw`` is in [0, 1)."""
    total = sum(d.share for d in deployments)
    at = draw * total
    for d in deployments:
        at -= d.share
        if at < 0:
            return d
    return deployments[-1]
