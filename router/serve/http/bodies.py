"""Bodies being held: bounded in all, and no tenant may hold more than its part.

A body is counted by what its head announces, before it is read; one that announces nothing counts as the largest until
it is there. Small ones are not asked whose they are, for that would cost every request a look at its key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.errors import Overloaded, TooManyAtOnce
from router.serve.guards.aside import turned_away

if TYPE_CHECKING:
    from router.serve.cell import Cell

BIG = 256 * 1024
_MIB = 1024 * 1024


class Bodies:
    """One cell's. ``held`` is bytes."""

    __slots__ = ("_most", "_of_one", "_whose", "held")

    def __init__(self, most_mb: float, share: float) -> None:
        self._most = int(most_mb * _MIB)
        self._of_one = int(self._most * share)
        self._whose: dict[str, int] = {}
        self.held = 0

    def take(self, size: int, tenant: str | None) -> None:
        """Make room. ``tenant`` of a big one; None where it does not matter.

        Raises:
            Overloaded: there is no room. TooManyAtOnce: this tenant has its part.
        """
        if self.held + size > self._most:
            raise Overloaded("The gateway holds as many bodies as it can; try again in a moment.", retry_after="1")
        if tenant is not None:
            held = self._whose.get(tenant, 0) + size
            if held > self._of_one:
                words = "Too much of yours is under way at once; try again in a moment."
                raise TooManyAtOnce(words, retry_after="1")
            self._whose[tenant] = held
        self.held += size

    def give_back(self, size: int, tenant: str | None) -> None:
        """It is served, or smaller than it might have been."""
        self.held -= size
        if tenant is not None:
            left = self._whose[tenant] - size
            if left:
                self._whose[tenant] = left
            else:
                del self._whose[tenant]


def check_heavy(cell: Cell, tenant: str, headers: dict[bytes, bytes]) -> None:
    """Turn a big body away before it is read, where its tenant has brought as much work as it may.

    Raises:
        TooManyAtOnce, Overloaded: come again later.
    """
    said = headers.get(b"content-length", b"")
    size, workers = int(said) if said.isdigit() else 0, cell.shield.workers
    if workers.full(tenant or "default", size):
        workers.refused += 1
        raise turned_away(workers, tenant or "default", size)


def whose(cell: Cell, headers: dict[bytes, bytes]) -> str:
    """The tenant that a key in the head belongs to; all without a good one are one."""
    if not cell.keys_on:
        return ""
    key = cell.keys.find(token_of(headers))
    return "" if key is None else key.tenant


def token_of(headers: dict[bytes, bytes]) -> str:
    """The caller's key, wherever its client puts it; empty where there is none. The one reading for all who ask."""
    kind, _, token = headers.get(b"authorization", b"").partition(b" ")
    if kind.lower() != b"bearer" or not token:
        token = headers.get(b"x-api-key", b"")  # where Anthropic's clients put it
    return token.strip().decode("latin-1")
