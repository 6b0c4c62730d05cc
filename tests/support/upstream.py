"""A scripted OpenAI-compatible server on a real socket, able to misbehave at every byte.

    async with ScriptedUpstream() as up:
        up.script(Answer.error(500), Answer.stream(chunk("Hi"), finish(), usage()))
        ...                                # point a client at up.base_url
        assert up.requests[0].json["model"] == "small"
        await up.requests[1].gone.wait()   # set when the client left before the answer was finished

Without a script it answers like a well-behaved upstream: "Hello from upstream." with usage, streamed when asked.
It speaks HTTP/1.1 itself, because a framework would refuse to send what these tests are about.
"""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import struct
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self, assert_never

from tests.support.answer import CLOSE, HOLD, RESET, Answer, Close, Event, Hold, Repeat, Reset, Step, Wait
from tests.support.wire import (
    Json,
    chunk,
    comment,
    completion,
    dump,
    embeddings,
    error,
    finish,
    logprobs,
    models,
    sse,
    tokens,
    tool,
    usage,
)

__all__ = [
    "CLOSE",
    "HOLD",
    "RESET",
    "Answer",
    "Event",
    "Json",
    "Repeat",
    "ScriptedUpstream",
    "Seen",
    "Wait",
    "chunk",
    "comment",
    "completion",
    "dump",
    "embeddings",
    "error",
    "finish",
    "logprobs",
    "models",
    "sse",
    "tokens",
    "tool",
    "usage",
]

Script = Answer | Callable[["Seen"], Answer]


@dataclass(eq=False)
class Seen:
    """One request as it arrived, and what became of it. Times are seconds from the end of the request."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case; of repeated ones the last
    connection: int  # which connection brought it, counted from 0: two equal numbers mean a reused one
    body: bytes = b""
    # the client left before the answer was finished
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    gone_after: float | None = None
    # the answer was given as scripted, be it to its end or to a step that broke it off
    answered: bool = False

    @property
    def json(self) -> Any:
        """The body, decoded; None when it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class ScriptedUpstream:
    """The server: an async context manager, listening on a free port of 127.0.0.1.

    `accepting=False` starts it deaf: connections wait in the kernel until `accept()`. With `backlog=0` a second
    waiting connection is not even shaken hands with, which is what a connect timeout needs.
    """

    def __init__(
        self,
        *,
        models: tuple[str, ...] = ("small", "medium", "large"),
        accepting: bool = True,
        backlog: int = 128,
    ) -> None:
        self.requests: list[Seen] = []
        self.models = models
        self._queue: deque[Script] = deque()
        self._by_model: defaultdict[str, deque[Script]] = defaultdict(deque)
        self._always: dict[str | None, Script] = {}
        self._accepting = accepting
        self._backlog = backlog
        self._connections: set[_Connection] = set()
        self._connected = 0
        self._faults: list[Exception] = []

    async def __aenter__(self) -> Self:
        self._arrived = asyncio.Condition()
        self._may_accept = asyncio.Event()
        if self._accepting:
            self._may_accept.set()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=self._backlog)
        self._socket.setblocking(False)
        self._port: int = self._socket.getsockname()[1]
        self._acceptor = asyncio.create_task(self._accept_all())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.refuse()
        await asyncio.gather(*(connection.stop() for connection in tuple(self._connections)))
        if self._faults:
            raise ExceptionGroup("the scripted upstream could not follow its script", self._faults)

    @property
    def base_url(self) -> str:
        """What a client's `base_url` is set to, with `/v1`."""
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def open_connections(self) -> int:
        """Connections that neither side has closed."""
        return len(self._connections)

    def script(self, *answers: Script, model: str | None = None) -> None:
        """Queue answers, one a request, in order; with `model`, for requests naming that model only.

        An answer may be a function of the request. A model's own queue is served before the common one.
        """
        (self._queue if model is None else self._by_model[model]).extend(answers)

    def always(self, answer: Script, *, model: str | None = None) -> None:
        """Answer so whenever no queue has anything left."""
        self._always[model] = answer

    def forget(self) -> None:
        """Drop scripts and what has been seen."""
        self.requests.clear()
        self._queue.clear()
        self._by_model.clear()
        self._always.clear()

    def accept(self) -> None:
        """Begin to accept connections."""
        self._may_accept.set()

    async def refuse(self) -> None:
        """Stop listening for good: later connections are refused, open ones live on."""
        self._acceptor.cancel()
        await asyncio.gather(self._acceptor, return_exceptions=True)
        self._socket.close()

    async def wait_for(self, count: int) -> Seen:
        """Wait until `count` requests have arrived in all; returns the last of them."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests) >= count)
        return self.requests[count - 1]

    async def _accept_all(self) -> None:
        loop = asyncio.get_running_loop()
        await self._may_accept.wait()
        while True:
            accepted, _ = await loop.sock_accept(self._socket)
            await loop.connect_accepted_socket(self._connect, accepted)

    def _connect(self) -> _Connection:
        self._connected += 1
        return _Connection(self, self._connected - 1)

    async def _arrive(self, seen: Seen) -> None:
        async with self._arrived:
            self.requests.append(seen)
            self._arrived.notify_all()

    def _early(self) -> Answer | None:
        """The next answer, if it does not wait for the request's body."""
        if self._queue and isinstance(self._queue[0], Answer) and self._queue[0].early:
            return self._take(None)
        return None

    def _take(self, seen: Seen | None) -> Answer:
        body = seen.json if seen is not None else None
        model = body.get("model") if isinstance(body, dict) else None
        if isinstance(model, str) and self._by_model[model]:
            script = self._by_model[model].popleft()
        elif self._queue:
            script = self._queue.popleft()
        else:
            script = self._always.get(model) or self._always.get(None) or self._usual
        if isinstance(script, Answer):
            return script
        assert seen is not None, "an early answer is taken from the queue"
        return script(seen)

    def _usual(self, seen: Seen) -> Answer:
        """What a healthy upstream says."""
        body = seen.json if isinstance(seen.json, dict) else {}
        model = body.get("model", "scripted-1")
        match seen.method, seen.path.partition("?")[0]:
            case "POST", "/v1/chat/completions":
                return _usual_stream(body, model) if body.get("stream") else Answer.completion(model=model)
            case "POST", "/v1/embeddings":
                return Answer.json(_usual_vectors(body, model))
            case "GET", "/v1/models":
                return Answer.json(models(*self.models))
            case "GET", path if path.removeprefix("/v1/models/") in self.models:
                return Answer.json(models(path.removeprefix("/v1/models/"))["data"][0])
        return Answer.error(404, f"no route {seen.path}", type="invalid_request_error")


