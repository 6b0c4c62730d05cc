"""A peer that is gone without a word: from now on it hears nothing, so it acknowledges nothing, and says nothing."""

from __future__ import annotations

import ctypes
import socket
import struct
from typing import Any

_SO_ATTACH_FILTER = 26  # Linux; needs no right
_DROP_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)  # one instruction of the classic packet filter: keep 0 bytes


def vanish(sock: Any) -> None:
    """Every packet that comes in for this connection is thrown away. Its owner must send nothing and must not close it.

    Raises:
        OSError: the system knows no such filter.
    """
    program = ctypes.create_string_buffer(_DROP_ALL)
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(program)))
