"""Find a suite by name or path and read it strictly: every mistake at once with file, line and column."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from evals.suites.grammar import Suite
from evals.suites.protocol import Protocol
from policies.explain import closest
from policies.mistakes import Mistake, Mistakes, show_path
from policies.nodes import parse
from policies.yaml import load_strict, read_text

FOLDER: Final = Path(__file__).parent
_STAND_INS: Final = {"suite": "unnamed", "about": "-", "data": {"file": "-.csv"}}


def names(folder: Path = FOLDER) -> tuple[str, ...]:
    """The suites that ship."""
    return tuple(sorted(path.stem for path in folder.glob("*.yaml")))


def find(name: str, folder: Path = FOLDER) -> Path:
    """The file of a suite: one that ships, or a path.

    Raises:
        Mistakes: it is a bare word, but no suite that ships.
    """
    if "/" in name or "\\" in name or name.endswith((".yaml", ".yml")):
        return Path(name)
    if name in names(folder):
        return folder / f"{name}.yaml"
    meant = closest(name, list(names(folder)))
    hint = f"did you mean {meant!r}?" if meant else "'stillhouse eval' lists them; a file of yours ends in .yaml"
    raise Mistakes([Mistake(name, 1, 1, show_path(()), f"there is no suite named {name!r}", hint)])


def load(path: Path) -> Suite | Protocol:
    """Read one file. A suite with a ``command`` is a published protocol; every other is asked by the runner.

    Raises:
        Mistakes: everything that is wrong with it.
    """
    text = read_text(path)
    root, _ = parse(text, file=str(path))
    if root.step("command") is not None:
        return load_strict(text, Protocol, file=str(path))
    return load_strict(text, Suite, file=str(path), stand_ins=_STAND_INS)
