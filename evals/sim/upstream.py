"""The models' servers: how long they take, and how they fail."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from evals.sim.clock import Clock, Event
from router.errors import UpstreamError, UpstreamRateLimited, UpstreamUnavailable

Told = Callable[[UpstreamError | None], None]

REFUSED = UpstreamUnavailable("The model's server refused the connection.")
BROKEN = UpstreamUnavailable("The model's server failed.")
LIMITED = UpstreamRateLimited("The model's server is asked too often.", retry_after="1")
_QUICK = 0.002  # seconds until a refusal


class Server:
    """One deployment, shared by all cells.

    Attributes:
        mode: ``ok``, ``dead`` (refuses), ``hole`` (takes and never answers), ``flaky`` (each second call fails),
            ``full`` (serves as many at once as ``most``, and turns the rest away).
        calls: how often it was asked. busy: how many it serves now.
    """

    __slots__ = ("_clock", "busy", "calls", "mode", "most")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.mode = "ok"
        self.most = 0
        self.calls = self.busy = 0

    def ask(self, seconds: float, told: Told, *, breaks: bool = False) -> Event | None:
        """Ask for an answer that takes ``seconds``; ``breaks``: this request makes the server fail.

        Returns:
            The event of its answer, to be called off by who does not wait for it; None: there will be none.
        """
        self.calls += 1
        mode = self.mode
        if mode == "hole":
            return None
        if mode == "dead":
            return self._clock.after(_QUICK, partial(told, REFUSED))
        if breaks or (mode == "flaky" and self.calls % 2):
            return self._clock.after(_QUICK * 25, partial(told, BROKEN))
        if mode == "full" and self.busy >= self.most:
            return self._clock.after(_QUICK, partial(told, LIMITED))
        self.busy += 1
        return self._clock.after(seconds, partial(self._done, told))

    def left(self, event: Event | None) -> None:
        """The caller does not wait any more."""
        if event is not None and event[2] is not None:
            what: Any = event[2]
            if what.func == self._done:
                self.busy -= 1
            Clock.off(event)

    def _done(self, told: Told) -> None:
        self.busy -= 1
        if self.mode != "hole":  # what was being answered is lost on the way, too
            told(None)
