"""The measurement: every peer in turn, again and again, in one run.

Peers take turns inside each repetition, so that a busy minute on the machine falls on all of them and the
ratios stay fair. The gateway has one core, the load generator and the fake upstream share another.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evals.bench import meter, payload
from evals.bench.peers import PEERS, Launch, NotHere
from evals.bench.process import PATH, Running, Target, Unfit, ask, free_port, on_core, spawn, start, stop

if TYPE_CHECKING:
    from pathlib import Path

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run does. Rates are questions a second."""

    peers: tuple[str, ...] = tuple(PEERS)
    repetitions: int = 3
    seconds: float = 3.0  # of each phase
    warm_up: float = 2.0
    in_flight: int = 16
    rate: float = 20.0
    stream_rate: float = 5.0
    gateway_core: int = field(default_factory=lambda: min(os.sched_getaffinity(0)))
    load_core: int = field(default_factory=lambda: max(os.sched_getaffinity(0)))


@dataclass(frozen=True, slots=True)
class Phase:
    """One way of asking."""

    connections: int
    rate: float = 0.0  # 0: closed loop
    stream: bool = False
    pause: bool = False


def phases(plan: Plan) -> dict[str, Phase]:
    """The phases of a repetition, by the names they have in the results."""
    return {
        "whole": Phase(plan.in_flight),
        "whole_paced": Phase(32, rate=plan.rate),
        "paused": Phase(64, pause=True),
        "stream": Phase(plan.in_flight, stream=True),
        "stream_paced": Phase(32, rate=plan.stream_rate, stream=True),
    }


def load(target: Target, core: int, phase: Phase, seconds: float) -> dict[str, Any]:
    """Run the load generator on a core; what it saw.

    Raises:
        Unfit: nobody listens there.
    """
    command = [sys.executable, "-m", "evals.bench.load", "--url", target.url, "--seconds", str(seconds)]
    command += ["--connections", str(phase.connections), "--rate", str(phase.rate)]
    for name, value in target.headers.items():
        command += ["--header", f"{name}: {value}"]
    body = payload.question(target.model, stream=phase.stream, pause=phase.pause)
    with on_core(core):
        done = subprocess.run(command, input=body, capture_output=True, check=False)
    if done.returncode:
        raise Unfit(f"the load generator ended: {done.stderr.decode().strip().rpartition(chr(10))[2]}")
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


