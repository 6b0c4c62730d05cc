"""Jobs at vendors': nothing leaves without a yes, one job for one student, and their failures in their own words.

What the vendors answer is built from their own published shapes: OpenAI's models of its SDK, AWS's service model.
"""

import gzip
import json
import random
import re
from pathlib import Path

import httpx
import pytest
import respx

from evals.distill.trainers.base import TrainingError
from evals.distill.trainers.bedrock_job import BedrockJob
from evals.distill.trainers.bedrock_job import Recipe as BedrockRecipe
from evals.distill.trainers.choose import Options, choose
from evals.distill.trainers.openai_job import OpenAIJob, Recipe
from tests.evals.distill import made

API = "https://api.openai.com/v1"
AWS = "https://bedrock.us-east-1.amazonaws.com"
ROLE = "arn:aws:iam::123456789012:role/distill"
ARN = "arn:aws:bedrock:us-east-1:123456789012:model-customization-job/amazon.nova-lite-v1:0/abcdefghijkl"
TUNED = "arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.nova-lite-v1:0/abcdefghijkl"
KEY = "sk-a-key-that-nobody-may-see"


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", KEY)


@pytest.fixture
def wire():
    with respx.mock(assert_all_called=False) as mock:
        yield mock


@pytest.fixture
def rows(tmp_path):
    rng = random.Random(5)
    return made.write(tmp_path / "train.jsonl", [made.row(made.text(rng, made.SUBJECTS[n % 8])) for n in range(120)])


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "student"
    folder.mkdir()
    return folder


def ours(**recipe):
    more = {name: recipe.pop(name) for name in ("yes",) if name in recipe}
    return OpenAIJob(Recipe(**recipe), "gpt-4o-mini-2024-07-18", pause=lambda _: None, **{"yes": True} | more)


def tell(_what, _share):
    pass


# --- OpenAI ------------------------------------------------------------------------------------------


def file_object():
    from openai.types import FileObject

    return FileObject(
        id="file-1", bytes=1, created_at=1, filename="x.jsonl", object="file", purpose="fine-tune", status="processed"
    ).to_dict()


def job(status, **fields):
    from openai.types.fine_tuning import FineTuningJob

    blank = {
        "id": "ftjob-1", "created_at": 100, "error": None, "fine_tuned_model": None, "finished_at": None,
        "hyperparameters": {}, "model": "gpt-4o-mini-2024-07-18", "object": "fine_tuning.job", "organization_id": "o",
        "result_files": [], "seed": 0, "status": status, "trained_tokens": None, "training_file": "file-1",
        "validation_file": None,
    }  # fmt: skip
    return FineTuningJob.model_validate(blank | fields).to_dict()


def done():
    return job("succeeded", fine_tuned_model="ft:gpt-4o-mini:o::1", finished_at=400, trained_tokens=9000)


def event(number, **data):
    from openai.types.fine_tuning import FineTuningJobEvent

    return FineTuningJobEvent(
        id=f"e{number}", created_at=number, level="info", message=f"Step {number}", object="fine_tuning.job.event",
        type="metrics", data=data,
    ).to_dict()  # fmt: skip


def openai_server(wire, *states, events=()):
    """Routes of a server whose job goes through ``states``."""
    wire.get(url__regex=rf"{API}/fine_tuning/jobs/ftjob-1/events.*").respond(
        json={"data": list(events), "has_more": False}
    )
    looked = wire.get(f"{API}/fine_tuning/jobs/ftjob-1").mock(side_effect=[httpx.Response(200, json=s) for s in states])
    return {
        "upload": wire.post(f"{API}/files").respond(json=file_object()),
        "begin": wire.post(f"{API}/fine_tuning/jobs").respond(json=job("validating_files")),
        "look": looked,
        "list": wire.get(url__regex=rf"{API}/fine_tuning/jobs\?.*").respond(json={"data": [], "has_more": False}),
    }


