"""Held-out prompts said again in other words of form: none of them may come to be learned from."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from evals.distill.curate.rules import Rules
from evals.distill.curate.run import curate
from evals.distill.curate.signs import bare, folded, shingles
from evals.distill.example import Example, Message, encode, prompt_id, read_examples
from evals.distill.folder import Folder, write_whole
from evals.distill.privacy.fixture import captures

Change = Callable[[str, random.Random], str]
_NEAR: Final = 0.8


def _swap(text: str, rng: random.Random, share: float) -> str:
    words = text.split()
    for at in rng.sample(range(len(words)), max(1, int(share * len(words)))):
        words[at] = rng.choice(("something", "anything", "whatever", "nothing"))
    return " ".join(words)


#: What people and programs do to a prompt without asking another thing. None of these may get through.
PROMISED: Final[Mapping[str, Change]] = {
    "as it is": lambda t, _: t,
    "in capitals": lambda t, _: t.upper(),
    "other spaces": lambda t, _: "  " + t.replace(" ", " \n "),
    "other punctuation": lambda t, _: t.replace(".", " !").replace(",", " -"),
    "other figures": lambda t, r: f"{t} Order {r.randrange(10**6)}.",
    "characters that are not seen": lambda t, _: t.replace("a", "a\u200b"),
    "full-width letters": lambda t, _: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in t),
    "a greeting before, thanks after": lambda t, _: f"Hello, I hope you are well. {t} Thank you so much in advance!",
    "in the middle of a long text": lambda t, r: f"{_swap('word ' * 60, r, 0.9)} {t} {_swap('word ' * 60, r, 0.9)}",
    "one word changed": lambda t, r: _swap(t, r, 0.0),
    "its last tenth cut off": lambda t, _: t[: int(0.93 * len(t))],
}  # fmt: skip

#: Said anew: form alone cannot tell. Measured, not promised.
HARD: Final[Mapping[str, Change]] = {
    "one word in five changed": lambda t, r: _swap(t, r, 0.2),
    "sentences in another order": lambda t, _: " ".join(reversed(t.split(". "))),
    "words in another order": lambda t, r: " ".join(r.sample(t.split(), len(t.split()))),
    "its second half alone": lambda t, _: t[len(t) // 2 :],
}


def leak(folder: Folder, n: int, most: int) -> dict[str, Any]:
    """Freeze a holdout out of ``n`` requests, say up to ``most`` of its rows again in every way, and curate anew.

    Returns:
        For each way how many were said and how many of them may be learned from; and over all rows learned from the
        largest share of shingles that one has in common with a held-out row.
    """
    first = folder.root.parent / "first.jsonl"
    write_whole(first, (encode(row) + b"\n" for row in _rows(n, 31)))
    rules = Rules(budget=15_000, names=False, near=_NEAR)
    curate([first], folder, rules)
    rng = random.Random(3)  # noqa: S311 - seeded, to be repeated
    held = list(read_examples(folder.holdout))
    again: list[Example] = []
    said: Counter[str] = Counter()
    for way, change in {**PROMISED, **HARD}.items():
        for row in rng.sample(held, min(most, len(held))):
            again.append(_said_again(row, change, rng, way))
            said[way] += 1
    second = folder.root.parent / "second.jsonl"
    write_whole(second, (encode(row) + b"\n" for row in [*_rows(n, 37), *again]))
    manifest = curate([second], folder, rules)
    learned = [row for path in (folder.train, folder.control) for row in read_examples(path)]
    through = Counter(row.tenant for row in {row.id: row for row in learned}.values())
    return {
        "held": len(held), "learned": manifest["rows"]["train"], "near": _NEAR,
        "exact": len({row.id for row in held} & {row.id for row in learned}),
        "largest_share": round(_largest(learned, held), 3),
        "promised": {way: [through[way], said[way]] for way in PROMISED},
        "hard": {way: [through[way], said[way]] for way in HARD},
    }  # fmt: skip


def _rows(n: int, seed: int) -> list[Example]:
    made = []
    for one in captures(n, [], seed):
        messages = tuple(Message(said.role, said.text) for said in one.messages)  # type: ignore[arg-type]
        made.append(Example(id=prompt_id(messages), messages=messages, answer=one.answer, teacher=one.model,
                            failure="escalated" if one.rejected else None, licence="allowed"))  # fmt: skip
    return made


def _said_again(row: Example, change: Change, rng: random.Random, way: str) -> Example:
    *before, last = row.messages
    messages = (*before, Message(last.role, change(last.content, rng)))
    # failed, so that it is among the first to be taken; the way in which it was said goes with it as the tenant
    return msgspec.structs.replace(
        row, id=prompt_id(messages), messages=messages, failure="escalated", tenant=way, answer="It is done."
    )


def _largest(learned: list[Example], held: list[Example]) -> float:
    """Every pair, by the definition: shingles in common, of all that either has."""
    owners: dict[int, list[int]] = {}
    marks = [np.unique(shingles(bare(folded(row.messages)), None)) for row in held]
    for at, found in enumerate(marks):
        for mark in found.tolist():
            owners.setdefault(mark, []).append(at)
    largest = 0.0
    for row in learned:
        mine = np.unique(shingles(bare(folded(row.messages)), None))
        shared = Counter(at for mark in mine.tolist() for at in owners.get(mark, ()))
        largest = max([largest, *(both / (len(mine) + len(marks[at]) - both) for at, both in shared.items())])
    return largest


def followed(home: Path, n: int, most: int) -> dict[str, Any]:
    """The same in a loop of its own under ``home``."""
    return leak(Folder.of(home, "held"), n, most)
