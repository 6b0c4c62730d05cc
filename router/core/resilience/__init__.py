"""What keeps one fault from becoming everyone's: pure state machines. Time and dice come in as arguments.

``breaker`` stops asking what fails, ``silence`` tells a black hole from a slow answer, ``retries`` keeps tries
within a budget, ``gate`` lets in as many as can be served, ``adaptive`` learns how many that is, ``workers`` shares
heavy work by the time that it takes, and ``deadline`` says how long anything may take. ``inside`` notes who is in a
process, ``crashes`` tells from such notes who kills it, and ``ward`` lets suspects wait. None of them knows asyncio: a
simulator drives the same objects in virtual time.
"""

from router.core.resilience.adaptive import Adaptive
from router.core.resilience.breaker import Breaker, BreakerRules, Call, Ending
from router.core.resilience.crashes import Crash, Held, Waits
from router.core.resilience.deadline import Limit, seconds_of
from router.core.resilience.gate import RANKS, Entry, Gate, Rank
from router.core.resilience.inside import Inside
from router.core.resilience.retries import RetryBudget
from router.core.resilience.silence import Silence, work_of
from router.core.resilience.ward import Ward
from router.core.resilience.workers import Piece, Workers

__all__ = [
    "RANKS",
    "Adaptive",
    "Breaker",
    "BreakerRules",
    "Call",
    "Crash",
    "Ending",
    "Entry",
    "Gate",
    "Held",
    "Inside",
    "Limit",
    "Piece",
    "Rank",
    "RetryBudget",
    "Silence",
    "Waits",
    "Ward",
    "Workers",
    "seconds_of",
    "work_of",
]
