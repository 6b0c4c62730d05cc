"""Bedrock: a model customization job at Amazon Bedrock, by distillation or fine-tuning.

The shapes are those of the service model ``bedrock`` 2023-04-20 (``CreateModelCustomizationJob`` and its ``Get``).
It reads the rows from S3 and writes there; they are brought there by the user's own means, under a name that is their
hash. A request is let in by a Bedrock API key (``AWS_BEARER_TOKEN_BEDROCK``), which the service takes for these
operations as well as signatures: so no AWS library is needed, and a short-term key can be made of any role or login.
The job's name is made of rows and recipe, so AWS itself refuses a second one.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

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

_STAGES: Final = (("validationDetails", 0.1), ("dataProcessingDetails", 0.3), ("trainingDetails", 0.9))

S3 = Annotated[str, msgspec.Meta(pattern=r"^s3://[a-z0-9][-.a-z0-9]{1,61}[a-z0-9](/[-!_*'().a-zA-Z0-9/]*)?$")]


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How Bedrock teaches.

    Attributes:
        region: of the job. role: the ARN of the service role that reads and writes S3.
        data: the S3 folder that the rows are in. output: the one for what the job leaves.
        kind: by ``distillation`` or ``fine-tuning``. teacher: the teacher's model id, for distillation.
        longest: tokens of an answer of that teacher.
        format: the one the student takes: ``bedrock`` (one turn) or ``nova`` (several).
        hyper: hyperparameters by Bedrock's names.
        api_key: ``env:NAME`` or ``file:PATH``. endpoint: another URL than the region's public one.
    """

    region: Annotated[str, msgspec.Meta(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
    role: Annotated[str, msgspec.Meta(pattern=r"^arn:aws(-[^:]+)?:iam::\d{12}:role/.+$")]
    data: S3
    output: S3
    kind: Literal["distillation", "fine-tuning"] = "distillation"
    teacher: str = ""
    longest: Annotated[int, msgspec.Meta(ge=1)] | None = None
    format: Literal["bedrock", "nova"] = "bedrock"
    hyper: dict[str, str] = {}
    api_key: str = "env:AWS_BEARER_TOKEN_BEDROCK"
    endpoint: str = ""


class BedrockJob:
    """The trainer.

    Args:
        recipe: how. base: the student's model id.
        held: files of rows that must not be among those that are learned from.
        yes: the rows are in S3, and the job may be paid.
        pause: waits between two looks.
    """

    name = "bedrock"

    def __init__(
        self, recipe: Recipe, base: str, held: Sequence[Path] = (), *, yes: bool = False, pause: Pause = time.sleep
    ) -> None:  # fmt: skip
        self._recipe, self._base, self._held, self._yes, self._pause = recipe, base, tuple(held), yes, pause

    def made_of(self) -> dict[str, str]:
        """The recipe without how it is let in, and the model."""
        bare = msgspec.structs.replace(self._recipe, api_key="", endpoint="")
        return {"recipe": recipe_hash(bare), "base": self._base}

    def train(self, rows: Path, out: Path, tell: Tell) -> Student:
        """Begin the job and look after it; leaves ``student.json``. A run that was killed goes on.

        Raises:
            TrainingError: the rows do not do, nobody said yes, or Bedrock refused or failed, in its words.
            Overlap: rows are held out.
        """
        recipe = self._recipe
        with alone(out):
            state = read_state(out)
            sent = rows_for(rows, self._held, recipe.format, out)
            uri = f"{recipe.data.rstrip('/')}/{sent.digest}.jsonl"
            if "job" not in state:
                also = f"Bring them to S3 first: aws s3 cp {sent.file} {uri} . "
                ask_first(sent, f"Amazon Bedrock in {recipe.region}", None, yes=self._yes, also=also)
            url = recipe.endpoint or f"https://bedrock.{recipe.region}.amazonaws.com"
            wire = Wire(url, recipe.api_key, self._pause)
            try:
                if "job" not in state:
                    state = {"job": self._begun(wire, sent, uri), "data": uri}
                    write_state(out, state)
                job = self._watched(wire, str(state["job"]), out, tell)
            finally:
                wire.close()
            loss = (job.get("trainingMetrics") or {}).get("trainingLoss")
            student = student_of(
                recipe, sent, rows, out, base=self._base, model=str(job["outputModelArn"]), seconds=_seconds(job),
                losses=(), job=str(state["job"]), more={"training_loss": loss, "data_uri": uri},
            )  # fmt: skip
            tell("done", 1.0)
            return student

    def _begun(self, wire: Wire, sent: Rows, uri: str) -> str:
        """The ARN of the job: the one there is, or a new one."""
        made = f"{self.made_of()['recipe']}/{self._base}/{sent.digest}"
        mark = hashlib.blake2b(made.encode(), digest_size=16).hexdigest()
        name = f"stillhouse-{mark}"
        try:
            return _text(wire.get(f"/model-customization-jobs/{name}"), "jobArn")
        except Refused as error:
            if error.status not in {400, 404}:
                raise
        return _text(wire.post("/model-customization-jobs", json=self._body(name, mark, uri)), "jobArn")

    def _body(self, name: str, mark: str, uri: str) -> dict[str, Any]:
        recipe = self._recipe
        body: dict[str, Any] = {
            "jobName": name, "customModelName": name, "roleArn": recipe.role, "clientRequestToken": mark,
            "baseModelIdentifier": self._base,
            "customizationType": "DISTILLATION" if recipe.kind == "distillation" else "FINE_TUNING",
            "trainingDataConfig": {"s3Uri": uri}, "outputDataConfig": {"s3Uri": recipe.output},
        }  # fmt: skip
        if recipe.hyper:
            body["hyperParameters"] = dict(recipe.hyper)
        if recipe.kind == "distillation":
            teacher: dict[str, Any] = {"teacherModelIdentifier": recipe.teacher}
            if recipe.longest is not None:
                teacher["maxResponseLengthForInference"] = recipe.longest
            body["customizationConfig"] = {"distillationConfig": {"teacherModelConfig": teacher}}
        return body

    def _watched(self, wire: Wire, arn: str, out: Path, tell: Tell) -> Mapping[str, Any]:
        """Look until it ends.

        Raises:
            TrainingError: it failed or was stopped, in Bedrock's words.
        """
        while True:
            job = wire.get(f"/model-customization-jobs/{quote(arn, safe='')}")
            status = job.get("status")
            if status == "Completed":
                if not job.get("outputModelArn"):
                    raise failed(f"{arn} completed", "it names no model", out)
                return job
            if status in {"Failed", "Stopped"}:
                raise failed(f"{arn} {str(status).lower()}", str(job.get("failureMessage") or "without a word"), out)
            tell(*_stage(job))
            self._pause(EVERY)


def _stage(job: Mapping[str, Any]) -> tuple[str, float]:
    """What it is at, and about how far: Bedrock tells stages, not steps."""
    details = job.get("statusDetails") or {}
    what, share = str(job.get("status")), 0.0
    for name, begun in _STAGES:
        if (details.get(name) or {}).get("status") in {"InProgress", "Completed"}:
            what, share = name.removesuffix("Details"), begun
    return what, share


def _seconds(job: Mapping[str, Any]) -> float:
    try:
        begun, ended = (datetime.fromisoformat(str(job[name])) for name in ("creationTime", "endTime"))
    except (KeyError, ValueError):
        return 0.0
    return (ended - begun).total_seconds()


def _text(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    if not isinstance(value, str) or not value:
        raise TrainingError(f"Bedrock's answer has no {name}")
    return value


def trainer(options: Options) -> BedrockJob:
    """The trainer with these options.

    Raises:
        TrainingError: no model is named, or the recipe does not do.
    """
    if not options.base:
        raise TrainingError("the trainer bedrock needs a model to teach: --base MODEL")
    recipe = recipe_of(Recipe, options)
    if (recipe.kind == "distillation") != bool(recipe.teacher):
        raise TrainingError("distillation needs a 'teacher' in the recipe, and fine-tuning has none")
    return BedrockJob(recipe, options.base, options.held, yes=options.yes)
