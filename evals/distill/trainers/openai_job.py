"""OpenAI: a fine-tuning job at OpenAI's, or at any server with the same API.

The shapes are those of its API reference: ``POST /files`` (purpose ``fine-tune``), ``POST /fine_tuning/jobs``,
``GET /fine_tuning/jobs/{id}`` and its ``/events``. The file is sent for one student alone, so a job whose creation was
not answered is found by its file instead of begun twice.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

from evals.distill.trainers.base import Student, Tell, TrainingError
from evals.distill.trainers.choose import Options, recipe_of
from evals.distill.trainers.elsewhere import (
    EVERY,
    Pause,
    Refused,
    Rows,
    Wire,
    ask_first,
    failed,
    read_state,
    rows_for,
    student_of,
    write_state,
)
from evals.distill.trainers.files import alone
from evals.distill.trainers.rows import recipe_hash

_PAGE: Final = 100
_MOST_PAGES: Final = 1000


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How the vendor teaches.

    Attributes:
        base_url: of the API. api_key: ``env:NAME`` or ``file:PATH``; where it lies changes no student.
        epochs, batch, rate: of the vendor's hyperparameters; what is not given is left to it.
        suffix: in the student's name. seed: of the job.
        method: ``supervised`` as OpenAI has it now, or ``plain`` for servers that know only ``hyperparameters``.
    """

    base_url: Annotated[str, msgspec.Meta(pattern=r"^https?://")] = "https://api.openai.com/v1"
    api_key: str = "env:OPENAI_API_KEY"
    epochs: Annotated[int, msgspec.Meta(ge=1, le=100)] | None = None
    batch: Annotated[int, msgspec.Meta(ge=1, le=4096)] | None = None
    rate: Annotated[float, msgspec.Meta(gt=0)] | None = None
    suffix: Annotated[str, msgspec.Meta(max_length=64)] = ""
    seed: int = 0
    method: Literal["supervised", "plain"] = "supervised"


class OpenAIJob:
    """The trainer.

    Args:
        recipe: how. base: the model that is taught.
        held: files of rows that must not be among those that are learned from.
        yes: rows may leave the machine, and the job may be paid.
        pause: waits between two looks.
    """

    name = "openai"

    def __init__(
        self, recipe: Recipe, base: str, held: Sequence[Path] = (), *, yes: bool = False, pause: Pause = time.sleep
    ) -> None:  # fmt: skip
        self._recipe, self._base, self._held, self._yes, self._pause = recipe, base, tuple(held), yes, pause

    def made_of(self) -> dict[str, str]:
        """The recipe without where its key lies, and the model."""
        return {"recipe": recipe_hash(msgspec.structs.replace(self._recipe, api_key="")), "base": self._base}

    def train(self, rows: Path, out: Path, tell: Tell) -> Student:
        """Send the rows, begin the job, look after it; leaves ``student.json``. A run that was killed goes on.

        Raises:
            TrainingError: the rows do not do, nobody said yes, or the vendor refused or failed, in its words.
            Overlap: rows are held out.
        """
        with alone(out):
            state = read_state(out)
            sent = rows_for(rows, self._held, "openai", out)
            if "job" not in state:
                ask_first(sent, self._recipe.base_url, self._recipe.epochs, yes=self._yes)
            wire = Wire(self._recipe.base_url, self._recipe.api_key, self._pause)
            try:
                state = self._begun(wire, sent, state, out, tell)
                job = self._watched(wire, str(state["job"]), out, tell)
                losses = _losses(wire, str(state["job"]))
            finally:
                wire.close()
            student = student_of(
                self._recipe, sent, rows, out, base=self._base, model=str(job["fine_tuned_model"]),
                seconds=_seconds(job), losses=losses, job=str(job["id"]),
                more={"trained_tokens": job.get("trained_tokens")},
            )  # fmt: skip
            tell("done", 1.0)
            return student

    def _begun(self, wire: Wire, sent: Rows, state: dict[str, Any], out: Path, tell: Tell) -> dict[str, Any]:
        """The job's state, with its id: the one there is, or a new one."""
        if "job" in state:
            return state
        if state.get("beginning"):  # the last attempt did not hear whether it was begun
            found = _of_file(wire, str(state["file"]))
            if found is not None:
                return self._kept(out, state | {"job": found, "beginning": False})
        if "file" not in state:
            tell("sending", 0.0)
            name = f"stillhouse-{sent.digest}.jsonl"
            with sent.file.open("rb") as file:
                told = wire.post(
                    "/files", data={"purpose": "fine-tune"}, files={"file": (name, file, "application/jsonl")}
                )
            state = self._kept(out, state | {"file": _text(told, "id")})
        state = self._kept(out, state | {"beginning": True})
        try:
            told = wire.post("/fine_tuning/jobs", json=self._body(str(state["file"])))
        except Refused as error:
            if error.status < 500:  # it said no, so there is none
                self._kept(out, {"beginning": False} if error.status == 404 else state | {"beginning": False})
            raise
        return self._kept(out, state | {"job": _text(told, "id"), "beginning": False})

    def _body(self, file: str) -> dict[str, Any]:
        recipe = self._recipe
        given = {"n_epochs": recipe.epochs, "batch_size": recipe.batch, "learning_rate_multiplier": recipe.rate}
        settings = {name: value for name, value in given.items() if value is not None}
        body: dict[str, Any] = {"model": self._base, "training_file": file, "seed": recipe.seed}
        if recipe.suffix:
            body["suffix"] = recipe.suffix
        if recipe.method == "supervised":
            supervised = {"hyperparameters": settings} if settings else {}
            body["method"] = {"type": "supervised", "supervised": supervised}
        elif settings:
            body["hyperparameters"] = settings
        return body

    @staticmethod
    def _kept(out: Path, state: dict[str, Any]) -> dict[str, Any]:
        write_state(out, state)
        return state

    def _watched(self, wire: Wire, job_id: str, out: Path, tell: Tell) -> Mapping[str, Any]:
        """Look until it ends.

        Raises:
            TrainingError: it failed or was cancelled, in the vendor's words.
        """
        while True:
            job = wire.get(f"/fine_tuning/jobs/{job_id}")
            status = job.get("status")
            if status == "succeeded":
                if not job.get("fine_tuned_model"):
                    raise failed(f"{job_id} succeeded", "it names no model", out)
                return job
            if status in {"failed", "cancelled"}:
                error = job.get("error") or {}
                words = ": ".join(str(error[key]) for key in ("code", "message") if error.get(key))
                raise failed(f"{job_id} {status}", words or "without a word", out)
            tell(str(status), _share(wire, job_id))
            self._pause(EVERY)


