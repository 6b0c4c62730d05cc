"""The one place that knows psycopg: where a PostgreSQL is, and connections to it that never hang for good.

psycopg comes with the extra ``postgres`` and is imported on the first connection. No error, log line or representation
made here holds a password.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

SCHEMES: Final = ("postgresql://", "postgres://")
CONNECT_S: Final = 5
_STATEMENT_MS: Final = 30_000
_LOCK_MS: Final = 10_000
# A server that has vanished without a word is noticed within about ten seconds.
_ALIVE: Final = {
    "connect_timeout": CONNECT_S,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class PostgresError(Exception):
    """The server is away, or refused what was asked; the message says where and why, and holds no password.

    Attributes:
        sqlstate: the server's five characters; None where no server spoke.
        away: whether no answer came, so that the same may work later.
    """

    def __init__(self, message: str, *, sqlstate: str | None = None, away: bool = False) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.away = away


class Dsn:
    """Where a PostgreSQL is, as a ``postgresql://`` URL. Printed, it shows all but the password."""

    def __init__(self, url: str) -> None:
        """Take a URL.

        Raises:
            ValueError: it is none. The message does not repeat it.
        """
        if not url.startswith(SCHEMES) or any(c.isspace() for c in url):
            raise ValueError("a PostgreSQL is named by a URL: postgresql://user:password@host:5432/database")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise ValueError("this PostgreSQL URL has a host or port that cannot be read") from None
        self.url = url
        self.password = unquote(parts.password or "")
        where = f"[{host}]" if ":" in host else host
        self._shown = f"postgresql://{where}{f':{port}' if port else ''}{parts.path}"
        self._said = tuple(word for word in (parts.password or "", self.password, url) if word)

    def __str__(self) -> str:
        return self._shown

    def __repr__(self) -> str:
        return f"Dsn({self._shown!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dsn) and other.url == self.url

    def __hash__(self) -> int:
        return hash(self.url)

    def clean(self, text: str) -> str:
        """``text`` in one line, without the password."""
        for word in self._said:
            text = text.replace(word, "***")
        return " ".join(text.split())


def psycopg_module() -> Any:
    """The library.

    Raises:
        PostgresError: it is not installed.
    """
    try:
        import psycopg
    except ImportError:
        raise PostgresError(
            "PostgreSQL needs the extra 'postgres': pip install 'stillhouse[postgres]' (psycopg is missing or broken)"
        ) from None
    return psycopg


def connect(
    dsn: Dsn, *, read_only: bool = False, statement_ms: int = _STATEMENT_MS, name: str = "stillhouse"
) -> Connection:
    """A connection in autocommit mode; sums of integers come back as ``int``.

    Args:
        dsn: where.
        read_only: refuse every change.
        statement_ms: the longest that one statement may take; 0 for no bound.
        name: what the server's list of connections shows.

    Raises:
        PostgresError: no server answers, it lets us not in, or psycopg is missing.
    """
    psycopg = psycopg_module()
    options = f"-c statement_timeout={statement_ms} -c lock_timeout={_LOCK_MS} -c timezone=UTC"
    if read_only:
        options += " -c default_transaction_read_only=on"
    given = {"application_name": name, "client_encoding": "utf8", "options": options, **_ALIVE}
    try:
        db = psycopg.connect(dsn.url, autocommit=True, **given)
    except psycopg.Error as error:
        raise explained(dsn, error) from None
    db.adapters.register_loader("numeric", _whole_numbers(psycopg))
    return db  # type: ignore[no-any-return]


def explained(dsn: Dsn, error: Exception) -> PostgresError:
    """A psycopg error in our words."""
    psycopg = psycopg_module()
    state = getattr(error, "sqlstate", None)
    # 57P0x: shutting down, crashed, starting. 08: connection. 53: no room. 25006: a standby, for now.
    away = isinstance(error, psycopg.OperationalError) and (
        state is None or state.startswith(("08", "53", "57P", "58")) or state == "25006"
    )
    unread = isinstance(error, psycopg.ProgrammingError) and state is None  # libpq repeats a URL that it cannot read
    diag = getattr(error, "diag", None)
    words = getattr(diag, "message_primary", None) or str(error)  # the details below it may quote a row
    said = "the URL cannot be read" if unread else dsn.clean(words) or type(error).__name__
    return PostgresError(f"{dsn}: {said}", sqlstate=state, away=away)


def _whole_numbers(psycopg: Any) -> Any:
    """PostgreSQL adds up ``bigint`` as ``numeric``; we want the integer that it is."""

    class Numbers(psycopg.adapt.Loader):  # type: ignore[misc]
        def load(self, data: Any) -> int | float:
            text = bytes(data)
            return float(text) if b"." in text or b"N" in text else int(text)

    return Numbers
