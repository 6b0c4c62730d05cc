"""The teacher's chances of whole answers from a closed set, read from its log-probabilities token by token. Pure.

The chain rule along the answer that was given: where another token might have stood, and with it just one answer of the
set could still be meant, that answer gets the chance of the text so far times the token's. What cannot be told apart,
or leads out of the set, is nobody's, so chances sum to at most 1; who learns from them makes them sum to 1: soft
targets as in Hinton et al., "Distilling the knowledge in a neural network", 2015, arXiv 1503.02531. One call a prompt
is enough; nothing is sampled. For answers of one token it is how a classifier's log-probabilities are usually read.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec

from evals.distill.example import Example

Place = tuple[str, dict[str, float]]  # the token that stood there; token -> nats, itself included
MOST_LABELS: Final = 64
_RARE: Final = 0.1  # share of rows with an answer that is given once, above which a set is not closed


def soft_labels(rows: Sequence[Example], chances: Mapping[str, tuple[Place, ...]]) -> list[Example]:
    """The rows, with ``soft`` where their task's answers are a closed set and the teacher's chances are known.

    Args:
        rows: a task is the rows with one system prompt.
        chances: by the prompt's id.
    """
    if not chances:
        return list(rows)
    answers: dict[tuple[str, ...], Counter[str]] = {}
    for row in rows:
        if row.answer is not None:
            answers.setdefault(_task(row), Counter())[row.answer.strip()] += 1
    sets = {task: _closed(counts) for task, counts in answers.items()}
    made = []
    for row in rows:
        said, labels = chances.get(row.id), sets.get(_task(row), ())
        soft = whole_answers(said, row.answer, labels) if said and labels and row.answer is not None else None
        made.append(row if soft is None else msgspec.structs.replace(row, soft=soft))
    return made


def whole_answers(said: Sequence[Place], answer: str, labels: Collection[str]) -> dict[str, float] | None:
    """Answer -> nats; None where the tokens do not spell ``answer``, or it is none of ``labels``."""
    shares: dict[str, float] = {}
    before, nats = "", 0.0
    for token, others in said:
        for other, chance in others.items():
            meant = [label for label in labels if _begins(label, before + other)]
            if other != token and len(meant) == 1:
                shares[meant[0]] = shares.get(meant[0], 0.0) + math.exp(nats + chance)
        before, nats = before + token, nats + others[token]
    mine = answer.strip()
    if before.strip() != mine or mine not in labels:
        return None
    shares[mine] = shares.get(mine, 0.0) + math.exp(nats)
    return {label: round(min(0.0, math.log(share)), 6) for label, share in sorted(shares.items()) if share > 0}


def _begins(label: str, text: str) -> bool:
    begun = text.lstrip()
    return bool(begun) and label.startswith(begun)


def _closed(counts: Counter[str]) -> tuple[str, ...]:
    """The answers, where they are few and come again; else none."""
    once = sum(n for n in counts.values() if n == 1)
    few = 1 < len(counts) <= MOST_LABELS and once <= _RARE * counts.total()
    return tuple(sorted(counts)) if few else ()


def _task(row: Example) -> tuple[str, ...]:
    return tuple(message.content for message in row.messages if message.role in {"system", "developer"})
