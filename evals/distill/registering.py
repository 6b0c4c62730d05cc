"""A student becomes a candidate for a tier: its files copied, checked, listed with where they come from; not in use."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from evals.distill.folder import Folder
from evals.distill.trainers.base import Student
from router.registry import weights
from router.registry.gguf import GGUFError, read_entries
from router.registry.weights import Weights, WeightsError
from router.registry.weights_fetch import FetchError, Progress, digest_of, silent
from router.types import Lineage, TierName

_SHOWN = 12  # digits of a digest that people read and names hold
_VOCABULARY = "tokenizer.ggml.tokens"
_TEACH_AGAIN = "It was changed since it was made: train it again"


class RegisterError(ValueError):
    """The student cannot be a candidate; the message says why. Nothing was listed."""


class Found(NamedTuple):
    """A student in its folder."""

    digest: str
    student: Student
    place: Path


class Verdict(NamedTuple):
    """What the gate said of a student: its word, and the bundle that says it."""

    word: str
    path: Path
    told: dict[str, Any]


class Registered(NamedTuple):
    """What came of it: the entry, or, for a model that lives elsewhere, what to write into the settings."""

    name: str
    lineage: Lineage
    weights: Weights | None
    settings: str
    notes: tuple[str, ...]


def find_student(folder: Folder, wanted: str | None) -> Found:
    """A student by its digest, the digest's beginning, or its name; the only one where none is named.

    Raises:
        RegisterError: there is none, there are several, or its file is damaged.
    """
    there = [_read(path) for path in sorted((folder.root / "students").glob("*/student.json"))]
    found = [each for each in there if wanted is None or each.student.name == wanted or each.digest.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(f"{each.digest[:_SHOWN]} ({each.student.name})" for each in there) or "none"
    if wanted is None:
        what = "no student is here; 'stillhouse distill train' makes one" if not there else "say which student"
    else:
        what = f"{'several students are' if found else 'no student is'} called {wanted!r}"
    raise RegisterError(f"{folder.root.name}: {what}; students: {known}")


def _read(path: Path) -> Found:
    try:
        return Found(path.parent.name, msgspec.json.decode(path.read_bytes(), type=Student), path.parent)
    except (OSError, msgspec.MsgspecError) as error:
        raise RegisterError(f"{path} is no student: {getattr(error, 'strerror', None) or error}") from None


def name_of(student: Student) -> str:
    """How it is called at the endpoint: its name, with its digest where it has one, so that a name is one file."""
    shown = student.sha256[:_SHOWN]
    return student.name if shown in student.name else f"{student.name}-{shown}"


def verdict_on(folder: Folder, digest: str) -> Verdict | None:
    """What the gate said last of a student; None where it said nothing.

    Raises:
        RegisterError: a file of the gate is damaged.
    """
    said: list[tuple[int, Verdict]] = []
    for path in (folder.root / "gate").glob("*.json"):
        try:
            told = msgspec.json.decode(path.read_bytes())
            when = path.stat().st_mtime_ns
        except (OSError, msgspec.MsgspecError) as error:
            raise RegisterError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
        if isinstance(told, dict) and (told.get("student") or {}).get("digest") == digest:
            said.append((when, Verdict(str(told.get("verdict")), path, told)))
    return max(said, key=lambda each: (each[0], str(each[1].path)))[1] if said else None


def unchanged(found: Found) -> None:
    """Check that a student's file is the one that was made.

    Raises:
        RegisterError: it is missing, or another.
    """
    student = found.student
    if student.kind == "remote":
        return
    if not student.weights or "/" in student.weights:
        raise RegisterError(f"{found.place}: student.json names no file of its own")
    path = found.place / student.weights
    try:
        digest = digest_of(path)
    except OSError as error:
        raise RegisterError(f"{path}: {error.strerror}. Train it again, or restore it from a copy") from None
    if digest != student.sha256:
        raise RegisterError(f"{path} has the SHA-256 {digest}, not {student.sha256}. {_TEACH_AGAIN}")


def register(
    folder: Folder, home: Path, found: Found, tier: TierName, today: str, name: str | None = None,
    progress: Progress = silent,
) -> Registered:  # fmt: skip
    """List a student as a candidate.

    Args:
        folder: of the loop.
        home: the state folder.
        found: the student.
        tier: which tier it may serve.
        today: the date to write down, ISO 8601.
        name: how it is called at the endpoint; None for its own name.
        progress: wraps the chunks of a copy as they come.

    Raises:
        RegisterError: its file is missing, changed or no model; its vocabulary is not its base's; the name is taken;
            no room. Nothing was listed then.
    """
    unchanged(found)
    student = found.student
    called = name or name_of(student)
    said = verdict_on(folder, found.digest)
    lineage = lineage_of(home, found, tier, said)
    if student.kind == "remote":
        return Registered(called, lineage, None, _settings(called, student, tier, lineage), ())
    notes = _checked(found, home)
    try:
        made = weights.candidate(
            home, tier, found.place if student.kind == "nano" else found.place / student.weights,
            student.sha256, kind=student.kind, name=called, today=today, lineage=lineage, student=found.digest,
            evidence=digest_of(said.path) if said else "", progress=progress,
        )  # fmt: skip
    except (WeightsError, FetchError) as error:
        raise RegisterError(f"{error.message}. {error.hint}".removesuffix(". ")) from None
    return Registered(called, lineage, made, "", notes)


def lineage_of(home: Path, found: Found, tier: TierName, said: Verdict | None) -> Lineage:
    """Where a student comes from. Its generation is one more than the latest of its tier, and stays."""
    student = found.student
    gate: Literal["unknown", "passed", "failed"] = "unknown"
    if said is not None:
        gate = "passed" if said.word == "yes" else "failed"
    try:
        there = (*weights.load_weights(home), *weights.candidates(home))
    except WeightsError as error:
        raise RegisterError(f"{error.message}. {error.hint}") from None
    same = [each.lineage.generation for each in there if each.tier == tier and each.student == found.digest]
    others = [each.lineage.generation for each in there if each.tier == tier]
    known = {each.sha256: each.lineage.family for each in there}
    return Lineage(
        family=known.get(str(student.settings.get("base_sha256")), student.base),
        teacher=student.teacher or "people",
        student_base=student.base,
        dataset_hash=student.dataset_hash,
        recipe_hash=student.recipe_hash,
        gate=gate,
        generation=same[0] if same else 1 + max(others, default=0),
    )


# --- what may be wrong with a file --------------------------------------------------------------------


def _checked(found: Found, home: Path) -> tuple[str, ...]:
    """Look into the file; what a person should know.

    Raises:
        RegisterError: it cannot be served.
    """
    if found.student.kind == "nano":
        from router.upstream.nano_head import HeadError, load

        try:
            load(found.place / found.student.weights, found.student.sha256)
        except HeadError as error:
            raise RegisterError(f"{error}. {_TEACH_AGAIN}") from None
        return ()
    return _speaks_like_its_base(found, home)


def _speaks_like_its_base(found: Found, home: Path) -> tuple[str, ...]:
    """A student whose words are not its base's answers nonsense: what it learned goes by their numbers."""
    mine = _words(found.place / found.student.weights)
    base = str(found.student.settings.get("base_sha256", ""))
    there = next((each for each in _all(home) if each.kind == "gguf" and each.sha256 == base), None)
    if there is None or not Path(there.path).exists():
        return (f"its base {found.student.base} is not on this machine, so its vocabulary was not compared",)
    theirs = _words(Path(there.path))
    if mine != theirs:
        where = next((at for at, pair in enumerate(zip(mine, theirs, strict=False)) if pair[0] != pair[1]), None)
        what = f"word {where} differs" if where is not None else f"{len(mine)} words and not {len(theirs)}"
        raise RegisterError(f"its vocabulary is not that of its base {there.name} ({what}); it would answer nonsense")
    return ()