def _of_file(wire: Wire, file: str) -> str | None:
    """The job that learns from this file, if there is one."""
    after: dict[str, str] = {}
    for _ in range(_MOST_PAGES):
        page = wire.get("/fine_tuning/jobs", limit=_PAGE, **after)
        jobs = [job for job in page.get("data") or () if isinstance(job, dict)]
        for job in jobs:
            if job.get("training_file") == file:
                return _text(job, "id")
        if not page.get("has_more") or not jobs:
            return None
        after = {"after": _text(jobs[-1], "id")}
    raise TrainingError("there are more jobs than can be looked through")


def _share(wire: Wire, job_id: str) -> float:
    """How far the newest events say it is."""
    for event in wire.get(f"/fine_tuning/jobs/{job_id}/events", limit=20).get("data") or ():
        data = event.get("data") or {}
        if data.get("step") and data.get("total_steps"):
            return min(0.99, float(data["step"]) / float(data["total_steps"]))
    return 0.0


def _losses(wire: Wire, job_id: str) -> tuple[tuple[int, float], ...]:
    """Step and training loss, from all events."""
    found: dict[int, float] = {}
    after: dict[str, str] = {}
    for _ in range(_MOST_PAGES):
        page = wire.get(f"/fine_tuning/jobs/{job_id}/events", limit=_PAGE, **after)
        events = page.get("data") or ()
        for event in events:
            data = event.get("data") or {}
            if isinstance(data.get("step"), int) and isinstance(data.get("train_loss"), int | float):
                found[data["step"]] = float(data["train_loss"])
        if not page.get("has_more") or not events:
            break
        after = {"after": _text(events[-1], "id")}
    return tuple(sorted(found.items()))


def _seconds(job: Mapping[str, Any]) -> float:
    begun, ended = job.get("created_at"), job.get("finished_at")
    return float(ended - begun) if isinstance(begun, int) and isinstance(ended, int) else 0.0


def _text(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    if not isinstance(value, str) or not value:
        raise TrainingError(f"the vendor's answer has no {name}")
    return value


def trainer(options: Options) -> OpenAIJob:
    """The trainer with these options.

    Raises:
        TrainingError: no model is named, or the recipe does not do.
    """
    if not options.base:
        raise TrainingError("the trainer openai needs a model to teach: --base MODEL")
    return OpenAIJob(recipe_of(Recipe, options), options.base, options.held, yes=options.yes)
