"""The hashes, the split and the file of rows."""

import gzip
import hashlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.importers.outcomes import OutcomeError, read_outcomes
from evals.importers.rows import prompt_hash, row, split_of, stem_hash, without_repeats, write_rows


def a_row(**changed):
    fields = {
        "id": "t/1",
        "source": "t",
        "task": "t",
        "prompt": "How many legs has a hen?",
        "scores": {"a": 1.0, "b": 0.0},
    }
    return row(**(fields | changed))


def test_a_prompts_hash_is_that_of_its_lower_cased_words():
    assert prompt_hash("  How\n MANY\tlegs? ") == hashlib.sha256(b"how many legs?").hexdigest()[:16]


@given(st.text(), st.sampled_from([" ", "\n", "\t  ", "\r\n"]))
def test_white_space_around_and_inside_does_not_change_a_prompts_hash(words, gap):
    assert prompt_hash(gap + gap.join(words.split()) + gap) == prompt_hash(" ".join(words.split()))


def test_the_stem_leaves_out_options_case_and_signs():
    plain = stem_hash("How many legs has a hen")
    assert stem_hash("How many legs, has a HEN?\nA. one\nB. two") == plain
    assert stem_hash("How many legs has a hen?\n(A) one\n(B) two") == plain
    assert stem_hash("How many legs has a cat?\nA. one\nB. two") != plain


@given(st.text(alphabet="abc 가나", min_size=400).filter(lambda t: sum(c.isalnum() for c in t) >= 400), st.text())
def test_a_stem_ends_after_four_hundred_letters(start, rest):
    assert stem_hash(start) == stem_hash(start + rest.replace("\n", " "))


def test_the_split_is_sixty_twenty_twenty_and_never_changes():
    counts = Counter(split_of(f"{k:016x}") for k in range(20_000))
    assert counts["train"] == pytest.approx(12_000, abs=250)
    assert counts["valid"] == pytest.approx(4_000, abs=200)
    assert counts["test"] == pytest.approx(4_000, abs=200)
    assert [split_of(f"{k:016x}") for k in range(8)] == [
        {True: "train", False: "valid" if n < 80 else "test"}[n < 60]
        for n in (int(hashlib.sha256(f"split:{k:016x}".encode()).hexdigest()[:8], 16) % 100 for k in range(8))
    ]


def test_the_same_question_with_other_options_falls_in_one_split():
    assert a_row(prompt="Which one?\nA. x\nB. y").split == a_row(prompt="WHICH ONE\nA. p\nB. q").split


def test_only_the_first_of_two_equal_prompts_is_kept():
    kept = list(
        without_repeats([a_row(), a_row(id="t/2", prompt="how many LEGS has a hen?"), a_row(id="t/3", prompt="x")])
    )
    assert [item.id for item in kept] == ["t/1", "t/3"]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_what_is_written_reads_back_as_outcomes(tmp_path, name):
    path = tmp_path / name
    assert (
        write_rows([a_row(output_tokens={"a": 3}, token_method="by hand"), a_row(id="t/2", prompt="x\u2028y")], path)
        == 2
    )
    one, two = read_outcomes(path)
    assert (one.id, one.scores, one.output_tokens, one.token_method) == (
        "t/1",
        {"a": 1.0, "b": 0.0},
        {"a": 3},
        "by hand",
    )
    assert one.stem == stem_hash(one.prompt)
    assert two.prompt == "x\u2028y"


def test_the_same_rows_give_the_same_bytes(tmp_path):
    write_rows([a_row()], tmp_path / "a.jsonl.gz")
    write_rows([a_row()], tmp_path / "b.jsonl.gz")
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes()).endswith(b"}\n")


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(OutcomeError, match=r"nowhere.*cannot be written"):
        write_rows([a_row()], tmp_path / "nowhere" / "rows.jsonl")
