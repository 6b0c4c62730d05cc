"""The teacher: a server on this machine that looks the right answer up, as each task defines it.

It stands where a hosted model would stand and is none: it never errs, so what a student loses is lost in learning and
not in teaching. Its tokens are counted by estimate.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from evals.distill.demo.asked import Asked
from router.core.tokens import estimate_tokens

NAME: Final = "exact-label-teacher"


class Teacher:
    """What it knows, and where it is asked."""

    def __init__(self, url: str) -> None:
        """``url`` is the base URL for OpenAI's wire."""
        self.url = url
        self._known: dict[tuple[str, str], str] = {}
        self.calls = 0

    def learn(self, asked: Iterable[Asked]) -> None:
        """Know the answers to these questions."""
        self._known |= {(each.system, each.text): each.gold for each in asked}

    def answer(self, body: dict[str, Any]) -> dict[str, Any] | None:
        """A completion; None where nobody told it the answer."""
        system, said = (_last(body["messages"], role) for role in ("system", "user"))
        gold = self._known.get((system, said))
        if gold is None:
            return None
        self.calls += 1
        tokens = estimate_tokens(system) + estimate_tokens(said), estimate_tokens(gold)
        return {
            "id": f"chatcmpl-{self.calls}", "object": "chat.completion", "created": 0, "model": NAME,
            "choices": [
                {"index": 0, "message": {"role": "assistant", "content": gold}, "finish_reason": "stop"},
            ],
            "usage": {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)},
        }  # fmt: skip


def _last(messages: list[dict[str, str]], role: str) -> str:
    return next((each["content"] for each in reversed(messages) if each["role"] == role), "")


@contextlib.contextmanager
def teaching() -> Iterator[Teacher]:
    """Serve a teacher on a free port of the loopback address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            found = teacher.answer(body)
            told = {"error": {"message": "nobody told the teacher this answer", "type": "invalid_request_error"}}
            data = json.dumps(told if found is None else found).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Nothing: prompts are nobody's business."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    teacher = Teacher(f"http://127.0.0.1:{server.server_address[1]}/v1")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield teacher
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
