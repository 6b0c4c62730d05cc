"""Rows that tell grounded answers from others: those of the data, and our own alterations of their sources.

An alteration takes a sentence of a source and either shortens it (still grounded) or changes one thing in it: a
number, a name, a denial, or the source it is held against. So the model learns what a wrong number weighs from pairs
that differ in nothing else.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from guardrails.grounding.reading import sentences

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Sources that may train what is shipped; any other source in the file is only measured.
TRAINS: Final = ("halueval-qa", "kornli-xnli", "altered-en", "altered-ko", "altered-prose")
_ALTERED_EACH: Final = 350


class Row(NamedTuple):
    """One answer with its source. ``label`` 1: it is grounded."""

    source: str
    lang: str
    context: str
    question: str
    answer: str
    label: int
    kind: str


def read(folder: Path) -> list[Row]:
    """The rows of ``grounding.jsonl.gz``, those without a context too, and the alterations.

    Texts of ordinary prose in ``injection.jsonl.gz`` are altered as well, so that a source can be left out with all
    that was made of it and English alterations remain.
    """
    rows = [
        Row(
            r["source"],
            r["lang"],
            r["context"] or "",
            r["question"] or "",
            r["answer"],
            int(r["label"]),
            r.get("cat") or "",
        )
        for r in _lines(folder / "grounding.jsonl.gz")
    ]
    contexts = {name: [row.context for row in rows if row.source == name] for name in ("halueval-qa", "kornli-xnli")}
    prose = [
        r["text"]
        for r in _lines(folder / "injection.jsonl.gz")
        if r["label"] == 0 and r["source"] in ("s-labs", "bipia") and len(sentences(r["text"][:2000])) >= 4
    ]
    return [
        *rows,
        *altered(contexts["halueval-qa"], "altered-en", "en"),
        *altered(contexts["kornli-xnli"], "altered-ko", "ko"),
        *altered([text[:2000] for text in prose], "altered-prose", "en"),
    ]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rb") as lines:
        for line in lines:
            yield json.loads(line)


def altered(texts: list[str], name: str, lang: str) -> Iterator[Row]:
    """Our alterations of ``texts``; the same whenever they are made."""
    dice = random.Random(name)  # noqa: S311 -- seeded, to be repeated
    contexts = sorted(set(texts))
    dice.shuffle(contexts)
    told = [
        (context, sentence.text) for context in contexts for sentence in sentences(context) if len(sentence.stems) > 4
    ]
    for index, (context, text) in enumerate(told[:_ALTERED_EACH]):
        other = next(sentence for where, sentence in told[index + 1 :] if where != context)
        yield Row(name, lang, context, "", _shortened(text, dice), 1, "shortened")
        yield Row(name, lang, context, "", other, 0, "elsewhere")
        for kind, changed in (("number", _number(text, dice)), ("denial", _denied(text)), ("name", _name(text, other))):
            if changed not in (None, text):
                yield Row(name, lang, context, "", str(changed), 0, kind)


def _shortened(text: str, dice: random.Random) -> str:
    words = text.split()
    keep = max(4, round(len(words) * dice.uniform(0.5, 0.9)))
    start = dice.randrange(len(words) - keep + 1) if len(words) > keep else 0
    return " ".join(words[start : start + keep])


def _number(text: str, dice: random.Random) -> str | None:
    found = re.search(r"[0-9]+", text)
    if found is None:
        return None
    changed = str(int(found[0]) + dice.randint(1, 9))
    return text[: found.start()] + changed + text[found.end() :]


def _denied(text: str) -> str | None:
    for pattern, change in (
        (r"\b(is|was|are|were|has been|can|will)\b", r"\1 not"),
        (r"했다", "하지 않았다"),
        (r"한다", "하지 않는다"),
        (r"었다", "지 않았다"),
        (r"습니다", "지 않습니다"),
        (r"이다", "이 아니다"),
    ):
        if re.search(pattern, text):
            return re.sub(pattern, change, text, count=1)
    return None


def _name(text: str, other: str) -> str | None:
    ours, theirs = (re.findall(r"(?<=\s)[A-Z][a-z]{3,}", each) for each in (text, other))
    return text.replace(ours[0], theirs[0]) if ours and theirs else None


def asked(rows: list[Row]) -> Iterator[Row]:
    """For relevance: every answer with its own question (1), and with another one of the same source (0)."""
    for source in sorted({row.source for row in rows if row.question}):
        own = [row for row in rows if row.source == source]
        shuffled = own[:]
        random.Random(source).shuffle(shuffled)  # noqa: S311 -- seeded, to be repeated
        for row, other in zip(own, shuffled, strict=True):
            yield row._replace(label=1, kind="own")
            if other.question != row.question and (other.context != row.context or not row.context):
                yield row._replace(answer=other.answer, label=0, kind="other")
