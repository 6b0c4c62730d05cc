"""HTTP written by hand: what no client library would send, and every byte of what comes back."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        """The error's code; a shape that is not ours raises."""
        error = self.json["error"]
        assert set(error) == {"message", "type", "param", "code", "request_id"}, error
        assert error["request_id"] == self.headers["x-request-id"]
        return error["code"]


class Wire:
    """One connection. ``async with Wire(url) as wire``."""

    def __init__(self, url: str, **options: Any) -> None:
        host, _, port = url.partition("://")[2].partition(":")
        self._where = host, int(port)
        self._options = options

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection(*self._where, **self._options)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    async def send(self, *parts: bytes) -> None:
        """Write parts, each on its own."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            await asyncio.sleep(0.002)

    async def hear(self, method: str = "POST") -> Heard:
        """Read one answer."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(first.split(" ")[1])
        if status == 100:
            return Heard(100, headers, b"")
        if method == "HEAD" or status in (204, 304):
            return Heard(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(await self.reader.readline(), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readline()
        else:
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return Heard(status, headers, body)

    async def closed(self, within: float = 5.0) -> bool:
        """Whether the other side closes, and says nothing more."""
        try:
            return await asyncio.wait_for(self.reader.read(1), within) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False


def post(body: bytes, *headers: str, path: str = "/v1/chat/completions", length: int | str | None = None) -> bytes:
    """A POST; ``length`` may lie."""
    length = len(body) if length is None else length
    lines = [f"POST {path} HTTP/1.1", "Host: gateway", "Content-Type: application/json", *headers]
    if length != "":
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def chat(text: object = "hi", **fields: object) -> bytes:
    """A chat completion's body."""
    return json.dumps({"model": "auto", "messages": [{"role": "user", "content": text}], **fields}).encode()
