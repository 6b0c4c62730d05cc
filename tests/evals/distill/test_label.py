"""Labels: told before they are paid, paid once, masked, joined by the same law each time; the holdout stays as it is."""

import asyncio
import itertools
import json
import math
import random
import re

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from evals.distill.curate.rules import Rules
from evals.distill.curate.run import curate
from evals.distill.example import read_examples
from evals.distill.folder import Folder
from evals.distill.label.kept import LabelError, Pass, added, judged_by, read_labels
from evals.distill.label.run import Wishes, label
from evals.distill.label.soft import whole_answers
from evals.runs.runner import BY_BUDGET
from stillhouse.cli.distill import command
from tests.evals.distill import made
from tests.support.upstream import Answer, ScriptedUpstream

SETTINGS = """\
stillhouse: 1
upstreams: {{up: {{kind: openai, base_url: "{url}"}}}}
tiers:
  - {{tier: large, upstream: up, model: teacher-1, price: {{input: 1, output: 2}}}}
  - {{tier: medium, upstream: up, model: teacher-2, price: {{input: 0, output: 0}}}}
"""


def said(seen):
    """What a teacher is asked, in its last turn."""
    return seen.json["messages"][-1]["content"]


def teacher(seen):
    """The first word of the question, which is its subject."""
    if not seen.path.endswith("/chat/completions"):
        return Answer.error(404, "no such page")
    return Answer.completion(said(seen).split()[0])


@pytest.fixture
async def up():
    async with ScriptedUpstream() as server:
        server.always(teacher)
        yield server


@pytest.fixture
def folder(home, up):
    """A curated loop in which every third row has an answer already."""
    folder = Folder.of(home, "loop")
    folder.root.mkdir(parents=True)
    rng = random.Random(3)
    rows = [
        made.row(made.text(rng, made.SUBJECTS[n % 4]), **({} if n % 3 == 0 else {"answer": None, "teacher": ""}))
        for n in range(150)
    ]
    curate([made.write(home / "rows.jsonl", rows)], folder, Rules(budget=60, holdout=0.1))
    (home / "stillhouse.yaml").write_text(SETTINGS.format(url=up.base_url))
    return folder


def wishes(folder, **more):
    return Wishes(**{"teacher": "teacher-1", "config": folder.root.parents[1] / "stillhouse.yaml"} | more)


async def labelled(folder, agreed=lambda _: True, tell=lambda _: None, **more):
    return await label(folder, wishes(folder, **more), agreed, tell)


def rows_of(folder, side="train"):
    return list(read_examples(folder.root / f"{side}.jsonl"))


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.root.glob("*.json*")}


def calls(up):
    return [seen for seen in up.requests if seen.path.endswith("/chat/completions")]


async def test_only_rows_without_an_answer_are_asked_and_the_others_keep_theirs(folder, up):
    before = {row.id: row for row in [*rows_of(folder), *rows_of(folder, "control")]}
    missing = {key for key, row in before.items() if row.answer is None}
    done = await labelled(folder)
    assert len(calls(up)) == len(missing) == done.estimate.calls == done.ran.calls
    for row in rows_of(folder):
        if row.id in missing:
            assert (row.answer, row.teacher) == (row.messages[-1].content.split()[0], "teacher-1")
        else:
            assert row == before[row.id]
    assert done.manifest["rows"]["train"]["unlabelled"] == 0


async def test_the_same_command_again_asks_nothing_and_leaves_the_same_bytes(folder, up):
    await labelled(folder)
    first, asked = bytes_of(folder), len(calls(up))
    again = await labelled(folder)
    assert (len(calls(up)), again.estimate.calls, again.ran.calls) == (asked, 0, 0)
    assert bytes_of(folder) == first


async def test_a_run_that_was_killed_goes_on_and_leaves_what_a_whole_one_leaves(folder, up, home):
    class Killed(Exception):
        pass

    def kill(at):
        if at.done == 7:
            raise Killed

    with pytest.raises(Killed):
        await labelled(folder, tell=kill, parallel=1)
    assert not (folder.root / "labels" / "manifest.json").exists()
    done = await labelled(folder, parallel=1)
    assert done.estimate.known == 7
    assert len({said(seen) for seen in calls(up)}) == len(calls(up))  # nothing was asked twice
    assert all(row.answer for row in rows_of(folder))


