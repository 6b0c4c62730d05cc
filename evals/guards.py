"""How well the ``pii`` guard finds what can be told by its form.

``python -m evals.guards PATH`` reads rows ``{"text", "spans": [{"start", "end", "type"}], "lang", "source"}``
(JSON lines, gzip or plain; types as Presidio names them) and writes ``evals/results/guards-pii.json`` and ``.md``.
A finding is right when it covers at least half of the joint span and names the same type; every span is matched
once. Rows whose source ends in ``-neg`` are look-alikes: any finding in one is a false alarm.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from evals.stamp import commit, machine, today
from guardrails import Finding, Rails, compile_rails

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

RESULTS: Final = Path(__file__).parent / "results"
OVERLAP: Final = 0.5
#: Type of the data -> our categories. Types that have no form (names, places, dates) are not scored.
SAME: Final[dict[str, tuple[str, ...]]] = {
    "CREDIT_CARD": ("CREDIT_DEBIT_CARD_NUMBER", "KR_CARD"),
    "DOMAIN_NAME": ("URL",),
    "EMAIL_ADDRESS": ("EMAIL",),
    "IBAN_CODE": ("INTERNATIONAL_BANK_ACCOUNT_NUMBER",),
    "IP_ADDRESS": ("IP_ADDRESS",),
    "KR_BANK_ACCOUNT": ("KR_BANK_ACCOUNT",),
    "KR_BRN": ("KR_BRN",),
    "KR_DRIVER_LICENSE": ("KR_DRIVER_LICENSE",),
    "KR_FRN": ("KR_FRN",),
    "KR_PASSPORT": ("KR_PASSPORT",),
    "KR_RRN": ("KR_RRN",),
    "PHONE_NUMBER": ("PHONE", "KR_PHONE"),
    "US_DRIVER_LICENSE": ("DRIVER_ID",),
    "US_SSN": ("US_SOCIAL_SECURITY_NUMBER",),
}
_TYPE_OF: Final = {category: kind for kind, categories in SAME.items() for category in categories}


@dataclass
class Tally:
    """Counts per (language, type), and of the look-alikes."""

    hit: Counter[tuple[str, str]] = field(default_factory=Counter)
    missed: Counter[tuple[str, str]] = field(default_factory=Counter)
    false: Counter[tuple[str, str]] = field(default_factory=Counter)
    rows: int = 0
    look_alikes: int = 0
    alarms: int = 0


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a JSON-lines file, split on the newline only."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
        for line in lines:
            yield json.loads(line)


def judge(rails: Rails, rows: Iterable[dict[str, Any]]) -> Tally:
    """Count what was found, missed and invented."""
    tally = Tally()
    for row in rows:
        tally.rows += 1
        findings = rails.check(row["text"]).findings
        if row["source"].endswith("-neg"):
            tally.look_alikes += 1
            tally.alarms += bool(findings)
            continue
        spans = [span for span in row["spans"] if span["type"] in SAME]
        left = list(findings)
        for span in spans:
            key = row["lang"], span["type"]
            right = next((finding for finding in left if _covers(finding, span)), None)
            if right is None:
                tally.missed[key] += 1
            else:
                left.remove(right)
                tally.hit[key] += 1
        tally.false.update((row["lang"], _TYPE_OF.get(finding.category, finding.category)) for finding in left)
    return tally


def _covers(finding: Finding, span: dict[str, Any]) -> bool:
    joint = min(finding.end, span["end"]) - max(finding.start, span["start"])
    union = max(finding.end, span["end"]) - min(finding.start, span["start"])
    return finding.category in SAME[span["type"]] and joint / union >= OVERLAP


def wilson(right: int, of: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson's score interval); (0, 1) when there is nothing to count."""
    if not of:
        return 0.0, 1.0
    z = 1.959964
    share, weight = right / of, 1 + z * z / of
    middle = (share + z * z / (2 * of)) / weight
    reach = z * sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / weight
    return max(0.0, middle - reach), min(1.0, middle + reach)


def table(tally: Tally) -> list[dict[str, Any]]:
    """One line per language and type, and one for all."""
    keys = sorted({*tally.hit, *tally.missed, *tally.false})
    lines = [_line(*key, tally.hit[key], tally.missed[key], tally.false[key]) for key in keys]
    return [*lines, _line("all", "all", tally.hit.total(), tally.missed.total(), tally.false.total())]


def _line(lang: str, kind: str, hit: int, missed: int, false: int) -> dict[str, Any]:
    return {
        "lang": lang,
        "type": kind,
        "n": hit + missed,
        "precision": hit / (hit + false) if hit + false else None,
        "precision_interval": wilson(hit, hit + false),
        "recall": hit / (hit + missed) if hit + missed else None,
        "recall_interval": wilson(hit, hit + missed),
    }


def cpu_microseconds(rails: Rails, texts: Sequence[str]) -> float:
    """CPU time of one check, the least of three passes over ``texts``."""
    passes = []
    for _ in range(3):
        begun = time.process_time()
        for text in texts:
            rails.check(text)
        passes.append(time.process_time() - begun)
    return min(passes) / len(texts) * 1e6


def report(path: Path) -> dict[str, Any]:
    """Everything that is written down about one file."""
    rails = compile_rails([{"pii": {"entities": ["all"], "action": "detect"}}])
    default = compile_rails([{"pii": None}, {"secrets": None}])
    rows = list(read(path))
    tally = judge(rails, rows)
    return {
        "data": path.name,
        "date": today(),
        "commit": commit(),
        "machine": machine(),
        "rows": tally.rows,
        "lines": table(tally),
        "look_alikes": {
            "n": tally.look_alikes,
            "flagged": tally.alarms,
            "interval": wilson(tally.alarms, tally.look_alikes),
        },
        "cpu_us_a_text": cpu_microseconds(default, [row["text"] for row in rows]),
        "caution": (
            "The recognisers' context words were chosen with these rows in view, and the Korean rows are synthetic: "
            "read the figures as a smoke test, not as a forecast for unseen text."
        ),
    }


def markdown(result: dict[str, Any]) -> str:
    """The same as a page."""
    lines = [
        "# Personal data by form",
        "",
        f"`python -m evals.guards {result['data']}`, {result['date']}, commit {result['commit']}, {result['machine']}.",
        f"Intervals are 95 % (Wilson). {result['caution']}",
        "",
        "| language | type | n | precision | recall |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {line['lang']} | {line['type']} | {line['n']} | {_share(line, 'precision')} | {_share(line, 'recall')} |"
        for line in result["lines"]
    ]
    alike = result["look_alikes"]
    low, high = alike["interval"]
    return "\n".join(
        [
            *lines,
            "",
            f"Look-alikes flagged: {alike['flagged']} of {alike['n']} ({low:.1%} to {high:.1%}).",
            f"CPU, personal data and secrets together: {result['cpu_us_a_text']:.0f} µs a text.",
            "",
        ]
    )


def _share(line: dict[str, Any], name: str) -> str:
    if line[name] is None:
        return "-"
    low, high = line[f"{name}_interval"]
    return f"{line[name]:.3f} ({low:.3f} to {high:.3f})"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description="Measure the pii guard on annotated rows.")
    parser.add_argument("path", type=Path, help="rows as JSON lines, gzip or plain")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for guards-pii.json and .md")
    arguments = parser.parse_args()
    if not arguments.path.is_file():
        parser.error(f"{arguments.path} is no file")
    result = report(arguments.path)
    page = markdown(result)
    (arguments.out / "guards-pii.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    (arguments.out / "guards-pii.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
