"""``python -m evals.reports RUN``: a run's report as HTML, as Markdown, or as Markdown on the screen."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from evals.reports import html, markdown
from evals.reports.load import load
from evals.reports.summary import summarise
from evals.runs.store import RunError


def main() -> int:
    """Read, summarise, write. Exit code 2 for a run that cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m evals.reports", description="The report of a run.")
    parser.add_argument("run", type=Path, help="the run's folder")
    parser.add_argument("--against", type=Path, help="the folder of the run to compare with")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write one HTML file")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write Markdown; without a file it is printed")
    chosen = parser.parse_args()
    try:
        loaded = load(chosen.run, chosen.against)
    except RunError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    summary = summarise(loaded)
    if chosen.html:
        chosen.html.write_text(html.render(loaded, summary), "utf-8")
    if chosen.markdown:
        chosen.markdown.write_text(markdown.render(summary), "utf-8")
    if not (chosen.html or chosen.markdown):
        print(markdown.render(summary), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
