"""Agents' trajectories with outcomes: a file of a public repository in, conversations out.

tau-bench (sierra-research/tau-bench, MIT) stores `historical_trajectories/*.json`: a JSON list of runs, each
with ``task_id``, ``trial``, ``reward`` (0 or 1) and ``traj``, OpenAI messages with tool calls. Counts and the
file's digest are checked, so that figures name the rows they came from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

COMMIT = "7362a1708d720a4d697d042f21fd8637ea144c3b"
#: File name -> digest, runs, calls of the copy at ``COMMIT``.
KNOWN: Mapping[str, tuple[str, int, int]] = {
    "gpt-4o-airline.json": ("e9e6c0297660c537f83d4fd9c476ce7a9a86ecd2784874b7bfc13be598e37bfa", 200, 2454),
}


class TraceError(ValueError):
    """A file that is not what it should be: which, what is wrong, how to mend it."""


class Trace(msgspec.Struct, frozen=True):
    """One run of an agent.

    Attributes:
        id: ``file:task:trial``.
        messages: OpenAI's, from the system prompt to the last word.
        reward: 1.0 where the task was done, 0.0 where not.
    """

    id: str
    messages: tuple[Mapping[str, Any], ...]
    reward: float

    def turns(self) -> Iterator[tuple[Mapping[str, Any], ...]]:
        """What a gateway would have been sent: the messages before each answer of the model."""
        for place, message in enumerate(self.messages):
            if message["role"] == "assistant" and place and self.messages[place - 1]["role"] != "assistant":
                yield self.messages[:place]


def read_tau_bench(path: Path, *, known: bool = True) -> list[Trace]:
    """Read a file of tau-bench's historical trajectories.

    Args:
        path: the file.
        known: refuse a file whose name is known and whose content is another.

    Raises:
        TraceError: not that form, or not that content.
    """
    try:
        data = path.read_bytes()
        rows = json.loads(data)
    except (OSError, ValueError) as error:
        raise TraceError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(rows, list) or not rows:
        raise TraceError(f"{path}: a JSON list of runs is expected")
    traces = [_trace(path, place, row) for place, row in enumerate(rows)]
    if known and path.name in KNOWN:
        _check(path, hashlib.sha256(data).hexdigest(), traces)
    return traces


def _trace(path: Path, place: int, row: Any) -> Trace:
    try:
        messages = tuple(row["traj"])
        roles = [message["role"] for message in messages]
        reward = float(row["reward"])
        name = f"{path.stem}:{int(row['task_id'])}:{int(row['trial'])}"
    except (KeyError, TypeError, ValueError) as error:
        raise TraceError(f"{path}: run {place} lacks or garbles {error}") from None
    if not messages or reward not in {0.0, 1.0}:
        raise TraceError(f"{path}: run {place} has no messages, or a reward that is neither 0 nor 1")
    if unknown := set(roles) - {"system", "user", "assistant", "tool"}:
        raise TraceError(f"{path}: run {place} has messages of role {sorted(unknown)}")
    return Trace(name, messages, reward)


def _check(path: Path, digest: str, traces: Sequence[Trace]) -> None:
    want, runs, calls = KNOWN[path.name]
    got = (digest, len(traces), sum(1 for trace in traces for _ in trace.turns()))
    if got != (want, runs, calls):
        raise TraceError(
            f"{path}: {got[1]} runs, {got[2]} calls, digest {got[0][:12]}; {runs}, {calls}, {want[:12]} expected. "
            f"Take the file from sierra-research/tau-bench at commit {COMMIT[:12]}, or pass known=False."
        )