async def test_a_budget_ends_it_and_the_rest_stays_without_an_answer(folder, up):
    rows = [row for row in rows_of(folder) if row.answer is None]
    done = await labelled(folder, parallel=1, budget_usd=0.0003, params={"max_tokens": 100})
    assert done.ran.stopped == BY_BUDGET
    assert 0 < done.ran.calls < len(rows)
    assert done.ran.spent_nano <= 300_000
    kept = done.manifest["rows"]["train"]
    assert kept["rows"] == kept["answered"] + kept["unlabelled"]
    assert kept["unlabelled"] > 0
    left = await labelled(folder, parallel=1, budget_usd=0.0, params={"max_tokens": 100}, rest=False)
    assert left.manifest["rows"]["train"]["rows"] == kept["answered"]
    assert all(row.answer for row in rows_of(folder))
    whole = await labelled(folder, params={"max_tokens": 100})
    assert whole.manifest["rows"]["train"]["unlabelled"] == 0
    assert len(rows_of(folder)) == kept["rows"]


async def test_what_cannot_be_learned_from_is_left_out_by_its_reason(folder, up):
    ends = itertools.cycle(
        [
            ("It is", "length"),
            ("", "stop"),
            ("I'm sorry, but I can't help.", "stop"),
            ("x", "content_filter"),
            ("Fine.", "stop"),
        ]
    )

    def odd(seen):
        text, finish = next(ends)
        return Answer.completion(text, reason=finish)

    up.always(odd)
    before = len(rows_of(folder))
    done = await labelled(folder)
    rows = done.manifest["rows"]["train"]
    assert set(rows["left_out"]) == {
        "the teacher's answer was cut off", "the teacher's answer is empty", "the teacher refused",
    }  # fmt: skip
    assert rows["rows"] + sum(rows["left_out"].values()) == before
    assert {row.answer for row in rows_of(folder) if row.teacher == "teacher-1" and row.answer != "It is done."} == {
        "Fine."
    }
    up.always(teacher)
    second = await labelled(folder, teacher="teacher-2")
    assert second.manifest["rows"]["train"]["left_out"] == {}
    assert len(rows_of(folder)) == before


async def test_personal_data_in_an_answer_is_masked_before_it_is_written_anywhere(folder, up):
    mark = "ada.lovelace@example.org"
    up.always(lambda seen: Answer.completion(f"Write to {mark}."))
    await labelled(folder, logprobs=True)
    assert all(
        row.answer == "Write to [EMAIL_1]." for row in rows_of(folder) if row.teacher and row.answer != "It is done."
    )
    for path in folder.root.rglob("*"):
        if path.is_file():
            assert mark.encode() not in path.read_bytes(), path


async def test_a_teacher_whose_terms_forbid_it_is_not_asked(folder, up):
    from evals.distill.gather.texts import Licences

    with pytest.raises(LabelError, match="the terms of teacher-1 forbid"):
        await labelled(folder, licences=Licences(["teacher-*=forbidden"]))
    assert not calls(up)
    await labelled(folder, licences=Licences(["teacher-*=allowed"]))
    assert {row.licence for row in rows_of(folder)} == {"allowed"}


async def test_all_rows_can_be_asked_and_the_last_teacher_has_the_word(folder, up):
    up.always(lambda seen: Answer.completion(f"{seen.json['model']} says so"))
    await labelled(folder)
    await labelled(folder, teacher="medium", only="all")
    assert {row.answer for row in rows_of(folder)} == {"teacher-2 says so"}
    asked = len(calls(up))
    await labelled(folder, only="all")
    assert {row.answer for row in rows_of(folder)} == {"teacher-1 says so"}
    await labelled(folder)  # fills what is missing, which is nothing
    assert {row.answer for row in rows_of(folder)} == {"teacher-1 says so"}
    await labelled(folder, teacher="medium", only="all")
    assert {row.answer for row in rows_of(folder)} == {"teacher-2 says so"}
    both = {row.id: row for row in [*rows_of(folder), *rows_of(folder, "control")]}
    assert len(calls(up)) == asked + sum(row.id not in _missing_first(folder) for row in both.values())


