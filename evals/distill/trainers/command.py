"""Command: a trainer of the user's own, as a command line. We bring the rows, and look hard at what comes back.

The line is split into words as a shell would split it, without a shell. In each word ``{rows}`` is the file of rows
(``Example`` lines), ``{chat}`` the same rows as OpenAI chat JSON Lines, ``{out}`` the student's folder, ``{base}`` what
``--base`` named, ``{recipe}`` the recipe as JSON, ``{seed}`` the seed. The first, third and last two are also in the
environment: ``STILLHOUSE_ROWS``, ``STILLHOUSE_OUT``, ``STILLHOUSE_BASE``, ``STILLHOUSE_RECIPE``, ``STILLHOUSE_SEED``.

It leaves ``result.json`` in ``{out}``: ``{"weights": "model.gguf"}``, a file beside it that the embedded engine can
serve, or ``{"model": "name"}``, a model that lives elsewhere. A run that failed is given the same folder again, with
all that it left there: what it goes on from is its own business.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from evals.distill.example import Example
from evals.distill.export.shapes import Unfit, openai
from evals.distill.folder import write_json, write_whole
from evals.distill.trainers.base import Student, Tell, TrainingError
from evals.distill.trainers.child import run_child
from evals.distill.trainers.choose import Options
from evals.distill.trainers.files import sha256_of
from evals.distill.trainers.gguf_check import check_loads, check_vocabulary
from evals.distill.trainers.rows import dataset_hash, labelled, recipe_hash, teacher_of

_PLACE: Final = re.compile(r"\{([a-z_]*)\}")
_PLACES: Final = frozenset({"rows", "chat", "out", "base", "recipe", "seed"})
_FILE: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """All that another student would come of but the rows and the base.

    Attributes:
        run: the command line. settings: for it, by name. seed: for it.
    """

    run: str
    settings: Mapping[str, Any] = {}
    seed: int = 0


class Result(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the command says it made.

    Attributes:
        weights: the name of a GGUF file in the folder. model: or the name of a model elsewhere.
        losses: step and loss, for the learning curve.
    """

    weights: Annotated[str, msgspec.Meta(pattern=_FILE)] | None = None
    model: Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,256}$")] | None = None
    losses: tuple[tuple[int, float], ...] = ()


class Command:
    """The trainer.

    Args:
        recipe: the line, and settings for it.
        base: a GGUF file or a model's name; may be empty.
        held: files of rows that must not be among those that are learned from.
    """

    name = "command"

    def __init__(self, recipe: Recipe, base: str = "", held: Sequence[Path] = ()) -> None:
        self._recipe, self._base, self._held = recipe, base, tuple(held)

    def made_of(self) -> dict[str, str]:
        """The recipe, and the base: by its SHA-256 where it is a file."""
        file = self._base_file()
        return {"recipe": recipe_hash(self._recipe), "base": sha256_of(file) if file else self._base}

    def train(self, rows: Path, out: Path, tell: Tell) -> Student:
        """Run it, look at what came, and leave ``student.json``.

        Raises:
            TrainingError: it failed or refused, or what it brought cannot be a student. Overlap: rows are held out.
        """
        begun = time.monotonic()
        found = labelled(rows, *self._held)
        result = out / "result.json"
        result.unlink(missing_ok=True)
        run_child(self._words(rows, out, found), self._environment(rows, out), out, tell)
        tell("checking", 0.98)
        brought = _read(result)
        path = out / brought.weights if brought.weights else None
        sha256 = self._checked(path) if path else ""
        student = Student(
            kind="gguf" if path else "remote", name=f"student-{(sha256 or recipe_hash(self._recipe))[:12]}",
            weights=brought.weights or "", sha256=sha256, model=brought.model or "", base=Path(self._base).stem,
            teacher=teacher_of(found), dataset_hash=dataset_hash(rows), recipe_hash=recipe_hash(self._recipe),
            seconds=round(time.monotonic() - begun, 1), rows=len(found), losses=brought.losses,
            settings=msgspec.to_builtins(self._recipe),
        )  # fmt: skip
        write_json(out / "student.json", msgspec.to_builtins(student))
        tell("done", 1.0)
        return student

    def _base_file(self) -> Path | None:
        path = Path(self._base).expanduser()
        return path if self._base and path.is_file() else None

    def _words(self, rows: Path, out: Path, found: Sequence[Example]) -> list[str]:
        words = _split(self._recipe.run)
        values = {
            "rows": str(rows), "out": str(out), "base": self._base, "seed": str(self._recipe.seed),
            "recipe": msgspec.json.encode(self._recipe.settings).decode(), "chat": str(out / "chat.jsonl"),
        }  # fmt: skip
        if any("{chat}" in word for word in words):
            write_whole(out / "chat.jsonl", _chat(found))
        return [_PLACE.sub(lambda place: values.get(place[1], place[0]), word) for word in words]

    def _environment(self, rows: Path, out: Path) -> dict[str, str]:
        return {
            "STILLHOUSE_ROWS": str(rows), "STILLHOUSE_OUT": str(out), "STILLHOUSE_BASE": self._base,
            "STILLHOUSE_RECIPE": msgspec.json.encode(self._recipe.settings).decode(),
            "STILLHOUSE_SEED": str(self._recipe.seed),
        }  # fmt: skip

    def _checked(self, path: Path) -> str:
        """The digest of weights that serve, and that read a text as their base does."""
        if not path.is_file():
            raise TrainingError(f"{path} is not there, though result.json names it")
        if base := self._base_file():
            check_vocabulary(path, base)
        check_loads(path)
        return sha256_of(path)


def trainer(options: Options) -> Command:
    """The trainer with these options.

    Raises:
        TrainingError: no command line is given, or it has a place that we cannot fill.
    """
    words = _split(options.run)
    if not words:
        raise TrainingError("the trainer command needs a command line: --run 'python teach.py {rows} {out}'")
    strange = sorted({place for word in words for place in _PLACE.findall(word)} - _PLACES)
    if strange:
        raise TrainingError(
            f"the command line has a place {{{strange[0]}}} that nothing fills; there are "
            f"{', '.join(f'{{{place}}}' for place in sorted(_PLACES))}"
        )
    return Command(Recipe(run=options.run, settings=options.recipe, seed=options.seed), options.base, options.held)


def _split(run: str) -> list[str]:
    try:
        return shlex.split(run)
    except ValueError as error:
        raise TrainingError(f"the command line cannot be split into words: {error}") from None


def _chat(rows: Sequence[Example]) -> bytes:
    """The rows in OpenAI's chat format; all of them, or none."""
    try:
        return b"".join(msgspec.json.encode(openai(row)) + b"\n" for row in rows)
    except (Unfit, UnicodeEncodeError) as error:
        raise TrainingError(f"a row has no place in the chat format ({error}); use {{rows}}") from None


def _read(path: Path) -> Result:
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Result)
    except FileNotFoundError:
        raise TrainingError(f"the command left no {path}, which says what it made: its weights or its model") from None
    except msgspec.DecodeError as error:
        raise TrainingError(f"{path}: {error}") from None
    if (found.weights is None) == (found.model is None):
        raise TrainingError(f"{path} must name either weights or a model")
    return found
