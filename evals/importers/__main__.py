"""``python -m evals.importers NAME CLONE --out rows.jsonl.gz``: a clone of a public repository to outcome rows.

``--check`` compares counts and digests with ``expected.json`` and ends with 1 where they differ.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from evals.importers import expected, tokens
from evals.importers.catalog import CATALOG, Importer
from evals.importers.outcomes import OutcomeError
from evals.importers.rows import Row, write_rows

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 done, 1 the clone is another version, 2 it cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m evals.importers", description="Public clones to outcome rows.")
    parser.add_argument("name", choices=sorted(CATALOG), help="which importer")
    parser.add_argument("clone", type=Path, help="folder of the checked-out repository")
    parser.add_argument("--out", type=Path, help="file of rows to write, .jsonl or .jsonl.gz")
    parser.add_argument("--split", default="train,valid", help="splits to write; rows without one are always written")
    parser.add_argument("--check", action="store_true", help="compare with the recorded counts and digests")
    parser.add_argument("--no-tokens", action="store_true", help="do not count answers' tokens")
    parser.add_argument("--mended", action="store_true", help="undo a known mistake of the published outcomes")
    parser.add_argument("--record", action="store_true", help="write this clone's counts into expected.json")
    options = parser.parse_args(argv)
    try:
        return run(CATALOG[options.name], options)
    except OutcomeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def run(importer: Importer, options: argparse.Namespace) -> int:
    """Import, then write, check or record as asked."""
    if not options.clone.is_dir():
        raise OutcomeError(
            f"{options.clone}: no such folder; git clone {importer.repository} and check out {importer.commit[:12]}"
        )
    read = importer.read
    if options.mended:
        if importer.mended is None:
            raise OutcomeError(f"{options.name}: no mistake is known that could be mended; leave out --mended")
        if options.check or options.record:
            raise OutcomeError("--check and --record speak of the outcomes as published; leave out --mended")
        read = importer.mended
    count = tokens.o200k() if importer.counts and not options.no_tokens else tokens.nothing
    rows = list(read(options.clone, count))
    print(_told(rows))
    if options.out:
        wanted = {"", *options.split.split(",")}
        print(f"{options.out}: {write_rows((row for row in rows if row.split in wanted), options.out)} rows")
    if options.record:
        _record(options.name, rows)
    return _check(options.name, rows) if options.check else 0


def _told(rows: Sequence[Row]) -> str:
    counts = Counter((row.source, row.split or "no split") for row in rows)
    return "\n".join(f"{source:24} {split:8} {n:6}" for (source, split), n in sorted(counts.items()))


def _check(name: str, rows: Sequence[Row]) -> int:
    wrong, unchecked = expected.differences(expected.summary(rows), expected.read_expected(name))
    for line in unchecked:
        print(f"not checked: {line}", file=sys.stderr)
    for line in wrong:
        print(f"differs: {line}", file=sys.stderr)
    if wrong:
        print(f"this clone is not {CATALOG[name].repository} at {CATALOG[name].commit}", file=sys.stderr)
    else:
        print(f"{name}: as recorded")
    return 1 if wrong else 0


def _record(name: str, rows: Sequence[Row]) -> None:
    path = expected.EXPECTED
    stored = json.loads(path.read_text("utf-8")) if path.exists() else {}
    stored[name] = expected.summary(rows)
    path.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
