"""A YAML file into a strict pydantic model, or every mistake at once with its place and a hint.

``policies.nodes`` reads the form, pydantic checks the content, ``policies.explain`` finds the words;
this module puts them together.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from policies.explain import explain
from policies.mistakes import Mistake, Mistakes, Path, Problem, show_path
from policies.nodes import MAX_BYTES, Node, decode, parse

M = TypeVar("M", bound=BaseModel)

_PASSES = 6


def load_strict(text: str | bytes, model: type[M], *, file: str, stand_ins: Mapping[str, object] | None = None) -> M:
    """Check ``text`` against ``model``.

    Args:
        text: the YAML; bytes must be UTF-8.
        model: a strict model. Lists become tuples where it wants tuples; nothing else is converted.
        file: the name that mistakes carry.
        stand_ins: values for required settings, used only to look for further mistakes when the
            file lacks them.

    Raises:
        Mistakes: all of them.
    """
    value, _ = load_with_places(text, model, file=file, stand_ins=stand_ins)
    return value


def load_with_places(
    text: str | bytes, model: type[M], *, file: str, stand_ins: Mapping[str, object] | None = None
) -> tuple[M, Node]:
    """As ``load_strict``, with the tree of nodes that tells where each setting stands."""
    root, mistakes = parse(decode(text, file=file) if isinstance(text, bytes) else text, file=file)
    said = {(mistake.line, mistake.column) for mistake in mistakes}
    checked: M | None = None
    search = _Search(root.data(), dict(stand_ins or {}))
    for _ in range(_PASSES):
        try:
            checked = model.model_validate_json(json.dumps(search.data), strict=True)
            break
        except ValidationError as error:
            problems = [p for e in error.errors(include_url=False) for p in explain(e, model, root)]
        news = [locate(problem, root, file) for problem in problems if search.is_news(problem.path)]
        mistakes += [mistake for mistake in news if (mistake.line, mistake.column) not in said]
        if not search.leave_out(problem.path for problem in problems):
            break
    if mistakes or checked is None:
        raise Mistakes(mistakes)
    return checked, root


class _Search:
    """Looks for further mistakes behind those that are found.

    A check across settings only runs when each of them is right by itself. So the wrong ones are left
    out and the rest is looked at again, until one round has told everything.
    """

    def __init__(self, data: dict[str, Any], stand_ins: dict[str, object]) -> None:
        self.data = data
        self._stand_ins = stand_ins
        self._left_out: set[Path] = set()

    def is_news(self, path: Path) -> bool:
        """Whether a problem at ``path`` is more than an echo of what was left out there or directly below."""
        return not any(path[: len(gone)] == gone or gone[:-1] == path for gone in self._left_out)

    def leave_out(self, paths: Iterable[Path]) -> bool:
        """Take the settings at ``paths`` out; tell whether that changed anything."""
        changed = False
        for path in list(paths):
            gone = self._remove(path)
            if gone:
                self._left_out.add(gone)
                changed = True
            elif len(path) == 1 and path[0] in self._stand_ins and path[0] not in self.data:
                self._left_out.add(path)
                self.data[str(path[0])] = self._stand_ins[str(path[0])]
                changed = True
        return changed

    def _remove(self, path: Path) -> Path:
        """Delete the deepest key on ``path`` that is there; items of a list stay, to keep its indices."""
        found: tuple[dict[str, Any], Path] | None = None
        value: Any = self.data
        for depth, part in enumerate(path):
            if isinstance(value, dict) and part in value:
                found = value, path[: depth + 1]
            elif not (isinstance(value, list) and isinstance(part, int) and part < len(value)):
                break
            value = value[part]
        if found is None:
            return ()
        holder, gone = found
        del holder[str(gone[-1])]
        return gone


def read_text(path: pathlib.Path) -> str:
    """A file's text.

    Raises:
        Mistakes: it cannot be read, is longer than 4 MiB, or is not UTF-8.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        words = {
            FileNotFoundError: "there is no such file",
            IsADirectoryError: "this is a folder, not a file",
            PermissionError: "this file may not be read",
        }.get(type(error), f"this file cannot be read: {error.strerror}")
        raise Mistakes([Mistake(str(path), 1, 1, show_path(()), words)]) from None
    return decode(raw, file=str(path))


def locate(problem: Problem, root: Node, file: str) -> Mistake:
    """Give a problem its place: the value it speaks of, or the nearest setting that exists."""
    line, column = root.place(problem.path, on_key=problem.on_key)
    return Mistake(file, line, column, show_path(problem.path), problem.message, problem.hint)
