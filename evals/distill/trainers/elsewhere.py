"""What jobs at a vendor's have in common: rows in its format, a yes before they leave, one job for one student.

``job.json`` in the student's folder says how far it is, and is written before each step that cannot be taken back: a
run that was killed looks after its job again, and never begins a second one. httpx is imported here alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from evals.distill.export.run import ExportError, lines_for
from evals.distill.folder import write_json, write_whole
from evals.distill.trainers.base import Student, TrainingError
from evals.distill.trainers.rows import dataset_hash, labelled, recipe_hash, teacher_of
from router.core.tokens import estimate_tokens
from router.serve.settings import read_secret

if TYPE_CHECKING:
    import httpx

Pause = Callable[[float], None]
EVERY: Final = 15.0
"""Seconds between two looks at a job."""
_TRIES: Final = 5
_LONG: Final = 500  # characters of a vendor's words that are repeated


class Unanswered(TrainingError):
    """The other side did not answer, or did not say whether it did what it was asked."""


class Refused(TrainingError):
    """The other side said no. ``status`` is its HTTP status."""

    def __init__(self, words: str, status: int) -> None:
        super().__init__(words)
        self.status = status


class Rows(NamedTuple):
    """What is sent.

    Attributes:
        file: in the student's folder. tokens: of all rows together, estimated.
    """

    file: Path
    lines: int
    size: int
    tokens: int
    teacher: str
    digest: str


class Wire:
    """A vendor's API with JSON in and out. Keys go into a header, and into no message.

    Args:
        base: its URL. key: ``env:NAME`` or ``file:PATH``.
        pause: waits between tries.
    """

    def __init__(self, base: str, key: str, pause: Pause = time.sleep) -> None:
        try:
            import httpx
        except ImportError:
            raise TrainingError("httpx is not here. Install it: pip install 'stillhouse[jobs]'") from None
        if not key.startswith(("env:", "file:")):
            raise TrainingError("the key is named by env:NAME or file:PATH, never written out")
        try:
            token = read_secret(key)
        except ValueError as error:
            raise TrainingError(str(error)) from None
        self._base = base.rstrip("/")
        self._pause = pause
        self._client: httpx.Client = httpx.Client(
            headers={"Authorization": f"Bearer {token}"}, timeout=httpx.Timeout(60, write=600), follow_redirects=False
        )

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """Ask, again where another try may help.

        Raises:
            Unanswered, Refused.
        """
        for last in (*[False] * (_TRIES - 1), True):
            try:
                return self._once("GET", path, params=params)
            except Unanswered:
                if last:
                    raise
            except Refused as error:
                if last or (error.status != 429 and error.status < 500):
                    raise
            self._pause(EVERY)
        raise AssertionError

    def post(self, path: str, **content: Any) -> dict[str, Any]:
        """Say it once: what is not answered may have been done all the same.

        Raises:
            Unanswered, Refused.
        """
        return self._once("POST", path, **content)

    def _once(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        import httpx

        try:
            response = self._client.request(method, self._base + path, **content)
        except httpx.HTTPError as error:
            raise Unanswered(
                f"{self._base} did not answer ({type(error).__name__}); the same command goes on"
            ) from None
        try:
            said = msgspec.json.decode(response.content)
        except msgspec.DecodeError:
            said = None
        if response.status_code >= 300:
            words = f"{self._base} answers {response.status_code}: {_words(said, response.headers)}"
            raise Refused(words, response.status_code)
        if not isinstance(said, dict):
            raise Unanswered(f"{self._base} answers {response.status_code} with what is no JSON object")
        return said


def _words(said: Any, headers: Mapping[str, str]) -> str:
    """A refusal in the vendor's words: OpenAI's error object, or AWS's message and type."""
    told = said.get("error", said) if isinstance(said, dict) else {}
    message = told.get("message") if isinstance(told, dict) else told
    kind = headers.get("x-amzn-errortype", "").partition(":")[0] or (
        told.get("code") if isinstance(told, dict) else None
    )
    parts = [str(part) for part in (kind, message) if part]
    return (": ".join(parts) or "without a word")[:_LONG]


def rows_for(rows: Path, held: Sequence[Path], form: str, out: Path) -> Rows:
    """Write the rows in a vendor's format into the student's folder, all checks done.

    Raises:
        TrainingError: they do not do. Overlap: rows are held out.
    """
    found = labelled(rows, *held)
    try:
        lines, _ = lines_for(found, form)
    except ExportError as error:
        raise TrainingError(str(error)) from None
    data = b"".join(lines)
    digest = write_whole(out / "sent.jsonl", data)
    return Rows(
        out / "sent.jsonl", len(lines), len(data), estimate_tokens(data.decode()), teacher_of(found), digest
    )  # fmt: skip


def ask_first(sent: Rows, where: str, epochs: int | None, *, yes: bool, also: str = "") -> None:
    """Nothing leaves the machine, and nothing is paid, without a yes.

    Raises:
        TrainingError: there is none; what would happen.
    """
    if yes:
        return
    times = f" times {epochs} epochs" if epochs else " an epoch"
    raise TrainingError(
        f"nothing was sent. {sent.lines:,} rows ({sent.size:,} bytes) would go to {where}, and a job be paid there by "
        f"its price for training: about {sent.tokens:,} tokens{times}. Read them: {sent.file}. {also}Say --yes to do it"
    )


def read_state(out: Path) -> dict[str, Any]:
    """How far the job is; empty where none was begun.

    Raises:
        TrainingError: the file is damaged.
    """
    path = out / "job.json"
    try:
        found = msgspec.json.decode(path.read_bytes())
    except FileNotFoundError:
        return {}
    except msgspec.DecodeError:
        found = None
    if not isinstance(found, dict):
        raise TrainingError(f"{path} is damaged. Look at the vendor whether a job was begun before you remove it")
    return found


def write_state(out: Path, state: Mapping[str, Any]) -> None:
    """Keep how far it is."""
    write_json(out / "job.json", dict(state))


def failed(what: str, words: str, out: Path) -> TrainingError:
    """A job ended without a student: in the vendor's words."""
    return TrainingError(
        f"the job {what}: {words[:_LONG]}. Change the recipe or the rows for another one; to try the same again, "
        f"remove {out}"
    )


def student_of(
    recipe: msgspec.Struct, sent: Rows, rows: Path, out: Path, *, base: str, model: str, seconds: float,
    losses: tuple[tuple[int, float], ...], job: str, more: Mapping[str, object],
) -> Student:  # fmt: skip
    """Leave ``student.json``: a model that lives elsewhere, by its name there."""
    student = Student(
        kind="remote", name=f"student-{recipe_hash(recipe)[:6]}{sent.digest[:6]}", model=model, base=base,
        teacher=sent.teacher, dataset_hash=dataset_hash(rows), recipe_hash=recipe_hash(recipe), seconds=seconds,
        rows=sent.lines, losses=losses, settings=msgspec.to_builtins(recipe) | {"job": job, **more},
    )  # fmt: skip
    write_json(out / "student.json", msgspec.to_builtins(student))
    return student
