"""Which scorer a gateway uses: the one its settings name, else the one in use on this machine.

``Watch.look`` reads files and may take tens of milliseconds, so a running gateway calls it off its event
loop and hands what came of it to ``Cell.reload``.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from router.registry import scorers
from router.registry.home import home
from router.score import ArtefactError, load
from router.serve.places import stamp

if TYPE_CHECKING:
    from router.score import Scorer

log = logging.getLogger("stillhouse")
Stamps = tuple[tuple[str, int, int], ...]


class Fresh(NamedTuple):
    """What a look brought: a newly loaded scorer, or why the wanted one cannot be used, or neither."""

    scorer: Scorer | None = None
    fault: str = ""


class Watch:
    """Remembers how the files looked, so that a scorer is loaded once a change.

    Args:
        chosen: the setting ``scorer``: a folder, ``shipped``, or None for the one in use on this machine.
        cell: whose; a scorer may be in use in some cells only.
    """

    def __init__(self, chosen: str | None = None, cell: str = "") -> None:
        self._chosen, self._cell = chosen, cell
        self._stamps: Stamps | None = None

    def look(self) -> Fresh:
        """Load the wanted scorer if its files, or the choice itself, changed since the last look."""
        stamps, name, path, fault = self._wanted()
        if stamps == self._stamps:
            return Fresh()
        self._stamps = stamps
        if fault:
            return Fresh(fault=fault)
        try:
            scorer = load(path)
        except (ArtefactError, OSError, ValueError) as error:
            return Fresh(fault=str(error))
        if len(name) == 64 and scorer.digest != name:
            return Fresh(fault=f"{path}: it holds {scorer.digest[:12]}…, not what its folder's name says")
        return Fresh(scorer)

    def _wanted(self) -> tuple[Stamps, str, Path | None, str]:
        """How the files look, the chosen name, the folder (None: shipped), and what is wrong with the choice."""
        if self._chosen is not None:
            path = None if self._chosen == scorers.SHIPPED else Path(self._chosen).expanduser()
            return _written(path), "", path, ""
        pointer = _stamps(scorers.pointer(home()))
        try:
            name = scorers.active(home()).of(self._cell)
        except scorers.ScorersError as error:
            return pointer, "", None, str(error)
        path = scorers.place(home(), name)
        return (*pointer, *_written(path)), name, path, ""


def open_scorer(watch: Watch) -> Scorer | None:
    """The scorer to start with. Where the wanted one cannot be used, the shipped one, and it is said aloud."""
    found = watch.look()
    if found.scorer is not None:
        return found.scorer
    log.error("the chosen scorer cannot be used: %s. The shipped one serves instead.", found.fault)
    shipped = Watch(scorers.SHIPPED).look()
    if shipped.scorer is None:
        log.error("no scorer: %s. Every prompt goes to its policy's fallback tier.", shipped.fault)
    return shipped.scorer


def _written(path: Path | None) -> Stamps:
    return () if path is None else _stamps(path / "manifest.json", path / "weights.npz")


def _stamps(*paths: Path) -> Stamps:
    return tuple((str(path), *stamp(path)) for path in paths)
