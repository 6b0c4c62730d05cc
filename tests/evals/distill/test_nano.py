"""The nano head: what it learns, what it refuses to learn, and what it leaves to others."""

import json
import random
import shutil

import msgspec
import numpy as np
import pytest

from evals.distill.apart import Overlap
from evals.distill.example import Example, Message, prompt_id
from evals.distill.trainers.base import TrainingError
from evals.distill.trainers.nano import Nano, Recipe
from evals.distill.trainers.rows import recipe_hash
from router.errors import UpstreamAbstained, UpstreamRejected
from router.upstream.base import Deadline
from router.upstream.nano import NanoUpstream
from router.upstream.nano_head import HeadError, features, load
from tests.evals.distill import made

SYSTEM = "Name the subject in one word."
SUBJECTS = ("refund", "invoice", "delivery", "password")


def row(said, answer, system=SYSTEM, **more):
    messages = (*([Message("system", system)] if system else []), Message("user", said))
    return Example(id=prompt_id(messages), messages=messages, answer=answer, teacher="t", licence="allowed", **more)


def rows(n=160, seed=3, noise=0.0):
    rng = random.Random(seed)
    found = []
    for at in range(n):
        subject = SUBJECTS[at % 4]
        said = made.text(rng, subject, words=9)
        found.append(row(said, rng.choice(SUBJECTS) if rng.random() < noise else subject))
    return found


def train(tmp_path, found, recipe=Recipe(), held=()):
    source = made.write(tmp_path / "train.jsonl", found)
    return Nano(recipe, held).train(source, tmp_path / "student", lambda *_: None)


def serve(tmp_path, student):
    return NanoUpstream("n", load(tmp_path / "student" / "nano.json", student.sha256), now=lambda: 1.0)


def body(said, system=SYSTEM, **more):
    messages = [*([{"role": "system", "content": system}] if system else []), {"role": "user", "content": said}]
    return json.dumps({"model": "m", "messages": messages, **more}).encode()


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """A head of good rows, and the folder it lies in."""
    folder = tmp_path_factory.mktemp("nano")
    return folder, train(folder, rows())


@pytest.fixture(scope="module")
def trained(clean):
    return serve(*clean)


async def test_a_head_answers_what_it_learned_whole_and_streamed(trained):
    rng = random.Random(99)
    for subject in SUBJECTS:
        asked = body(made.text(rng, subject, words=9))
        whole = json.loads((await trained.chat(asked, Deadline())).body)
        assert whole["choices"][0]["message"]["content"] == subject
        assert whole["choices"][0]["finish_reason"] == "stop"
        assert (
            whole["usage"]["total_tokens"] == whole["usage"]["prompt_tokens"] + whole["usage"]["completion_tokens"] > 0
        )
        events = [json.loads(event) async for event in (await trained.chat_stream(asked, Deadline())).events()]
        assert "".join(c["delta"].get("content", "") for e in events for c in e["choices"]) == subject
        assert events[-1]["usage"] == whole["usage"]


@pytest.mark.parametrize(
    "more",
    [
        {"system": "Write a poem."},
        {"system": None},
        {"n": 2},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"response_format": {"type": "json_object"}},
        {"stop": ["inv"], "said": "invoice " * 12},
        {"said": "Ein Gedicht über den Herbst, bitte, mit vier Strophen und ohne Reime am Ende."},
    ],
)
async def test_a_head_leaves_to_others_what_is_not_its_task_or_not_its_form(trained, more):
    asked = body(more.pop("said", "refund bababa refund"), **more)
    with pytest.raises(UpstreamAbstained):
        await trained.chat(asked, Deadline())
    with pytest.raises(UpstreamAbstained):
        await trained.chat_stream(asked, Deadline())


async def test_a_picture_is_left_to_others_and_nonsense_is_the_callers_fault(trained):
    picture = [{"type": "image_url", "image_url": {"url": "data:,"}}]
    asked = {"messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": picture}]}
    with pytest.raises(UpstreamAbstained):
        await trained.chat(json.dumps(asked).encode(), Deadline())
    for wrong in (b"[", b"[]", b"{}", b'{"messages": []}'):
        with pytest.raises(UpstreamRejected):
            await trained.chat(wrong, Deadline())


