"""What was made of a text before: a long conversation costs its new text only.

Whatever is remembered here depends on a text and on a few words beside it (who wrote it, which guards, which
scorer), and on nothing else. No text is kept: what names it is a keyed hash. Tenants do not share: how long an
answer takes must not tell one what another has asked.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")

TENANTS = 256  # tenants remembered; the one that was silent longest is forgotten first
TEXTS = 2_048  # texts a tenant


class Memory(Generic[T]):
    """Tenant -> text -> what was made of it, bounded both ways. Not shared between processes."""

    def __init__(self, salt: bytes, tenants: int = TENANTS, texts: int = TEXTS) -> None:
        self._salt = salt
        self._tenants, self._texts = tenants, texts
        self._held: OrderedDict[str, OrderedDict[bytes, T]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))

    def name(self, beside: str, text: str) -> bytes:
        """What names ``text`` under the words beside it."""
        said = b"%b %b" % (beside.encode(), text.encode("utf-8", "surrogatepass"))
        return hashlib.blake2b(said, key=self._salt, digest_size=16).digest()

    def get(self, tenant: str, name: bytes) -> T | None:
        """What is remembered, if anything."""
        held = self._of(tenant)
        found = held.get(name)
        if found is not None:
            held.move_to_end(name)
        return found

    def keep(self, tenant: str, name: bytes, made: T) -> None:
        """Remember it, and forget what was not asked for longest."""
        held = self._of(tenant)
        held[name] = made
        if len(held) > self._texts:
            held.popitem(last=False)

    def _of(self, tenant: str) -> OrderedDict[bytes, T]:
        held = self._held.get(tenant)
        if held is None:
            held = self._held[tenant] = OrderedDict()
            if len(self._held) > self._tenants:
                self._held.popitem(last=False)
        else:
            self._held.move_to_end(tenant)
        return held
