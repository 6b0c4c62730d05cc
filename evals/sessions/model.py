"""A plain model of sessions: who asks what, when, how hard it is, and what a call costs. Seeded; no clock.

The model, stated so that it can be doubted:

- Half of the sessions are chats (a system prompt of 500 tokens, no tools), half are agents (6,000 tokens of
  system prompt and tools; each ask is followed by a geometric number of tool steps, 4 on average).
- A session has 1 + geometric asks, 7 on average. The first is new. A later one is new with 0.3 (a task drawn
  afresh), a bare follow-up with 0.3, a follow-up with words of its own with 0.4; a follow-up is as hard as
  the ask it continues, and what a scorer makes of its own words is unrelated to that.
- A task has a chance of being done right by each tier and a scorer's opinion of it. Two pools of tasks:
  ``synthetic`` (a difficulty z ~ N(0, 1); P(tier right) = sigmoid(ability - slope z); the scorer sees z with
  noise of 1.2) and ``outcomes`` (rows nobody trained on: the recorded outcome of each tier, 0 or 1, and what
  the shipped scorer says of the prompt).
- A tool step fails with half the chance that its tier is wrong; failures in a row are what the router sees.
- An ask has 20 to 400 tokens, an answer 40 to 800, a tool's result 50 to 3,000, all log-uniform; all of it
  stays in the conversation. Between asks pass exp(N(log 60, 1.2)) seconds, between tool steps 8.
- A tier's model has cached what it read in this session within the last 300 seconds; cached input costs what
  the price book says of cached input.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from router.core.conversation import Conversation
from router.types import TIER_NAMES, Score

if TYPE_CHECKING:
    from pathlib import Path

    from router.score import Scorer

ABILITY = (0.2, 1.2, 2.0)
SLOPE = (1.6, 1.4, 1.2)
NOISE = 1.2
TOKENS = (220.0, 260.0, 300.0)
NEW, BARE = 0.3, 0.3
MEAN_ASKS, MEAN_STEPS = 7, 4


class Task(NamedTuple):
    """What is asked: the chance that each tier does it right, and the scorer's opinion."""

    right: tuple[float, ...]
    score: Score


class Call(NamedTuple):
    """One request of a session, as the router may see it, and what it takes.

    ``task`` is what must be done; ``own`` is the task whose score the last ask's own words would get.
    ``fails`` is uniform in [0, 1): a tool step fails where it lies below half the chance of being wrong.
    """

    task: Task
    own: Task
    follow_ups: int
    bare: bool
    inside: bool
    input_tokens: int
    output_tokens: int
    messages: int
    at: float
    fails: float


def synthetic_pool(rng: np.random.Generator, size: int = 2000) -> list[Task]:
    """Tasks whose difficulty is drawn, and which the scorer sees through noise."""
    tasks = []
    for z in rng.normal(size=size):
        # The scorer's best guess of z, and the chances that go with it.
        seen = (z + rng.normal(scale=NOISE)) / (1 + NOISE**2)
        tasks.append(Task(_chances(float(z)), _score(_chances(float(seen)))))
    return tasks


def outcome_pool(folder: Path, scorer: Scorer, family: str) -> list[Task]:
    """Rows of the valid split with outcomes of all three tiers, scored by the shipped scorer."""
    from evals.importers.outcomes import read_outcomes
    from evals.targets import read_families

    models = list(read_families(folder / "families.json")[family].tiers.values())
    rows = [row for row in read_outcomes(folder / "valid.jsonl.gz") if all(m in row.scores for m in models)]
    return [Task(tuple(row.scores[m] for m in models), scorer.score(row.prompt, family)) for row in rows]


def session(rng: np.random.Generator, pool: Sequence[Task]) -> list[Call]:
    """The calls of one session."""
    agent = rng.random() < 0.5
    held, messages, at = (6000, 1, 0.0) if agent else (500, 1, 0.0)
    calls: list[Call] = []
    task, follow_ups = _any(rng, pool), 0
    for ask in range(int(rng.geometric(1 / MEAN_ASKS))):
        bare = False
        own = task
        if ask:
            at += math.exp(rng.normal(math.log(60), 1.2))
            kind = rng.random()
            if kind < NEW:
                task = own = _any(rng, pool)
                follow_ups = 0
            else:
                follow_ups, bare, own = follow_ups + 1, kind < NEW + BARE, _any(rng, pool)
        held, messages = held + _size(rng, 20, 400), messages + 1
        steps = int(rng.geometric(1 / (MEAN_STEPS + 1))) - 1 if agent else 0
        for step in range(steps + 1):
            output = _size(rng, 40, 800)
            calls.append(Call(task, own, follow_ups, bare, step > 0, held, output, messages, at, rng.random()))
            held, messages = held + output, messages + 1
            if step < steps:
                held, messages, at = held + _size(rng, 50, 3000), messages + 1, at + 8
    return calls


def talk_of(call: Call, failures: int) -> tuple[Conversation, Callable[[str], Score]]:
    """What the router reads in a call, and the scorer that judges its two texts."""
    # Beyond six follow-ups the reader lets go of the open ask; so does this.
    back = call.follow_ups if call.follow_ups < 6 else 0
    talk = Conversation(
        ask="own", open_ask="open" if back else "", follow_ups=back, bare=call.bare and back > 0,
        inside=call.inside, failures=failures if call.inside else 0,
    )  # fmt: skip
    said = {"own": call.own.score, "open": call.task.score}
    return talk, said.__getitem__


def needed(task: Task) -> int:
    """The cheapest tier that does a task as well as any: what an oracle would choose."""
    best = max(task.right) - 0.02
    return next(place for place, chance in enumerate(task.right) if chance >= best)


def _any(rng: np.random.Generator, pool: Sequence[Task]) -> Task:
    return pool[int(rng.integers(len(pool)))]


def _size(rng: np.random.Generator, low: int, high: int) -> int:
    return round(math.exp(rng.uniform(math.log(low), math.log(high))))


def _chances(z: float) -> tuple[float, ...]:
    return tuple(1 / (1 + math.exp(-(a - b * z))) for a, b in zip(ABILITY, SLOPE, strict=True))


def _score(chances: tuple[float, ...]) -> Score:
    return Score(
        p_right=dict(zip(TIER_NAMES, chances, strict=True)),
        output_tokens=dict(zip(TIER_NAMES, TOKENS, strict=True)),
        complexity=1 - chances[0], novelty=0.1, artefact="synthetic", family="synthetic",
    )  # fmt: skip
