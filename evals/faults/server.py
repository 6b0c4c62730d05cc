"""A server that misbehaves on command, per model. It speaks HTTP/1.1 itself, for no framework would do this."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections import Counter
from collections.abc import Mapping
from typing import Any

from evals.faults.vanish import vanish

WORDS = ("Hello", " from", " upstream", ".")
_USAGE = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}


class Server:
    """``how[model]``: well, hang, reset, trickle, garbage, limited, error, long, flood, bounded, vanish, fade.

    Attributes:
        asked: calls per model.
        pace: seconds before an answer begins, or an error.
        most: calls that were being answered at once, at most.
        bears: calls at once that ``bounded`` serves; beyond them it says 503.
    """

    def __init__(self) -> None:
        self.how: dict[str, str] = {}
        self.asked: Counter[str] = Counter()
        self.pace = 0.02
        self.bears = 10
        self.inside = self.most = 0
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._busy: set[asyncio.StreamReader] = set()

    async def start(self) -> None:
        """Listen on a free port of the loopback address."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Cut everything."""
        self._server.close()
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    @property
    def open_calls(self) -> int:
        """Calls that are being answered, and whose caller has not left."""
        return sum(not reader.at_eof() for reader in self._busy)

    def vanish(self) -> int:
        """Be gone, for all who are connected now; says how many those are."""
        for writer in self._open.values():
            vanish(writer.get_extra_info("socket"))
        return len(self._open)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0)
                body = json.loads(await reader.readexactly(length))
                self.asked[body["model"]] += 1
                self._busy.add(reader)
                self.most = max(self.most, len(self._busy))
                try:
                    await self._answer(body, writer)
                finally:
                    self._busy.discard(reader)
        except (asyncio.IncompleteReadError, ConnectionError, OSError):
            pass
        except asyncio.CancelledError:
            pass  # told to stop
        finally:
            self._open.pop(task, None)
            writer.close()

    async def _answer(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        how = self.how.get(body["model"], "well")
        stream = bool(body.get("stream"))
        if how == "vanish":
            vanish(writer.get_extra_info("socket"))
        if how in ("hang", "vanish"):
            await asyncio.sleep(3600)
        elif how == "reset":
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            raise ConnectionError
        elif how == "garbage":
            await _write(
                writer, b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 9\r\n\r\n\x00\xff<html>{"
            )
        elif how == "limited":
            await asyncio.sleep(self.pace)
            await _write(writer, _whole(429, {"error": {"message": "slow down"}}, b"retry-after: 2\r\n"))
        elif how == "error":
            await asyncio.sleep(self.pace)
            await _write(writer, _whole(500, {"error": {"message": "no"}}))
        elif how == "bounded":
            await self._bounded(writer)
        else:
            await asyncio.sleep(self.pace)
            await self._good(body["model"], writer, how, stream=stream)

    async def _bounded(self, writer: asyncio.StreamWriter) -> None:
        if self.inside >= self.bears:
            await _write(writer, _whole(503, {"error": {"message": "overloaded"}}))
            return
        self.inside += 1
        try:
            await asyncio.sleep(self.pace)
        finally:
            self.inside -= 1
        await _write(writer, _whole(200, _completion("m", _USAGE)))

    async def _good(self, model: str, writer: asyncio.StreamWriter, how: str, *, stream: bool) -> None:
        if not stream:
            await _write(writer, _whole(200, _completion(model, _USAGE)))
            return
        await _write(
            writer, b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        if how == "trickle":
            while True:
                await _write(writer, _event(_chunk(model, {"content": "a"})))
                await asyncio.sleep(0.3)
        if how == "fade":
            await _write(writer, _event(_chunk(model, {"content": "a"})))
            vanish(writer.get_extra_info("socket"))
            await asyncio.sleep(3600)
        if how == "flood":
            for _ in range(20_000):
                await _write(writer, _event(_chunk(model, {"content": "a long word " * 80})))
        for word in WORDS:
            await _write(writer, _event(_chunk(model, {"content": word})))
            await asyncio.sleep(0.5 if how == "long" else 0)
        end = _chunk(model, {}, "stop")
        await _write(
            writer, _event(end) + _event({**end, "choices": [], "usage": _USAGE}) + _framed(b"data: [DONE]\n\n")
        )
        await _write(writer, b"0\r\n\r\n")


async def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    with contextlib.suppress(AttributeError):
        await writer.drain()


def whole_answer(model: str, usage: Mapping[str, int]) -> bytes:
    """A good answer that is not a stream, with its head."""
    return _whole(200, _completion(model, usage))


def _completion(model: str, usage: Mapping[str, int]) -> dict[str, Any]:
    message = {"role": "assistant", "content": "".join(WORDS)}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return {"id": "c", "object": "chat.completion", "created": 1, "model": model, "choices": choices, "usage": usage}


def _chunk(model: str, delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": choices}


def _event(value: dict[str, Any]) -> bytes:
    return _framed(b"data: " + json.dumps(value).encode() + b"\n\n")


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _whole(status: int, value: dict[str, Any], more: bytes = b"") -> bytes:
    body = json.dumps(value).encode()
    head = b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n" % (status, len(body))
    return head + more + b"\r\n" + body
