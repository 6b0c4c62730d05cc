"""Which cells serve a tenant. Pure; it knows neither processes nor proxies.

A tenant lives in ``k`` of the cells, its *home* first and the others after it, in the order in which they stand in.
The order is rendezvous hashing (Thaler and Ravishankar, 1998): every cell draws a number for every tenant, and the
highest ones win. From that follow the laws that the tests hold:

- the same cells and the same tenant give the same answer, in every process and after every restart;
- a cell that is added takes a tenant's place only where it draws higher: k/(C+1) of the tenants gain it, nobody else
  moves, and nobody moves between two old cells;
- a cell that is removed moves only those who lived in it;
- two tenants share all their cells with a chance of 1 in C(C, k), which is what contains a tenant that breaks
  whatever it reaches (shuffle sharding).

A pin puts one tenant where the operator wants it and moves nobody else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from router.types import Frozen

PER_TENANT: Final = 2
"""One cell may die and nobody is down; with more, one bad tenant touches more of the others."""


class CellsError(ValueError):
    """These cells cannot be; the message says why."""


class Cells(Frozen, frozen=True, kw_only=True):
    """The cells there are, and who is pinned where.

    Attributes:
        names: each once; their order means nothing.
        per_tenant: in how many a tenant lives; with fewer cells, in all of them.
        pins: tenant -> its cells, home first.

    Raises:
        CellsError: there is no cell, one is named twice, or a pin names one that is not there.
    """

    names: tuple[str, ...]
    per_tenant: int = PER_TENANT
    pins: Mapping[str, tuple[str, ...]] = {}

    def __post_init__(self) -> None:
        if not self.names:
            raise CellsError("there has to be a cell")
        if self.per_tenant < 1:
            raise CellsError("a tenant has to live in a cell: per_tenant must be 1 or more")
        _distinct("the cells", self.names)
        for tenant, pinned in self.pins.items():
            if not pinned:
                raise CellsError(f"the pin of {tenant!r} names no cell")
            _distinct(f"the pin of {tenant!r}", pinned)
            if strangers := [name for name in pinned if name not in self.names]:
                raise CellsError(f"the pin of {tenant!r} names {strangers[0]!r}, which is no cell")

    def of(self, tenant: str) -> tuple[str, ...]:
        """The tenant's cells, home first."""
        return self.pins.get(tenant) or ranked(tenant, self.names)[: self.per_tenant]

    def moved(self, tenant: str, *to: str) -> Cells:
        """The same cells with this tenant pinned to ``to``, or with its pin taken away where none is named.

        Raises:
            CellsError: a name is no cell.
        """
        pins = {name: cells for name, cells in self.pins.items() if name != tenant}
        return msgspec.structs.replace(self, pins=pins | {tenant: to} if to else pins)

    def residents(self, tenants: Iterable[str]) -> dict[str, tuple[list[str], list[str]]]:
        """Cell -> the tenants whose home it is, and those it stands in for; in the order they came."""
        found: dict[str, tuple[list[str], list[str]]] = {name: ([], []) for name in self.names}
        for tenant in tenants:
            home, *others = self.of(tenant)
            found[home][0].append(tenant)
            for other in others:
                found[other][1].append(tenant)
        return found


def ranked(tenant: str, names: Sequence[str]) -> tuple[str, ...]:
    """All of ``names``, in the order in which the tenant prefers them."""
    return tuple(sorted(names, key=lambda name: (_draw(name, tenant), name), reverse=True))


def _draw(cell: str, tenant: str) -> bytes:
    """The number that a cell draws for a tenant; as bytes, which compare as the number does."""
    # The length before the name keeps ("ab", "c") and ("a", "bc") apart.
    said = f"{len(cell)}:{cell}{tenant}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(said, digest_size=8, person=b"cells").digest()


def _distinct(what: str, names: Sequence[str]) -> None:
    if twice := [name for name in names if names.count(name) > 1]:
        raise CellsError(f"{what}: {twice[0]!r} stands twice")
