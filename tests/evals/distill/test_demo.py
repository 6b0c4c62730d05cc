"""The whole loop, replayed in small: a real gateway, the embedded model, a head that is trained, listed and served."""

import json
import re
from random import Random

import httpx
import pytest
from click.testing import CliRunner

from evals.distill import selection
from evals.distill.demo import orders, tickets
from evals.distill.demo.loop import TASKS, Size, replay
from evals.distill.demo.pages import page
from evals.distill.demo.steps import Ended, StepError, Steps, apart
from evals.distill.demo.teacher import NAME, teaching
from evals.distill.trainers.nano import Recipe
from stillhouse.cli.main import cli

SMALL = Size(
    history=200, budget=140, unchecked=1, tried=1, shadow=1, canary=1, after=12, new=1, holdout=2, trainers=("nano",),
    recipe=(("nano", "strengths=[10.0]"),), override=True,
)  # fmt: skip


def in_process(words):
    """The commands without a second's start each."""
    done = CliRunner().invoke(cli, list(words), catch_exceptions=False)
    return Ended(done.exit_code, done.stdout, done.stderr)


@pytest.mark.parametrize("task", [tickets, orders])
def test_questions_are_drawn_alike_by_the_same_seed_and_new_wordings_are_new(task):
    learned = [task.draw(Random(n)) for n in range(300)]
    assert learned == [task.draw(Random(n)) for n in range(300)]
    later = [task.draw(Random(n), held_back=True) for n in range(100)]
    assert not {each.wording for each in learned} & {each.wording for each in later}
    assert not {each.text for each in learned} & {each.text for each in later}


def test_an_order_is_a_line_of_four_fields_and_a_ticket_is_one_of_the_desks():
    line = re.compile(r"(MON|TUE|WED|THU|FRI|SAT|SUN) \| [A-Z][a-z]+ \| [1-9][0-9]? \| [a-z]+ [a-z]+")
    for n in range(300):
        assert line.fullmatch(orders.draw(Random(n)).gold)
        assert tickets.draw(Random(n)).gold in tickets.DESKS


def test_the_teacher_gives_the_right_answer_and_invents_none():
    known, other = tickets.draw(Random(1)), tickets.draw(Random(2))
    with teaching() as teacher, httpx.Client(base_url=teacher.url, trust_env=False) as http:
        teacher.learn([known])
        told = http.post("/chat/completions", json={"messages": known.messages}).json()
        assert (told["choices"][0]["message"]["content"], told["model"]) == (known.gold, NAME)
        assert http.post("/chat/completions", json={"messages": other.messages}).status_code == 404


@pytest.mark.local_model
@pytest.mark.timeout(300)  # the engine is many times slower where others compute, too
def test_the_loop_goes_round_and_traffic_moves_to_the_student(tmp_path):
    said = []
    measured = replay(TASKS["tickets"], SMALL, tmp_path, said.append, in_process)
    before, after = measured["before"], measured["after"]
    assert before["tiers"] == {"large": 1}  # the small tier answered, was turned down, and the large one was asked
    assert measured["rows"]["imported"]["failed"] == {"disliked": 1, "escalated": 1}
    assert measured["rows"]["labelled"]["calls"] == 1
    student = measured["students"]["nano"]
    assert student["lineage"]["teacher"] == NAME
    assert after["models"].get(student["name"], 0) > 0
    assert before["saved"] == 0 < after["saved"]
    assert after["right"] >= 11
    assert measured["gate"]["ruling"]["verdict"] == "untold"  # two rows say nothing, and that is no yes
    assert measured["shadow"]["rows"] == 1
    assert measured["roll_out"]["override"]
    assert len(said) == len(measured["steps"])
    text = page({"of": dict.fromkeys(("command", "date", "commit", "machine"), "x"), "seconds": 1.0,
                 "tasks": [json.loads(json.dumps(measured))]})  # fmt: skip
    assert "with a person's override" in text
    assert f"n = {SMALL.after}" in text


def test_a_command_that_fails_stops_the_replay_and_is_told_of():
    said = []
    with pytest.raises(StepError, match="begins one") as error:
        Steps(said.append, apart).json("distill", "status", "nothing")
    assert error.value.code == 2
    assert "(exit code 2)" in said[0]


def test_targeted_and_random_rows_are_judged_on_the_same_questions(tmp_path):
    told = selection.measured(
        1, tmp_path, drawn=360, first=60, held=60, shares=(0.5,), recipe=Recipe(strengths=(10.0,))
    )
    targeted, random = told["runs"]
    assert (targeted["choice"], random["choice"]) == ("targeted", "random")
    assert targeted["rows"] == random["rows"]
    assert targeted["failed"] > random["failed"]
    assert len(targeted["right"]) == len(random["right"]) == len(told["first_head"]["right"])
    (found,) = selection.differences([told])
    assert found["low"] <= found["gain"] <= found["high"]
    assert found["gain"] == pytest.approx((sum(targeted["right"]) - sum(random["right"])) / len(random["right"]))
