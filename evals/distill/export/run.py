"""Export: the rows of a loop in one format, with a manifest beside them. Same input, same bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import msgspec

from evals.distill.apart import check_apart
from evals.distill.curate.clean import SURE
from evals.distill.example import Example, read_examples
from evals.distill.export.formats import FORMATS, Format
from evals.distill.export.shapes import Unfit
from evals.distill.folder import Folder, digest_of, write_json, write_whole
from guardrails import compile_rails

Rows = Literal["train", "control", "holdout"]


class ExportError(ValueError):
    """Nothing was written. The message says why and how to mend it."""


def export(folder: Folder, names: Sequence[str], rows: Rows = "train") -> list[dict[str, Any]]:
    """For each format write ``exports/<rows>.<format>.jsonl`` and its manifest ``exports/<rows>.<format>.json``.

    Args:
        folder: of the loop, curated.
        names: of ``FORMATS``.
        rows: which of its rows.

    Returns:
        The manifests.

    Raises:
        ExportError: answers are missing, the teacher's terms forbid it, personal data came with the answers, or a
            format takes no such file. Overlap: rows to learn from are held out. RowError: a line is no row.
    """
    source = folder.root / f"{rows}.jsonl"
    if not source.exists():
        raise ExportError(f"{source} is not there. First: stillhouse distill curate {folder.root.name} FILES")
    if rows != "holdout":
        check_apart(source, folder.holdout, folder.general)
    found = list(read_examples(source))
    answers = any(FORMATS[name].answers for name in names)
    if answers:
        _refuse_answers(found, folder.root.name)
    _refuse_personal(found, answers=answers)
    return [_written(found, name, source, folder.root / "exports" / f"{rows}.{name}.jsonl") for name in names]


def _written(found: list[Example], name: str, source: Path, target: Path) -> dict[str, Any]:
    of = FORMATS[name]
    lines, left_out = _lines(found, of, name)
    size = sum(map(len, lines))
    _fits(len(lines), size, left_out, of, name)
    manifest: dict[str, Any] = {
        "format": name, "rows": len(lines), "bytes": size, "left_out": dict(sorted(left_out.items())),
        "file": target.name, "hash": write_whole(target, lines),
        "source": source.name, "source_hash": digest_of(source),
        "teachers": dict(sorted(Counter(row.teacher or "a person" for row in found).items())) if of.answers else {},
        "licences": dict(sorted(Counter(row.licence for row in found).items())) if of.answers else {},
    }  # fmt: skip
    write_json(target.with_suffix(".json"), manifest)
    return manifest


def lines_for(rows: list[Example], name: str) -> tuple[list[bytes], Counter[str]]:
    """Rows with answers in the format ``name``, each checked, as a trainer elsewhere takes them; what was left out.

    Raises:
        ExportError: as ``export``.
    """
    _refuse_personal(rows, answers=True)
    lines, left_out = _lines(rows, FORMATS[name], name)
    _fits(len(lines), sum(map(len, lines)), left_out, FORMATS[name], name)
    return lines, left_out


def _refuse_answers(rows: list[Example], loop: str) -> None:
    missing = sum(row.answer is None or not row.answer.strip() for row in rows)
    if missing:
        raise ExportError(
            f"{missing} of {len(rows)} rows have no answer of a teacher, and this format carries answers. Curate "
            f"again with --answers to leave them out, or ask for them: stillhouse distill label {loop}"
        )
    forbidden = sorted({row.teacher or "a person" for row in rows if row.licence == "forbidden"})
    if forbidden:
        raise ExportError(
            f"the terms of {', '.join(forbidden)} forbid training on its answers. Curate again, which leaves such "
            "rows out, or export prompts only: --format prompts"
        )


def _refuse_personal(rows: list[Example], *, answers: bool) -> None:
    rails = compile_rails(SURE)

    @lru_cache(maxsize=4096)  # system prompts and short answers come again and again
    def bare(text: str) -> bool:
        return rails.check(text).text != text

    found = [row.id for row in rows if any(map(bare, _texts(row, answers=answers)))]
    if found:
        raise ExportError(
            f"{len(found)} rows hold personal data or secrets (the first: {', '.join(found[:3])}); they came after the "
            "rows were curated. Curate again: it masks them."
        )


def _texts(row: Example, *, answers: bool) -> list[str]:
    texts = [m.content for m in row.messages]
    return texts + [text for text in (row.answer, row.rejected) if text] if answers else texts


def _lines(rows: list[Example], of: Format, name: str) -> tuple[list[bytes], Counter[str]]:
    lines: list[bytes] = []
    left_out: Counter[str] = Counter()
    for row in rows:
        try:
            line = msgspec.json.encode(of.make(row))
        except Unfit as unfit:
            left_out[str(unfit)] += 1
            continue
        except UnicodeEncodeError:
            left_out["not valid Unicode"] += 1
            continue
        if (wrong := of.check(line)) is not None:
            raise ExportError(f"row {row.id} does not keep the format {name}: {wrong}")
        lines.append(line + b"\n")
    return lines, left_out


def _fits(n: int, size: int, left_out: Counter[str], of: Format, name: str) -> None:
    why = ", ".join(f"{count} {reason}" for reason, count in left_out.most_common()) or "none"
    if n < of.fewest:
        raise ExportError(f"{n} rows fit the format {name}, which takes at least {of.fewest}. Left out: {why}.")
    if n > of.most:
        raise ExportError(f"{n} rows, and {name} takes at most {of.most}. Curate with --budget {of.most} or less.")
    if size > of.largest:
        raise ExportError(f"{size} bytes, and {name} takes at most {of.largest}. Curate with a smaller --budget.")
