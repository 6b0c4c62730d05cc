"""Makes the packaged words of the ``topics`` guard: vectors, rarity, and the hashed words of ordinary prompts.

``python -m evals.topics.train --encoder DIR --data DIR --prompts FILE`` writes ``guardrails/models/topics``.
``--encoder`` is a folder with all-MiniLM-L6-v2 (``model.safetensors``, ``tokenizer.json``); ``--data`` holds
``injection.jsonl.gz`` and ``toxicity.jsonl.gz``, ``--prompts`` is a file of routing rows with ``prompt``. Only sources
that may train are read, and none that is measured.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import random
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from evals.topics.korean_glosses import glosses
from evals.topics.word_vectors import DIMENSIONS, Encoder, known_words, shortened
from guardrails.grounding.reading import _EMPTY, stem
from guardrails.learned.windows import cut
from guardrails.normalize import normalize
from guardrails.topics.words import Table, from_bytes, hash_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MODEL: Final = Path(__file__).parents[2] / "guardrails" / "models" / "topics"
#: Of each source of ordinary prompts: so many of them, and so many sentences of each.
PROMPTS: Final = {
    "s-labs": 700, "mmlu-pro": 100, "llmrouter-uiuc": 300, "reasoning-gym-easy": 50, "haerae-logic": 60,
    "kornli-ko": 160, "beep": 200,
}  # fmt: skip
SENTENCES: Final = 6
#: A word in so many ordinary prompts of the larger set is kept though the encoder has no piece for it.
OFTEN: Final = 12
#: What meaning, middle and words weigh; from ``evals.topics``, every topic left out in turn.
MIX: Final = (0.5, 0.5, 0.6)
#: Words of subjects that policies speak of, and ordinary prompts seldom do.
_SUBJECTS: Final = frozenset(
    """
    ransomware keylogger spyware malware trojan phishing botnet exploit antivirus hacker hacking hack
    cryptocurrency bitcoin ethereum mortgage mortgages refinance annuity annuities dividend dividends payday loan
    loans lending casino casinos gambling betting sportsbook poker blackjack slots lottery pornography
    pornographic porn erotic erotica fetish nude nudity lobbying lobbyist campaigning electorate constituents
    ballot slogan stalking eavesdrop surveillance wiretap doxxing gps lawsuit litigation plaintiff custody alimony
    probate attorney landlord tenant eviction diagnosis diagnose symptom symptoms dosage prescription
    antidepressant insomnia migraine rash vaccine vaccines diabetes hypertension counterfeit counterfeiting
    smuggle smuggling smugglers trafficking traffickers asylum deportation visa passport plagiarism plagiarize
    astroturfing disinformation scam scams scammer spam spammer impersonate embezzlement laundering bribe bribery
    homophobic racist racism xenophobia antisemitic islamophobia misogyny slur slurs dehumanize explosive
    explosives poison suicide overdose firearm firearms homemade grenade chemical retirement investing investment
    portfolio etf ira roth budgeting credit
    """.split()  # noqa: SIM905 -- a table
)
_SPREAD: Final = 0.02


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a gzipped JSON-lines file."""
    with gzip.open(path, "rb") as lines:
        for line in lines:
            yield json.loads(line)


def ordinary(data: Path, routing: Path) -> dict[str, list[str]]:
    """Ordinary texts by source, shuffled with a seed of their own."""
    found: dict[str, set[str]] = {name: set() for name in PROMPTS}
    for row in (*rows(data / "injection.jsonl.gz"), *rows(data / "toxicity.jsonl.gz")):
        if row["source"] in found and row["label"] == 0:
            found[row["source"]].add(row["text"])
    for row in rows(routing):
        if row["source"] in found:
            found[row["source"]].add(row["prompt"])
    out = {}
    for name, texts in found.items():
        out[name] = sorted(texts)
        random.Random(name).shuffle(out[name])  # noqa: S311 -- seeded, to be repeated
    return out


def frequencies(texts: dict[str, list[str]]) -> tuple[Counter[str], int]:
    """In how many texts each English word stands; no source counts for more than 3,000."""
    counts: Counter[str] = Counter()
    total = 0
    for some in texts.values():
        for text in some[:3000]:
            counts.update(set(re.findall(r"[a-z]{2,24}|[가-힣]{2,12}", text.lower())))
            total += 1
    return counts, total


def arrays(words: Sequence[str], vectors: Any, texts: dict[str, list[str]]) -> dict[str, Any]:
    """Everything that is packaged, but the prompts."""
    counts, total = frequencies(texts)
    row = {word: index for index, word in enumerate(words)}
    entries = {hash_of(word): (index, _rarity(counts[word], total, word)) for word, index in row.items()}
    for korean, english in glosses().items():
        if english in row:
            entries[hash_of(stem(korean))] = (row[english], _rarity(counts[english], total, english))
            entries.setdefault(hash_of(korean), entries[hash_of(stem(korean))])
    for word in (word for word in _EMPTY if hash_of(word) not in entries):
        entries[hash_of(word)] = (0, 0)
    hashes = sorted(entries)
    return {
        "hashes": np.array(hashes, dtype=np.uint32),
        "vectors": vectors[[entries[key][0] for key in hashes]],
        "rarity": np.array([entries[key][1] for key in hashes], dtype=np.uint8),
        "mix": np.array(MIX),
    }


