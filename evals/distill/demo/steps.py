"""The product's own commands, one after the other, each with how long it took and how it ended."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

Tell = Callable[[str], None]


class Ended(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


Run = Callable[[Sequence[str]], Ended]


def apart(words: Sequence[str]) -> Ended:
    """Run ``stillhouse WORDS`` in a process of its own, as a person would."""
    done = subprocess.run([sys.executable, "-m", "stillhouse.cli", *words], capture_output=True, text=True, check=False)
    return Ended(done.returncode, done.stdout, done.stderr)


class Step(NamedTuple):
    """One step: what was done, its exit code (0 for what is no command), and seconds."""

    words: str
    code: int
    seconds: float


class StepError(RuntimeError):
    """A command ended as it should not have: its exit code and what it said."""

    def __init__(self, code: int, said: str, words: str) -> None:
        super().__init__(f"{words} ended with {code}:\n{said}")
        self.code, self.said = code, said


class Steps:
    """Runs commands under the ``STILLHOUSE_HOME`` of the environment, and keeps what they took."""

    def __init__(self, tell: Tell, run: Run = apart) -> None:
        """``tell`` hears of each step when it ends; ``run`` runs a command."""
        self._tell, self._run = tell, run
        self.taken: list[Step] = []

    def command(self, *words: str, ends: tuple[int, ...] = (0,)) -> str:
        """Run ``stillhouse WORDS`` and give back what it printed.

        Raises:
            StepError: its exit code is none of ``ends``.
        """
        with self.timed("stillhouse " + " ".join(map(_quoted, words))) as ended:
            done = self._run(words)
            ended(done.code)
        if done.code not in ends:
            raise StepError(done.code, done.err or done.out, self.taken[-1].words)
        return done.out

    def json(self, *words: str, ends: tuple[int, ...] = (0,)) -> dict[str, Any]:
        """The same, of a command that prints one JSON object."""
        told: dict[str, Any] = json.loads(self.command(*words, "--json", ends=ends).strip().splitlines()[-1])
        return told

    @contextlib.contextmanager
    def timed(self, words: str) -> Iterator[Callable[[int], None]]:
        """Time what is done inside; the function given sets its exit code."""
        since, code = time.monotonic(), 0

        def ended(with_: int) -> None:
            nonlocal code
            code = with_

        yield ended
        step = Step(words, code, round(time.monotonic() - since, 2))
        self.taken.append(step)
        self._tell(f"{step.seconds:7.1f} s  {words}" + (f"  (exit code {code})" if code else ""))


def _quoted(word: str) -> str:
    return json.dumps(word, ensure_ascii=False) if " " in word else word
