"""``stillhouse scorer``: which scorers are kept on this machine, which is in use, and the way back."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stillhouse.cli import show

if TYPE_CHECKING:
    from collections.abc import Iterator


@click.group(help="List the scorers on this machine, choose one, go back. Running gateways take it up by themselves.")
def command() -> None:  # noqa: D103
    pass


@command.command("list", help="Show the shipped scorer and those that training kept; which one is in use.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a scorer.")
def list_scorers(as_json: bool) -> None:  # noqa: D103
    from router.registry import scorers
    from router.registry.home import home

    with _explained():
        active = scorers.active(home())
        found = [_entry(name, active.active) for name in (scorers.SHIPPED, *scorers.kept(home()))]
    if as_json:
        for entry in found:
            show.json_line(entry)
        return
    columns = ("scorer", "in use", "own families", "rows", "gain on held-out rows")
    show.table(columns, [_line(entry) for entry in found])
    for cell, name in sorted(active.cells.items()):
        show.line(f"cell {cell} alone uses {name[:12]}")


@command.command(help="Put a scorer in use: 'shipped', a kept digest's first digits, or an artefact folder.")
@click.argument("name", metavar="shipped|DIGEST|FOLDER")
@click.option("--cell", "cells", multiple=True, help="Only in this cell, until all are told to. May be repeated.")
def use(name: str, cells: tuple[str, ...]) -> None:  # noqa: D103
    from router.registry import scorers
    from router.registry.home import home
    from router.score import artefact

    with _explained():
        if name != scorers.SHIPPED and Path(name).is_dir():
            found = artefact.load(Path(name))
            scorers.keep(home(), Path(name), found.digest)
            chosen = found.digest
        else:
            chosen = scorers.find(home(), name)
        artefact.load(scorers.place(home(), chosen) or artefact.SHIPPED)
        scorers.use(home(), chosen, cells)
    where = f" in {' and '.join(cells)} alone" if cells else ""
    show.line(f"Scorer {chosen[:12]} is in use{where}; running gateways take it up within a second.")


@command.command(help="Return to the scorer that was in use before.")
def rollback() -> None:  # noqa: D103
    from router.registry import scorers
    from router.registry.home import home

    with _explained():
        now = scorers.roll_back(home())
    show.line(f"Scorer {now.active[:12]} is in use again; running gateways take it up within a second.")


def _entry(name: str, now: str) -> dict[str, Any]:
    from router.registry import scorers
    from router.registry.home import home
    from router.score import ArtefactError, artefact

    try:
        manifest = artefact.load(scorers.place(home(), name) or artefact.SHIPPED).manifest
    except ArtefactError as error:
        return {"scorer": name, "in_use": name == now, "error": str(error)}
    return {
        "scorer": name,
        "digest": manifest["digest"],
        "in_use": name == now,
        "own": {
            family: {key: own[key] for key in ("rows", "start", "judged", "recipes")}
            for family, own in manifest.get("own", {}).items()
        },
    }


def _line(entry: dict[str, Any]) -> list[str]:
    name, mark = entry["scorer"], "yes" if entry["in_use"] else ""
    if "error" in entry:
        return [name[:12], mark, entry["error"], "", ""]
    own = entry["own"]
    gains = [body["judged"]["gain"] for body in own.values()]
    return [
        name[:12],
        mark,
        ", ".join(own) or "none",
        ", ".join(str(body["rows"]) for body in own.values()),
        ", ".join(f"{gain:.4f} ({low:+.4f} to {high:+.4f})" for gain, low, high in gains),
    ]


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    from router.registry.scorers import ScorersError
    from router.score import ArtefactError

    try:
        yield
    except (ScorersError, ArtefactError) as error:
        show.fail(str(error))