def _rarity(count: int, total: int, word: str) -> int:
    return 0 if word in _EMPTY else min(255, round(10 * np.log(total / (count + 1))))


def with_prompts(base: dict[str, Any], texts: dict[str, list[str]]) -> dict[str, Any]:
    """The ordinary prompts' words, and what makes all directions equally usual among them."""
    plain = base | {
        "prompt_words": np.zeros(0, np.uint32),
        "prompt_ends": np.zeros(0, np.int32),
        "prompt_of": np.zeros(0, np.int32),
        "mean": np.zeros(DIMENSIONS),
        "turn": np.eye(DIMENSIONS),
    }
    table = from_bytes(packed(plain))
    words: list[int] = []
    ends: list[int] = []
    owners: list[int] = []
    meanings = []
    number = 0
    for name, many in PROMPTS.items():
        for text in texts[name][:many]:
            for sentence in _sentences(text)[:SENTENCES]:
                found = table.words(sentence)
                words += found
                ends.append(len(words))
                owners.append(number)
                meanings.append(table.meaning(found))
            number += 1
    mean, turn = _whitened(np.array([each for each in meanings if each.any()]))
    return base | {
        "prompt_words": np.array(words, np.uint32),
        "prompt_ends": np.array(ends, np.int32),
        "prompt_of": np.array(owners, np.int32),
        "mean": mean.astype(np.float32),
        "turn": turn.astype(np.float32),
    }


def _sentences(text: str) -> list[str]:
    folded = normalize(text)[0]
    starts, end = cut(folded, 0, last=True)
    return [folded[start:stop] for start, stop in zip(starts, [*starts[1:], end], strict=False)]


def _whitened(meanings: Any) -> tuple[Any, Any]:
    """The mean, and the symmetric root of the inverse covariance (half way, so that noise is not blown up)."""
    mean = meanings.mean(axis=0)
    values, axes = np.linalg.eigh(np.cov((meanings - mean).T))
    return mean, (axes * (values + _SPREAD * values.max()) ** -0.25) @ axes.T


def packed(kept: dict[str, Any]) -> bytes:
    """The bytes of ``weights.npz``; numpy stamps no time on its entries."""
    out = io.BytesIO()
    np.savez_compressed(out, **{name: kept[name] for name in sorted(kept)})
    return out.getvalue()


def card(texts: dict[str, list[str]], words: int, table: Table) -> dict[str, Any]:
    """What trained it."""
    return {
        "name": "topics",
        "words": words,
        "vectors": "sentence-transformers/all-MiniLM-L6-v2, Apache-2.0: every word read alone, principal axes, int8",
        "korean": "our own list of stems with an English gloss each (evals/topics/korean_glosses.py)",
        "ordinary_prompts": {name: min(many, len(texts[name])) for name, many in PROMPTS.items()},
        "licences": "s-labs MIT; mmlu-pro Apache-2.0; llmrouter-uiuc MIT; reasoning-gym Apache-2.0; haerae-logic MIT; "
        "kornli and beep CC BY-SA 4.0 (their words are kept as hashes only)",
        "prompts": len(table.prompts),
        "mix": MIX,
        "figures": "evals/results/guards-topics.md",
        "command": "python -m evals.topics.train --encoder DIR --data DIR --prompts FILE",
    }


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="keep the encoder's vectors here, and use them if they are there")
    given = parser.parse_args()
    texts = ordinary(given.data, given.prompts)
    encoder = Encoder(given.encoder)
    counts, _ = frequencies(texts)
    often = (word for word, count in counts.items() if count >= OFTEN and word.isascii())
    words = known_words(encoder, {*often, *glosses().values(), *_SUBJECTS})
    print(len(words), "words", flush=True)
    vectors = _cached(given.cache, words)
    if vectors is None:
        vectors = encoder.encode(words)
        if given.cache:
            np.savez(given.cache, words=np.array(words), vectors=vectors)
    kept = packed(with_prompts(arrays(words, shortened(vectors), texts), texts))
    MODEL.mkdir(parents=True, exist_ok=True)
    (MODEL / "weights.npz").write_bytes(kept)
    told = json.dumps(card(texts, len(words), from_bytes(kept)), indent=2, ensure_ascii=False)
    (MODEL / "card.json").write_text(told + "\n", "utf-8")
    print(len(words), "words,", len(kept), "bytes")


def _cached(path: Path | None, words: list[str]) -> Any:
    if path is None or not path.exists():
        return None
    with np.load(path, allow_pickle=False) as kept:
        known = {word: index for index, word in enumerate(kept["words"].tolist())}
        return kept["vectors"][[known[word] for word in words]] if all(word in known for word in words) else None


if __name__ == "__main__":
    main()
