"""The sessions that one process remembers: bounded, forgetful, keyed by what cannot be read back.

A session is named by the tenant, the policy, the caller's own id where one is sent, and the conversation's
beginning. The beginning is always part of the name: sub-agents and title requests that share a client's
session id begin differently, so they do not disturb each other, and a history that was compacted or
edited at its front, whose prompt cache is lost anyway, is a new session.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from router.core.affinity import Memory
from router.core.wire import ChatRequest

MOST = 10_000  # sessions; the one that was silent longest is forgotten first
HEAD, TAIL = 1024, 256  # code points of a message that count for a conversation's beginning
CLIENT_HEADERS = (b"x-session-id", b"x-session-affinity", b"session-id")


class Sessions:
    """Session name -> memory, the latest last. Not shared between processes."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._held: OrderedDict[bytes, Memory] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def get(self, name: bytes) -> Memory | None:
        """What is remembered. Looking does not make it younger: only a served turn does."""
        return self._held.get(name)

    def put(self, name: bytes, memory: Memory) -> None:
        """Remember; forget the session that was silent longest where there are too many."""
        self._held[name] = memory
        self._held.move_to_end(name)
        if len(self._held) > self._most:
            self._held.popitem(last=False)


def session_name(request: ChatRequest, tenant: str, policy: str, sent: str | None, salt: bytes) -> bytes:
    """A keyed hash of who asks, under what policy, in which conversation."""
    said: list[bytes] = []
    for part in (tenant, policy, sent or request.cache_key or "", *_beginning(request)):
        data = part.encode("utf-8", "surrogatepass")
        said += (len(data).to_bytes(4, "big"), data)
    return hashlib.blake2b(b"".join(said), key=salt, digest_size=16).digest()


def _beginning(request: ChatRequest) -> list[str]:
    """Everything up to the first message of the user, each message by its length, head and tail."""
    parts: list[str] = []
    for index in range(request.turns):
        text = request.text(index)
        parts += (request.roles[index], str(len(text)), text[:HEAD], text[-TAIL:])
        if request.roles[index] == "user":
            break
    return parts


def client_session(headers: dict[bytes, bytes]) -> str | None:
    """The session id that coding clients send by themselves; nonsense in it counts as none."""
    for name in CLIENT_HEADERS:
        value = headers.get(name)
        if value and len(value) <= 256 and value.isascii():
            return value.decode()
    return None
