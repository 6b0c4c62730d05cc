"""What a migration says of each part of a foreign file: carried, guessed, or not carried and why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

Kind = Literal["carried", "guess", "lost"]
TITLES: dict[Kind, str] = {
    "carried": "Carried over",
    "guess": "Guessed: please confirm",
    "lost": "Not carried over",
}


class Told(NamedTuple):
    """One part. ``words`` never hold a secret, nor a value that could be one."""

    kind: Kind
    file: str
    line: int
    what: str
    words: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}: {self.words}"


class Tale:
    """All that is told of one migration, in the order of the files' lines."""

    def __init__(self) -> None:
        self._told: list[Told] = []

    def say(self, kind: Kind, file: str, line: int, what: str, words: str) -> None:
        """Tell of one part."""
        self._told.append(Told(kind, file, line, what, words))

    def of(self, kind: Kind) -> list[Told]:
        """The parts of one kind, each once."""
        return sorted(
            {told for told in self._told if told.kind == kind}, key=lambda t: (t.file, t.line, t.what, t.words)
        )

    def markdown(self, title: str, head: Iterable[str]) -> str:
        """The whole tale, for people."""
        lines = [f"# {title}", "", *head, ""]
        for kind, name in TITLES.items():
            told = self.of(kind)
            lines += [f"## {name} ({len(told)})", ""]
            lines += [f"- `{_plain(each.what)}` ({each.file}:{each.line}): {each.words}" for each in told] or [
                "Nothing."
            ]
            lines.append("")
        return "\n".join(lines)


def _plain(text: str) -> str:
    return text.replace("`", "'").replace("\n", " ")
