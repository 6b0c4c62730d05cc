"""What the guards said of a text before: a long conversation costs its new text only.

A verdict depends on the text, on who wrote it and on the compiled guards, and on nothing else, so it is remembered
under those three. Only findings are kept (kinds and offsets), never a text: what names it is a keyed hash. Tenants
do not share: how long an answer takes must not tell one what another has asked.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING

from guardrails import Finding, Rails

if TYPE_CHECKING:
    from guardrails.run import Hurry

TENANTS = 256  # tenants remembered; the one that was silent longest is forgotten first
TEXTS = 2_048  # texts a tenant
SHORT = 48  # code points; reading a shorter text again is cheaper than finding it


class Verdicts:
    """Tenant -> text -> findings, bounded both ways. Not shared between processes."""

    def __init__(self, salt: bytes, tenants: int = TENANTS, texts: int = TEXTS) -> None:
        self._salt = salt
        self._tenants, self._texts = tenants, texts
        self._held: OrderedDict[str, OrderedDict[bytes, tuple[Finding, ...]]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))

    def find(
        self, rails: Rails, tenant: str, text: str, role: str | None = None, hurry: Hurry | None = None
    ) -> tuple[Finding, ...]:
        """``rails.find``, or what it gave before. A guard that could not be run is asked again."""
        if len(text) < SHORT:
            return rails.find(text, role, hurry)
        held = self._of(tenant)
        name = self._name(rails, text, role)
        found = held.get(name)
        if found is not None:
            held.move_to_end(name)
            return found
        found = rails.find(text, role, hurry)
        if not any(finding.category == "ERROR" for finding in found):
            held[name] = found
            if len(held) > self._texts:
                held.popitem(last=False)
        return found

    def _of(self, tenant: str) -> OrderedDict[bytes, tuple[Finding, ...]]:
        held = self._held.get(tenant)
        if held is None:
            held = self._held[tenant] = OrderedDict()
            if len(self._held) > self._tenants:
                self._held.popitem(last=False)
        else:
            self._held.move_to_end(tenant)
        return held

    def _name(self, rails: Rails, text: str, role: str | None) -> bytes:
        digest = hashlib.blake2b(f"{rails.hash} {role} ".encode(), key=self._salt, digest_size=16)
        digest.update(text.encode("utf-8", "surrogatepass"))
        return digest.digest()
