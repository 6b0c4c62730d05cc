import gzip
import json

import pytest

from evals.importers.outcomes import (
    OutcomeError,
    read_outcomes,
    refuse_one_class,
    refuse_shared_stems,
    without_stems,
)


def write(folder, *rows, name="rows.jsonl"):
    path = folder / name
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def row(name="a", **fields):
    return {"id": name, "prompt": f"prompt {name}", "scores": {"m": 1.0}, **fields}


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_rows_come_back_in_order(tmp_path, name):
    path = write(tmp_path, row("a"), row("b", extra="ignored", output_tokens={"m": 3}), name=name)
    assert [r.id for r in read_outcomes(path)] == ["a", "b"]


def test_prompts_may_hold_other_line_ends(tmp_path):
    path = write(tmp_path, json.dumps(row(prompt="one\u2028two\u0085three"), ensure_ascii=False))
    assert read_outcomes(path)[0].prompt == "one\u2028two\u0085three"


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (row("a"), "rows.jsonl:2: id 'a' was already used on line 1"),
        ('{"id":"b","prompt":"p","scores":{"m":NaN}}', "rows.jsonl:2: not an outcome row"),
        (row("b", scores={"m": 1.5}), "rows.jsonl:2: row 'b': score of 'm' is 1.5"),
        (row("b", scores={}), "row 'b': no scores"),
        (row("b", output_tokens={"m": -1}), "row 'b': output_tokens of 'm' is -1"),
        ({"id": "b", "prompt": "p"}, "missing required field `scores`"),
        ("not json", "rows.jsonl:2: not an outcome row"),
    ],
)
def test_a_bad_row_is_refused_by_name(tmp_path, second, words):
    with pytest.raises(OutcomeError) as refusal:
        read_outcomes(write(tmp_path, row("a"), second))
    assert words in str(refusal.value)


def test_an_empty_file_and_a_missing_one_are_refused(tmp_path):
    with pytest.raises(OutcomeError, match="no rows"):
        read_outcomes(write(tmp_path))
    with pytest.raises(OutcomeError, match="cannot be read"):
        read_outcomes(tmp_path / "nowhere.jsonl")
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b'{"id":')[:-4])
    with pytest.raises(OutcomeError, match="cannot be read"):
        read_outcomes(tmp_path / "cut.jsonl.gz")


def test_one_class_only_is_refused_naming_a_row(tmp_path):
    rows = read_outcomes(write(tmp_path, row("a"), row("b")))
    with pytest.raises(OutcomeError, match="row 'a' and all 2 rows of 'm' score 1"):
        refuse_one_class(rows, ["m"])
    with pytest.raises(OutcomeError, match="no row has a score for 'other'"):
        refuse_one_class(rows, ["other"])


def test_splits_that_share_a_question_are_refused(tmp_path):
    train = read_outcomes(write(tmp_path, row("a", stem_hash="s"), row("b", stem_hash="t")))
    held_out = read_outcomes(write(tmp_path, row("c", stem_hash="s"), name="held.jsonl"))
    with pytest.raises(OutcomeError, match=r"1 held-out rows share .* 'c'"):
        refuse_shared_stems(train, held_out)
    assert [r.id for r in without_stems(train, held_out)] == ["b"]


def test_without_a_stem_the_prompt_is_the_question(tmp_path):
    first, second = read_outcomes(write(tmp_path, row("a", prompt="same"), row("b", prompt=" same ")))
    assert first.stem == second.stem
