"""Callers who stop reading: found by looking at what is left to be taken, and cut off.

The kernel's own limit (``router.sockets``) ends such a connection, too, but looks at moments that lie ever further
apart. Here a look costs nothing until a caller's buffers are full; then it is a quarter of the time apart.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Final

_LOOKS: Final = 4


class Stuck:
    """One connection's. ``begin`` when its buffers are full, ``end`` when they are not any more."""

    __slots__ = ("_last", "_left", "_loop", "_seconds", "_timer", "_transport")

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, seconds: float) -> None:
        self._loop, self._transport, self._seconds = loop, transport, seconds
        self._timer: asyncio.TimerHandle | None = None
        self._left, self._last = 0, 0.0

    def begin(self) -> None:
        """Look on, from now."""
        self._left, self._last = left_in(self._transport), self._loop.time()
        self._again()

    def end(self) -> None:
        """It goes on, or is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _again(self) -> None:
        self._timer = self._loop.call_later(self._seconds / _LOOKS, self._look)

    def _look(self) -> None:
        now, left = self._loop.time(), left_in(self._transport)
        if left < self._left:  # slow, but not stuck
            self._left, self._last = left, now
        if now - self._last >= self._seconds:
            self._timer = None
            self._transport.abort()
        else:
            self._again()


def left_in(transport: asyncio.Transport) -> int:
    """Bytes that the peer has not taken: ours, and where the kernel tells, those that it holds."""
    size = transport.get_write_buffer_size()
    sock = transport.get_extra_info("socket")
    if sock is not None and sys.platform == "linux":
        import fcntl
        import termios

        with contextlib.suppress(OSError):
            size += int.from_bytes(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    return size
