"""The rows that the content guard is trained and measured on, each with what is known of it.

A source says little: that a text is toxic, or that it asks for something harmful. So a row holds the categories that
it certainly has and those that it certainly lacks; what is in neither is not known, and teaches nothing. Sources
marked restricted never come in: none is among the files that are read here.
"""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from guardrails.content import CATEGORIES
from guardrails.normalize import normalize

if TYPE_CHECKING:
    from collections.abc import Iterator

QUESTIONS: Final = Path(__file__).parents[2] / "questions" / "content"
ALL: Final = frozenset(CATEGORIES)
FOLDS: Final = 5
#: Ordinary prompts of these folds calibrate and measure; the others may train.
CALIBRATE, MEASURE = 3, 4
#: Ordinary English routing prompts are many: one of so many is kept.
_EVERY: Final = 4
#: So are the harmless rows of the two large sources of hate.
_FEWER: Final = 3
#: Topics of harmful requests -> categories.
_TOPICS: Final[dict[str, frozenset[str]]] = {
    "Pornography": frozenset({"SEXUAL"}),
    "Adult Content": frozenset({"SEXUAL"}),
    "Hate Speech": frozenset({"HATE"}),
    "Hate/Harass/Violence": frozenset({"HATE"}),
    "Physical Harm": frozenset({"MISCONDUCT"}),
    "Illegal Activity": frozenset({"MISCONDUCT"}),
    "Fraud": frozenset({"MISCONDUCT"}),
    "Fraud/Deception": frozenset({"MISCONDUCT"}),
    "Malware": frozenset({"MISCONDUCT"}),
    "Malware Viruses": frozenset({"MISCONDUCT"}),
    "Economic Harm": frozenset({"MISCONDUCT"}),
    "Child Abuse": frozenset({"MISCONDUCT"}),
    "Privacy Violation Activity": frozenset({"MISCONDUCT"}),
    "dangerousqa": frozenset({"MISCONDUCT"}),
    "adversarialqa": frozenset({"MISCONDUCT"}),
    "chemical_biological": frozenset({"MISCONDUCT"}),
    "cybercrime_intrusion": frozenset({"MISCONDUCT"}),
    "illegal": frozenset({"MISCONDUCT"}),
    "harmful": frozenset({"MISCONDUCT"}),
}
#: Topics that an ordinary person may ask about, whatever a provider's terms say.
_FINE_TOPICS: Final = frozenset({"Financial Advice", "Health Consultation", "Legal Opinion", "none"})


@dataclass(frozen=True)
class Row:
    """One text.

    Attributes:
        has: the categories it certainly has; ``lacks``: those it certainly lacks.
        toxic: 1 or 0 where its source says whether it is toxic.
        ordinary: whether it is an ordinary prompt, which no category should find.
        fold: 0 to FOLDS - 1, by its letters: equal texts share it.
    """

    text: str
    source: str
    lang: str
    has: frozenset[str]
    lacks: frozenset[str]
    toxic: int | None
    ordinary: bool
    fold: int
    key: str


def all_rows(data: Path, public: Path | None) -> list[Row]:
    """Every row, in a fixed order, each text once in each source."""
    made = [*_toxicity(data), *_harmful(data), *_ordinary(data), *_own()]
    if public is not None:
        made += _public(public)
    kept, seen = [], set()
    for row in made:
        if row.key and (row.source, row.key) not in seen:
            seen.add((row.source, row.key))
            kept.append(row)
    return kept


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a gzipped JSON-lines file."""
    with gzip.open(path, "rb") as file:
        for line in file:
            yield json.loads(line)


def key_of(text: str) -> str:
    """A text's letters and digits: what makes two texts the same."""
    return re.sub(r"[\W_]+", "", normalize(text)[0].casefold())


def _row(text: str, source: str, lang: str, **known: Any) -> Row:
    key = key_of(text)
    fold = int.from_bytes(sha256(key.encode("utf-8", "replace")).digest()[:4], "big") % FOLDS
    blank: dict[str, Any] = {"has": frozenset(), "lacks": frozenset(), "toxic": None, "ordinary": False}
    return Row(text, source, lang, fold=fold, key=key, **(blank | known))


