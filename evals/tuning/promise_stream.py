"""Does a promise outlive its rows: streams whose order is not drawn, and the watches that declare it void.

Every request's numbers are known at once (the chances and the novelty); here its loss becomes known too, as where a
share of the traffic is judged: counts are in judged requests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from evals.tuning.promise_resample import Measured, Proposal, halves, propose
from evals.tuning.table import Floats, Ints, Table
from router.core.stats.void import Likeness, Losses

#: Requests after a shift within which a promise must be kept or declared void.
SOON: Final = 500
BEFORE: Final = 500


class Ending(NamedTuple):
    """How a stream ended: ``loss`` after the shift, when each watch spoke (requests after the shift; None: never)."""

    loss: float
    losses_at: int | None
    likeness_at: int | None

    def word(self, limit: float) -> str:
        """In one of five words."""
        spoken = [at for at in (self.losses_at, self.likeness_at) if at is not None]
        if spoken and min(spoken) < 0:
            return "false alarm"
        if spoken and min(spoken) < SOON:
            return "void in time"
        if self.loss <= limit:
            return "kept"
        return "void late" if spoken else "broken"


def numbers(table: Table) -> Floats:
    """What is watched of each request: the lowest and the highest tier's chance, and novelty."""
    return np.column_stack([table.chance[:, 0], table.chance[:, -1], table.novelty])


def run(
    on: Measured, made: Proposal, evidence: Floats, stream: Ints, watched: Floats, shift: int, rng: np.random.Generator
) -> Ending:
    """Send a stream through a proposal and both watches.

    Args:
        on: the rows, as the scorer of the stream sees them.
        made: the setting that the promise was made for.
        evidence: the numbers of the rows that showed it.
        stream: rows in their order.
        watched: the numbers of all rows.
        shift: how many requests come before something changes; all of them where nothing does.
        rng: parts equal ranks.
    """
    assert made.ray is not None
    tier = np.where(made.ray.to_low[stream] <= made.step, 0, np.where(made.ray.to_high[stream] <= made.step, 1, -1))
    loss = on.rows.loss[stream, tier] - (on.rows.gain[stream, tier] if on.net else 0.0)
    losses, likeness = Losses(on.promise.max_quality_loss, on.net), Likeness.of(evidence.tolist())
    spoken: dict[str, int] = {}
    lots = rng.random((len(stream), watched.shape[1]))
    for place, row in enumerate(stream.tolist()):
        if "losses" not in spoken and losses.update(float(loss[place])):
            spoken["losses"] = place - shift
        if "likeness" not in spoken and likeness.update(watched[row].tolist(), lots[place].tolist()):
            spoken["likeness"] = place - shift
        if len(spoken) == 2 or min(spoken.values(), default=0) < 0:
            break
    after = loss[shift:] if shift < len(loss) else loss
    return Ending(float(after.mean()), spoken.get("losses"), spoken.get("likeness"))


def told(endings: Sequence[Ending], limit: float) -> dict[str, Any]:
    """Counts of the endings, and the median request at which a watch spoke after the shift."""
    words = Counter(ending.word(limit) for ending in endings)
    spoken = [
        min(at for at in (ending.losses_at, ending.likeness_at) if at is not None)
        for ending in endings
        if ending.losses_at is not None or ending.likeness_at is not None
    ]
    after = [at for at in spoken if at >= 0]
    timely = [ending for ending in endings if ending.word(limit) == "void in time"]
    return {
        "streams": len(endings),
        **{word: words.get(word, 0) for word in ("kept", "void in time", "void late", "broken", "false alarm")},
        "needless": sum(ending.loss <= limit for ending in timely),
        "by_losses": sum(ending.losses_at is not None and 0 <= ending.losses_at < SOON for ending in endings),
        "loss_after": float(np.mean([ending.loss for ending in endings])) if endings else 0.0,
        "median_requests": float(np.median(after)) if after else None,
    }


def by_time(on: Measured, table: Table, parts: Sequence[float], seed: int) -> dict[str, Any]:
    """Evidence from the first part of the rows in their order, the rest as the stream; one stream for each part."""
    rng, watched, endings = np.random.default_rng(seed), numbers(table), []
    refused = 0
    for part in parts:
        cut = round(part * len(table))
        mine, _ = halves(table.stem[:cut], rng, 1.0)
        made = propose(on, mine)
        if made.ray is None:
            refused += 1
            continue
        stream = np.arange(cut, len(table))
        stream = stream[~np.isin(table.stem[stream], table.stem[mine])]
        endings.append(run(on, made, watched[mine], stream, watched, 0, rng))
    return {**told(endings, on.promise.max_quality_loss), "refused": refused}


def unchanged(on: Measured, table: Table, draws: int, length: int, seed: int) -> dict[str, Any]:
    """Streams in which nothing changes: every word of a watch within ``length`` requests is a false alarm."""
    rng, watched, streams, alarms, refused = np.random.default_rng(seed), numbers(table), 0, 0, 0
    for _ in range(draws):
        mine, rest = halves(table.stem, rng, 0.5)
        made = propose(on, mine)
        if made.ray is None:
            refused += 1
            continue
        stream = rest[:length]
        ending = run(on, made, watched[mine], stream, watched, len(stream), rng)
        streams, alarms = streams + 1, alarms + (ending.losses_at is not None or ending.likeness_at is not None)
    return {"streams": streams, "false alarm": alarms, "refused": refused, "length": length}


def by_source(
    known: Measured, blind: Measured, tables: tuple[Table, Table], group: Sequence[str], draws: int, seed: int
) -> dict[str, Any]:
    """Evidence and ``BEFORE`` requests of all sources but one, then that one, which the scorer never saw.

    Args:
        known: the rows as seen by scorers that know a row's source.
        blind: the same as seen by scorers that do not.
        tables: the same two.
        group: the source of each row.
        draws: streams for each source.
        seed: of the draws.
    """
    rng, names = np.random.default_rng(seed), np.array(group)
    watched, strange = numbers(tables[0]), numbers(tables[1])
    stem, endings, each, refused = tables[0].stem, [], {}, 0
    for source in sorted(set(group)):
        there, mine_here = np.flatnonzero(names == source), []
        others = np.flatnonzero((names != source) & ~np.isin(stem, stem[there]))
        for _ in range(draws):
            mine, rest = halves(stem[others], rng, 0.6)
            made = propose(known, others[mine])
            if made.ray is None:
                refused += 1
                continue
            before = others[rest[:BEFORE]]
            stream = np.concatenate([before, rng.permutation(there)])
            seen = watched.copy()
            seen[there] = strange[there]
            mixed = _mixed(known, blind, made, there)
            mine_here.append(run(mixed[0], mixed[1], watched[others[mine]], stream, seen, len(before), rng))
        each[source] = told(mine_here, known.promise.max_quality_loss)
        endings += mine_here
    return {**told(endings, known.promise.max_quality_loss), "refused": refused, "sources": each}


def _mixed(known: Measured, blind: Measured, made: Proposal, there: Ints) -> tuple[Measured, Proposal]:
    """The same thresholds, with the rows of one source as a scorer sees them that never saw that source."""
    assert made.ray is not None
    low, high = made.ray.low[made.step], made.ray.high[made.step]
    value = known.rows.stakes.value.copy()
    value[there] = blind.rows.stakes.value[there]
    to_low = np.where(value[:, 0] <= low, 0, 1)
    to_high = np.where(value[:, 1] <= high, 0, 1) if value.shape[1] == 2 else np.ones(len(value), dtype=int)
    return known, Proposal(made.ray._replace(to_low=to_low, to_high=to_high), 0)
