"""A suite from its file to its run's folder: read, refuse what cannot be shown, ask, decide, write."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isinf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from evals import stamp
from evals.importers.outcomes import OutcomeError
from evals.runs import figures
from evals.runs.asking import ConfigError
from evals.runs.budget import Budget
from evals.runs.cache import Cache, cache_path
from evals.runs.checks import checks_of, concerns, verdict_of
from evals.runs.places import Places, digest
from evals.runs.record import Run
from evals.runs.runner import Progress, Ran, Runner
from evals.runs.store import RunError, find_run, new_id, read_items, read_run, write_run
from evals.runs.targets.catalog import build, of_tier
from evals.suites.claims import RUN
from evals.suites.grammar import as_written, targets_of
from evals.suites.rows import chosen, read_file
from evals.suites.sources import IMPORTERS, NEEDS_NO_PATH, QUESTIONS
from router.types import TIER_NAMES

if TYPE_CHECKING:
    from evals.runs.asking import Asker
    from evals.runs.record import Item
    from evals.suites.claims import Kind
    from evals.suites.grammar import Suite
    from evals.suites.rows import Row

NOTHING: Final = "none"
EXIT_PASS, EXIT_FAIL, EXIT_CONFIG, EXIT_INFRASTRUCTURE = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line says beside the suite.

    Attributes:
        against: a run's id, folder, ``last``, or ``none`` to leave out what compares with ``RUN``.
        data: the path of an importer, where the suite gives none.
        fresh: ask again what is in the cache.
    """

    runs: Path
    against: str = ""
    repeat: int | None = None
    data: Path | None = None
    config: Path | None = None
    budget_usd: float | None = None
    parallel: int | None = None
    fresh: bool = False
    command: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """A suite that can run.

    Attributes:
        sees: the smallest difference of quality that its rows show at 80 % power; None where they show none.
        left_out: rows without an outcome of every model that the suite names.
        discordant: what ``sees`` rests on.
        against: the run it is compared with; empty without one.
    """

    suite: Suite
    rows: Sequence[Row]
    left_out: int
    samples: int
    sees: float | None
    discordant: float
    against: str
    others: dict[str, Sequence[Item]]
    without_run: bool
    folder: Path


@dataclass(frozen=True, slots=True)
class Done:
    """A finished run."""

    run: Run
    items: Sequence[Item]
    folder: Path
    stopped: str

    @property
    def exit_code(self) -> int:
        """0 pass, 1 an assertion failed, 3 it could not be decided, or answers are missing."""
        return {"pass": EXIT_PASS, "fail": EXIT_FAIL, "error": EXIT_INFRASTRUCTURE}[self.run.verdict]


def plan(suite: Suite, path: Path, wishes: Wishes) -> Plan:
    """Read the rows and the runs to compare with; nothing is asked.

    Raises:
        ConfigError: the data cannot be read, a run is missing, or a difference is asked for that the rows cannot show.
    """
    changes: dict[str, Any] = {}
    if wishes.config is not None:
        changes["config"] = str(wishes.config.resolve())
    if wishes.parallel is not None:
        changes["parallel"] = wishes.parallel
    suite = suite.model_copy(update=changes)
    try:
        every = read_rows(suite, path, wishes.data)
        rows = _with_outcomes(suite, every)
        others, against = _others(suite, wishes)
    except (OutcomeError, RunError) as error:
        raise ConfigError(str(error)) from None
    discordant = _discordant(suite, others)
    sees = _sees(len({row.stem or row.id for row in rows}), discordant)
    left_out = len(every) - len(rows)
    samples = wishes.repeat or suite.repeat
    made = Plan(
        suite, rows, left_out, samples, sees, discordant, against, others, wishes.against == NOTHING, path.parent
    )
    _refuse_invisible(made)
    return made


def read_rows(suite: Suite, path: Path, given: Path | None = None) -> list[Row]:
    """The rows of a suite.

    Raises:
        ConfigError: an importer has no path. OutcomeError: the data is wrong.
    """
    data, here = suite.data, path.parent
    if data.file is not None:
        source = here / Path(data.file).expanduser()
        return chosen(read_file(source, data.fields), data, str(source))
    assert data.importer is not None
    if data.importer in NEEDS_NO_PATH:
        source = QUESTIONS
    elif data.path is not None:
        source = here / Path(data.path).expanduser()
    elif given is not None:
        source = given
    else:
        raise ConfigError(f"{path}: the importer {data.importer!r} has no path", "add data.path, or give --data PATH")
    return chosen(IMPORTERS[data.importer](source), data, str(source))


