"""What every importer shares: the row it writes, the two hashes of a prompt, and the split.

The hashes are 16 hexadecimal digits of SHA-256 over normalised UTF-8:

* ``prompt_hash``: lower case, every run of white space one space. Equal for the same prompt, however
  it was laid out; a second row with the same one is dropped within a source.
* ``stem_hash``: what comes before a list of options that begins on a line of its own (``A. ``, ``(A) ``,
  ``A) ``), lower case, letters and digits only, the first 400 of them. Equal for the same question asked
  with other options, and for prompts that share a long beginning.

The split is drawn from the stem, so a question is in one split whatever source it comes from: the first
8 digits of SHA-256 over ``split:`` and the stem hash, modulo 100, below 60 *train*, below 80 *valid*,
else *test*.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from evals.importers.outcomes import OutcomeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

STEM_LENGTH: Final = 400
#: A worked solution is cut here; enough to tell two references apart.
LONGEST_REFERENCE: Final = 300
#: Upper ends of train and valid in hundredths; the rest is test.
TRAIN_END, VALID_END = 60, 80
_NOT_ALNUM: Final = re.compile(r"[\W_]+")  # what str.isalnum says of each character, all at once
_OPTIONS: Final = re.compile(r"\n\(?A[.)] ")


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One outcome row as ``evals.importers.outcomes`` reads it; fields that nobody knew are left out."""

    id: str
    source: str
    task: str
    language: str
    prompt: str
    reference: str | None = None
    scores: Mapping[str, float]
    output_tokens: Mapping[str, int] = {}
    token_method: str | None = None
    n_models: int
    prompt_hash: str
    stem_hash: str
    split: str = ""
    meta: Mapping[str, Any] = {}


def row(
    *,
    id: str,  # noqa: A002 - the row's own word
    source: str,
    task: str,
    prompt: str,
    scores: Mapping[str, float],
    language: str = "en",
    reference: str | None = None,
    output_tokens: Mapping[str, int] | None = None,
    token_method: str | None = None,
    meta: Mapping[str, Any] | None = None,
    splits: bool = True,
) -> Row:
    """A row with its hashes and, unless ``splits`` is off, its split."""
    stem = stem_hash(prompt)
    tokens = output_tokens or {}
    return Row(
        id=id,
        source=source,
        task=task,
        language=language,
        prompt=prompt,
        reference=reference,
        scores=scores,
        output_tokens=tokens,
        token_method=token_method if tokens else None,
        n_models=len(scores),
        prompt_hash=prompt_hash(prompt),
        stem_hash=stem,
        split=split_of(stem) if splits else "",
        meta=meta or {},
    )


def prompt_hash(prompt: str) -> str:
    """The identity of a prompt, whatever its case and white space."""
    return _short(" ".join(prompt.lower().split()))


def stem_hash(prompt: str) -> str:
    """The identity of the question in a prompt, without its options."""
    question = _OPTIONS.split(prompt, maxsplit=1)[0].lower()
    return _short(_NOT_ALNUM.sub("", question)[:STEM_LENGTH])


def split_of(stem: str) -> str:
    """``train``, ``valid`` or ``test``, from a stem hash."""
    drawn = int(hashlib.sha256(f"split:{stem}".encode()).hexdigest()[:8], 16) % 100
    return "train" if drawn < TRAIN_END else "valid" if drawn < VALID_END else "test"


def without_repeats(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows whose prompt was not seen before, in order."""
    seen: set[str] = set()
    for item in rows:
        if item.prompt_hash not in seen:
            seen.add(item.prompt_hash)
            yield item


def write_rows(rows: Iterable[Row], path: Path) -> int:
    """Write one JSON object a line, gzipped without a date if the name ends in ``.gz``; how many.

    Raises:
        OutcomeError: the file cannot be written.
    """
    lines = [msgspec.json.encode(item) + b"\n" for item in rows]
    whole = b"".join(lines)
    try:
        path.write_bytes(gzip.compress(whole, mtime=0) if path.suffix == ".gz" else whole)
    except OSError as error:
        raise OutcomeError(f"{path}: cannot be written: {error.strerror}") from error
    return len(lines)


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
