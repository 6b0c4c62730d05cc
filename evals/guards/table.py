"""All figures of the guards in one table: ``python -m evals.guards.table [--run --data DIR --code PATH]``.

Reads the result files of the guards, a file a guard, and writes ``evals/results/guards.json`` and ``.md``: a line for
each guard and source, with its baseline, interval, n, where the threshold stands, and what the guard costs. With
``--run`` every file is measured again first, by the command that it names; what fails stops the run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from evals.stamp import stamp

RESULTS: Final = Path(__file__).parents[1] / "results"
_OVERALL: Final = "all"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One figure.

    Attributes:
        what: the measure and, where it has one, the rate of false alarms at which it is taken.
        source: the rows it was measured on; ``left out`` where nothing of that source was trained on.
        low, high: the 95 % interval; ``None`` where the file has none.
        baseline: the best simple rival on the same rows, in words with its figure.
        threshold: where the line between yes and no was drawn.
        cpu: of one text, in words.
    """

    guard: str
    what: str
    source: str
    n: int | None
    value: float
    low: float | None = None
    high: float | None = None
    baseline: str = ""
    threshold: str = ""
    cpu: str = ""
    file: str = ""


def pii(found: Mapping[str, Any]) -> Iterator[Line]:
    """Personal data, by type and language."""
    cpu = found["ordinary"]["cpu_ms"]
    for row in [*found["lines"], *found["people"]]:
        source = row.get("lang") or row["source"]
        for measure in ("precision", "recall"):
            if row[measure] is not None:
                low, high = row[f"{measure}_interval"]
                yield Line(
                    guard="pii", what=f"{row['type']}, {measure}", source=source, n=row["n"], value=row[measure],
                    low=low, high=high, threshold="by rule", cpu=f"{cpu['en']['p50'] * 1000:.0f} µs a prompt",
                )  # fmt: skip
    alike = found["look_alikes"]
    low, high = alike["interval"]
    yield Line(
        guard="pii", what="look-alikes flagged", source=_OVERALL, n=alike["n"], value=alike["flagged"] / alike["n"],
        low=low, high=high, threshold="by rule",
    )  # fmt: skip


def secrets(found: Mapping[str, Any]) -> Iterator[Line]:
    """False alarms in ordinary code."""
    low, high = found["interval"]
    yield Line(
        guard="secrets", what="lines of ordinary code flagged", source=f"{found['files']:,} files", n=found["lines"],
        value=found["share"], low=low, high=high, threshold="by rule",
    )  # fmt: skip


def attacks(found: Mapping[str, Any]) -> Iterator[Line]:
    """Attacks on instructions: Korean ideas never fitted on, documents, sources left out, false alarms."""
    cpu = f"{found['speed']['p50_us']:,.0f} µs p50, {found['speed']['p99_us']:,.0f} p99" if "speed" in found else ""
    for category, kinds in found["korean"].items():
        for against in kinds["ours"]:
            ours, rival = kinds["ours"][against], kinds["tfidf"][against]
            for measure in ("auc", "recall"):
                yield _attack(f"{category}, against {against}", "own Korean", ours, measure, rival, cpu)
    for source, kinds in found["documents"].items():
        for measure in ("auc", "recall"):
            yield _attack("order in a document", source, kinds["indirect"], measure, kinds["concepts"], cpu, "concepts")
    for source, kinds in found["sources"].items():
        ours, rival = kinds["ours"]["elsewhere"], kinds["tfidf"]["elsewhere"]
        for measure in ("auc", "recall"):
            yield _attack("any attack", f"{source}, left out", ours, measure, rival, cpu)
    for kind, row in found["alarms"].items():
        for strength in ("low", "medium", "high"):
            yield Line(
                guard="attacks", what=f"flagged at strength {strength}", source=kind, n=row["n"], value=row[strength],
                threshold=strength, cpu=cpu,
            )  # fmt: skip


def _attack(
    what: str, source: str, ours: Mapping[str, Any], measure: str, rival: Mapping[str, Any] | None, cpu: str,
    name: str = "TF-IDF",
) -> Line:  # fmt: skip
    low, high = ours.get(f"{measure}_interval", (None, None))
    at = "" if measure == "auc" else "1 % of harmless"
    words = "AUC" if measure == "auc" else "recall at 1 % false alarms"
    return Line(
        guard="attacks", what=f"{what}, {words}", source=source, n=ours["attacks"] + ours["harmless"],
        value=ours[measure], low=low, high=high, baseline="" if rival is None else f"{name} {rival[measure]:.2f}",
        threshold=at, cpu=cpu,
    )  # fmt: skip


