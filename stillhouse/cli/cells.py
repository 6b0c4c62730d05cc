"""``stillhouse cells``: who lives where, the proxy's configuration, and running the cells of this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from policies.mistakes import Mistakes
from stillhouse.cli import show
from stillhouse.cli.cells_held import held, release

if TYPE_CHECKING:
    from router.serve.cells_file import Estate, Proxy

_file = click.argument("file", type=click.Path(dir_okay=False, path_type=Path), metavar="CELLS.YAML")


@click.group(help="Cells: processes of which each serves some of the tenants, so that a failure stays in its cell.")
def command() -> None:  # noqa: D103
    pass


command.add_command(held)
command.add_command(release)


@command.command(help="Who lives where; with --add or --remove, who would move.")
@_file
@click.option("--tenant", "tenants", multiple=True, help="Ask for this tenant (default: all that have a key).")
@click.option("--add", multiple=True, metavar="NAME", help="As if this cell were there, too.")
@click.option("--remove", multiple=True, metavar="NAME", help="As if this cell were gone.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a tenant.")
def plan(  # noqa: D103
    file: Path, tenants: tuple[str, ...], add: tuple[str, ...], remove: tuple[str, ...], as_json: bool
) -> None:
    from router.core.cells import Cells, CellsError

    estate = _load(file)
    now = estate.cells
    names = tuple(name for name in dict.fromkeys((*now.names, *add)) if name not in remove)
    try:
        pins = {who: cells for who, cells in now.pins.items() if not set(cells) & set(remove)}
        later = Cells(names=names, per_tenant=now.per_tenant, pins=pins)
    except CellsError as error:
        show.fail(str(error))
    who = tenants or sorted({tenant for _, tenant in _keys(estate)} | set(now.pins))
    rows = [(tenant, now.of(tenant), later.of(tenant), tenant in now.pins) for tenant in who]
    if as_json:
        for tenant, here, there, pinned in rows:
            show.json_line({"tenant": tenant, "cells": here, "then": there, "pinned": pinned})
        return
    changing = bool(add or remove)
    columns = ["tenant", "home", "then", *(["would live in"] if changing else []), ""]
    show.table(columns, [
        [tenant, here[0], " ".join(here[1:]) or "-", *([" ".join(there)] if changing else []),
         "pinned" if pinned else "moves" if here != there else ""]
        for tenant, here, there, pinned in rows
    ])  # fmt: skip
    homes = later.residents(who)
    show.table(
        ["cell", "home of", "stands in for"], [[n, str(len(a)), str(len(b))] for n, (a, b) in sorted(homes.items())]
    )
    if changing:
        moved = sum(here != there for _, here, there, _ in rows)
        show.line(f"{moved} of {len(rows)} tenants would move.")


@command.command(help="Write the configuration of an existing proxy that steers each tenant to its cells.")
@_file
@click.option("--for", "proxy", type=click.Choice(["envoy", "haproxy"]), required=True, help="Which proxy.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for its files."
)  # fmt: skip
def proxy(file: Path, proxy: Proxy, out: Path) -> None:  # noqa: D103
    from router.serve.cells_file import proxy_files

    estate = _load(file)
    keys = _keys(estate)
    steering = estate.steering()
    folder = out.resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in proxy_files(steering, proxy, folder).items():
            _replace(folder / name, text)
    except OSError as error:
        show.fail(f"{folder}: {(error.strerror or str(error)).lower()}", "name a folder that you may write to")
    show.line(f"{folder}: {len(keys)} keys of {len({t for _, t in keys})} tenants over {len(estate.cells.names)} cells")
    show.line("It holds ids of keys, no secrets. Make it again when keys, pins or cells change;")
    again = "Envoy reads it again by itself" if proxy == "envoy" else "then reload HAProxy"
    show.line(f"{again}. Start: {_start(proxy, folder)}")


def _start(proxy: Proxy, folder: Path) -> str:
    return f"envoy -c {folder}/envoy.yaml" if proxy == "envoy" else f"haproxy -W -f {folder}/haproxy.cfg"


@command.command(help="Serve one cell; what a service manager runs, one unit a cell.")
@_file
@click.argument("name")
def serve(file: Path, name: str) -> None:  # noqa: D103
    from stillhouse.cli.serve import run

    estate = _load(file)
    if name not in estate.cells.names:
        show.fail(f"there is no cell {name!r} in {file}", f"the cells are {', '.join(estate.cells.names)}")
    try:
        settings = estate.settings(name)
        estate.ledger(name).parent.mkdir(parents=True, exist_ok=True)
    except Mistakes as mistakes:
        _show(mistakes)
    except OSError as error:
        show.fail(f"{estate.ledger(name).parent}: {(error.strerror or str(error)).lower()}")
    run(settings, None)


@command.command(help="Run cells of this machine as processes: start again what ends, drain on SIGTERM.")
@_file
@click.argument("names", nargs=-1)
def up(file: Path, names: tuple[str, ...]) -> None:  # noqa: D103
    from stillhouse.cli.keeper import keep

    estate = _load(file)
    for name in names:
        if name not in estate.cells.names:
            show.fail(f"there is no cell {name!r} in {file}", f"the cells are {', '.join(estate.cells.names)}")
    try:
        drain = estate.settings(estate.cells.names[0]).server.drain_seconds
    except Mistakes as mistakes:
        _show(mistakes)
    raise SystemExit(keep(file, names or estate.cells.names, drain))


def _load(file: Path) -> Estate:
    from router.serve.cells_file import Estate

    try:
        return Estate.load(file)
    except Mistakes as mistakes:
        _show(mistakes)


def _keys(estate: Estate) -> list[tuple[str, str]]:
    try:
        return estate.keys()
    except (ValueError, OSError) as error:
        show.fail(str(error))


def _show(mistakes: Mistakes) -> NoReturn:
    show.fail(f"the file has mistakes:\n{mistakes}")


def _replace(path: Path, text: str) -> None:
    """In one step, so that a proxy that watches never reads half of it."""
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        new.write_text(text, encoding="utf-8")
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
