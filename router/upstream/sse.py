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

    __slots__ = ("_cr", "_data", "_held", "_size", "done")

    def __init__(self) -> None:
        self._held: list[bytes] = []  # the beginning of a line, in the pieces in which it came
        self._data: list[bytes] = []
        self._size = 0
        self._cr = False
        self.done = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Data of the events that this chunk completes, in order.

        Lines of one event are joined with a space: as white space in JSON it means what a line feed means, and the
        event stays one line on its way to the caller.

        Raises:
            UpstreamInvalid: one event is larger than the gateway accepts.
        """
        if self.done:
            return []
        if b"\r" in chunk or self._cr:
            chunk = self._plain_newlines(chunk)
        if b"\n" not in chunk:  # a long line is looked through once, not once for each of its pieces
            self._hold(chunk)
            return []
        lines = (b"".join([*self._held, chunk]) if self._held else chunk).split(b"\n")
        self._held.clear()
        self._size = 0
        rest = lines.pop()
        events: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif not line and self._data:
                data = self._data[0] if len(self._data) == 1 else b" ".join(self._data)
                self._data.clear()
                if data.strip() == DONE:
                    self.done = True
                    return events
                if data:
                    events.append(data)
        if self._data:
            self._size = sum(len(line) + len(b"data:") for line in self._data)
        self._hold(rest)
        return events

    def _hold(self, piece: bytes) -> None:
        if piece:
            self._held.append(piece)
            self._size += len(piece)
        if self._size > MAX_EVENT_BYTES:
            raise UpstreamInvalid("The model's server sent an event that is too large.")

    def _plain_newlines(self, chunk: bytes) -> bytes:
        """CR LF and CR are newlines too; one LF behind a CR that ended a chunk belongs to it."""
        if self._cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            if not chunk:
                self._cr = False
                return chunk
        self._cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    @property
    def unfinished(self) -> bool:
        """Whether the bytes so far end inside an event."""
        return bool(self._held or self._data)
