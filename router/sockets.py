"""What the kernel is told about a connection, where it knows how. It watches all of them and costs nothing.

A peer that acknowledges nothing, or reads nothing, for so long is gone: the kernel then ends the connection, and the
code above sees a reset. Without it a caller who stops reading would hold his answer in memory for ever, and a server
behind a dead link would be waited for as long as the policy allows.
"""

from __future__ import annotations

import socket

_KEEPALIVE = (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 3))


def give_up_after(sock: socket.socket, seconds: float) -> None:
    """End a connection whose peer takes nothing for ``seconds``; of a listening socket, those that it accepts."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))


def look_for_life(sock: socket.socket) -> None:
    """Ask a silent peer every few seconds whether it is still there."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
