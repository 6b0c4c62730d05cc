"""What the guards said of a text before.

A verdict depends on the text, on who wrote it and on the compiled guards, and on nothing else, so it is remembered
under those three. Only findings are kept (kinds and offsets).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guardrails import Finding, Rails
from router.serve.memory.bounded import TENANTS, TEXTS, Memory

if TYPE_CHECKING:
    from guardrails.run import Hurry

SHORT = 48  # code points; reading a shorter text again is cheaper than finding it


class Verdicts:
    """Tenant -> text -> findings."""

    def __init__(self, salt: bytes, tenants: int = TENANTS, texts: int = TEXTS) -> None:
        self._memory: Memory[tuple[Finding, ...]] = Memory(salt, tenants, texts)

    def __len__(self) -> int:
        return len(self._memory)

    def find(
        self, rails: Rails, tenant: str, text: str, role: str | None = None, hurry: Hurry | None = None
    ) -> tuple[Finding, ...]:
        """``rails.find``, or what it gave before. A guard that could not be run is asked again."""
        if len(text) < SHORT:
            return rails.find(text, role, hurry)
        name = self.name(rails, text, role)
        found = self.known(tenant, name)
        if found is None:
            found = rails.find(text, role, hurry)
            self.keep(tenant, name, found)
        return found

    def name(self, rails: Rails, text: str, role: str | None) -> bytes:
        """What a text that these guards read is remembered by."""
        return self._memory.name(f"{rails.hash} {role}", text)

    def known(self, tenant: str, name: bytes) -> tuple[Finding, ...] | None:
        """What is remembered, if anything."""
        return self._memory.get(tenant, name)

    def keep(self, tenant: str, name: bytes, found: tuple[Finding, ...]) -> None:
        """Remember it, unless a guard could not be run."""
        if not any(finding.category == "ERROR" for finding in found):
            self._memory.keep(tenant, name, found)
