"""Server-sent events from bytes that may be cut anywhere, also inside a character or a CR LF.

Written after the WHATWG HTML standard, section "Server-sent events"; only ``data`` is of use here.
"""

from __future__ import annotations

from router.errors import UpstreamInvalid

MAX_EVENT_BYTES = 16 * 1024 * 1024
DONE = b"[DONE]"


class EventDecoder:
    """Feed it bytes, it gives the data of each event that is complete.

    ``done`` becomes true at ``[DONE]``; what comes after is ignored.
    """

    __slots__ = ("_buffer", "_cr", "_data", "done")

    def __init__(self) -> None:
        self._buffer = b""
        self._data: list[bytes] = []
        self._cr = False
        self.done = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Data of the events that this chunk completes, in order.

        Raises:
            UpstreamInvalid: one event is larger than the gateway accepts.
        """
        if self.done:
            return []
        if b"\r" in chunk or self._cr:
            chunk = self._plain_newlines(chunk)
        buffer = self._buffer + chunk if self._buffer else chunk
        lines = buffer.split(b"\n")
        self._buffer = lines.pop()
        if len(self._buffer) > MAX_EVENT_BYTES:
            raise UpstreamInvalid("The model's server sent an event that is too large.")
        events: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif not line and self._data:
                data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
                self._data.clear()
                if data.strip() == DONE:
                    self.done = True
                    break
                events.append(data)
        return events

    def _plain_newlines(self, chunk: bytes) -> bytes:
        """CR LF and CR are newlines too; a CR at the end waits for the LF that may follow."""
        if self._cr:
            chunk = b"\r" + chunk
        self._cr = chunk.endswith(b"\r")
        if self._cr:
            chunk = chunk[:-1]
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    @property
    def unfinished(self) -> bool:
        """Whether the bytes so far end inside an event."""
        return bool(self._buffer or self._data)