@dataclass
class Bench:
    """A run in progress: the fake upstream, and where files go."""

    plan: Plan
    folder: Path
    upstream_port: int
    upstream: subprocess.Popen[bytes]
    say: Say

    @property
    def alone(self) -> Target:
        """The fake upstream, asked without anybody between."""
        return Target(f"http://127.0.0.1:{self.upstream_port}{PATH}", {}, payload.MODEL)

    def direct(self, phase: Phase) -> dict[str, Any]:
        """One phase without a peer."""
        return self._loaded(self.alone, phase, self.plan.seconds)

    def through(self, running: Running, phase: Phase, seconds: float) -> dict[str, Any]:
        """One phase through a peer, with what the peer used for it.

        Raises:
            Unfit: the peer ended on the way.
        """
        before = meter.cpu_seconds(running.session)
        seen = self._loaded(running.target, phase, seconds)
        used = meter.cpu_seconds(running.session) - before
        if (code := running.process.poll()) is not None:
            raise Unfit(f"ended with {code} under load")
        return {**seen, "cpu_us": used / seen["ok"] * 1e6 if seen["ok"] else None}

    def _loaded(self, target: Target, phase: Phase, seconds: float) -> dict[str, Any]:
        before, begin = meter.cpu_seconds(self.upstream.pid), time.monotonic()
        seen = load(target, self.plan.load_core, phase, seconds)
        used = meter.cpu_seconds(self.upstream.pid) - before + seen.pop("load_cpu_s")
        return {**seen, "load_core_busy": used / (time.monotonic() - begin)}

    def launch(self, name: str, port: int) -> Launch:
        """How the named peer is started in this run."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return PEERS[name](folder, port, self.upstream_port)

    def start(self, name: str) -> Running:
        """Start a peer."""
        port = free_port()
        return start(self.launch(name, port), port, self.plan.gateway_core, self.folder / f"{name}.log")

    def stop(self, running: Running) -> None:
        """End a peer."""
        stop(running.process)


@contextlib.contextmanager
def bench(plan: Plan, folder: Path, say: Say) -> Iterator[Bench]:
    """The fake upstream, started and stopped."""
    port = free_port()
    command = (sys.executable, "-m", "evals.bench.upstream", "--port", str(port))
    upstream = spawn(command, plan.load_core, folder / "upstream.log")
    try:
        made = Bench(plan, folder, port, upstream, say)
        _wait_for(made)
        yield made
    finally:
        stop(upstream)


def _wait_for(made: Bench) -> None:
    for _ in range(1000):
        with contextlib.suppress(OSError):
            ask(made.alone)
            return
        time.sleep(0.01)
    raise Unfit("the fake upstream did not start")


def measure(plan: Plan, folder: Path, say: Say) -> dict[str, Any]:
    """Run the plan; the raw results, without medians and ratios.

    A peer that is not installed, does not start or answers wrongly is left out, and the reason is kept.
    """
    with bench(plan, folder, say) as run:
        alone = run.direct(Phase(plan.in_flight))
        say(f"the upstream alone answers {alone['rps']:,.0f} requests a second")
        turn = _Turns(run)
        try:
            for name in plan.peers:
                turn.guarded(name, turn.begin)
            rounds = [turn.round() for _ in range(plan.repetitions)]
            for name, one in turn.running.items():
                turn.peers[name]["memory_after_mb"] = meter.memory_mb(one.session)
        finally:
            for one in turn.running.values():
                stop(one.process)
    return {"upstream_alone": alone, "direct": rounds, "peers": turn.peers}


class _Turns:
    """Who is running, and what is known of each; one that fails leaves the run with its reason."""

    def __init__(self, run: Bench) -> None:
        self.run = run
        self.running: dict[str, Running] = {}
        self.peers: dict[str, dict[str, Any]] = {}
        self._phases = phases(run.plan)

    def guarded(self, name: str, what: Callable[[str], None]) -> None:
        """Do it for one peer; the others go on if it fails."""
        try:
            what(name)
        except (NotHere, Unfit) as reason:
            self.run.say(f"{name}: not measured: {reason}")
            self.peers[name] = {"not_measured": str(reason)}
            if name in self.running:
                stop(self.running.pop(name).process)

    def begin(self, name: str) -> None:
        """Start a peer as often as there are repetitions, keep the last, note what it uses idle, warm it up."""
        run = self.run
        what = run.launch(name, 0).what
        colds = []
        for number in range(run.plan.repetitions):
            if number:
                stop(self.running.pop(name).process)
            one = self.running[name] = run.start(name)
            colds.append(one.cold_seconds)
        before, idle = meter.cpu_seconds(one.session), run.plan.warm_up
        time.sleep(idle)
        self.peers[name] = {
            "what": what,
            "cold_s": colds,
            "memory_idle_mb": meter.memory_mb(one.session),
            "idle_cpu_share": (meter.cpu_seconds(one.session) - before) / idle,
            "repetitions": [],
        }
        for phase in (self._phases["whole"], self._phases["stream"]):
            if one.streams or not phase.stream:
                run.through(one, phase, run.plan.warm_up / 2)
        run.say(f"{name}: started in {statistics.median(colds):.2f} s")

    def round(self) -> dict[str, Any]:
        """One repetition: every phase without a gateway, then every peer through every phase."""
        direct = {name: self.run.direct(phase) for name, phase in self._phases.items()}
        for name in tuple(self.running):
            self.guarded(name, self._measure)
        return direct

    def _measure(self, name: str) -> None:
        one, seconds = self.running[name], self.run.plan.seconds
        phases_ = {key: phase for key, phase in self._phases.items() if one.streams or not phase.stream}
        seen = {key: self.run.through(one, phase, seconds) for key, phase in phases_.items()}
        done = self.peers[name]["repetitions"]
        done.append({"load_average": os.getloadavg()[0], **seen})
        self.run.say(f"round {len(done)}: {name}: {seen['whole']['cpu_us'] or 0:,.0f} CPU us a request")
