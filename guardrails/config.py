"""What the configurations of all guards share."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from guardrails.types import Action, GuardConfigError, GuardConfigErrors

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ActionWord = Literal["detect", "mask", "block"]
OverrideWord = Literal["none", "detect", "mask", "block"]
# YAML has lists; the values inside stay strict.
Words = Annotated[tuple[str, ...], Field(strict=False)]


class Strict(BaseModel):
    """Unknown keys are mistakes, values are never coerced, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def action_of(word: str) -> Action:
    """The action a word of the configuration means."""
    return Action[word.upper()]


def suggest(word: str, known: Iterable[str]) -> str:
    """A hint for a word that is not known."""
    names = sorted(known)
    close = get_close_matches(word.upper(), [name.upper() for name in names], n=1, cutoff=0.5)
    if close:
        return f"did you mean {next(name for name in names if name.upper() == close[0])}?"
    return "known: " + ", ".join(names)


def refuse(mistakes: Sequence[GuardConfigError]) -> None:
    """Raise all mistakes at once, if there are any.

    Raises:
        GuardConfigErrors: there are.
    """
    if mistakes:
        raise GuardConfigErrors(tuple(mistakes))
