"""Runs a suite: every target, row and sample once, from the cache where it is known.

Targets take turns, so that none is measured while another loads the same machine. A run that is stopped (by its
budget, by a signal) ends with what stands. Every answer is kept the moment it arrives, so one that is killed and begun
again asks only for what was on its way: at most one answer a worker.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from evals.runs.asking import AskError, ConfigError
from evals.runs.budget import Budget
from evals.runs.judging import JUDGE_SILENT, Scored, judged, plain_scores, together
from evals.runs.pace import Gate, Pace, pause_before
from evals.runs.record import Item

if TYPE_CHECKING:
    from evals.runs.asking import Asker
    from evals.runs.cache import Cache
    from evals.runs.reply import Reply
    from evals.suites.grammar import Suite
    from evals.suites.rows import Row

BY_BUDGET: Final = "the budget is used up"
BY_SIGNAL: Final = "it was interrupted"
_A_WHILE: Final = 16  # items without a call between two looks at the world


class Progress(NamedTuple):
    """Where a run stands.

    Attributes:
        done, total: items. calls: of models, in this run. seconds: since it began.
        left: seconds until the end at the pace so far; None before there is one.
    """

    target: str
    done: int
    total: int
    calls: int
    cached: int
    errors: int
    spent_nano: int
    seconds: float
    left: float | None


@dataclass(slots=True)
class Ran:
    """What came of a run.

    Attributes:
        stopped: why it ended early; empty when it did not.
    """

    items: list[Item] = field(default_factory=list)
    calls: int = 0
    cached: int = 0
    spent_nano: int = 0
    stopped: str = ""


class Job(NamedTuple):
    """One thing to do."""

    row: Row
    sample: int


class _StoppedError(Exception):
    """No call may begin any more."""


class Runner:
    """One run of one suite.

    Args:
        askers: in the suite's order, opened. judges: scorer -> who judges.
        tell: hears of progress.
        draw: the jitter of pauses.
    """

    def __init__(
        self, suite: Suite, askers: Sequence[Asker], judges: Mapping[str, Asker], cache: Cache, *,
        samples: int, budget: Budget, tell: Callable[[Progress], None] = lambda _: None,
        draw: Callable[[], float] = random.random,
    ) -> None:  # fmt: skip
        self._suite = suite
        self._askers = askers
        self._judges = judges
        self._cache = cache
        self._samples = samples
        self._budget = budget
        self._tell = tell
        self._draw = draw
        self._gates: dict[int, Gate] = {}
        self._ran = Ran()
        self._total = 0
        self._errors = 0
        self._begun = 0.0
        self._fresh = 0  # items that were not known before: the pace is theirs
        self.stop = asyncio.Event()

    async def run(self, rows: Sequence[Row]) -> Ran:
        """Do it all.

        Raises:
            CacheError: an answer cannot be kept. It was paid for, so the run ends rather than lose more.
            ConfigError: there is a budget, and an answer does not say what it cost.
        """
        self._begun = time.monotonic()
        jobs = {id(asker): list(self._jobs(asker, rows)) for asker in self._askers}
        self._total = sum(map(len, jobs.values()))
        for asker in self._askers:
            if self.stop.is_set():
                break
            await (self._ask_all if asker.calls or self._judges else self._decide_all)(asker, jobs[id(asker)])
        self._ran.spent_nano = self._budget.spent
        return self._ran

    def _jobs(self, asker: Asker, rows: Sequence[Row]) -> Iterator[Job]:
        """What calls no model answers the same every time, and is asked once."""
        for row in rows:
            for sample in range(self._samples if asker.calls else 1):
                yield Job(row, sample)

    async def _decide_all(self, asker: Asker, jobs: Sequence[Job]) -> None:
        """What waits for nobody needs no workers."""
        for number, job in enumerate(jobs):
            if self.stop.is_set():
                self._ran.stopped = BY_SIGNAL
                return
            await self._do(asker, job)
            if number % _A_WHILE == 0:
                await asyncio.sleep(0)  # the signal's turn

    async def _ask_all(self, asker: Asker, jobs: Sequence[Job]) -> None:
        left = iter(jobs)

        async def work() -> None:
            for job in left:  # one iterator for all workers: each takes the next
                await self._do(asker, job)

        workers = [asyncio.create_task(work()) for _ in range(min(self._suite.parallel, len(jobs)))]
        ended, watch = asyncio.gather(*workers), asyncio.create_task(self.stop.wait())
        either: list[asyncio.Future[Any]] = [ended, watch]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                ended.result()
            else:
                self._ran.stopped = BY_SIGNAL
        finally:
            for task in (*workers, watch):
                task.cancel()
            await asyncio.gather(*workers, watch, ended, return_exceptions=True)

    async def _do(self, asker: Asker, job: Job) -> None:
        """One item, and word of it. What the budget has no room for is left out; what is known is not."""
        known = self._ran.calls
        hits = [0]
        try:
            item = await self._item(asker, job, hits)
        except _StoppedError:
            self._ran.stopped = BY_BUDGET
            return
        self._ran.items.append(item)
        self._errors += bool(item.error)
        if hits[0] and self._ran.calls == known:
            self._ran.cached += 1
        else:
            self._fresh += 1
        self._say(asker)

    def _say(self, asker: Asker) -> None:
        ran, seconds = self._ran, time.monotonic() - self._begun
        left = (self._total - len(ran.items)) * seconds / self._fresh if self._fresh else None
        self._tell(
            Progress(
                asker.name, len(ran.items), self._total, ran.calls, ran.cached, self._errors, self._budget.spent,
                seconds, left,
            )
        )  # fmt: skip

    # --- one item

    async def _item(self, asker: Asker, job: Job, hits: list[int]) -> Item:
        row, sample = job
        try:
            reply, cached = await self._obtain(asker, row, sample)
        except AskError as error:
            return self._made(asker, job, None, Scored({}, None, error.words), cached=False)
        hits[0] = int(cached)
        return self._made(asker, job, reply, await self._scored(row, reply), cached=cached)

    async def _scored(self, row: Row, reply: Reply) -> Scored:
        scores, why = plain_scores(self._suite.scorers, row, reply)
        for scorer in self._suite.scorers:
            if scorer.judge is None:
                continue
            try:
                found = await judged(scorer.judge, self._judges[scorer.title], row, reply, self._only_reply)
            except AskError as error:
                why = f"{JUDGE_SILENT}{error.words}"
                continue
            if found is not None:
                scores[scorer.title] = found
        return together(self._suite.scorers, scores, why)

    async def _only_reply(self, asker: Asker, row: Row) -> Reply:
        return (await self._obtain(asker, row, 0))[0]

    def _made(self, asker: Asker, job: Job, reply: Reply | None, scored: Scored, *, cached: bool) -> Item:
        row = job.row
        item = Item(
            target=asker.name, id=row.id, sample=job.sample, stem=row.stem or row.id,
            slices=row.slices(self._suite.slices), prompt=row.text,
            reference=row.reference[0] if row.reference else "", tier_expected=row.tier or row.wanted.tier,
            label=row.wanted.found, error=scored.why if scored.quality is None else "",
        )  # fmt: skip
        if reply is None:
            return item
        return msgspec.structs.replace(
            item, answer=reply.text, scores=scored.scores, quality=scored.quality, tier=reply.tier,
            model=reply.model, tokens_in=reply.tokens_in, tokens_out=reply.tokens_out, cost_nano=reply.cost_nano,
            baseline_nano=reply.baseline_nano, latency_ms=reply.latency_ms, cached=cached,
            reason=reply.because, p_right=reply.p_right, alarm=reply.alarm,
        )  # fmt: skip

    # --- one reply

    async def _obtain(self, asker: Asker, row: Row, sample: int) -> tuple[Reply, bool]:
        """The kept reply, or a new one, which is kept; and whether it was kept before.

        Raises:
            AskError: there is none to be had. _StoppedError: none may be asked for.
        """
        key = asker.key(row, sample)
        kept = self._cache.get(key)
        if kept is not None:
            return asker.priced(kept), True
        if not asker.calls:
            reply = await asker.ask(row, sample)
            self._cache.put_later(key, reply)
            return reply, False
        reply = await self._paid(asker, row, sample)
        self._ran.calls += reply.calls
        self._cache.put(key, reply)
        if asker.learns and reply.cost_nano is None and self._budget.limit is not None:
            words = f"a budget cannot be kept: {asker.name!r} does not say what its answers cost"
            raise ConfigError(words, "take the budget away, or name the models in settings and ask them from here")
        return reply, False

    async def _paid(self, asker: Asker, row: Row, sample: int) -> Reply:
        """Ask within the budget and the target's limits, again where another try may help."""
        predicted = asker.foretell(row)
        if not await self._budget.take(predicted):
            raise _StoppedError
        cost: int | None = 0
        try:
            reply = await self._persistently(asker, row, sample)
            cost = reply.cost_nano
        finally:
            await self._budget.settle(predicted, cost)
        return reply

    async def _persistently(self, asker: Asker, row: Row, sample: int) -> Reply:
        gate = self._gate(asker)
        tries = 0
        while True:
            async with gate.call() as begun:
                try:
                    reply = await asker.ask(row, sample)
                except AskError as error:
                    tries += 1
                    pause = pause_before(tries, error, self._draw())
                    if error.limited and pause is not None:
                        gate.pace.limited(gate.clock(), begun, pause)
                    if pause is None:
                        raise
                else:
                    gate.pace.answered()
                    return reply
            await asyncio.sleep(pause)

    def _gate(self, asker: Asker) -> Gate:
        if id(asker) not in self._gates:
            self._gates[id(asker)] = Gate(Pace(self._suite.parallel))
        return self._gates[id(asker)]
