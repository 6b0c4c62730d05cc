"""How often ordinary code is taken for a secret: every flagged line of a body of code is a false alarm until looked at.

The files are read whole, as a prompt with code in it would be. What was flagged is listed by file, line and kind,
never by its text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from evals.intervals import wilson
from evals.stamp import stamp
from guardrails import compile_rails
from guardrails.secrets import NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ENDINGS: Final = frozenset(
    (".py", ".js", ".ts", ".go", ".java", ".c", ".h", ".cpp", ".rs", ".sh", ".yaml", ".yml", ".toml", ".json", ".md")
)
LARGEST: Final = 2_000_000


def report_secrets(roots: Sequence[Path]) -> dict[str, Any]:
    """Flagged lines among all lines of the code below ``roots``."""
    rails = compile_rails([{"secrets": {"action": "detect"}}])
    lines = files = 0
    flagged: list[dict[str, Any]] = []
    for root in roots:
        for path in sorted(root.rglob("*")):
            below = path.relative_to(root)
            # What is installed below a folder is its own body of code: name it to count it.
            if (
                "site-packages" in below.parts
                or path.suffix not in ENDINGS
                or not path.is_file()
                or path.stat().st_size > LARGEST
            ):
                continue
            text = path.read_text(encoding="utf-8", errors="replace")
            files, lines = files + 1, lines + text.count("\n") + 1
            found = {(text.count("\n", 0, f.start) + 1, f.category) for f in rails.check(text).findings}
            flagged += [{"file": below.as_posix(), "line": line, "kind": kind} for line, kind in sorted(found)]
    wrong = len({(entry["file"], entry["line"]) for entry in flagged})
    return {
        **stamp("python -m evals.guards secrets --code PATH"),
        "kinds": len(NAMES),
        "files": files,
        "lines": lines,
        "flagged": wrong,
        "share": wrong / lines if lines else None,
        "interval": wilson(wrong, lines),
        "where": flagged,
    }


def markdown_secrets(result: dict[str, Any]) -> str:
    """The same as a page."""
    low, high = result["interval"]
    share = result["flagged"] / max(1, result["lines"])
    return "\n".join(
        [
            "# Secrets in ordinary code",
            "",
            f"`{result['command']}`, {result['date']}, commit {result['commit']}, {result['machine']}.",
            f"{result['kinds']} kinds of secret over {result['lines']:,} lines of {result['files']:,} files.",
            f"Lines flagged: {result['flagged']} ({share:.5%}; 95 %, Wilson: {low:.5%} to {high:.5%}),",
            f"{share * 100_000:.2f} in 100,000. Each is listed; none of their text is.",
            "",
            "| file | line | kind |",
            "|---|---|---|",
            *(f"| `{entry['file']}` | {entry['line']} | {entry['kind']} |" for entry in result["where"]),
            "",
        ]
    )
