"""A trainer in a process of its own: what it tells as it goes, how it ends, and that it ends with us.

It tells on standard output, JSON, a line each: ``{"what": "step 3 of 90", "share": 0.1}``, and ``{"refused": "why"}``
where it cannot do it. Any other line is passed over; standard error is the user's.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from evals.distill.trainers.base import Tell, TrainingError
from evals.distill.trainers.files import alone


def run_child(words: Sequence[str], env: Mapping[str, str], out: Path, tell: Tell) -> None:
    """Run a command line to its end, alone in ``out``.

    Raises:
        TrainingError: it cannot be run, it refused, or it failed; or another one works in ``out``.
    """
    with alone(out) as held:
        try:
            child = subprocess.Popen(
                words, stdout=subprocess.PIPE, env={**os.environ, **env}, pass_fds=(held,), stdin=subprocess.DEVNULL
            )
        except OSError as error:
            raise TrainingError(f"{words[0]} cannot be run: {error.strerror}") from None
        try:
            refused = _follow(child, tell)
        finally:  # also where we were interrupted: it must not go on without us
            if child.poll() is None:
                child.terminate()
            child.wait()
    if refused:
        raise TrainingError(refused)
    if child.returncode != 0:
        raise TrainingError(
            f"{Path(words[0]).name} ended with the status {child.returncode}. What it left is in {out}, and the same "
            "command goes on from there"
        )


def _follow(child: subprocess.Popen[bytes], tell: Tell) -> str:
    """Hear it to its end; gives back why it refused, if it did."""
    assert child.stdout is not None
    refused = ""
    with child.stdout:
        for line in child.stdout:
            said = _said(line)
            share, why = said.get("share"), said.get("refused")
            if isinstance(why, str):
                refused = why
            elif isinstance(share, int | float) and 0 <= share <= 1:
                tell(str(said.get("what", "")), float(share))
    child.wait()
    return refused


def _said(line: bytes) -> dict[str, object]:
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
