"""What several gateways share of the registry, in PostgreSQL: keys, the log with its versions and evidence, pin, salts.

The server holds the files as they are, by name, and one number that grows with every change. A home folder holds the
last state that was seen, and everything else in this program reads the home folder as ever. So a gateway serves on with
the last policies and keys while the server is away, also after a restart, and a look costs one query of one number.

A change is made in a copy of the server's state, under a lock, and is in no home folder before the server has it: one
that fails half way leaves nothing behind. Without the server nothing can be changed, and whoever tries is told.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from router.postgres import Dsn, PostgresError, connect, explained, psycopg_module
from router.registry.salt import explore_salt, prompt_salt

if TYPE_CHECKING:
    from router.postgres import Connection

SCHEMA: Final = "stillhouse_registry"
MARK: Final = "shared.revision"
_LOCK: Final = 0x5354_4C4C_0002
_FILES = re.compile(
    r"keys\.json|pin\.json|explore\.salt|prompts\.salt|registry/audit\.jsonl"
    r"|registry/(?:versions/[0-9a-f]{64}/[^/\0]{1,200}|evidence/[0-9a-f]{64}\.json)"
)
_LAST = ("registry/audit.jsonl", "keys.json", "pin.json")  # what names other files comes behind them
_OWN = ("registry/audit.jsonl", "keys.json")

_TABLES = """
CREATE SCHEMA IF NOT EXISTS stillhouse_registry;
CREATE TABLE IF NOT EXISTS stillhouse_registry.files (name TEXT COLLATE "C" PRIMARY KEY, body BYTEA NOT NULL);
CREATE TABLE IF NOT EXISTS stillhouse_registry.state (revision BIGINT NOT NULL);
INSERT INTO stillhouse_registry.state SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM stillhouse_registry.state)
"""


class Shared:
    """One home folder's share in a registry. Every method talks to the server: call it off the event loop."""

    def __init__(self, dsn: Dsn, home: Path) -> None:
        self.dsn, self.home = dsn, home
        self._db: Connection | None = None

    def join(self) -> None:
        """Take part: bring the server this home's files where it has none, else take the server's.

        Raises:
            PostgresError: the server is away, or both have a registry already.
        """
        with self._locked() as db:
            db.execute(_TABLES)
            there, here = _there(db), files_of(self.home)
            if not (self.home / MARK).exists():
                if not there:
                    self._keep(db, {}, here)
                    there = here
                elif clash := [name for name in _OWN if name in here and here[name] != there.get(name)]:
                    raise PostgresError(
                        f"{self.dsn}: it has a registry already, and so has {self.home} ({clash[0]}). "
                        "Use another STILLHOUSE_HOME, or move this file away"
                    )
        with self.editing() as place:  # the first one makes the salts, for all
            explore_salt(place)
            prompt_salt(place)
        self.look()

    def look(self) -> bool:
        """Take up what is new; whether anything was. One query where nothing is.

        Raises:
            PostgresError: the server is away.
        """
        with self._explained():
            db = self._connection()
            revision = db.execute(f"SELECT revision FROM {SCHEMA}.state").fetchone()[0]  # type: ignore[index]  # noqa: S608
            if str(revision) == self._mark():
                return False
            with db.transaction():
                revision = db.execute(f"SELECT revision FROM {SCHEMA}.state FOR SHARE").fetchone()[0]  # type: ignore[index]  # noqa: S608
                there = _there(db)
        self._write_home(there, revision)
        return True

    @contextlib.contextmanager
    def editing(self) -> Iterator[Path]:
        """A folder with the state of now, to be changed; the server takes it at the end, whole or not at all.

        Raises:
            PostgresError: the server is away; nothing was changed. Whatever the caller raises.
        """
        with self._locked() as db, tempfile.TemporaryDirectory(prefix="stillhouse-registry-") as name:
            place, before = Path(name), _there(db)
            for file, body in before.items():
                _write(place / file, body)
            yield place
            self._keep(db, before, files_of(place))
        self.look()

    def close(self) -> None:
        """Let go of the connection."""
        db, self._db = self._db, None
        if db is not None:
            with contextlib.suppress(Exception):
                db.close()

    # --- inside

    def _connection(self) -> Connection:
        if self._db is None or self._db.closed:
            self._db = connect(self.dsn, name="stillhouse-registry", statement_ms=10_000)
        return self._db

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except PostgresError:
            self.close()
            raise
        except psycopg_module().Error as error:
            self.close()
            raise explained(self.dsn, error) from None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[Connection]:
        self.close()  # a change is rare: a connection that a restart of the server has cut must not spoil it
        with self._explained():
            db = self._connection()
            with db.transaction():
                db.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                yield db

    @staticmethod
    def _keep(db: Connection, before: Mapping[str, bytes], after: Mapping[str, bytes]) -> None:
        changed = {name: body for name, body in after.items() if before.get(name) != body}
        gone = [name for name in before if name not in after]
        if not changed and not gone:
            return
        upsert = (
            f"INSERT INTO {SCHEMA}.files (name, body) VALUES (%s, %s) "  # noqa: S608 - our own name
            "ON CONFLICT (name) DO UPDATE SET body = excluded.body"
        )
        for name, body in changed.items():
            db.execute(upsert.encode(), (name, body))
        db.execute(f"DELETE FROM {SCHEMA}.files WHERE name = ANY(%s)".encode(), (gone,))  # noqa: S608 - our own name
        db.execute(f"UPDATE {SCHEMA}.state SET revision = revision + 1".encode())  # noqa: S608 - our own name

    def _mark(self) -> str:
        try:
            return (self.home / MARK).read_text()
        except OSError:
            return ""

    def _write_home(self, there: Mapping[str, bytes], revision: int) -> None:
        here = files_of(self.home)
        for name in sorted(there, key=lambda name: (name in _LAST, name)):
            if here.get(name) != there[name]:
                _write(self.home / name, there[name])
        if "pin.json" in here and "pin.json" not in there:
            (self.home / "pin.json").unlink(missing_ok=True)
        _write(self.home / MARK, str(revision).encode())


def _there(db: Connection) -> dict[str, bytes]:
    rows = db.execute(f"SELECT name, body FROM {SCHEMA}.files".encode())  # noqa: S608 - our own name
    return {name: bytes(body) for name, body in rows if _FILES.fullmatch(name) and ".." not in name.split("/")}


def files_of(home: Path) -> dict[str, bytes]:
    """The shared files of a folder, by name."""
    found = {}
    for pattern in ("*.json", "*.salt", "registry/audit.jsonl", "registry/versions/*/*", "registry/evidence/*.json"):
        for path in home.glob(pattern):
            name = path.relative_to(home).as_posix()
            if _FILES.fullmatch(name) and path.is_file():
                found[name] = path.read_bytes()
    return found


def _write(path: Path, body: bytes) -> None:
    """In one step, readable by its owner only."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


@contextlib.contextmanager
def own(home: Path) -> Iterator[Path]:
    """What ``Shared.editing`` is where nothing is shared: the home folder itself."""
    yield home