def test_rows_are_sent_a_job_is_begun_and_watched_and_the_student_is_its_model(wire, rows, out):
    from openai.types.fine_tuning.job_create_params import JobCreateParams
    from pydantic import TypeAdapter

    events = [event(2, step=2, total_steps=2, train_loss=0.5), event(1, step=1, total_steps=2, train_loss=1.5)]
    server = openai_server(wire, job("queued"), job("running"), done(), events=events)
    told = []
    student = ours(epochs=2, suffix="loop").train(rows, out, lambda what, share: told.append((what, share)))
    assert (student.kind, student.model, student.seconds) == ("remote", "ft:gpt-4o-mini:o::1", 300.0)
    assert student.losses == ((1, 1.5), (2, 0.5))
    assert (student.rows, student.teacher, student.base) == (120, "teacher-1", "gpt-4o-mini-2024-07-18")
    assert [what for what, _ in told] == ["sending", "queued", "running", "done"]
    upload = server["upload"].calls.last.request
    assert upload.headers["authorization"] == f"Bearer {KEY}"
    assert b'name="purpose"\r\n\r\nfine-tune' in upload.content
    assert (out / "sent.jsonl").read_bytes() in upload.content
    asked = json.loads(server["begin"].calls.last.request.content)
    TypeAdapter(JobCreateParams).validate_python(asked)
    assert asked["method"] == {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2}}}
    assert asked["training_file"] == "file-1"
    assert not any(KEY in path.read_text() for path in out.iterdir())


def test_nothing_leaves_the_machine_without_a_yes(wire, rows, out):
    server = openai_server(wire)
    with pytest.raises(TrainingError, match=r"nothing was sent. 120 rows .* would go to https://api.openai.com.*--yes"):
        ours(yes=False).train(rows, out, tell)
    assert not any(route.called for route in server.values())


def test_a_run_that_was_killed_looks_after_its_job_and_begins_no_second(wire, rows, out):
    class Killed(Exception):
        pass

    def kill(what, _share):
        if what == "running":
            raise Killed

    server = openai_server(wire, job("running"), done())
    with pytest.raises(Killed):
        ours().train(rows, out, kill)
    assert ours(yes=False).train(rows, out, tell).model == "ft:gpt-4o-mini:o::1"
    assert (server["upload"].call_count, server["begin"].call_count) == (1, 1)


def test_a_job_whose_beginning_was_not_answered_is_found_by_its_file(wire, rows, out):
    server = openai_server(wire, done())
    server["begin"].mock(side_effect=httpx.ReadTimeout("late"))
    with pytest.raises(TrainingError, match="did not answer"):
        ours().train(rows, out, tell)
    pages = [
        {"data": [job("running", id="ftjob-9", training_file="file-9")], "has_more": True},
        {"data": [job("running")], "has_more": False},
    ]
    server["list"].mock(side_effect=[httpx.Response(200, json=page) for page in pages])
    assert ours().train(rows, out, tell).model == "ft:gpt-4o-mini:o::1"
    assert (server["upload"].call_count, server["begin"].call_count) == (1, 1)
    assert server["list"].calls.last.request.url.params["after"] == "ftjob-9"


def test_a_job_that_was_never_begun_is_begun_with_the_file_that_is_there(wire, rows, out):
    server = openai_server(wire, done())
    server["begin"].mock(side_effect=[httpx.ConnectError("no"), httpx.Response(200, json=job("queued"))])
    with pytest.raises(TrainingError, match="did not answer"):
        ours().train(rows, out, tell)
    ours().train(rows, out, tell)
    assert (server["upload"].call_count, server["begin"].call_count, server["list"].call_count) == (1, 2, 1)


def test_a_job_that_failed_is_told_in_the_vendors_words_and_is_not_begun_again(wire, rows, out):
    error = {"code": "invalid_training_file", "message": "Line 7 is bad.", "param": "training_file"}
    server = openai_server(wire, job("failed", error=error), job("failed", error=error))
    for _ in range(2):
        with pytest.raises(TrainingError, match=r"ftjob-1 failed: invalid_training_file: Line 7 is bad\."):
            ours().train(rows, out, tell)
    assert server["begin"].call_count == 1
    assert not (out / "student.json").exists()


