"""The working file of one round of judging: what was planned, what was reserved, what was said. It holds no text.

JSON lines, appended and flushed: a plan first, then for each call a reservation before and a result after it. A round
that was cut short goes on where it stopped: what has a result is not asked again, and a reservation without a result
counts as spent, because the call may have been made.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

import msgspec

from evals.labels.wording import Wording

Turn = tuple[str, Wording]


class WorkError(ValueError):
    """A working file that cannot be gone on with."""


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """What a round is to do.

    Attributes:
        who: the judge's name in the ledger.
        model: who is asked.
        rows: request ids with their times, the most valuable first.
        twice: those that are judged in both wordings.
        people: the score that people gave, for those that are judged only to check the judge.
    """

    who: str
    model: str
    rows: tuple[tuple[str, int], ...]
    twice: tuple[str, ...] = ()
    people: dict[str, float] = {}


class Said(NamedTuple):
    """One result: the score, None where the judge gave no verdict or did not answer."""

    score: float | None
    cost_nano: int
    why: str


class Work:
    """An open working file. A context manager."""

    def __init__(self, path: Path, plan: Planned | None = None) -> None:
        """Go on with ``path``, or begin it with ``plan``.

        Raises:
            WorkError: it is there and damaged, or it is not there and there is no plan; or another process is at it.
        """
        if plan is None and not path.exists():
            raise WorkError(f"{path}: there is no round to go on with")
        self.path = path
        self.said: dict[Turn, Said] = {}
        self._open: dict[Turn, int] = {}
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._out: IO[bytes] = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
        try:
            self._take()
            found = self._read()
            if found is None and plan is None:
                raise WorkError(f"{path}: there is no round to go on with")
        except BaseException:
            self._out.close()
            raise
        self.resumed = found is not None
        if found is not None:
            self.plan = found
        else:
            assert plan is not None
            self.plan = plan
            self._write({"plan": msgspec.to_builtins(self.plan)})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._out.close()

    @property
    def spent(self) -> int:
        """Nano-dollars, with what may have been spent on calls whose end nobody saw."""
        return sum(said.cost_nano for said in self.said.values()) + sum(self._open.values())

    def missing(self) -> list[Turn]:
        """What is still to be asked: rows judged twice first, so that the judge is known early."""
        first: list[Turn] = [(request_id, "forward") for request_id in self.plan.people]
        twice = set(self.plan.twice)
        for request_id, _ in self.plan.rows:
            if request_id in twice:
                first += [(request_id, "forward"), (request_id, "reversed")]
        rest: list[Turn] = [(request_id, "forward") for request_id, _ in self.plan.rows if request_id not in twice]
        return [turn for turn in (*first, *rest) if turn not in self.said]

    def reserve(self, turn: Turn, amount: int) -> None:
        """Say that a call will be made."""
        self._open[turn] = amount
        self._write({"call": turn, "reserved": amount})

    def settle(self, turn: Turn, said: Said) -> None:
        """Say what came of it."""
        self._open.pop(turn, None)
        self.said[turn] = said
        self._write({"call": turn, "score": said.score, "cost_nano": said.cost_nano, "why": said.why})

    def close_round(self) -> Path:
        """Put the file aside: its labels are in the ledger."""
        number = 1
        while (done := self.path.with_name(f"{self.path.stem}.{number}.done.jsonl")).exists():
            number += 1
        aside = self.path.rename(done)
        self._out.close()
        return aside

    def _take(self) -> None:
        """One process at a time: two would pay for every verdict twice, each within its own budget."""
        try:
            fcntl.flock(self._out, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = self.path.exists() and os.path.samestat(os.fstat(self._out.fileno()), self.path.stat())
        except BlockingIOError:
            ours = False
        if not ours:
            raise WorkError(f"{self.path}: another process is at this round; wait for its end")

    def _write(self, line: dict[str, Any]) -> None:
        self._out.write(msgspec.json.encode(line) + b"\n")
        self._out.flush()

    def _read(self) -> Planned | None:
        lines: Sequence[bytes] = self.path.read_bytes().split(b"\n")
        whole = lines[:-1]  # what follows the last line end was cut short
        if not whole:
            self.path.write_bytes(b"")
            return None
        if lines[-1]:
            os.truncate(self.path, sum(len(line) + 1 for line in whole))
        try:
            plan = msgspec.convert(msgspec.json.decode(whole[0])["plan"], Planned)
            for line in whole[1:]:
                told = msgspec.json.decode(line)
                turn: Turn = tuple(told["call"])
                if "reserved" in told:
                    self._open[turn] = self._open.get(turn, 0) + told["reserved"]
                else:
                    self._open.pop(turn, None)
                    self.said[turn] = Said(told["score"], told["cost_nano"], told["why"])
        except (msgspec.DecodeError, msgspec.ValidationError, KeyError, TypeError) as error:
            raise WorkError(f"{self.path}: damaged: {error}. Move it away to begin a new round") from None
        return plan
