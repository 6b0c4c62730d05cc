"""``cells.yaml``: which cells there are, who is pinned where, and what a proxy in front of them shall do.

A cell is one process (``stillhouse cells serve FILE NAME``) with the settings of one ``stillhouse.yaml`` and its own
name, address and ledger. What all cells share lies in ``STILLHOUSE_HOME``: keys, the registry, and the home of limits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from policies.mistakes import Problem, refuse
from policies.schema import Strict
from policies.yaml import load_strict, read_text
from router.core.cells import PER_TENANT, Cells
from router.core.steering import envoy, haproxy
from router.core.steering.base import Place, Resend, Steering, Timing, keys_to_cells
from router.registry.home import home
from router.registry.keys import KeyStore
from router.serve.settings import Settings, load_settings

Proxy = Literal["envoy", "haproxy"]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
Port = Annotated[int, Field(ge=1, le=65535)]
# Written into a proxy's configuration, so nothing that could mean something there.
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9.:_-]+$")]
Seconds = Annotated[float, Field(ge=0.01, le=86_400)]


class ListenSettings(Strict):
    """Where the proxy listens."""

    host: Host = "127.0.0.1"
    port: Port = 8080


class CellSettings(Strict):
    """One cell."""

    name: Name
    host: Host = "127.0.0.1"
    port: Port


class CheckSettings(Strict):
    """How the proxy sees that a cell is down."""

    every: Seconds = 0.5
    timeout: Seconds = 1.0
    down_after: Annotated[int, Field(ge=1, le=10)] = 2
    up_after: Annotated[int, Field(ge=1, le=10)] = 2


class CellsFile(Strict):
    """The whole file. Relative paths are taken from where the file lies."""

    stillhouse_cells: Literal[1] = 1
    cells: Annotated[tuple[CellSettings, ...], Field(min_length=1, max_length=100)]
    per_tenant: Annotated[int, Field(ge=1, le=4)] = PER_TENANT
    pins: dict[str, tuple[Name, ...]] = Field(default_factory=dict)
    listen: ListenSettings = ListenSettings()
    strangers: str = "refuse"
    resend: Resend = "unsent"
    check: CheckSettings = CheckSettings()
    connect_seconds: Seconds = 1.0
    idle_seconds: Seconds = 600.0
    settings: str = "stillhouse.yaml"
    keys_file: str | None = None
    ledgers: str | None = None

    @model_validator(mode="after")
    def _fits(self) -> CellsFile:
        refuse(self._problems())
        return self

    def _problems(self) -> Iterator[Problem]:
        names = [cell.name for cell in self.cells]
        yield from _twice(names, "name")
        yield from _twice([f"{cell.host}:{cell.port}" for cell in self.cells], "port")
        for tenant, pinned in self.pins.items():
            where = ("pins", tenant)
            if not pinned:
                yield Problem(where, "names no cell", "name its cells, the first one is its home")
            elif len(set(pinned)) < len(pinned):
                yield Problem(where, "names a cell twice")
            for stranger in (name for name in pinned if name not in names):
                yield Problem(where, f"{stranger!r} is no cell", f"the cells are {', '.join(names)}")
        if self.strangers != "refuse" and self.strangers not in names:
            hint = f"write refuse, or one of {', '.join(names)}"
            yield Problem(("strangers",), f"{self.strangers!r} is no cell", hint)


def _twice(values: list[str], field: str) -> Iterator[Problem]:
    for value, count in Counter(values).items():
        if count > 1:
            last = len(values) - 1 - values[::-1].index(value)
            yield Problem(("cells", last, field), f"{value} is used by two cells")


class Estate:
    """The file with the paths it names.

    Attributes:
        file: its content. path: where it lies.
        cells: the pure placement.
    """

    def __init__(self, file: CellsFile, path: Path) -> None:
        self.file, self.path = file, path
        names = tuple(cell.name for cell in file.cells)
        self.cells = Cells(names=names, per_tenant=file.per_tenant, pins=file.pins)

    @classmethod
    def load(cls, path: Path) -> Estate:
        """Read and check the file.

        Raises:
            Mistakes: every mistake, with line and column.
        """
        return cls(load_strict(read_text(path), CellsFile, file=str(path)), path.resolve())

    @property
    def keys_path(self) -> Path:
        """Where the keys of all cells lie."""
        return self._path(self.file.keys_file) if self.file.keys_file else home() / "keys.json"

    def keys(self) -> list[tuple[str, str]]:
        """Key id and tenant of every key that is not revoked.

        Raises:
            KeyFileError: the key file cannot be used.
        """
        return [(key.id, key.tenant) for key in KeyStore.load(self.keys_path).keys if key.revoked is None]

    def ledger(self, name: str) -> Path:
        """The ledger of one cell."""
        folder = self._path(self.file.ledgers) if self.file.ledgers else home() / "cells"
        return folder / name / "ledger.db"

    def settings(self, name: str) -> Settings:
        """The settings of one cell. Keys are required: whoever reaches its port is steered by them.

        Raises:
            KeyError: there is no such cell.
            Mistakes: the settings file is wrong.
        """
        cell = {cell.name: cell for cell in self.file.cells}[name]
        loaded = load_settings(self._path(self.file.settings))
        change = {"host": cell.host, "port": cell.port, "cell": name, "keys": "required"}
        quarantine = loaded.quarantine
        if quarantine.when == "cells":
            quarantine = quarantine.model_copy(update={"when": "always"})
        return loaded.model_copy(
            update={
                "server": loaded.server.model_copy(update=change),
                "quarantine": quarantine,
                "keys_file": str(self.keys_path),
                "ledger": str(self.ledger(name)),
            }
        )

    def steering(self) -> Steering:
        """What a proxy has to know.

        Raises:
            KeyFileError: the key file cannot be used.
        """
        file, check = self.file, self.file.check
        return Steering(
            host=file.listen.host,
            port=file.listen.port,
            places=tuple(Place(name=cell.name, host=cell.host, port=cell.port) for cell in file.cells),
            keys=keys_to_cells(self.cells, self.keys()),
            strangers=None if file.strangers == "refuse" else file.strangers,
            resend=file.resend,
            timing=Timing(
                connect=file.connect_seconds,
                idle=file.idle_seconds,
                check_every=check.every,
                check_timeout=check.timeout,
                down_after=check.down_after,
                up_after=check.up_after,
            ),
        )

    def _path(self, said: str) -> Path:
        return self.path.parent / Path(said).expanduser()


def proxy_files(steering: Steering, proxy: Proxy, folder: Path) -> dict[str, str]:
    """A proxy's files by name, in the order in which they must be replaced."""
    make = envoy.files if proxy == "envoy" else haproxy.files
    return make(steering, str(folder))