async def test_its_chances_are_given_as_log_probabilities(trained):
    asked = body("refund refund tatata refund", logprobs=True, top_logprobs=4)
    whole = json.loads((await trained.chat(asked, Deadline())).body)
    (token,) = whole["choices"][0]["logprobs"]["content"]
    assert token["token"] == "refund"
    assert sum(np.exp(other["logprob"]) for other in token["top_logprobs"]) == pytest.approx(1, abs=1e-6)


def test_the_same_rows_give_the_same_bytes_and_another_recipe_another_hash(tmp_path, clean):
    again = train(tmp_path, rows())
    assert again.sha256 == clean[1].sha256
    assert again.recipe_hash == clean[1].recipe_hash != recipe_hash(Recipe(accuracy=0.5))


@pytest.fixture(autouse=True)
def _folders(tmp_path):
    for name in "abc":
        (tmp_path / name).mkdir()


def test_what_a_teacher_tosses_coins_for_is_left_to_others(tmp_path, clean):
    rng = random.Random(8)
    tossed = [
        msgspec.structs.replace(one, answer=rng.choice(SUBJECTS[:2])) if one.answer == "refund" else one
        for one in rows(160)
    ]
    answered = clean[1].settings["out_of_fold"]["answered"]
    unsure = train(tmp_path / "b", tossed).settings["out_of_fold"]
    assert answered > 0.95
    assert 0.5 < unsure["answered"] < answered
    assert unsure["right"] > 0.9


def test_a_teachers_probabilities_are_learned_as_they_are(tmp_path):
    found = [
        msgspec.structs.replace(one, soft={"refund": -0.3567, "invoice": -1.204}) if one.answer == "refund" else one
        for one in rows(160)
    ]
    student = train(tmp_path, found)
    opinion = load(tmp_path / "student" / "nano.json", student.sha256).of("refund tototo refund")
    labels = load(tmp_path / "student" / "nano.json").card.labels
    assert opinion.chances[labels.index("invoice")] > 0.1
    assert opinion.chances[labels.index("refund")] > opinion.chances[labels.index("invoice")]


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (rows(40), "40 rows, and 50 are the fewest"),
        ([row(f"say {n} please", f"answer {n}") for n in range(80)], "not a closed set"),
        ([msgspec.structs.replace(one, answer="yes") for one in rows(60)], "nothing to tell apart"),
        ([msgspec.structs.replace(one, answer=None) for one in rows(60)], "60 of 60 rows have no answer"),
        ([msgspec.structs.replace(one, licence="forbidden") for one in rows(60)], "the terms of t forbid"),
        ([row(one.messages[1].content, one.answer, system=None) for one in rows(60)], "have no system prompt"),
        (
            [row(one.messages[1].content, one.answer, system=f"s{at}") for at, one in enumerate(rows(60))],
            "more than one task",
        ),
        (rows(120, noise=1.0), "out of fold the head never"),
    ],
)
def test_rows_that_make_no_head_are_refused_and_nothing_is_left(tmp_path, found, why):
    with pytest.raises(TrainingError, match=why):
        train(tmp_path, found)
    assert not (tmp_path / "student").exists()


def test_rows_that_are_held_out_are_refused(tmp_path):
    with pytest.raises(Overlap):
        train(tmp_path, rows(60), held=[made.write(tmp_path / "holdout.jsonl", rows(60)[:1])])


def test_changed_files_are_not_served(tmp_path, clean):
    folder, student = clean
    shutil.copytree(folder / "student", tmp_path / "student")
    card, arrays = tmp_path / "student" / "nano.json", tmp_path / "student" / "nano.npz"
    with pytest.raises(HeadError, match="SHA-256"):
        load(card, "0" * 64)
    data = arrays.read_bytes()
    arrays.write_bytes(data[:-1] + b"x")
    with pytest.raises(HeadError, match="not the file that its card names"):
        load(card, student.sha256)
    arrays.unlink()
    with pytest.raises(HeadError, match=r"nano\.npz"):
        load(card, student.sha256)


def test_any_text_has_features_of_length_one():
    for said in ("", " ", "a", "안녕하세요", "\ud800", "x" * 20_000, "one two"):
        buckets, values = features(said)
        assert len(buckets) == len(set(buckets.tolist())) > 0
        assert 0.4 < float((values**2).sum()) < 1.0001
