"""What a scripted upstream does with one request: bytes to write, and misdeeds between them.

An `Answer` is a tuple of steps. Bytes are written as they are, so a script has the last word on every byte of
the head, the framing and the body; the other steps wait, fall silent, close or reset. The class methods build
the usual ones:

    Answer.completion("Hi")                               a whole answer
    Answer.stream(chunk("Hi"), finish(), usage())         a stream, with [DONE]
    Answer.stream(chunk("Hi"), RESET)                     a stream that is torn off
    Answer.stream(chunk("안녕"), finish(), split=1)        every byte on its own
    Answer.error(429, retry_after=2)                      an error
    Answer.json(error("no")).after(0.2)                   an answer that comes late
    Answer.silence()                                      none at all
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from http import HTTPStatus
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from tests.support import wire
from tests.support.wire import Json, dump, sse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["CLOSE", "HOLD", "RESET", "Answer", "Close", "Event", "Hold", "Repeat", "Reset", "Step", "Wait"]


@dataclass(frozen=True, slots=True)
class Wait:
    """Write nothing for a time."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hold:
    """Write nothing until the client leaves."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """Write the same bytes again and again until the client leaves, pausing `every` seconds between."""

    data: bytes
    every: float = 0.01


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection in order (FIN), wherever the answer stands."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Tear the connection down (RST): what the client has not read yet is lost too."""


CLOSE, HOLD, RESET = Close(), Hold(), Reset()

Step = bytes | Wait | Hold | Repeat | Close | Reset
# what a stream is written from: an object becomes an event, bytes are taken as they are
Event = Json | Step
Framing = Literal["chunked", "close"]
Headers = dict[str, str]

_LAST_CHUNK = b"0\r\n\r\n"


def head(status: int, headers: Headers) -> bytes:
    """The status line and headers of an HTTP/1.1 answer; any status is allowed, known to HTTP or not."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Scripted"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@dataclass(frozen=True, slots=True)
class Answer:
    """Steps taken in order; afterwards the connection serves the next request unless a step ended it.

    `early` takes the answer as soon as the request's head is read, without its body.
    """

    steps: tuple[Step, ...]
    early: bool = False

    @classmethod
    def raw(
        cls,
        body: bytes = b"",
        *,
        status: int = 200,
        content_type: str | None = "application/json",
        length: int | None = None,
        headers: Headers | None = None,
    ) -> Answer:
        """Any body at all.

        `length` overrides Content-Length: when it promises more than the body holds, the connection is closed
        after the body; when it promises less, the rest lies on the wire before the next answer.
        """
        fields = {"content-type": content_type} if content_type is not None else {}
        promised = len(body) if length is None else length
        start = head(status, {**fields, "content-length": str(promised), **(headers or {})})
        return cls((start + body, CLOSE) if promised > len(body) else (start + body,))

    @classmethod
    def json(cls, value: object, *, status: int = 200, headers: Headers | None = None) -> Answer:
        """A JSON body."""
        return cls.raw(dump(value), status=status, headers=headers)

    @classmethod
    def html(cls, status: int = 502, title: str = "Bad Gateway", *, headers: Headers | None = None) -> Answer:
        """The page of a proxy in front of the upstream."""
        page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
        return cls.raw(page.encode(), status=status, content_type="text/html", headers=headers)

    @classmethod
    def error(
        cls,
        status: int,
        message: str = "The scripted upstream failed.",
        *,
        type: str = "server_error",  # noqa: A002 - the wire's word
        code: str | None = None,
        param: str | None = None,
        retry_after: float | str | None = None,
    ) -> Answer:
        """An error in the OpenAI shape; `retry_after` is seconds or an HTTP date."""
        headers = {} if retry_after is None else {"retry-after": str(retry_after)}
        body = wire.error(message, type=type, code=code, param=param)
        return cls.json(body, status=status, headers=headers)

    @classmethod
    def completion(cls, text: str | None = "Hello from upstream.", **fields: object) -> Answer:
        """A chat completion; `fields` are those of `wire.completion`."""
        return cls.json(wire.completion(text, **fields))  # type: ignore[arg-type]

    @classmethod
    def stream(
        cls,
        *events: Event,
        done: bool = True,
        split: int | Sequence[int] | None = None,
        pace: float = 0.0,
        space: bool = True,
        newline: str = "\n",
        framing: Framing = "chunked",
        status: int = 200,
        content_type: str = "text/event-stream",
        headers: Headers | None = None,
    ) -> Answer:
        """A stream of server-sent events, each written on its own.

        Args:
            events: objects become events, bytes travel as they are, other steps happen where they stand.
            done: end with `[DONE]`; without it the body still ends in order.
            split: ignore events and cut the bytes every n, or at the given offsets.
            pace: seconds between writes.
            space: write `data: ` rather than `data:`.
            newline: the line ending of events built from objects.
            framing: `chunked`, or `close`: the body ends where the connection does.
            status: status of the answer.
            content_type: its content type.
            headers: further headers.
        """
        ending: tuple[Event, ...] = (sse("[DONE]", space=space, newline=newline),) if done else ()
        encoded = tuple(sse(e, space=space, newline=newline) if isinstance(e, dict) else e for e in (*events, *ending))
        chunked = framing == "chunked"
        how = {"transfer-encoding": "chunked"} if chunked else {"connection": "close"}
        steps: list[Step] = [head(status, {"content-type": content_type, **how, **(headers or {})})]
        for step in _cut(encoded, split):
            if pace and isinstance(step, bytes):
                steps.append(Wait(pace))
            steps.append(_frame(step) if chunked else step)
        steps.append(_LAST_CHUNK if chunked else CLOSE)
        return cls(tuple(steps))

    @classmethod
    def silence(cls) -> Answer:
        """Read the request and never answer."""
        return cls((HOLD,))

    @classmethod
    def reset(cls, *, early: bool = False) -> Answer:
        """Tear the connection down instead of answering; `early`, while the request is still being sent."""
        return cls((RESET,), early=early)

    def after(self, seconds: float) -> Answer:
        """The same answer, later: silence before the head."""
        return replace(self, steps=(Wait(seconds), *self.steps))


def _frame(step: Step) -> Step:
    if isinstance(step, Repeat):
        return replace(step, data=_chunk(step.data))
    return _chunk(step) if isinstance(step, bytes) else step


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _cut(steps: Sequence[Step], split: int | Sequence[int] | None) -> Iterator[Step]:
    """Cut runs of bytes at multiples of `split`, or at its offsets counted over all the bytes."""
    if split is None:
        yield from steps
        return
    start, pending = 0, b""
    for step in (*steps, None):
        if isinstance(step, bytes):
            pending += step
            continue
        end = start + len(pending)
        inner = range(start + split, end, split) if isinstance(split, int) else split
        edges = [start, *sorted(at for at in inner if start < at < end), end]
        yield from (pending[a - start : b - start] for a, b in pairwise(edges) if a < b)
        start, pending = end, b""
        if step is not None:
            yield step
