"""``stillhouse check``: every mistake of policy and settings files, shown where it stands.

Exit status 0 when all files are right, 2 when one is not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from policies.mistakes import Mistake, Mistakes, show_path
from stillhouse.cli import show

if TYPE_CHECKING:
    from policies.policy import Policy

_EXCERPT = 96  # terminal columns of a source line that are shown
_BEFORE = 60  # of these, at most so many before the mistake
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'")
_KEY = re.compile(r"[^\s,\]}:#]+(?=:)")
_IN_BRACKETS = re.compile(r"[^,\]}#]+")
_TO_THE_END = re.compile(r".+?(?=\s+#|\s*$)")
_SECRET = re.compile(r"(?i)\b[\w-]*(?:api_?key|secret|password|credential)s?\s*[\"']?\s*:\s*")


@dataclass(slots=True)
class Report:
    """What is to be said about one file.

    Attributes:
        kind: ``policy``, ``settings`` or ``probes``.
        words: one line about a file that is right.
        facts: the same for ``--json``.
    """

    file: str
    kind: str
    words: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    mistakes: tuple[Mistake, ...] = ()
    warnings: tuple[Mistake, ...] = ()


@click.command(help="Check policy and settings files (or presets by name); every mistake at once, with its place.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(files: tuple[str, ...], as_json: bool) -> None:  # noqa: D103 - the help above is the docstring
    families = _families()
    found = [report for file in files for report in _check(file, families)]
    reports = list({_identity(report.file): report for report in reversed(found)}.values())[::-1]
    wrong = any(report.mistakes for report in reports)
    if as_json:
        show.json_line({"ok": not wrong, "files": [_as_json(report) for report in reports]})
    else:
        _print(reports)
    raise SystemExit(show.EXIT_BAD_INPUT if wrong else 0)


def _families() -> frozenset[str] | None:
    """The families that the scorer has profiles of; ``None``, unchecked, without a scorer."""
    from stillhouse.cli.offline import scorer_in_use

    scorer = scorer_in_use(None)
    return None if scorer is None else frozenset(scorer.families)


def _identity(file: str) -> str:
    """A file that is named twice, or by settings and by itself, is spoken of once."""
    return str(Path(file).resolve()) if Path(file).exists() else file


# --- looking -------------------------------------------------------------------------------------------


def _check(file: str, families: frozenset[str] | None) -> list[Report]:
    """The file's report; for settings, those of the policy files they name as well."""
    kind = "policy"
    try:
        kind = _kind(file)
        if kind == "settings":
            return _check_settings(file, families)
        if kind == "probes":
            return [_check_probes(file)]
        return [_check_policy(file, families)]
    except Mistakes as found:
        return [Report(file, kind, mistakes=found.mistakes)]


def _kind(file: str) -> str:
    """Told by the keys at the top: policies have a name, settings have upstreams, probes have probes."""
    from policies.nodes import parse
    from policies.yaml import read_text

    if not Path(file).exists():
        return "policy"  # a preset's name, or a mistake that load_policy words best
    root, _ = parse(read_text(Path(file)), file=file)
    keys = set(root.value) if isinstance(root.value, dict) else set()
    if "probes" in keys:
        return "probes"
    return "settings" if keys & {"upstreams", "server", "default_policy"} else "policy"


def _check_policy(file: str, families: frozenset[str] | None) -> Report:
    from policies.load import load_policy

    policy = load_policy(Path(file) if Path(file).exists() else file, families=families)
    facts = {"policy": policy.name, "hash": policy.hash, "layers": list(policy.layers)}
    return Report(file, "policy", _describe(policy), facts, warnings=policy.warnings)


def _describe(policy: Policy) -> str:
    over = f" over {', '.join(reversed(policy.layers[:-1]))}" if len(policy.layers) > 1 else ""
    counts = (
        _count(len(policy.rules), "rule"),
        _count(len(policy.body.guards.input), "input guard"),
        _count(len(policy.body.guards.output), "output guard"),
    )
    return f"policy {policy.name}@{policy.hash[:12]}{over}: {', '.join(counts)}"


def _check_probes(file: str) -> Report:
    from policies.probes import load_probes

    probes = load_probes(Path(file))
    return Report(file, "probes", _count(len(probes.probes), "probe"), {"probes": len(probes.probes)})