def _all(home: Path) -> tuple[Weights, ...]:
    small = weights.built_in()
    return (*([small] if small else []), *weights.load_weights(home), *weights.candidates(home))


def _words(path: Path) -> list[Any]:
    try:
        entries = read_entries(path)
    except (GGUFError, OSError) as error:
        raise RegisterError(f"{path}: {error}") from None
    words = entries.get(_VOCABULARY)
    size = entries.get(f"{entries.get('general.architecture')}.vocab_size")
    if not isinstance(words, list) or not words:
        raise RegisterError(f"{path}: the file has no vocabulary, so nothing can be asked of it")
    if isinstance(size, int) and size != len(words):
        raise RegisterError(f"{path}: it says {size} words and lists {len(words)}; its tokenizer is not its model's")
    return words


def _settings(name: str, student: Student, tier: str, lineage: Lineage) -> str:
    """The lines for a model that lives elsewhere: where it lives, and with which key, only the operator knows."""
    known = {field: getattr(lineage, field) for field in lineage.__struct_fields__}
    facts = ", ".join(f"{field}: {_quoted(value)}" for field, value in known.items())
    return (
        "tiers:\n"
        f"  - tier: {tier}\n    upstream: NAME  # the upstream of yours that serves it\n"
        f"    model: {_quoted(student.model)}\n    name: {_quoted(name)}\n"
        f"    candidate: true\n    lineage: {{{facts}}}\n"
    )


def _quoted(value: object) -> str:
    return msgspec.json.encode(value).decode()
