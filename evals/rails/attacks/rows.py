"""The rows that the attack rail is trained and measured on, each with its source.

Sources marked restricted are left out at the door. The routing prompts are ordinary prompts: maths, code, questions of
knowledge, puzzles, in English and Korean. A plain harmful request is no attack on instructions: such rows are
negatives here, and rows of a source that calls them attacks weigh little (``doubtful``).
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Longest text that is read, in code points.
READ: Final = 6000
#: Files beside the injection rows whose rows are ordinary in this respect, and the name their rows get.
HARMFUL: Final = "harmful-requests"


@dataclass(frozen=True)
class Row:
    """One text.

    Attributes:
        label: 1 for an attack on instructions.
        weight: of the row within its source.
        group: rows that share it are never apart (one question, one idea).
        kind: ``JAILBREAK``, ``PROMPT_INJECTION``, ``PROMPT_LEAKAGE``, ``INDIRECT`` where it is known.
    """

    text: str
    label: int
    source: str
    lang: str
    weight: float = 1.0
    group: str = ""
    kind: str = ""
    half: str = ""


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a gzipped JSON-lines file."""
    with gzip.open(path, "rb") as file:
        for line in file:
            yield json.loads(line)


def public_rows(folder: Path) -> list[Row]:
    """Injection rows, harmful requests, cases of over-refusal, and the routing prompts of ``folder``."""
    guards = folder / "guardrails"
    rows = [
        Row(row["text"][:READ], int(row["label"]), row["source"], row["lang"])
        for row in lines(guards / "injection.jsonl.gz")
    ]
    seen = {row.text for row in rows}
    for row in lines(guards / "overrefusal.jsonl.gz"):
        if row["source"] == "cyberseceval-frr" and row["text"] not in seen and not row["label"]:
            rows.append(Row(row["text"][:READ], 0, row["source"], row["lang"]))
            seen.add(row["text"])
    for row in lines(guards / "harmful.jsonl.gz"):
        if row["source"] in {"advbench", "harmbench", "square-ko"} and row["text"] not in seen:
            rows.append(Row(row["text"][:READ], 0, f"{HARMFUL}-{row['lang']}", row["lang"]))
            seen.add(row["text"])
    rows += list(routing_rows(folder / "routing" / "train.jsonl.gz", every=3))
    return rows


def routing_rows(path: Path, every: int = 1) -> Iterator[Row]:
    """Ordinary prompts, one of each question; ``every`` how many are passed over for one that is kept."""
    seen: set[str] = set()
    for row in lines(path):
        if row["stem_hash"] in seen:
            continue
        seen.add(row["stem_hash"])
        # English is plentiful, Korean is not.
        if row["language"] != "ko" and _draw(row["stem_hash"]) % every:
            continue
        yield Row(row["prompt"][:READ], 0, f"routing-{row['source']}", row["language"], group=row["stem_hash"])


def _draw(key: str) -> int:
    """A number from a key, always the same."""
    return int.from_bytes(sha256(key.encode()).digest()[:4], "big")
