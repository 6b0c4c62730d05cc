"""The importers a suite may name: a path in, rows out. Another format is one function and one line of ``IMPORTERS``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from evals.importers.outcomes import Outcome, read_outcomes
from evals.importers.rows import stem_hash
from evals.suites.rows import Row, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.probes import Probe

Read = Callable[[Path], list[Row]]

QUESTIONS: Final = Path(__file__).parents[1] / "questions"


def probes(path: Path) -> list[Row]:
    """A policy's own cases (``probes.yaml``); the slices are ``about`` (each label) and ``kind``.

    Raises:
        Mistakes: the file is wrong.
    """
    from policies.probes import load_probes

    return [_probe(probe) for probe in load_probes(path).probes]


def _probe(probe: Probe) -> Row:
    about = {f"about.{label}": "yes" for label in probe.about}
    about |= {"language": "ko" if "ko" in probe.about else "en"}
    if probe.guard is not None:
        case = probe.guard
        return Row(
            id=probe.id, text=case.text, guarded=True, direction=case.direction, role=case.role,
            stem=stem_hash(case.text), fields={"kind": "guard", **about},
            wanted=Wanted(action=case.action, categories=case.categories, becomes=case.becomes),
        )  # fmt: skip
    request, expect, score = probe.request, probe.expect, probe.score
    assert request is not None
    assert expect is not None
    messages: tuple[Mapping[str, Any], ...] = request.messages or (
        {"role": "user", "content": (request.prompt or "") * request.repeat},
    )
    said = messages[-1].get("content")
    return Row(
        id=probe.id, text=said if isinstance(said, str) else "", messages=messages, tools=request.tools or (),
        fields={"kind": "decision", **about}, stem=probe.id,
        wanted=Wanted(
            tier=expect.tier, at_least=expect.at_least, at_most=expect.at_most, private=expect.private,
            reason=expect.reason,
        ),
        given=None if score is None else score.model_dump(mode="json"),
        caller={"tenant": request.tenant, "tags": list(request.tags), "tier": request.tier},
    )  # fmt: skip


def outcomes(path: Path) -> list[Row]:
    """Recorded outcomes (``stillhouse``'s own rows, see docs/importers.md).

    Raises:
        OutcomeError: the file is wrong.
    """
    return [outcome_row(row) for row in read_outcomes(path)]


def outcome_row(row: Outcome) -> Row:
    """One recorded outcome as a row."""
    fields = {"source": row.source, "task": row.task, "language": row.language, "split": row.split}
    return Row(
        id=row.id, text=row.prompt, messages=({"role": "user", "content": row.prompt},), stem=row.stem,
        fields={name: value for name, value in fields.items() if value}, scores=row.scores, tokens=row.output_tokens,
    )  # fmt: skip


def attacks(_path: Path) -> list[Row]:
    """Our own attacks with their benign twins, ordinary Korean chat, and harmless requests full of telling words.

    Only rows with ``half: test`` were never fitted on; the stem is the idea, because rows of one idea are kin.
    """
    from evals.rails.attacks import own

    rows = [*own.direct_rows(), *own.ordinary(), *own.look_alikes()]
    return [
        Row(
            id=f"{row.source}-{number:04}", text=row.text, guarded=True, stem=row.group or row.source,
            wanted=Wanted(found=bool(row.label)),
            fields={"source": row.source, "language": row.lang, "half": row.half, "kind": row.kind or "ordinary"},
        )
        for number, row in enumerate(rows, start=1)
    ]  # fmt: skip


def content(path: Path) -> list[Row]:
    """Our own pairs of what a content guard should find and a fine twin, Korean and English."""
    rows: list[Row] = []
    for file in sorted((path / "content").glob("*.yaml")):
        table = yaml.safe_load(file.read_text("utf-8"))
        fields = {"category": table["category"], "language": table["language"]}
        for number, (bad, fine) in enumerate(table["pairs"], start=1):
            rows += _pair(f"{file.stem}-{number:03}", bad, fine, fields, f"{file.stem}:{number}")
    return rows


def _pair(name: str, bad: str, fine: str, fields: Mapping[str, str], stem: str) -> Iterator[Row]:
    """The two stand on one stem: they were written as twins, so they are no two independent rows."""
    for part, text, found in (("found", bad, True), ("fine", fine, False)):
        yield Row(
            id=f"{name}-{part}", text=text, guarded=True, stem=stem, wanted=Wanted(found=found),
            fields={**fields, "label": part},
        )  # fmt: skip


def _yaml(path: Path, key: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(path.read_text("utf-8"))[key]
    return found


def facts(path: Path) -> list[Row]:
    """Our own short questions with listed answers, Korean and English."""
    return [
        Row(
            id=f"fact-{number:03}",
            text=item["ask"],
            messages=({"role": "user", "content": item["ask"]},),
            reference=tuple(map(str, item["answers"])),
            stem=stem_hash(item["ask"]),
            fields={"language": item["language"]},
        )
        for number, item in enumerate(_yaml(path / "short-facts.yaml", "facts"), start=1)
    ]


#: Name -> what reads it. Those of ``NEEDS_NO_PATH`` read what ships with the project.
IMPORTERS: Final[Mapping[str, Read]] = {
    "probes": probes,
    "outcomes": outcomes,
    "own-attacks": attacks,
    "own-content": content,
    "own-facts": facts,
}
NEEDS_NO_PATH: Final = frozenset({"own-attacks", "own-content", "own-facts"})
