"""Nothing that was sown comes out, of no kind, in no file; and no held-out prompt comes back in another dress."""

import pytest

from evals.distill.curate.clean import LIKELY, SURE, Masker
from evals.distill.curate.names import doubtful_names
from evals.distill.example import Example, Message
from evals.distill.privacy import kinds, leaks
from evals.distill.privacy.__main__ import got_through, markdown, passed
from evals.distill.privacy.fixture import seeds
from evals.distill.privacy.follow import _left, follow


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    # 500 seeds in as many requests and a few; the whole of it is a command, python -m evals.distill.privacy
    return follow(tmp_path_factory.mktemp("private"), seeds(kinds.PROMISED), 505)


def test_none_of_five_hundred_seeds_is_in_any_file_of_the_loop(followed):
    assert followed["seeds"] == 500
    assert got_through(followed) == {}
    assert followed["exports"] == 15
    assert {"train.jsonl", "holdout.jsonl", "manifest.json", "rows/captures.jsonl", "labels/answers.db"} < set(
        followed["left"]
    )
    assert all(left["lines"] for where, left in followed["left"].items() if where.startswith("exports/"))


def test_what_has_a_form_is_not_even_captured(followed):
    personal = {"name, introduced", "name in a sentence", "Korean name", "address", "Korean address", "user name"}
    assert set(got_through(followed, captured=True)) == personal


def test_a_seed_that_is_left_is_seen_whole_or_in_part_but_only_in_its_own_row():
    whole, half, other = seeds({"name in a sentence": kinds.PROMISED["name in a sentence"]})[:3]
    lines = [
        f"{whole.mark} said {whole.value}",
        f"{half.mark}: [NAME_1] {half.value.split()[-1]}",
        f"{other.mark} is [NAME_1]; {half.value.split()[-1]} is an ordinary word here",
    ]
    assert _left([whole, half, other], lines) == {
        "lines": 3, "whole": {"name in a sentence": 1}, "part": {"name in a sentence": 2},
    }  # fmt: skip


def test_no_held_out_prompt_is_learned_from_in_whatever_form_it_comes_again(tmp_path):
    found = leaks.followed(tmp_path, 150, 5)
    assert found["exact"] == 0
    assert found["largest_share"] < found["near"]
    assert {way: count for way, (count, _) in found["promised"].items() if count} == {}
    assert found["hard"]["words in another order"][0] > 0  # what is learned from does hold rows said again


def test_the_page_tells_what_got_through(followed):
    held = {"held": 9, "exact": 0, "learned": 90, "largest_share": 0.5, "near": 0.8,
            "promised": {"in capitals": [0, 9]}, "hard": {"in verse": [3, 9]}}  # fmt: skip
    sown = {"sown": {kind: each.number for kind, each in kinds.PROMISED.items()}}
    made = {"promised": followed | sown, "hard": followed | sown, "held_out": held, "cpu_s": 1.0,
            "of": {"command": "c", "date": "d", "commit": "e", "machine": "m"}}  # fmt: skip
    assert passed(made)
    page = markdown(made)
    assert "| key | 40 | 0 | 0 |" in page
    assert "| in verse | 9 | 3 |" in page
    held["promised"]["in capitals"] = [1, 9]
    assert not passed(made)


@pytest.mark.parametrize(
    "name",
    ["Julia Castellano", "Yoo Jaemin", "Aoife Mbeki", "Declan Van Dijk", "Ban Ki-moon", "Priya O'Connell"],
)
def test_names_that_are_on_no_list_are_names(name):
    text = f"Send it to {name}, please."
    assert [text[found.start : found.end] for found in doubtful_names(text)] == [name]


@pytest.mark.parametrize("said", ["New York", "Azure DevOps", "On Monday", "GitHub Copilot", "The Order", "a Kovacs b"])
def test_what_is_no_name_stays(said):
    assert list(doubtful_names(f"Look at {said} now.")) == []


def test_a_name_keeps_its_placeholder_through_a_row_and_its_surname_alone_is_masked_too():
    row = Example(id="", messages=(Message("user", "Julia Castellano wrote; is Castellano right?"),),
                  answer="Julia Castellano is.", soft={"Castellano": -0.1})  # fmt: skip
    masked, touched = Masker(LIKELY)(row)
    assert touched
    assert masked.answer == "[NAME_1] is."
    assert "Castellano" not in str(masked)
    assert Masker(SURE)(row)[0].answer == row.answer