def _missing_first(folder):
    """Rows that the first asking was about: their answers were known when all were asked."""
    aside = folder.root / "labels" / "curated"
    rows = [row for side in ("train", "control") for row in read_examples(aside / f"{side}.jsonl")]
    return {row.id for row in rows if row.answer is None}


async def test_the_holdout_is_judged_by_references_and_its_file_is_never_written(folder, up):
    before = folder.holdout.read_bytes()
    bare = {row.id for row in rows_of(folder, "holdout") if row.answer is None}
    assert bare
    done = await labelled(folder, held=True)
    held = judged_by(folder, folder.holdout)
    assert folder.holdout.read_bytes() == before
    assert done.references == (len(held), len(held))
    assert {row.answer for row in held if row.id in bare} <= set(made.SUBJECTS)
    up.always(lambda seen: Answer.completion("something else"))
    await labelled(folder, teacher="teacher-2", held=True, only="all")
    assert judged_by(folder, folder.holdout) == held  # what is judged by does not move
    assert not bare & {row.id for row in rows_of(folder)}


async def test_rows_that_somebody_changed_are_refused(folder, up):
    await labelled(folder)
    await labelled(folder)
    made.write(folder.train, rows_of(folder)[:-1])
    await labelled(folder)  # from what curate left
    curated = folder.root / "labels" / "curated" / "train.jsonl"
    curated.write_bytes(curated.read_bytes() + b"\n")
    with pytest.raises(LabelError, match="is not what curate left"):
        await labelled(folder)


async def test_a_second_process_at_the_same_loop_is_sent_away(folder):
    first = asyncio.Event()
    waiting = asyncio.Event()

    def tell(_):
        first.set()

    async def slow():
        await labelled(folder, tell=tell, parallel=1)
        waiting.set()

    task = asyncio.create_task(slow())
    await first.wait()
    with pytest.raises(LabelError, match="another process"):
        await labelled(folder)
    await task
    assert waiting.is_set()


async def test_a_teacher_that_answers_nothing_is_left_alone_soon(folder, up):
    up.always(lambda seen: Answer.error(400, "logprobs are not supported", code="unsupported"))
    done = await labelled(folder, logprobs=True, parallel=1)
    assert len(calls(up)) < 30
    assert done.ran.stopped
    assert "logprobs are not supported" in next(iter(done.failed))
    assert done.manifest["rows"]["train"]["unlabelled"] > 0


# --- the command -------------------------------------------------------------------------------------


async def run(folder, *words):
    line = ["label", "loop", "--config", str(folder.root.parents[1] / "stillhouse.yaml"), *words]
    return await asyncio.to_thread(lambda: CliRunner().invoke(command, line, catch_exceptions=False))


async def test_the_cost_is_told_and_nothing_is_spent_without_a_yes(folder, up):
    result = await run(folder, "--teacher", "teacher-1")
    assert result.exit_code == 2
    assert re.search(r"calls .*: at most about 0\.\d+ usd, likely 0\.\d+ usd to 0\.\d+ usd \(95 %\)", result.output)
    assert "--yes" in result.output
    assert not calls(up)
    done = await run(folder, "--teacher", "teacher-1", "--yes", "--json")
    assert done.exit_code == 0
    told = json.loads(done.output.splitlines()[-1])
    assert 0 < told["spent_nano"] <= told["estimate"]["most"]
    assert told["paid_nano"] == told["spent_nano"]


async def test_what_costs_nothing_needs_no_yes_and_a_used_up_budget_has_an_exit_code(folder, up):
    few = await run(folder, "--teacher", "teacher-2", "--limit", "5")
    assert (few.exit_code, len(calls(up))) == (0, 5)
    assert "still without" in few.output
    assert (await run(folder, "--teacher", "teacher-1", "--budget", "0.0022", "--yes")).exit_code == 3
    up.always(lambda seen: Answer.error(400, "no"))
    assert (await run(folder, "--teacher", "teacher-2")).exit_code == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--teacher", "teacher-9"], "no model here is 'teacher-9'"),
        (["--teacher", "teacher-2", "--param", "temperature"], "write NAME=JSON"),
        (["--teacher", "teacher-2", "--param", 'model="x"'], "written by this command itself"),
        (["--teacher", "teacher-2", "--licence", "x"], "is no licence"),
    ],
)
async def test_bad_input_is_refused_in_words(folder, words, said):
    result = await run(folder, *words)
    assert result.exit_code == 2
    assert said in result.output