def _with_outcomes(suite: Suite, rows: list[Row]) -> list[Row]:
    """The rows that know how every model did that the suite names, so that all targets stand on the same ones.

    Raises:
        ConfigError: there is none.
    """
    models = frozenset().union(*(target.outcomes.models for target in suite.targets if target.outcomes is not None))
    kept = [row for row in rows if models <= row.scores.keys()]
    if not kept:
        raise ConfigError(f"no row has recorded outcomes of {', '.join(sorted(models))}", "are the names right?")
    return kept


# --- before it starts --------------------------------------------------------------------------------


def _others(suite: Suite, wishes: Wishes) -> tuple[dict[str, Sequence[Item]], str]:
    """The items of every run that is compared with, and the id of ``RUN``."""
    targets = {target.name for target in suite.targets}
    wanted = {assertion.claim.than for assertion in suite.asserts if assertion.claim.than} - targets
    others: dict[str, Sequence[Item]] = {}
    against = ""
    if wishes.against and wishes.against != NOTHING:
        folder = find_run(wishes.against, wishes.runs, suite.suite)
        against, others[RUN] = read_run(folder).id, read_items(folder)
    elif RUN in wanted and not wishes.against:
        hint = "give --against RUN (an id, a folder, or 'last'); for the very first run --against none"
        raise ConfigError(f"suite {suite.suite!r} compares with a run, and none is named", hint)
    for name in sorted(wanted - {RUN}):
        others[name] = read_items(find_run(name, wishes.runs, suite.suite))
    return others, against


def _discordant(suite: Suite, others: dict[str, Sequence[Item]]) -> float:
    """As measured between samples of the other run, where it has several; never 0, since n rows cannot show that."""
    first = suite.targets[0].name
    items = [item for item in others.get(RUN, ()) if item.target == first]
    measured = figures.discordant(items)
    return suite.discordant if measured is None else max(measured, 1 / max(1, len(items)))


def _sees(stems: int, discordant: float) -> float | None:
    from evals.compare.power import visible

    seen = visible(stems, discordant=discordant)
    return None if isinf(seen) else seen


def _refuse_invisible(made: Plan) -> None:
    """A difference that the rows cannot show is not claimed to be absent."""
    for assertion in made.suite.asserts:
        claim = assertion.claim
        if claim.kind != "no-worse" or (made.without_run and claim.than == RUN):
            continue
        rows = [row for row in made.rows if all(row.fields.get(k) == v for k, v in assertion.where.items())]
        for value, part in _each(assertion.each, rows):
            stems = len({row.stem or row.id for row in part})
            seen = _sees(stems, made.discordant)
            if seen is None or claim.bound < seen:
                where = f" where {assertion.each} is {value}" if value else ""
                least = "none at all" if seen is None else f"{seen:.1%} at the least"
                given = f"{least}, at 80 % power, where {made.discordant:.0%} of rows come out otherwise"
                raise ConfigError(
                    f"'{assertion.that}' is refused: {stems} questions{where} cannot show a difference of "
                    f"{claim.bound:.1%} ({given})",
                    "take more rows or a larger difference; 'discordant' says how many rows you expect to differ",
                )


def _each(name: str | None, rows: Sequence[Row]) -> list[tuple[str, Sequence[Row]]]:
    if name is None:
        return [("", rows)]
    values = sorted({row.fields[name] for row in rows if name in row.fields})
    return [(value, [row for row in rows if row.fields.get(name) == value]) for value in values]


# --- running -----------------------------------------------------------------------------------------