@pytest.mark.parametrize(
    ("status", "words"), [(401, "invalid_api_key: No such key."), (403, "model_not_found: Closed.")]
)
def test_a_refusal_is_told_without_the_key(wire, rows, out, status, words):
    code, _, message = words.partition(": ")
    server = openai_server(wire)
    server["upload"].respond(status, json={"error": {"code": code, "message": message}})
    with pytest.raises(TrainingError, match=re.escape(words)) as caught:
        ours().train(rows, out, tell)
    assert KEY not in str(caught.value)


def test_looking_survives_a_server_that_is_down_for_a_while(wire, rows, out):
    server = openai_server(wire)
    server["look"].mock(
        side_effect=[
            httpx.ConnectError("down"),
            httpx.Response(503),
            httpx.Response(429),
            httpx.Response(200, json=done()),
        ]
    )
    assert ours().train(rows, out, tell).kind == "remote"


def test_the_place_of_a_key_names_no_other_student_and_a_key_is_never_written_out(rows, out):
    assert ours(api_key="file:k").made_of() == ours().made_of()
    assert ours(epochs=3).made_of() != ours().made_of()
    with pytest.raises(TrainingError, match="never written out"):
        ours(api_key=KEY).train(rows, out, tell)


def test_rows_with_personal_data_are_not_sent(wire, tmp_path, out):
    server = openai_server(wire)
    rng = random.Random(5)
    found = [made.row(made.text(rng, "refund"), answer="Write to ada@example.org.") for _ in range(60)]
    with pytest.raises(TrainingError, match="personal data"):
        ours().train(made.write(tmp_path / "bad.jsonl", found), out, tell)
    assert not server["upload"].called


# --- Bedrock -----------------------------------------------------------------------------------------


def aws(**recipe):
    more = {name: recipe.pop(name) for name in ("yes",) if name in recipe}
    given = {"region": "us-east-1", "role": ROLE, "data": "s3://bucket/in/", "output": "s3://bucket/out"}
    given |= {"teacher": "amazon.nova-pro-v1:0"} if recipe.get("kind") != "fine-tuning" else {}
    return BedrockJob(
        BedrockRecipe(**given | recipe), "amazon.nova-lite-v1:0:300k", pause=lambda _: None, **{"yes": True} | more
    )


def customization(status, **fields):
    told = {
        "jobArn": ARN, "jobName": "j", "outputModelName": "m", "roleArn": ROLE, "status": status,
        "creationTime": "2026-11-01T10:00:00Z", "baseModelArn": "arn:aws:bedrock:us-east-1::foundation-model/a.b",
        "trainingDataConfig": {"s3Uri": "s3://b/x"}, "validationDataConfig": {"validators": []},
        "outputDataConfig": {"s3Uri": "s3://b/y"},
    }  # fmt: skip
    return told | fields


def completed():
    return customization(
        "Completed", outputModelArn=TUNED, endTime="2026-11-01T11:00:00Z", trainingMetrics={"trainingLoss": 0.25}
    )


def bedrock_server(wire, *states, known=False):
    by_name = wire.get(url__regex=rf"{AWS}/model-customization-jobs/stillhouse-[0-9a-f]{{32}}$")
    missing = httpx.Response(400, json={"message": "no such job"}, headers={"x-amzn-errortype": "ValidationException:"})
    by_name.mock(return_value=httpx.Response(200, json=customization("InProgress")) if known else missing)
    looked = wire.get(url__regex=rf"{AWS}/model-customization-jobs/arn%3Aaws.*")
    looked.mock(side_effect=[httpx.Response(200, json=state) for state in states])
    return {
        "name": by_name, "look": looked,
        "begin": wire.post(f"{AWS}/model-customization-jobs").respond(201, json={"jobArn": ARN}),
    }  # fmt: skip


