"""Our own texts: attacks with harmless twins, orders for documents, documents, look-alikes, ordinary Korean chat.

Every idea of an author falls whole into one half, by a hash: only the ``train`` half is ever fitted on.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import yaml

from evals.rails.attacks.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FOLDER: Final = Path(__file__).parents[2] / "questions" / "attacks"
KINDS: Final = {"direct": "JAILBREAK", "leakage": "PROMPT_LEAKAGE", "indirect": "INDIRECT"}
_LANGUAGE: Final = {"ko-a": "ko", "ko-b": "ko", "en-direct": "en"}


def half(author: str, idea: str) -> str:
    """``train`` or ``test``, for all rows of an idea alike."""
    return "test" if sha256(f"{author}/{idea}".encode()).digest()[0] % 2 else "train"


def paired(author: str) -> Iterator[Row]:
    """Attacks and their twins of one file."""
    for entry in _entries(author):
        idea = entry["idea"]
        language = entry.get("language", _LANGUAGE[author])
        common = {"lang": language, "group": f"{author}/{idea}", "half": half(author, idea)}
        kind = KINDS[entry["kind"]]
        yield Row(entry["text"], 1, f"own-{author}", kind=kind, **common)
        if entry.get("twin"):
            yield Row(entry["twin"], 0, f"own-{author}", kind=kind, **common)


def direct_rows() -> list[Row]:
    """All paired attacks, English and Korean."""
    return [row for author in _LANGUAGE for row in paired(author)]


def ordinary() -> list[Row]:
    """Ordinary Korean chat: every one of them should pass."""
    return [
        Row(entry["text"], 0, f"own-{author}-ordinary", "ko", group=entry["id"], half=half(author, entry["id"]))
        for author in ("ko-a", "ko-b")
        for entry in _entries(f"{author}-ordinary")
    ]


def look_alikes() -> list[Row]:
    """Harmless requests full of telling words; none is fitted on, the ``train`` half sets thresholds."""
    return [
        Row(e["text"], 0, "own-look-alikes", e["language"], group=e["id"], half=half("look-alikes", e["id"]))
        for e in _entries("look-alikes")
    ]


class Order(NamedTuple):
    """An order to an assistant, to be put into a document."""

    text: str
    idea: str
    half: str


def orders() -> list[Order]:
    """Orders for documents."""
    return [Order(e["text"], e["idea"], half("instructions", e["idea"])) for e in _entries("instructions")]


def documents() -> list[Row]:
    """Clean documents."""
    return [
        Row(e["text"], 0, "own-documents", e.get("language", "en"), group=e["id"], half=half("documents", e["id"]))
        for e in _entries("documents")
    ]


class Composed(NamedTuple):
    """A document that holds an order, and where."""

    text: str
    start: int
    end: int
    idea: str


def compose(texts: Sequence[str], held: Sequence[Order], count: int, seed: str) -> list[Composed]:
    """``count`` documents, each with one order at its start, its end, or between two of its lines or sentences."""
    made = []
    for number in range(count):
        text = texts[number_of(f"{seed}/text/{number}") % len(texts)]
        order = held[number_of(f"{seed}/order/{number}") % len(held)]
        at = _gap(text, number_of(f"{seed}/gap/{number}"))
        before = "" if at == 0 else "\n"
        made.append(
            Composed(
                f"{text[:at]}{before}{order.text}\n{text[at:]}",
                at + len(before),
                at + len(before) + len(order.text),
                order.idea,
            )
        )
    return made


def _gap(text: str, number: int) -> int:
    """A place between lines or sentences; one time in three the start, one in three the end."""
    if number % 3 < 2:
        return 0 if number % 3 == 0 else len(text)
    places = [at + 1 for at, char in enumerate(text[:-1]) if char == "\n" or (char == " " and text[at - 1] in ".!?")]
    return places[number // 3 % len(places)] if places else len(text)


def number_of(key: str) -> int:
    """A number from a key, always the same."""
    return int.from_bytes(sha256(key.encode()).digest()[:4], "big")


def _entries(name: str) -> list[dict[str, Any]]:
    read = yaml.safe_load((FOLDER / f"{name}.yaml").read_text("utf-8"))
    if isinstance(read, dict):
        read = next(value for value in read.values() if isinstance(value, list))
    return list(read)
