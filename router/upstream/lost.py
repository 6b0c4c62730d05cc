"""Connections whose peer vanished without a word, found while somebody waits on them.

The kernel gives such a one up after ``transport.DEAD_SECONDS``, in any state. Here it is found earlier where something
was sent: as soon as the kernel has sent it again three times in a row without an acknowledgement. That is seven times
what it holds for a round trip to the peer, at least 1.4 seconds. A server that is only slow, or does not read, does
acknowledge.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any, Final
from weakref import WeakSet

from router.sockets import unheard

LOOK_S: Final = 0.5
AGAIN: Final = 3


class Lost:
    """Looks after the sockets that are handed to ``watch``, one after the other, while there are any."""

    def __init__(self) -> None:
        self._sockets: WeakSet[Any] = WeakSet()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, sock: socket.socket) -> None:
        """From now until it is closed."""
        self._sockets.add(sock)
        if self._timer is None:
            self._again()

    def end(self) -> None:
        """Look no more."""
        self._sockets.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _again(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def _look(self) -> None:
        self._timer = None
        for sock in tuple(self._sockets):
            if sock.fileno() < 0:
                self._sockets.discard(sock)
            elif unheard(sock) >= AGAIN:
                self._sockets.discard(sock)
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)  # whoever waits on it sees its end
        if self._sockets:
            self._again()
