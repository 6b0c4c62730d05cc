"""What is wrong with a file, said all at once: where, what, and how to mend it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from pydantic_core import PydanticCustomError

Path = tuple[str | int, ...]

_SECRET = re.compile(r"(?:^|_)(?:secrets?|passwords?|passwd|credentials?|api_?keys?|key|token)$", re.IGNORECASE)
_PLAIN_KEY = re.compile(r"[^\s.\[\]'\"]+")


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing that is wrong (or doubtful, where a list of warnings holds it).

    Attributes:
        file: the file's name as the caller gave it.
        line, column: counted from 1; columns are code points.
        path: the setting, e.g. ``rules[2].when.pattern``; ``(root)`` for the whole file.
        message: what is wrong.
        hint: how to mend it; may be empty.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        hint = f" (hint: {self.hint})" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {self.path}: {self.message}{hint}"

    def as_dict(self) -> dict[str, str | int]:
        """The JSON shape that ``stillhouse check --json`` prints."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "path": self.path,
            "message": self.message,
            "hint": self.hint,
        }


class Mistakes(ValueError):
    """All mistakes of one load, in the order of their places.

    Attributes:
        mistakes: never empty, without repeats.
    """

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes: tuple[Mistake, ...] = tuple(sorted(dict.fromkeys(mistakes), key=_place))
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


def _place(mistake: Mistake) -> tuple[str, int, int]:
    return mistake.file, mistake.line, mistake.column


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake that has no place yet: a path inside a value instead of a line in a file.

    Attributes:
        on_key: the key itself is wrong, so point at it and not at its value.
    """

    path: Path
    message: str
    hint: str = ""
    on_key: bool = False


PROBLEMS = "problems"


def refuse(problems: Iterable[Problem]) -> None:
    """Raise all ``problems`` as one pydantic error; do nothing when there are none.

    For use inside validators. The paths are relative to the validated value.
    """
    found = tuple(problems)
    if found:
        _raise(found)


def _raise(found: tuple[Problem, ...]) -> NoReturn:
    words = "; ".join(f"{show_path(p.path)}: {p.message}" if p.path else p.message for p in found)
    raise PydanticCustomError(PROBLEMS, "{words}", {"words": words, PROBLEMS: found})


def problems_of(error: Mapping[str, Any]) -> tuple[Problem, ...]:
    """The problems that ``refuse`` put into a pydantic error; empty for any other error."""
    if error["type"] != PROBLEMS:
        return ()
    found: tuple[Problem, ...] = error["ctx"][PROBLEMS]
    return found


def show_path(path: Path) -> str:
    """Write a path as people do: ``rules[2].when.pattern``."""
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            shown += f".{part}" if shown else part
        else:
            shown += f"[{part!r}]"
    return shown or "(root)"


def holds_secret(path: Path) -> bool:
    """Whether a setting's value may be a credential by its name, so that it is never repeated."""
    return any(isinstance(part, str) and _SECRET.search(part) for part in path)