async def execute(made: Plan, wishes: Wishes, tell: Callable[[Progress], None] = lambda _: None) -> Done:
    """Ask, decide, write the run's folder.

    Raises:
        ConfigError: a target cannot be opened, or a budget cannot be kept.
        CacheError, OSError: answers or the run cannot be kept.
    """
    suite, started = made.suite, datetime.now(UTC)
    limit = wishes.budget_usd if wishes.budget_usd is not None else suite.budget.usd if suite.budget else None
    places = Places(made.folder, suite.config)
    askers = [build(target, suite, places) for target in suite.targets]
    judges = _judges(suite, places)
    try:
        for asker in (*askers, *judges.values()):
            await asker.open()
        if limit is not None:
            refuse_unpriced([*askers, *judges.values()], made.rows)
        with Cache(cache_path(), fresh=wishes.fresh) as cache:
            budget = Budget(None if limit is None else round(limit * 1e9))
            runner = Runner(suite, askers, judges, cache, samples=made.samples, budget=budget, tell=tell)
            with stopped_by_signal(runner.stop):
                ran = await runner.run(made.rows)
    finally:
        for asker in (*askers, *judges.values()):
            await asker.close()
        await places.close()
    return _finished(made, wishes, ran, started)


def _judges(suite: Suite, places: Places) -> dict[str, Asker]:
    """Who judges for each scorer: a target of the suite, or a tier. Always at temperature 0, in few words."""
    targets = {target.name: target for target in suite.targets}
    judges: dict[str, Asker] = {}
    for scorer in suite.scorers:
        if scorer.judge is None:
            continue
        params = {"temperature": 0, "max_tokens": scorer.judge.max_tokens}
        target = targets.get(scorer.judge.by)
        tier = next((tier for tier in TIER_NAMES if tier == scorer.judge.by), None)
        if target is not None:
            plain = suite.model_copy(update={"system": None})
            judges[scorer.title] = build(target, plain, places, params)
        else:
            assert tier is not None
            judges[scorer.title] = of_tier(tier, places, params)
    return judges


def refuse_unpriced(askers: Sequence[Asker], rows: Sequence[Row]) -> None:
    """A budget needs prices.

    Raises:
        ConfigError: one is not known.
    """
    for asker in askers:
        if asker.calls and not asker.learns and any(asker.foretell(row) is None for row in rows):
            words = f"a budget cannot be kept: the price of a model that {asker.name!r} asks is not known"
            raise ConfigError(words, "give its price in the settings, or take the budget away")


@contextlib.contextmanager
def stopped_by_signal(stop: asyncio.Event) -> Iterator[None]:
    """The first Ctrl-C ends a run with what stands; the second is Python's own."""
    loop = asyncio.get_running_loop()

    def ask_to_stop() -> None:
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)

    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # not the main thread, or Windows
        loop.add_signal_handler(signal.SIGINT, ask_to_stop)
    try:
        yield
    finally:
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.remove_signal_handler(signal.SIGINT)


def _unbounded(suite: Suite, kind: Kind, items: Iterable[Item]) -> int:
    """How many items no assertion of that kind speaks of: what nobody put up with leaves a run undecided."""
    bounds = [(each, targets_of(each, suite)) for each in suite.asserts if each.claim.kind == kind]
    return sum(not any(item.target in targets and concerns(bound, item) for bound, targets in bounds) for item in items)


def _finished(made: Plan, wishes: Wishes, ran: Ran, started: datetime) -> Done:
    suite = made.suite
    lost = _unbounded(suite, "errors", filter(figures.missing, ran.items))
    silent = _unbounded(suite, "unjudged", filter(figures.unasked, ran.items))
    words = [f"{lost} answers are missing"] if lost else []
    words += [f"the judge did not answer about {silent} answers"] if silent else []
    incomplete = ran.stopped or "; ".join(words)
    checks = checks_of(suite, ran.items, made.others, without_run=made.without_run)
    run = Run(
        id=new_id(suite.suite, started),
        suite=suite.suite,
        suite_hash=digest(as_written(suite), [msgspec.to_builtins(row) for row in made.rows]),
        about=suite.about,
        targets=tuple(target.name for target in suite.targets),
        started=started.isoformat(timespec="seconds"),
        ended="" if ran.stopped else datetime.now(UTC).isoformat(timespec="seconds"),
        command=wishes.command,
        commit=stamp.commit(),
        machine=stamp.machine(),
        rows=len(made.rows),
        samples=made.samples,
        scorers=tuple(scorer.title for scorer in suite.scorers),
        slices=suite.slices,
        sees=made.sees,
        against=made.against,
        calls=ran.calls,
        cached=ran.cached,
        errors=sum(map(figures.missing, ran.items)),
        spent_nano=ran.spent_nano,
        verdict=verdict_of(checks, incomplete),
        checks=checks,
    )
    return Done(run, ran.items, write_run(wishes.runs, run, ran.items), incomplete)
