"""A teacher that talks of people nobody asked about: a server on this machine, for as long as it is needed."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from evals.distill.privacy.fixture import Seed


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, sown: Sequence[Seed], *rest: object) -> None:
        self._sown = sown
        super().__init__(*rest)  # type: ignore[arg-type]

    def do_POST(self) -> None:
        """Answer a question, the same one always alike."""
        question = self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps({
            "id": "c", "object": "chat.completion", "created": 0, "model": "teacher-2",
            "choices": [{"index": 0, "finish_reason": "stop",
                         "message": {"role": "assistant", "content": _said(self._sown, question)}}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18},
        }).encode()  # fmt: skip
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Say nothing."""


def _said(sown: Sequence[Seed], question: bytes) -> str:
    one = random.Random(question).choice(sown)  # noqa: S311 - seeded, to be repeated
    return f"It will be done. {one.says} The number is {one.mark}."


@contextmanager
def teacher(sown: Sequence[Seed]) -> Iterator[str]:
    """Its base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, sown))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