def content(found: Mapping[str, Any]) -> Iterator[Line]:
    """Toxicity in distribution and left out, categories, false alarms."""
    cpu = f"{found['cpu_us_per_text'] if 'cpu_us_per_text' in found else found['alarms']['cpu_us_per_text']:,.0f} µs"
    cpu += f" for {found['alarms']['mean_characters']:,.0f} characters"
    for language, part in found["toxicity"].items():
        inside = part["in_distribution"]
        yield _toxic(language, "all, five folds by text", inside["ours"], inside["naive TF-IDF"], "recall_at_5", cpu)
        for source, row in part["left_out"].items():
            for measure in ("auc", "recall_at_5"):
                yield _toxic(language, f"{source}, left out", row["ours"], row["naive TF-IDF"], measure, cpu)
    for category, part in found["categories"].items():
        for source, row in part["recall"].items():
            value, low, high = row["medium"]
            yield Line(
                guard="content", what=f"{category}, recall at strength medium", source=source, n=row["n"], value=value,
                low=low, high=high, threshold="medium", cpu=cpu,
            )  # fmt: skip
    value, low, high = found["alarms"]["all"]["medium"]
    yield Line(
        guard="content", what="ordinary prompts flagged, strength medium", source=_OVERALL,
        n=found["alarms"]["all"]["n"], value=value, low=low, high=high, threshold="medium", cpu=cpu,
    )  # fmt: skip


def _toxic(
    language: str, source: str, ours: Mapping[str, Any], rival: Mapping[str, Any], measure: str, cpu: str
) -> Line:
    value, low, high = ours[measure]
    words = "AUC" if measure == "auc" else "recall at 5 % false alarms"
    return Line(
        guard="content", what=f"toxicity, {language}, {words}", source=source, n=ours["n"], value=value, low=low,
        high=high, baseline=f"TF-IDF {rival[measure][0]:.2f}", cpu=cpu,
        threshold="" if measure == "auc" else "5 % of harmless",
    )  # fmt: skip


def grounding(found: Mapping[str, Any]) -> Iterator[Line]:
    """Grounding and relevance on sources left out."""
    for kind in ("grounding", "relevance"):
        for row in found[kind]:
            low, high = row["auc_interval"]
            yield Line(
                guard="grounding", what=f"{kind}, AUC", source=f"{row['source']}, left out", n=row["n"],
                value=row["auc"], low=low, high=high, baseline=f"shared words {row['baseline']:.2f}",
                cpu=f"{found['cpu_microseconds'][kind]:,.0f} µs a row",
            )  # fmt: skip


def topics(found: Mapping[str, Any]) -> Iterator[Line]:
    """Denied topics by the number of examples."""
    for shot in found["shots"]:
        for rate in ("0.01", "0.05"):
            ours, rival = shot["macro"][f"recall_{rate}"], shot["macro"][f"keywords_{rate}"]
            low, high = ours["interval"]
            yield Line(
                guard="topics", what=f"{shot['shots']} examples, recall", source="mean of topics",
                n=sum(topic["n"] for topic in shot["topics"]), value=ours["mean"], low=low, high=high,
                baseline=f"keywords {rival['mean']:.2f}", threshold=f"{float(rate):.0%} of other questions",
                cpu=f"{found['cpu_microseconds']['text']:,.0f} µs a question",
            )  # fmt: skip


def reasoning(found: Mapping[str, Any]) -> Iterator[Line]:
    """Findings against the truth, and the time a proof takes."""
    truth, proof = found["truth"], found["cpu_ms"]["proof"]["all"]
    low, high = truth["interval"]
    cpu = f"{proof['p50']:.1f} ms p50, {proof['p99']:.1f} p99"
    yield Line(
        guard="reasoning", what="findings that are the truth", source="random policies", n=truth["n"],
        value=truth["right"] / truth["n"], low=low, high=high, threshold="by proof", cpu=cpu,
    )  # fmt: skip


