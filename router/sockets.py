"""What the kernel is told about a connection, where it knows how. It watches all of them and costs nothing.

A peer that acknowledges nothing, or reads nothing, for so long is gone: the kernel then ends the connection, and the
code above sees a reset. Without it a caller who stops reading would hold his answer in memory for ever, and a server
behind a dead link would be waited for as long as the policy allows.
"""

from __future__ import annotations

import socket
import sys

_KEEPALIVE = (("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 3))


def give_up_after(sock: socket.socket, seconds: float) -> None:
    """End a connection whose peer takes nothing for ``seconds``; of a listening socket, those that it accepts."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))


def look_for_life(sock: socket.socket, idle: float = 5.0) -> None:
    """Ask a peer that was silent for ``idle`` seconds whether it is there still; of a listening socket, those it takes.

    It is given up as ``give_up_after`` says, where that was called, or else when it has not answered three times.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", max(1, round(idle))), *_KEEPALIVE):
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def unheard(sock: socket.socket) -> int:
    """How often in a row the kernel has sent the same again, for nobody acknowledged it; 0 where it does not tell."""
    if sys.platform != "linux":
        return 0
    try:
        return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[2]  # tcpi_retransmits
    except OSError:
        return 0
