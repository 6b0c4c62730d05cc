"""What keeps one fault from becoming everyone's: pure state machines. Time and dice come in as arguments.

``breaker`` stops asking what fails, ``silence`` tells a black hole from a slow answer, ``retries`` keeps tries
within a budget, ``gate`` lets in as many as can be served, ``adaptive`` learns how many that is, ``workers`` shares
heavy work by the time that it takes, and ``deadline`` says how long anything may take. None of them knows asyncio: a
simulator drives the same objects in virtual time.
"""

from router.core.resilience.adaptive import Adaptive
from router.core.resilience.breaker import Breaker, BreakerRules, Call, Ending
from router.core.resilience.deadline import Limit, seconds_of
from router.core.resilience.gate import RANKS, Entry, Gate, Rank
from router.core.resilience.retries import RetryBudget
from router.core.resilience.silence import Silence, work_of
from router.core.resilience.workers import Piece, Workers

__all__ = [
    "RANKS",
    "Adaptive",
    "Breaker",
    "BreakerRules",
    "Call",
    "Ending",
    "Entry",
    "Gate",
    "Limit",
    "Piece",
    "Rank",
    "RetryBudget",
    "Silence",
    "Workers",
    "seconds_of",
    "work_of",
]