def model_of_aws():
    """The service model that AWS publishes, as its SDK carries it."""
    botocore = pytest.importorskip("botocore")
    (path,) = (Path(botocore.__file__).parent / "data" / "bedrock").glob("*/service-2.json.gz")
    from botocore.model import ServiceModel

    return ServiceModel(json.loads(gzip.decompress(path.read_bytes())))


@pytest.mark.parametrize("kind", ["distillation", "fine-tuning"])
def test_a_customization_job_is_asked_for_as_aws_describes_it(wire, rows, out, kind):
    from botocore.validate import ParamValidator

    details = {"validationDetails": {"status": "Completed"}, "trainingDetails": {"status": "InProgress"}}
    server = bedrock_server(wire, customization("InProgress", statusDetails=details), completed())
    told = []
    student = aws(kind=kind, hyper={"epochCount": "2"}).train(rows, out, lambda *at: told.append(at))
    assert (student.kind, student.model, student.seconds) == ("remote", TUNED, 3600.0)
    assert student.settings["training_loss"] == 0.25
    assert told == [("training", 0.9), ("done", 1.0)]
    request = server["begin"].calls.last.request
    assert request.headers["authorization"] == f"Bearer {KEY}"
    asked = json.loads(request.content)
    shape = model_of_aws().operation_model("CreateModelCustomizationJob").input_shape
    assert ParamValidator().validate(asked, shape).generate_report() == ""
    for name in ("jobName", "customModelName", "clientRequestToken", "roleArn"):
        pattern = shape.members[name].metadata.get("pattern") or ".*"
        assert re.fullmatch(pattern, asked[name]), name
    assert asked["customizationType"] in shape.members["customizationType"].enum
    assert re.fullmatch(r"s3://bucket/in/[0-9a-f]{32}\.jsonl", asked["trainingDataConfig"]["s3Uri"])
    assert ("customizationConfig" in asked) == (kind == "distillation")


def test_bedrock_is_not_asked_without_a_yes_and_the_way_to_s3_is_told(wire, rows, out):
    server = bedrock_server(wire)
    with pytest.raises(TrainingError, match=r"aws s3 cp \S+sent.jsonl s3://bucket/in/[0-9a-f]{32}.jsonl .*--yes"):
        aws(yes=False).train(rows, out, tell)
    assert not any(route.called for route in server.values())


def test_a_job_that_bedrock_has_by_this_name_is_taken_and_no_second_begun(wire, rows, out):
    server = bedrock_server(wire, completed(), known=True)
    assert aws().train(rows, out, tell).model == TUNED
    assert not server["begin"].called


def test_a_failure_at_bedrock_is_told_in_its_words(wire, rows, out):
    server = bedrock_server(wire, customization("Failed", failureMessage="The S3 object is not there."))
    with pytest.raises(TrainingError, match="failed: The S3 object is not there"):
        aws().train(rows, out, tell)
    server["begin"].respond(403, json={"message": "not yours"}, headers={"x-amzn-errortype": "AccessDeniedException"})
    (out / "job.json").unlink()
    with pytest.raises(TrainingError, match="AccessDeniedException: not yours"):
        aws().train(rows, out, tell)


# --- by name -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("openai", Options(), "--base MODEL"),
        ("openai", Options(base="m", recipe={"epoch": 1}), "no setting of the recipe: epoch"),
        ("bedrock", Options(base="m"), "the recipe does not do"),
        ("bedrock", Options(base="m", recipe={"region": "us-east-1", "role": ROLE, "data": "s3://buc/x", "output": "s3://buc/y"}),
         "distillation needs a 'teacher'"),
    ],
)  # fmt: skip
def test_options_that_do_not_do_are_refused(name, options, words):
    with pytest.raises(TrainingError, match=re.escape(words)):
        choose(name, options)


def test_both_are_chosen_by_name():
    recipe = {"region": "eu-west-1", "role": ROLE, "data": "s3://buc/x", "output": "s3://buc/y", "kind": "fine-tuning"}
    assert choose("openai", Options(base="m")).made_of()["base"] == "m"
    assert choose("bedrock", Options(base="m", recipe=recipe)).name == "bedrock"