def _check_settings(file: str, families: frozenset[str] | None) -> list[Report]:
    from policies.load import preset_names
    from router.serve.settings import load_settings

    settings = load_settings(Path(file))
    counts = _count(len(settings.upstreams), "upstream"), _count(len(settings.tiers), "deployment")
    words = f"settings: {', '.join(counts)}"
    facts = {"upstreams": sorted(settings.upstreams), "policies": list(settings.policies)}
    own = [source for source in settings.policies if source not in preset_names()]
    return [
        Report(file, "settings", words, facts),
        *(report for source in own for report in _check(source, families)),
    ]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


# --- saying --------------------------------------------------------------------------------------------


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "file": report.file,
        "kind": report.kind,
        "ok": not report.mistakes,
        **report.facts,
        "mistakes": [mistake.as_dict() for mistake in report.mistakes],
        "warnings": [warning.as_dict() for warning in report.warnings],
    }


def _print(reports: list[Report]) -> None:
    for report in reports:
        for mistake in report.mistakes:
            _print_one(mistake, "error", "red")
        for warning in report.warnings:
            _print_one(warning, "warning", "yellow")
        if not report.mistakes:
            show.line(f"{click.style('ok', fg='green', bold=True)}  {report.file}  {report.words}")
    mistakes = sum(len(report.mistakes) for report in reports)
    warnings = sum(len(report.warnings) for report in reports)
    said = [_count(n, noun) for n, noun in ((mistakes, "mistake"), (warnings, "warning")) if n]
    if said:
        show.note(" and ".join(said) + f" in {_count(len(reports), 'file')}")


def _print_one(mistake: Mistake, word: str, colour: str) -> None:
    place = click.style(f"{mistake.file}:{mistake.line}:{mistake.column}", bold=True)
    label = click.style(f"{word}:", fg=colour, bold=True)
    path = "" if mistake.path == show_path(()) else f"{_inert(mistake.path)}: "
    show.line(f"{place}: {label} {path}{_inert(mistake.message)}")
    source = _source(mistake)
    if source is not None:
        text, offset, length = source
        number = str(mistake.line)
        gutter = " " * len(number)
        show.line(f"  {gutter} |")
        show.line(f"  {number} | {text}")
        caret = click.style("^" * max(1, length), fg=colour, bold=True)
        show.line(f"  {gutter} | {' ' * offset}{caret}")
    if mistake.hint:
        indent = " " * len(str(mistake.line)) if source is not None else ""
        show.line(f"  {indent} {click.style('=', bold=True)} {click.style('hint:', fg='cyan')} {_inert(mistake.hint)}")
    show.line()


def _source(mistake: Mistake) -> tuple[str, int, int] | None:
    """The line of the mistake, cut to the terminal, with the caret's offset and length in columns."""
    try:
        lines = Path(mistake.file).read_text("utf-8-sig", errors="replace").split("\n")
    except OSError:
        return None
    if mistake.line > len(lines) or not lines[mistake.line - 1].strip():
        return None
    line = _inert(lines[mistake.line - 1].rstrip())
    start = min(mistake.column - 1, len(line))
    secret = _SECRET.search(line)
    if secret:
        line = line[: secret.end()] + "(not shown)"
        start = min(start, secret.end())
    cut = max(0, start - _BEFORE) if len(line) > _EXCERPT else 0
    end = _end(line, start)
    text = ("…" if cut else "") + line[cut : cut + _EXCERPT] + ("…" if len(line) > cut + _EXCERPT else "")
    offset = show.width(line[cut:start]) + (1 if cut else 0)
    return text, offset, show.width(line[start : min(end, cut + _EXCERPT)])


def _end(line: str, start: int) -> int:
    """Where the key or value that begins at ``start`` ends, as far as one line can tell."""
    bracketed = any(bracket in line[:start] for bracket in "[{")
    for shape in (_QUOTED, _KEY, _IN_BRACKETS if bracketed else _TO_THE_END):
        found = shape.match(line, start)
        if found:
            return start + len(found[0].rstrip())
    return start + 1


def _inert(text: str) -> str:
    """Text that cannot command the terminal; a tab takes one column."""
    return "".join(c if c.isprintable() else " " if c == "\t" else "?" for c in text)
