"""Rows from clones of public repositories that the shared data lacks: other sources are what a rail learns most from.

``python -m evals.rails.content.public CLONES --out public.jsonl.gz`` reads ``CLONES/<name>`` for each of ``SOURCES``
that is there. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from evals.importers.files import read_csv, read_json, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


@dataclass(frozen=True)
class Source:
    """A public repository.

    Attributes:
        repository, commit: what was read.
        licence: of its data.
        read: folder of the clone -> (text, label, category).
    """

    repository: str
    commit: str
    licence: str
    read: Callable[[Path], Iterator[tuple[str, int, str]]]


def _surge(clone: Path) -> Iterator[tuple[str, int, str]]:
    for _, row in read_csv(clone / "toxicity_en.csv", ["text", "is_toxic"]):
        yield row["text"], int(row["is_toxic"] == "Toxic"), ""


def _edos(clone: Path) -> Iterator[tuple[str, int, str]]:
    columns = ["text", "label_sexist", "label_category"]
    for _, row in read_csv(clone / "data" / "edos_labelled_aggregated.csv", columns):
        yield row["text"], int(row["label_sexist"] == "sexist"), row["label_category"]


def _vicomtech(clone: Path) -> Iterator[tuple[str, int, str]]:
    for _, row in read_csv(clone / "annotations_metadata.csv", ["file_id", "label"]):
        if row["label"] in {"hate", "noHate"}:
            yield text_of(clone / "all_files" / f"{row['file_id']}.txt").strip(), int(row["label"] == "hate"), ""


def _red_instruct(clone: Path) -> Iterator[tuple[str, int, str]]:
    questions: Any = read_json(clone / "harmful_questions" / "catqa_english.json")
    for topic, kinds in questions.items():
        for texts in kinds.values():
            for text in texts:
                yield text, 1, topic
    for name in ("adversarialqa", "dangerousqa"):
        for text in read_json(clone / "harmful_questions" / f"{name}.json"):
            yield text, 1, name


SOURCES: Final[dict[str, Source]] = {
    "surge": Source("surge-ai/toxicity", "ea80324b95ed7e3cc787bdb6faeb763fcc0ae258", "MIT", _surge),
    "edos": Source("rewire-online/edos", "b1f1fbcca9d42de0395432ada8fcfb5c35f68c77", "CC0-1.0", _edos),
    "vicomtech": Source(
        "Vicomtech/hate-speech-dataset", "b802137e8314c38a8d4faa965f9908d6c8e7a84d", "CC BY-SA 3.0", _vicomtech
    ),
    "red-instruct": Source(
        "declare-lab/red-instruct", "73c759c93d2f6b1d8c7b058ab7bcec5fb0c28fa2", "Apache-2.0", _red_instruct
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Write the rows of all clones that are there; says how many of each."""
    parser = argparse.ArgumentParser(prog="python -m evals.rails.content.public", description=__doc__)
    parser.add_argument("clones", type=Path, help="folder with one clone for each source, by its name here")
    parser.add_argument("--out", type=Path, required=True, help="file to write, .jsonl.gz")
    options = parser.parse_args(argv)
    lines: list[str] = []
    for name, source in SOURCES.items():
        before = len(lines)
        if (options.clones / name).is_dir():
            for text, label, category in source.read(options.clones / name):
                row = {"text": text, "label": label, "lang": "en", "source": name, "cat": category}
                lines.append(json.dumps(row, ensure_ascii=False))
            print(f"{name:14} {len(lines) - before:6}")
        else:
            print(f"{name:14} not there: clone {source.repository} at {source.commit[:12]}")
    with gzip.GzipFile(options.out, "wb", mtime=0) as file:
        file.write(("\n".join(lines) + "\n").encode())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