def test_a_loop_that_is_not_curated_is_refused(home):
    result = CliRunner().invoke(command, ["label", "none", "--teacher", "small"], catch_exceptions=False)
    assert result.exit_code == 2
    assert "First: stillhouse distill curate none" in result.output


# --- chances -----------------------------------------------------------------------------------------

LABELS = ("billing", "bill", "delivery", "delay", "refund")


def test_chances_of_one_token_answers_are_the_tokens_own():
    nats = {"refund": math.log(0.7), "billing": math.log(0.2), "so": math.log(0.1)}
    found = whole_answers([("refund", nats)], "refund", LABELS)
    assert found == {"billing": round(math.log(0.2), 6), "refund": round(math.log(0.7), 6)}


def test_chances_follow_the_chain_rule_and_what_cannot_be_told_apart_is_nobodys():
    said = [("del", {"del": math.log(0.5), "bill": math.log(0.3), "ref": math.log(0.2)}),
            ("ivery", {"ivery": math.log(0.6), "ay": math.log(0.4)})]  # fmt: skip
    found = {label: math.exp(nats) for label, nats in whole_answers(said, "delivery", LABELS).items()}
    assert found == pytest.approx({"delivery": 0.3, "delay": 0.2, "refund": 0.2}, abs=1e-5)


def test_tokens_that_spell_another_answer_give_no_chances():
    assert whole_answers([("refund", {"refund": 0.0})], "[NAME_1]", LABELS) is None
    assert whole_answers([("yes", {"yes": 0.0})], "yes", LABELS) is None


@given(st.lists(st.tuples(st.sampled_from(LABELS), st.floats(-8, 0)), min_size=1, max_size=5), st.sampled_from(LABELS))
def test_chances_never_sum_to_more_than_one(others, answer):
    weights = {token: math.exp(nats) for token, nats in [*others, (answer, -0.1)]}
    nats = {token: math.log(weight / sum(weights.values())) for token, weight in weights.items()}
    found = whole_answers([(answer, nats)], answer, LABELS)
    assert sum(map(math.exp, found.values())) <= 1 + 1e-5
    assert set(found) <= set(LABELS)
    assert answer in found


async def test_soft_labels_come_from_a_teachers_log_probabilities(folder, up):
    def sure(seen):
        subject = said(seen).split()[0]
        other = made.SUBJECTS[(made.SUBJECTS.index(subject) + 1) % 4]
        top = [{"token": subject, "logprob": -0.2}, {"token": other, "logprob": -2.0}]
        assert seen.json["logprobs"] is True
        assert seen.json["top_logprobs"] == 5
        return Answer.completion(subject, logs={"content": [top[0] | {"top_logprobs": top}], "refusal": None})

    up.always(sure)
    done = await labelled(folder, logprobs=True, only="all")
    rows = rows_of(folder)
    assert all(row.soft and len(row.soft) == 2 and row.soft[row.answer] == -0.2 for row in rows)
    assert rows[0].tokens is not None
    assert done.manifest["rows"]["train"]["soft"] == len(rows)


def test_an_asking_for_all_has_the_last_word_and_one_for_the_missing_keeps_its_place():
    one, two = (Pass(teacher=f"t{n}", file=f"{n}", only="missing", licence="unknown", params={}) for n in (1, 2))
    every = Pass(teacher="t1", file="1", only="all", licence="unknown", params={})
    assert added([one, two], one) == [one, two]
    assert added([every, two], every) == [two, every]
    assert added([], one) == [one]


def test_a_damaged_file_of_labels_is_named(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text("{}\n")
    with pytest.raises(LabelError, match="is damaged"):
        read_labels(path)
