"""The trainers by name. One line in ``TRAINERS`` and a module with ``trainer(options)`` is all that another one needs.

A trainer's module is imported when it is chosen, so that none pays for another's libraries.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from evals.distill.trainers.base import Trainer, TrainingError

R = TypeVar("R", bound=msgspec.Struct)


class Options(NamedTuple):
    """What was asked for; the same for every trainer. Empty: not said.

    Attributes:
        recipe: settings of the trainer's own, by name; values may be texts, as a command line has them.
        base: what the student starts from: a GGUF file, or a model's name.
        python: an interpreter that has torch.
        run: a command line.
        seed: of whatever a trainer draws; a recipe that has a ``seed`` of its own takes this one where it says none.
        yes: rows may leave the machine, and what is done elsewhere may cost money.
        held: files of rows that must not be learned from; each must be there.
    """

    recipe: Mapping[str, Any] = {}
    base: str = ""
    python: Path | None = None
    run: str = ""
    seed: int = 0
    yes: bool = False
    held: tuple[Path, ...] = ()


class Entry(NamedTuple):
    """One trainer.

    Attributes:
        module: its function ``trainer(options)`` makes one, and raises ``TrainingError`` on options that do not do.
        takes: which of ``base``, ``python`` and ``run`` it knows; any other is refused.
        about: in a sentence.
    """

    module: str
    takes: frozenset[str]
    about: str


_HERE: Final = "evals.distill.trainers"
TRAINERS: Final[Mapping[str, Entry]] = {
    "nano": Entry(f"{_HERE}.nano", frozenset(), "a linear head, for answers of a closed set"),
    "local": Entry(f"{_HERE}.local", frozenset({"base", "python"}), "LoRA on a GGUF model, on this machine"),
    "command": Entry(f"{_HERE}.command", frozenset({"base", "run"}), "a command line of yours"),
    "openai": Entry(f"{_HERE}.openai_job", frozenset({"base"}), "a fine-tuning job at OpenAI's, or with its API"),
    "bedrock": Entry(f"{_HERE}.bedrock_job", frozenset({"base"}), "a customization job at Amazon Bedrock"),
}


def choose(name: str, options: Options) -> Trainer:
    """The trainer ``name`` with these options.

    Raises:
        TrainingError: there is none of that name, or the options are not its own.
    """
    if name not in TRAINERS:
        raise TrainingError(f"there is no trainer {name!r}; there are {', '.join(TRAINERS)}")
    entry = TRAINERS[name]
    given = {field for field in ("base", "python", "run") if getattr(options, field)}
    if strange := sorted(given - entry.takes):
        raise TrainingError(f"the trainer {name} takes no {' and no '.join(strange)}")
    made: Trainer = importlib.import_module(entry.module).trainer(options)
    return made


def recipe_of(kind: type[R], options: Options) -> R:
    """The trainer's own recipe, from the settings that were given; what was not given is as it stands there.

    Raises:
        TrainingError: a setting is not known or out of range; which, and what there is.
    """
    known = {field.name for field in msgspec.structs.fields(kind)}
    if strange := sorted(set(options.recipe) - known):
        raise TrainingError(f"no setting of the recipe: {', '.join(strange)}. There are {', '.join(sorted(known))}")
    given = ({"seed": options.seed} if "seed" in known else {}) | dict(options.recipe)
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise TrainingError(f"the recipe does not do: {error}") from None