def _toxicity(data: Path) -> Iterator[Row]:
    for row in lines(data / "guardrails" / "toxicity.jsonl.gz"):
        yield _toxic(row["text"], row["source"], row["lang"], int(row["label"]), row.get("cat") or "")


def _toxic(text: str, source: str, lang: str, label: int, said: str) -> Row:
    if not label:
        lacks = frozenset({"HATE"}) if source in {"edos", "vicomtech"} else ALL - {"SEXUAL", "MISCONDUCT"}
        return _row(text, source, lang, lacks=lacks, toxic=0)
    hateful = source in {"kosbi", "edos", "vicomtech"} or said in {"hate", "혐오발언"}
    insulting = source not in {"edos", "vicomtech"}
    has = frozenset({"HATE"} if hateful else ()) | frozenset({"INSULTS"} if insulting else ())
    return _row(text, source, lang, has=has, toxic=1)


def _harmful(data: Path) -> Iterator[Row]:
    guards = data / "guardrails"
    for row in lines(guards / "harmful.jsonl.gz"):
        if row["source"] in {"advbench", "harmbench"}:
            topic = "illegal" if row["source"] == "advbench" else row.get("cat") or ""
            has = _TOPICS.get(topic, frozenset())
            yield _row(row["text"], row["source"], "en", has=has)
        elif row["source"] == "square-ko":
            yield _row(row["text"], "square-ko", "ko", lacks=frozenset({"SEXUAL", "INSULTS"}))
    for row in lines(guards / "topics.jsonl.gz"):
        if row["label"] in _FINE_TOPICS:
            yield _row(row["text"], row["source"], "en", lacks=ALL, ordinary=True)
        else:
            yield _row(row["text"], row["source"], "en", has=_TOPICS.get(row["label"], frozenset()))


def _ordinary(data: Path) -> Iterator[Row]:
    guards = data / "guardrails"
    for name in ("harmful", "overrefusal", "injection"):
        for row in lines(guards / f"{name}.jsonl.gz"):
            benign = row["source"] in {"wildguard-benign", "cyberseceval-frr", "xstest-safe", "kornli-ko", "notinject"}
            if row["label"] == 0 and (benign or (row["source"] == "s-labs" and len(row["text"]) % 3 == 0)):
                yield _row(row["text"], row["source"], row["lang"], lacks=ALL, ordinary=True)
    for split in ("train", "valid"):
        seen: set[str] = set()
        for row in lines(data / "routing" / f"{split}.jsonl.gz"):
            stem = row["stem_hash"]
            if stem not in seen and (row["language"] == "ko" or int(stem[:4], 16) % _EVERY == 0):
                seen.add(stem)
                source = f"routing-{split}"
                yield _row(row["prompt"], source, row["language"], lacks=ALL, ordinary=True)


def _own() -> Iterator[Row]:
    for path in sorted(QUESTIONS.glob("*.yaml")):
        told = yaml.safe_load(path.read_text("utf-8"))
        category = told["category"]
        # An insult may be hateful and a threat insulting: of the others only what cannot be is said to be lacking.
        apart = {"SEXUAL": ALL - {"SEXUAL"}, "MISCONDUCT": ALL - {"MISCONDUCT", "VIOLENCE"}}
        for text, twin in told["pairs"]:
            lacks = apart.get(category, frozenset({"SEXUAL", "MISCONDUCT"}))
            yield _row(text, "own", told["language"], has=frozenset({category}), lacks=lacks)
            yield _row(twin, "own", told["language"], lacks=ALL)


def _public(path: Path) -> Iterator[Row]:
    for row in lines(path):
        if row["source"] == "red-instruct":
            yield _row(row["text"], row["source"], "en", has=_TOPICS.get(row["cat"], frozenset()))
        else:
            made = _toxic(row["text"], row["source"], "en", int(row["label"]), row["cat"])
            if made.has or made.source == "surge" or len(made.key) % _FEWER == 0:
                yield made
