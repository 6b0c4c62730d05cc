"""A run as one HTML file that asks for nothing: no request, no script but its own, every text shown as text."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from html import escape
from importlib import resources
from pathlib import Path
from typing import Final

from evals.reports import sections
from evals.reports.load import Loaded, load
from evals.reports.rows import pack
from evals.reports.summary import Summary, summarise

#: Bytes of a page at most.
MOST: Final = 1_000_000
_SPARE: Final = 2_000


def page(folder: Path, against: Path | None = None) -> str:
    """The report of the run in ``folder``; see ``load`` for what it is held against."""
    loaded = load(folder, against)
    return render(loaded, summarise(loaded))


def render(loaded: Loaded, summary: Summary) -> str:
    """The page of a summary that was already made."""
    script = _file("script.js")
    head = _head(f"{summary.run.suite}: report", script)
    body = list(sections.body(summary))
    fixed = sum(len(part.encode()) + 1 for part in [*head, *body]) + len(script.encode()) + _SPARE
    packed = pack(loaded.items, summary, MOST - fixed) if loaded.items else None
    rows = list(sections.all_rows(packed)) if packed else []
    tail = (
        [f"<script type='text/plain' id='data'>{packed.block}</script>", f"<script>{script}</script>"] if packed else []
    )
    return "\n".join(
        [*head, "<body>", *body, *rows, "</main>", sections.footer(summary), *tail, "</body>", "</html>", ""]
    )


def framed(title: str, body: Iterable[str]) -> str:
    """A page without a script, in the same dress. ``body`` is HTML."""
    return "\n".join([*_head(title), "<body>", *body, "</body>", "</html>", ""])


def _head(title: str, script: str = "") -> list[str]:
    style = _file("style.css")
    scripts = f"script-src '{_hash(script)}'; " if script else ""
    policy = (
        f"default-src 'none'; {scripts}style-src '{_hash(style)}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    return [
        "<!doctype html>",
        "<html lang='en'>",
        "<head>",
        "<meta charset='utf-8'>",
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">',
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        "<meta name='color-scheme' content='light dark'>",
        "<meta name='referrer' content='no-referrer'>",
        "<link rel='icon' href='data:,'>",
        f"<title>{sections.text(title)}</title>",
        f"<style>{style}</style>",
        "</head>",
    ]


def _file(name: str) -> str:
    return resources.files("evals.reports").joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
