"""What a store of limits must do. It keeps books and knows no rule: the rules are ``router.core.limits``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import msgspec

from router.core.limits import Ask, Book, Grant, Kind, turn
from router.postgres import SCHEMES, Dsn


class StoreAway(Exception):
    """The store cannot be reached or does not answer. Whether what was asked was done is not known."""


class Kept(NamedTuple):
    """One meter as it is kept."""

    subject: str
    kind: Kind
    book: Book


class Turned(NamedTuple):
    """The answers, in the order of the asks, and the store's own time: all cells go by it."""

    now_ms: int
    grants: list[Grant]


class Store(Protocol):
    """Books of limits, shared by all cells. Calls block: make them in a worker thread, one at a time."""

    def turn(self, asks: Sequence[Ask]) -> Turned:
        """Answer all asks in one step that others see whole or not at all, and that survives a crash.

        Raises:
            StoreAway: it could not be reached.
        """
        ...

    def books(self, subjects: Sequence[str]) -> tuple[int, list[Kept]]:
        """The store's time, and what is kept of these subjects.

        Raises:
            StoreAway: it could not be reached.
        """
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


Names = tuple[str, Kind]
_decoder: Final = msgspec.json.Decoder(Book)


def names_of(asks: Sequence[Ask]) -> list[Names]:
    """The meters that are asked for, in the one order in which everybody locks them."""
    return sorted({(ask.cap.subject, ask.cap.kind) for ask in asks})


def answer(
    kept: dict[Names, bytes], asks: Sequence[Ask], now_ms: int, alive_ms: int | None = None
) -> tuple[list[Grant], dict[Names, bytes]]:
    """The answers to ``asks``, and the books as they are afterwards; the clocks are those of ``turn``."""
    books = {name: read(kept.get(name)) for name in names_of(asks)}
    grants = [turn(books[ask.cap.subject, ask.cap.kind], ask, now_ms, alive_ms) for ask in asks]
    return grants, {name: msgspec.json.encode(book) for name, book in books.items()}


def read(text: bytes | str | None) -> Book:
    """A book as it is kept; an empty one where nothing is."""
    return _decoder.decode(text) if text else Book()


def open_store(where: str, default: Path) -> Store:
    """The store at ``where``: a PostgreSQL URL, the path of a file, or empty for the default file.

    Nothing is opened or asked before the first call, so that a gateway starts without it.

    Raises:
        ValueError: the URL cannot be read.
    """
    if where.startswith(SCHEMES):
        from router.state.postgres import PostgresStore

        return PostgresStore(Dsn(where))
    from router.state.sqlite import SqliteStore

    return SqliteStore(Path(where).expanduser() if where else default)
