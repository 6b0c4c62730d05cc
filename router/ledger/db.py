"""What the ledger's questions need of a database, and the few words in which SQLite and PostgreSQL differ.

The SQL of the ledger is written once, in what both understand: ``CASE`` and not ``iif``, ``IS DISTINCT FROM`` and not
``IS NOT``, numbers and not truth values where something is added up. Parameters are ``?`` or ``:name``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

Given = Sequence[Any] | Mapping[str, Any]


class LedgerError(Exception):
    """The ledger cannot be used; the message says which, why, and how to mend it."""


class Words(NamedTuple):
    """How a database says what the other says otherwise.

    Attributes:
        whole: a number cut to its whole part.
        number_in: the number under a key of a column of JSON.
    """

    whole: Callable[[str], str]
    number_in: Callable[[str, str], str]


SQLITE = Words(
    whole=lambda x: f"CAST({x} AS INTEGER)",
    number_in=lambda column, key: f"json_extract({column}, '$.{key}')",
)
POSTGRES = Words(
    whole=lambda x: f"CAST(trunc({x}) AS BIGINT)",
    number_in=lambda column, key: f"CAST(CAST({column} AS JSON) ->> '{key}' AS DOUBLE PRECISION)",
)


class Rows(Protocol):
    """What a statement gave."""

    @property
    def rowcount(self) -> int:
        """Rows that were changed."""
        ...

    def fetchone(self) -> Any:
        """The next row, or None."""
        ...

    def fetchall(self) -> list[Any]:
        """All that are left."""
        ...

    def fetchmany(self, size: int, /) -> list[Any]:
        """At most so many."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """One by one."""
        ...


class Db(Protocol):
    """One connection. Every statement is by itself, but within ``together``."""

    @property
    def words(self) -> Words:
        """How this database speaks."""
        ...

    def execute(self, sql: str, given: Given = (), /) -> Rows:
        """Run a statement."""
        ...

    def stream(self, sql: str, given: Given = (), /) -> Rows:
        """Run a question whose answer may be larger than memory; one at a time."""
        ...

    def together(self) -> AbstractContextManager[None]:
        """All or nothing, and one writer after the other: row numbers become visible in their order."""
        ...

    def close(self) -> None:
        """Let go."""
        ...
