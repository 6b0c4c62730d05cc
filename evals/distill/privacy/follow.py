"""Personal data through every step of the loop, and what is left of it in each file that a step leaves."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final

from evals.distill.curate.rules import Rules
from evals.distill.curate.run import curate
from evals.distill.example import encode, read_examples
from evals.distill.export.formats import FORMATS
from evals.distill.export.run import export
from evals.distill.folder import Folder
from evals.distill.gather.sources import Gathering
from evals.distill.gather.texts import Licences
from evals.distill.gather.written import write_rows
from evals.distill.label.run import Wishes, label
from evals.distill.privacy.fixture import Seed, captures
from evals.distill.privacy.teacher import teacher
from guardrails import Placeholders, compile_rails
from router.core.captures import PERSONAL, redacted
from router.ledger.captures import Captures, read_captures

SETTINGS: Final = """\
stillhouse: 1
upstreams: {{up: {{kind: openai, base_url: "{url}"}}}}
tiers: [{{tier: large, upstream: up, model: teacher-2, price: {{input: 0, output: 0}}}}]
"""
BUDGET: Final = 15_000
_MARK: Final = re.compile(r"q[bcdfghjklmnpqrstvwxz]{11}")


def follow(home: Path, sown: Sequence[Seed], n: int) -> dict[str, Any]:
    """Capture ``n`` requests that hold the seeds, and go through the loop with them.

    Returns:
        For each place where texts were left, which seeds are left in it and which of their parts; and how much was
        masked where nothing was seeded.
    """
    store = home / "ledger.db.captures"
    _capture(store, sown, n)
    folder = Folder.of(home, "private")
    rows = Gathering("small", Licences(("*=allowed",))).captures(store, None, None, 0)
    imported = folder.rows("captures")
    write_rows(imported, rows)
    curate([imported], folder, Rules(budget=BUDGET))
    (home / "stillhouse.yaml").write_text("")
    with teacher(sown) as url:
        config = home / "teacher.yaml"
        config.write_text(SETTINGS.format(url=url))
        wishes = Wishes(teacher="teacher-2", config=config, licences=Licences(("*=allowed",)), rest=False, parallel=8)
        done = asyncio.run(label(folder, wishes, lambda _: True))
    wrote = _export(folder)
    texts = {"captured": [encode_capture(one) for one in read_captures(store)]}
    texts |= {where: list(_lines(path)) for where, path in _files(folder)}
    return {
        "rows": n, "seeds": len(sown), "asked": done.ran.calls, "exports": wrote,
        "taken": sum(1 for _ in read_examples(folder.train)), "held": sum(1 for _ in read_examples(folder.holdout)),
        "left": {where: _left(sown, lines) for where, lines in texts.items()},
        "over": _over(store, imported),
    }  # fmt: skip


def encode_capture(capture: Any) -> str:
    """A capture as one line."""
    return "\n".join([*(said.text for said in capture.messages), capture.answer, *(r.text for r in capture.rejected)])


def _capture(store: Path, sown: Sequence[Seed], n: int) -> None:
    personal, hidden, output = compile_rails(PERSONAL), Placeholders(), compile_rails(())
    kept = Captures(store)
    try:
        for at, one in enumerate(captures(n, list(sown))):
            kept.record(partial(redacted, one, personal, hidden, lambda: output))
            if at % 128 == 0 and not kept.flush(60):
                raise TimeoutError("the captures are not written")
    finally:
        kept.close()
    if kept.kept != n:
        raise RuntimeError(f"{kept.kept} of {n} requests were kept")


def _export(folder: Folder) -> int:
    """All formats of the rows that go out, and the questions that are held out; how many files."""
    return len(export(folder, list(FORMATS))) + len(export(folder, list(FORMATS), "control")) + len(
        export(folder, ["prompts"], "holdout")
    )  # fmt: skip


def _files(folder: Folder) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.root.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder.root).as_posix(), path


def _lines(path: Path) -> Iterator[str]:
    if path.suffix != ".db":
        yield from path.read_text(encoding="utf-8").splitlines()
        return
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in db.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 - the file's own names
                yield " ".join(v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in row)


def _left(sown: Sequence[Seed], lines: Sequence[str]) -> dict[str, Any]:
    """Which kinds are left whole anywhere, and which in part in a row of theirs."""
    everything = "\n".join(lines)
    whole = Counter(one.kind for one in sown if one.value in everything)
    of = {one.mark: one for one in sown}
    told: set[Seed] = set()
    for line in lines:
        there = {of[mark] for mark in _MARK.findall(line) if mark in of}
        told |= {one for one in there if any(piece in line for piece in one.parts)}
    part = Counter(one.kind for one in told)
    return {"lines": len(lines), "whole": dict(sorted(whole.items())), "part": dict(sorted(part.items()))}


def _over(store: Path, imported: Path) -> dict[str, int]:
    """Of the requests in which nothing was seeded, how many hold a placeholder after their import; and their words."""
    before: dict[int, str] = {one.at_ms: encode_capture(one) for one in read_captures(store)}
    counted = {"rows": 0, "masked": 0, "placeholders": 0, "words": 0}
    for row in read_examples(imported):
        said = before[row.at_ms]
        if "Reference q" in said:
            continue
        now = encode(row).decode()
        counted["rows"] += 1
        counted["words"] += len(said.split())
        counted["masked"] += "[NAME" in now or "[ADDRESS" in now or "[USERNAME" in now
        counted["placeholders"] += sum(now.count(f"[{kind}") for kind in ("NAME", "ADDRESS", "USERNAME"))
    return counted
