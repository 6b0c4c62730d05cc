"""How well the ``pii`` and ``secrets`` guards find what they are for, and what they cost.

``python -m evals.guards PATH`` reads rows ``{"text", "spans": [{"start", "end", "type"}], "lang", "source"}``
(JSON lines, gzip or plain; types as Presidio names them) and writes ``evals/results/guards-pii.json`` and ``.md``.
A finding is right when it covers at least half of the joint span and names the same type; every span is matched
once. Rows whose source ends in ``-neg`` are look-alikes: any finding in one is a false alarm. Names and addresses are
measured apart (``guards_people``), and with ``--prompts`` (rows with ``prompt`` and ``language``) the share of
ordinary prompts that each group flags, and the time of the default rails.

``python -m evals.guards secrets --code PATH`` counts the lines of ordinary code that look like a secret.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from evals.guards.people import judge_people
from evals.guards.secrets import markdown_secrets, report_secrets
from evals.intervals import wilson
from evals.stamp import stamp
from guardrails import Finding, Rails, compile_rails

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

RESULTS: Final = Path(__file__).parents[1] / "results"
OVERLAP: Final = 0.5
GROUPS: Final = ("structured", "context", "personal")
HEAD: Final = 300  # prompts that agree in so many characters are one
SIZE: Final = 4000
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


def cpu_milliseconds(rails: Rails, texts: Sequence[str]) -> dict[str, float]:
    """CPU time of one check: the least of five for each text, then the median and the 99th percentile."""
    least = []
    for text in texts:
        passes = []
        for _ in range(5):
            begun = time.process_time()
            rails.check(text)
            passes.append(time.process_time() - begun)
        least.append(min(passes) * 1e3)
    least.sort()
    return {"n": len(least), "p50": least[len(least) // 2], "p99": least[(99 * (len(least) - 1)) // 100]}


def ordinary(path: Path, limit: int) -> dict[str, Any]:
    """What the groups flag in prompts that hold no secret, and how long the default rails take over 4,000 characters.

    Prompts that begin alike are one; at most ``limit`` of them are read, in the order of their hashes.
    """
    prompts: dict[str, dict[str, Any]] = {}
    for row in read(path):
        prompts.setdefault(row["prompt"][:HEAD], row)
    rows = sorted(prompts.values(), key=lambda row: hashlib.sha256(row["prompt"].encode()).digest())[:limit]
    flagged = {}
    for group in GROUPS:
        rails = compile_rails([{"pii": {"entities": [group], "action": "detect"}}])
        found = [{finding.category for finding in rails.check(row["prompt"]).findings} for row in rows]
        alarms = sum(map(bool, found))
        kinds = Counter(kind for kinds in found for kind in kinds)
        flagged[group] = {"flagged": alarms, "interval": wilson(alarms, len(rows)), "kinds": dict(kinds.most_common(5))}
    default = compile_rails([{"pii": None}, {"secrets": None}])
    cpu = {}
    for language in sorted({row["language"] for row in rows}):
        joined = "\n\n".join(row["prompt"] for row in rows if row["language"] == language)
        texts = [joined[at : at + SIZE] for at in range(0, min(len(joined) - SIZE, 100 * SIZE), SIZE)]
        if texts:
            cpu[language] = cpu_milliseconds(default, texts)
    return {"data": path.name, "n": len(rows), "groups": flagged, "cpu_ms": cpu}


def report(path: Path, prompts: Path | None = None, limit: int = 6000) -> dict[str, Any]:
    """Everything that is written down about one file."""
    rails = compile_rails([{"pii": {"entities": ["structured", "URL"], "action": "detect"}}])
    people = compile_rails([{"pii": {"entities": ["NAME", "ADDRESS"], "action": "detect"}}])
    rows = list(read(path))
    tally = judge(rails, rows)
    return {
        "data": path.name,
        **stamp("python -m evals.guards " + path.name + (f" --prompts {prompts.name}" if prompts else "")),
        "rows": tally.rows,
        "lines": table(tally),
        "look_alikes": {
            "n": tally.look_alikes,
            "flagged": tally.alarms,
            "interval": wilson(tally.alarms, tally.look_alikes),
        },
        "people": judge_people(people, rows),
        "ordinary": ordinary(prompts, limit) if prompts else None,
        "caution": (
            "The recognisers' context words were chosen with these rows in view, and the Korean rows are synthetic: "
            "read the figures as a smoke test, not as a forecast for unseen text."
        ),
    }


def markdown(result: dict[str, Any]) -> str:
    """The same as a page."""
    alike = result["look_alikes"]
    low, high = alike["interval"]
    return "\n".join(
        [
            "# Personal data",
            "",
            f"`{result['command']}`, {result['date']}, commit {result['commit']}, {result['machine']}.",
            f"Intervals are 95 % (Wilson). {result['caution']}",
            "",
            "## Told by its form",
            "",
            "| language | type | n | precision | recall |",
            "|---|---|---|---|---|",
            *(_row(line, "lang") for line in result["lines"]),
            "",
            f"Look-alikes flagged: {alike['flagged']} of {alike['n']} ({low:.1%} to {high:.1%}).",
            "",
            "## Names and addresses",
            "",
            "By likelihood, in the group `personal`. Weights and lists were made with these rows in view. A labelled",
            "address counts as found when half of it is; `any place` is the share of findings that lie on a labelled",
            "place. Cities and countries alone (`LOCATION`, `GPE`) are not addresses and not looked for.",
            "",
            "| source | type | n | precision | recall |",
            "|---|---|---|---|---|",
            *(_row(line, "source") for line in result["people"]),
            "",
            *_ordinary_lines(result["ordinary"]),
        ]
    )


def _row(line: dict[str, Any], first: str) -> str:
    return f"| {line[first]} | {line['type']} | {line['n']} | {_share(line, 'precision')} | {_share(line, 'recall')} |"


def _ordinary_lines(found: dict[str, Any] | None) -> Iterator[str]:
    if found is None:
        return
    yield from ("## Ordinary prompts", "", f"{found['n']} prompts of `{found['data']}`, flagged by each group:", "")
    yield from ("| group | flagged | interval | most often |", "|---|---|---|---|")
    for group, line in found["groups"].items():
        low, high = line["interval"]
        kinds = ", ".join(f"{kind} {count}" for kind, count in line["kinds"].items()) or "none"
        yield f"| {group} | {line['flagged']} | {low:.2%} to {high:.2%} | {kinds} |"
    yield from ("", f"CPU of the default `pii` and `secrets` over {SIZE:,} characters:", "")
    yield from ("| language | texts | p50 ms | p99 ms |", "|---|---|---|---|")
    for language, line in found["cpu_ms"].items():
        yield f"| {language} | {line['n']} | {line['p50']:.2f} | {line['p99']:.2f} |"
    yield ""


def _share(line: dict[str, Any], name: str) -> str:
    if line[name] is None:
        return "-"
    low, high = line[f"{name}_interval"]
    return f"{line[name]:.3f} ({low:.3f} to {high:.3f})"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["secrets"]:
        _secrets(words[1:])
        return
    parser = argparse.ArgumentParser(description="Measure the pii guard on annotated rows.")
    parser.add_argument("path", type=Path, help="rows as JSON lines, gzip or plain")
    parser.add_argument("--prompts", type=Path, help="ordinary prompts, rows with `prompt` and `language`")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for guards-pii.json and .md")
    chosen = parser.parse_args(words)
    for path in (chosen.path, chosen.prompts):
        if path is not None and not path.is_file():
            parser.error(f"{path} is no file")
    result = report(chosen.path, chosen.prompts)
    _write(chosen.out, "guards-pii", result, markdown(result))


def _secrets(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m evals.guards secrets", description="Count secrets in ordinary code."
    )
    parser.add_argument("--code", type=Path, nargs="+", required=True, help="folders of code")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for guards-secrets.json and .md")
    chosen = parser.parse_args(words)
    for root in chosen.code:
        if not root.is_dir():
            parser.error(f"{root} is no folder")
    result = report_secrets(chosen.code)
    _write(chosen.out, "guards-secrets", result, markdown_secrets(result))


def _write(out: Path, name: str, result: dict[str, Any], page: str) -> None:
    (out / f"{name}.json").write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (out / f"{name}.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
