"""Rails that were learned from examples, and are judged with plain arrays.

``letters`` reads a text as an array, ``windows`` cuts it into sentences, ``hashing`` gives the n-grams, ``bank``
holds the weights, ``measure`` scores each sentence and the stretches that end with it, ``family`` makes hits of what
scores too high. A guard brings a bank and a ``Reader``. Fitting is the business of ``evals.rails``.
"""

from guardrails.learned.bank import Bank, Signals, from_bytes, load, logit, score_of
from guardrails.learned.family import Head, HeadsReader, LearnedFamily, Reader, join
from guardrails.learned.measure import Measured

__all__ = [
    "Bank",
    "Head",
    "HeadsReader",
    "LearnedFamily",
    "Measured",
    "Reader",
    "Signals",
    "from_bytes",
    "join",
    "load",
    "logit",
    "score_of",
]