def speed(found: Mapping[str, Any]) -> Iterator[Line]:
    """What guards cost on 4,000 characters, about 1,000 tokens."""
    for name, part in found["whole"].items():
        for text in ("english 4000", "korean 4000", "code 4000"):
            row = part["cpu_us"][text]
            yield Line(
                guard=name, what="CPU, ms, p50", source=text, n=row["n"], value=row["p50"] / 1000,
                baseline=f"a bare `re` scan {row['bare_re_p50'] / 1000:.2f}", cpu=f"p99 {row['p99'] / 1000:.1f} ms",
            )  # fmt: skip


READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Iterable[Line]]]] = {
    "pii": pii, "secrets": secrets, "attacks": attacks, "content": content, "grounding": grounding, "topics": topics,
    "reasoning": reasoning, "speed": speed,
}  # fmt: skip


def lines_of(results: Path) -> list[Line]:
    """Every figure of the files in ``results``.

    Raises:
        FileNotFoundError, KeyError: a file is missing, or is not of the form that its command writes.
    """
    lines = []
    for name, read in READERS.items():
        file = f"guards-{name}.json"
        found = json.loads((results / file).read_text("utf-8"))
        lines += [msgspec.structs.replace(line, file=file) for line in read(found)]
    return lines


def commands(data: Path, code: list[Path], public: Path | None) -> list[list[str]]:
    """What measures every file again. ``data`` holds ``guardrails/`` and ``routing/``."""
    rows, prompts = data / "guardrails", data / "routing"
    told = ["--public", str(public)] if public else []
    lines = [
        ["evals.guards", str(rows / "pii.jsonl.gz"), "--prompts", str(prompts / "train.jsonl.gz")],
        ["evals.guards", "secrets", "--code", *map(str, code)],
        ["evals.rails", "attacks", "--data", str(data)],
        ["evals.rails", "content", "--data", str(data), *told],
        ["evals.grounding", "--data", str(data)],
        ["evals.topics", "--data", str(data)],
        ["evals.reasoning"],
        ["evals.guards.speed", str(prompts)],
    ]
    return [[sys.executable, "-m", *line] for line in lines]


def markdown(lines: list[Line], made: Mapping[str, str]) -> str:
    """The table as a page."""
    head = "| guard | what | source | n | figure | 95 % | baseline | threshold | CPU | file |"
    out = [
        "# Every figure of the guards",
        "",
        f"`{made['command']}`, {made['date']}, commit {made['commit']}, {made['machine']}. Joined from the files named",
        "in the last column, which say when and on what each was measured.",
        "",
        head,
        "|" + "---|" * 10,
    ]
    for line in lines:
        interval = "" if line.low is None or line.high is None else f"{_short(line.low)} to {_short(line.high)}"
        n = "" if line.n is None else f"{line.n:,}"
        link = f"[{line.file.removeprefix('guards-').removesuffix('.json')}]({line.file.removesuffix('.json')}.md)"
        cells = [line.guard, line.what, line.source, n, _short(line.value), interval]
        out.append("| " + " | ".join([*cells, line.baseline, line.threshold, line.cpu, link]) + " |")
    return "\n".join(out) + "\n"


def _short(value: float) -> str:
    return f"{value:.3f}" if value == 0 or abs(value) >= 0.001 else f"{value:.1e}"


def main() -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evals.guards.table", description=__doc__)
    parser.add_argument("--run", action="store_true", help="measure every file again first (hours of CPU)")
    parser.add_argument("--data", type=Path, help="folder with guardrails/ and routing/, for --run")
    parser.add_argument("--code", type=Path, nargs="+", help="folders of ordinary code, for --run")
    parser.add_argument("--public", type=Path, help="public content rows, for --run (docs/guards/content.md)")
    options = parser.parse_args()
    if options.run and (options.data is None or not options.code):
        parser.error("--run needs --data DIR and --code PATH")
    if options.run:
        for command in commands(options.data, options.code, options.public):
            print(" ".join(command[1:]), flush=True)
            subprocess.run(command, check=True)
    try:
        lines = lines_of(RESULTS)
    except (FileNotFoundError, KeyError) as error:
        print(f"error: {error!r}: measure that guard again, its command stands in docs/guards", file=sys.stderr)
        return 2
    made = stamp("python -m evals.guards.table")
    whole = {**made, "lines": msgspec.to_builtins(lines)}
    (RESULTS / "guards.json").write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (RESULTS / "guards.md").write_text(markdown(lines, made), "utf-8")
    print(f"{len(lines)} figures of {len(READERS)} files: {RESULTS / 'guards.md'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
