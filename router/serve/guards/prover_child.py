"""The process around the solver: ``python -m router.serve.guards.prover_child``, started by ``prover.py``.

It speaks JSON lines over its standard input and output. The first line it reads is ``{"parent", "memory_bytes"}``; it
answers ``{"ready": true}`` or ``{"failed": why}``. Then each ``{"id", "job"}`` is answered by ``{"id", "reply"}`` or
``{"id", "refused": why}``, one after another. Jobs may hold what prompts say: nothing is printed or kept on a disk.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from typing import Any, BinaryIO

from guardrails.reasoning.prove import Shelf, prove
from guardrails.reasoning.solver import SolverMissing, limit_memory, load_z3
from router.upstream.child import die_with, no_core_file, take_pipes

_SOLVER_SHARE = 2  # z3 may use this part of the process's memory, so that it can say that it has had enough


def hold_memory(memory_bytes: int) -> None:
    """Bound the address space, where the system can, and the solver below it."""
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    limit_memory(memory_bytes // _SOLVER_SHARE)


def answer(line: bytes, shelf: Shelf) -> dict[str, Any]:
    """The answer to one line."""
    asked = json.loads(line)
    try:
        return {"id": asked["id"], "reply": prove(asked["job"], shelf)}
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        return {"id": asked["id"], "refused": type(error).__name__}


def serve(questions: BinaryIO, answers: BinaryIO, shelf: Shelf) -> None:
    """Work until the other side is gone."""
    for line in questions:
        say(answers, answer(line, shelf))


def say(answers: BinaryIO, words: dict[str, Any]) -> None:
    """Send one line."""
    answers.write(json.dumps(words).encode() + b"\n")
    answers.flush()


def main() -> None:
    """Load the solver, then answer until the input ends."""
    questions, answers = take_pipes()
    no_core_file()
    first = questions.readline()
    if not first:
        return
    told = json.loads(first)
    die_with(told["parent"])
    try:
        load_z3()
        hold_memory(told["memory_bytes"])
    except SolverMissing as missing:
        say(answers, {"failed": str(missing)})
        return
    say(answers, {"ready": True})
    with contextlib.suppress(BrokenPipeError):
        serve(questions, answers, Shelf(clock=time.monotonic))
    os._exit(0)


if __name__ == "__main__":
    main()