def _usual_stream(body: Json, model: str) -> Answer:
    words = ("Hello", " from", " upstream", ".")
    wanted = (body.get("stream_options") or {}).get("include_usage")
    return Answer.stream(
        chunk("", role="assistant", model=model),
        *(chunk(word, model=model) for word in words),
        finish(model=model),
        *([usage(model=model)] if wanted else []),
    )


def _usual_vectors(body: Json, model: str) -> Json:
    given = body.get("input")
    answer = embeddings(len(given) if isinstance(given, list) else 1, model=model)
    if body.get("encoding_format") == "base64":
        for row in answer["data"]:
            packed = struct.pack(f"<{len(row['embedding'])}f", *row["embedding"])
            row["embedding"] = base64.b64encode(packed).decode()
    return answer


class _Connection(asyncio.Protocol):
    """One client's connection: reads requests one after another and takes the steps of their answers.

    A protocol rather than a pair of streams, because it learns of a client's leaving while it writes or waits.
    """

    def __init__(self, upstream: ScriptedUpstream, number: int) -> None:
        self._upstream = upstream
        self._number = number
        self._buffer = bytearray()
        self._more = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._upstream._connections.add(self)
        self._task = asyncio.create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._more.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def eof_received(self) -> None:
        # a client that has closed its half has left; no client of this API waits for an answer like that
        self._leave()

    def connection_lost(self, _: Exception | None) -> None:
        self._leave()
        self._upstream._connections.discard(self)

    def _leave(self) -> None:
        self._lost.set()
        self._more.set()
        self._writable.set()

    async def stop(self) -> None:
        """Cut the connection and wait until its task has ended."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._transport.abort()

    async def _serve(self) -> None:
        try:
            while (seen := await self._read_head()) is not None:
                answer = self._upstream._early()
                if answer is None:
                    await self._read_body(seen)
                await self._upstream._arrive(seen)
                if not await self._follow(seen, answer or self._upstream._take(seen)):
                    break
        except EOFError:
            pass  # the client left in the middle of a request: there is nobody to answer
        except Exception as fault:
            # a faulty script must fail its test, not vanish with a task
            self._upstream._faults.append(fault)
        finally:
            self._transport.close()

    async def _until(self, ready: Callable[[], bool]) -> None:
        while not ready():
            if self._lost.is_set():
                raise EOFError
            self._more.clear()
            await self._more.wait()

    async def _read_line(self) -> bytes:
        await self._until(lambda: b"\r\n" in self._buffer)
        end = self._buffer.index(b"\r\n")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    async def _read_exactly(self, count: int) -> bytes:
        await self._until(lambda: len(self._buffer) >= count)
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    async def _read_head(self) -> Seen | None:
        try:
            method, path, _ = (await self._read_line()).decode("latin-1").split(" ")
        except EOFError:
            return None
        headers: dict[str, str] = {}
        while line := await self._read_line():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        return Seen(method, path, headers, self._number)

    async def _read_body(self, seen: Seen) -> None:
        if seen.headers.get("expect", "").lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if seen.headers.get("transfer-encoding", "").lower() != "chunked":
            seen.body = await self._read_exactly(int(seen.headers.get("content-length", "0")))
            return
        while size := int((await self._read_line()).partition(b";")[0], 16):
            seen.body += await self._read_exactly(size)
            await self._read_line()
        while await self._read_line():
            pass  # trailers

    async def _follow(self, seen: Seen, answer: Answer) -> bool:
        """Take the answer's steps; False when the connection is over."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        for step in answer.steps:
            await self._take(step)
            if self._lost.is_set():
                seen.gone_after = loop.time() - start
                seen.gone.set()
                return False
            if self._transport.is_closing():
                break
        seen.answered = True
        return not self._transport.is_closing()

    async def _take(self, step: Step) -> None:
        match step:
            case bytes():
                await self._write(step)
            case Wait(seconds):
                await self._pause(seconds)
            case Hold():
                await self._lost.wait()
            case Repeat(data, every):
                while not self._lost.is_set():
                    await self._write(data)
                    await self._pause(every)
            case Close():
                self._transport.close()
            case Reset():
                # give the client the chance to read what was written before it is torn away
                await asyncio.sleep(0)
                raw = self._transport.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self._transport.abort()
            case _:
                assert_never(step)

    async def _write(self, data: bytes) -> None:
        await self._writable.wait()
        if not self._lost.is_set():
            self._transport.write(data)
            await asyncio.sleep(0)  # a turn for the reader, so that two writes are seen as two

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._lost.wait(), seconds)
        except TimeoutError:
            return
