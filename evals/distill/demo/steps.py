"""The product's own commands, one after the other, each with how long it took and how it ended."""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

Tell = Callable[[str], None]


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
    """Runs commands in this process, under the ``STILLHOUSE_HOME`` of the environment, and keeps what they took."""

    def __init__(self, tell: Tell) -> None:
        """``tell`` hears of each step when it ends."""
        self._tell = tell
        self.taken: list[Step] = []

    def command(self, *words: str, ends: tuple[int, ...] = (0,)) -> str:
        """Run ``stillhouse WORDS`` and give back what it printed.

        Raises:
            StepError: its exit code is none of ``ends``.
        """
        from stillhouse.cli.main import cli

        out, err, code = io.StringIO(), io.StringIO(), 0
        with self.timed("stillhouse " + " ".join(map(_quoted, words))) as ended:
            try:
                with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                    cli.main(list(words), prog_name="stillhouse", standalone_mode=False)
            except SystemExit as left:
                code = left.code if isinstance(left.code, int) else 1
            ended(code)
        if code not in ends:
            raise StepError(code, err.getvalue() or out.getvalue(), self.taken[-1].words)
        return out.getvalue()

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
