"""An upstream that misbehaves when told to: ``python -m evals.blast.upstream --port P``.

``POST /mode`` with ``{"model": NAME or "*", "mode": MODE}`` says what it does from then on:

    ok       answers after ``--think`` seconds, streams with ``--gap`` seconds between events
    hang     takes the request and says nothing
    reset    tears the connection down
    trickle  one byte of the answer every tenth of a second
    garbage  bytes that are no HTTP
    busy     429 with Retry-After
    broken   500
    cut      half of a stream, then a reset
    slow     the first event of a stream; the others when the mode is another one

``GET /seen`` tells how many requests came for each model.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import struct
from collections import Counter
from typing import Any, Final

import uvloop

MODES: Final = ("ok", "hang", "reset", "trickle", "garbage", "busy", "broken", "cut", "slow")
EVENTS = 4
_JSON = "application/json"


def _whole(status: str, body: dict[str, Any], *headers: str) -> bytes:
    raw = json.dumps(body).encode()
    head = (f"HTTP/1.1 {status}", f"content-type: {_JSON}", f"content-length: {len(raw)}", *headers)
    return "\r\n".join(head).encode() + b"\r\n\r\n" + raw


def _completion(model: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": "A short answer."}
    return {
        "id": "c", "object": "chat.completion", "created": 1, "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }  # fmt: skip


def _events(model: str) -> list[bytes]:
    def event(delta: dict[str, str], finish: str | None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        body = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": [choice]}
        return b"data: " + json.dumps(body).encode() + b"\n\n"

    words = [event({"content": f"word {i} "}, None) for i in range(EVENTS)]
    return [*words, event({}, "stop"), b"data: [DONE]\n\n"]


class Misbehaving:
    """The server's state: what each model does, and what came."""

    def __init__(self, think: float, gap: float) -> None:
        self._think, self._gap = think, gap
        self._modes: dict[str, str] = {}
        self._seen: Counter[str] = Counter()
        self._changed = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while await self._one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = next((int(line[15:]) for line in head.split("\r\n") if line.startswith("content-length:")), 0)
        body = json.loads(await reader.readexactly(length)) if length else {}
        if head.startswith("post /mode"):
            if body["model"] == "*":
                self._modes.clear()
            self._modes[body["model"]] = body["mode"]
            self._changed.set()
            self._changed = asyncio.Event()
            writer.write(_whole("200 OK", {}))
        elif head.startswith("get /seen"):
            writer.write(_whole("200 OK", dict(self._seen)))
        else:
            self._seen[body["model"]] += 1
            mode = self._modes.get(body["model"], self._modes.get("*", "ok"))
            return await self._act(mode, body["model"], bool(body.get("stream")), writer)
        await writer.drain()
        return True

    async def _act(self, mode: str, model: str, stream: bool, writer: asyncio.StreamWriter) -> bool:
        answer = _whole("200 OK", _completion(model))
        match mode:
            case "hang":
                await asyncio.sleep(3600)
            case "reset":
                return _reset(writer)
            case "garbage":
                writer.write(b"\x00\x01\xffnothing that HTTP knows\r\n\r\n")
                await writer.drain()
                return False
            case "busy":
                writer.write(_whole("429 Too Many Requests", {"error": {"message": "slow down"}}, "retry-after: 1"))
            case "broken":
                writer.write(_whole("500 Internal Server Error", {"error": {"message": "broken"}}))
            case "trickle":
                for byte in answer:
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(0.1)
            case _ if stream:
                return await self._stream(mode, model, writer)
            case _:
                await asyncio.sleep(self._think)
                writer.write(answer)
        await writer.drain()
        return True

    async def _stream(self, mode: str, model: str, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        changed = self._changed  # held from the start: the next word may come before the first wait
        for number, event in enumerate(_events(model)):
            if mode == "cut" and number == EVENTS // 2:
                return _reset(writer)
            writer.write(b"%x\r\n%b\r\n" % (len(event), event))
            await writer.drain()
            await asyncio.sleep(self._gap if number < EVENTS else 0)
            if mode == "slow" and number == 0:
                await changed.wait()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True


def _reset(writer: asyncio.StreamWriter) -> bool:
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return False


async def _run(args: argparse.Namespace) -> None:
    state = Misbehaving(args.think, args.gap)
    server = await asyncio.start_server(state.serve, "127.0.0.1", args.port, backlog=1024)
    await server.serve_forever()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--think", type=float, default=0.02)
    parser.add_argument("--gap", type=float, default=0.02)
    uvloop.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
