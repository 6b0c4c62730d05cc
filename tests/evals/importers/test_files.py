"""Every mistake of a clone's file is named with its place, and never with its text."""

import pytest

from evals.importers import files
from evals.importers.outcomes import OutcomeError


def test_json_lines_come_with_file_and_line(put):
    path = put("a.jsonl", [{"x": 1}, {"x": 2}])
    assert list(files.read_jsonl(path)) == [(f"{path}:1", {"x": 1}), (f"{path}:2", {"x": 2})]


def test_a_broken_line_is_named_without_its_text(put):
    path = put("a.jsonl", '{"x": 1}\n{"secret": oops}\n')
    with pytest.raises(OutcomeError, match=r"a\.jsonl:2:12: not JSON") as caught:
        list(files.read_jsonl(path))
    assert "oops" not in str(caught.value)


def test_a_line_that_is_no_object_is_refused(put):
    with pytest.raises(OutcomeError, match=r"a\.jsonl:1: expected an object, found a list"):
        list(files.read_jsonl(put("a.jsonl", "[1]\n")))


def test_a_document_that_is_no_json_is_named_with_line_and_column(put):
    with pytest.raises(OutcomeError, match=r"a\.json:2:1: not JSON"):
        files.read_json(put("a.json", "[\n"))


def test_a_large_file_that_was_not_fetched_is_recognised(put):
    with pytest.raises(OutcomeError, match="git lfs pull"):
        files.read_json(put("a.json", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"))


def test_a_missing_file_says_where_to_look(tmp_path):
    with pytest.raises(OutcomeError, match=r"gone\.json: not there.*docs/importers\.md"):
        files.read_json(tmp_path / "gone.json")


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "a.json").write_bytes(b"\xff\xfe")
    with pytest.raises(OutcomeError, match="not UTF-8 at byte 0"):
        files.read_json(tmp_path / "a.json")


def test_a_csv_without_a_column_names_it(put):
    with pytest.raises(OutcomeError, match=r"a\.csv:1: no column 'right'; it has 'prompt'"):
        list(files.read_csv(put("a.csv", "prompt\nhello\n"), ["prompt", "right"]))


def test_a_short_record_is_named_by_its_line(put):
    with pytest.raises(OutcomeError, match=r"a\.csv:3: 1 fields where the first line names 2"):
        list(files.read_csv(put("a.csv", "a,b\n1,2\n3\n"), ["a"]))


def test_a_record_may_span_lines(put):
    [(where, item)] = files.read_csv(put("a.csv", 'a,b\n"one\ntwo",2\n'), ["a"])
    assert (where.rsplit(":", 1)[1], item) == ("3", {"a": "one\ntwo", "b": "2"})


@pytest.mark.parametrize(("said", "meant"), [(True, 1.0), ("True", 1.0), (1, 1.0), ("0", 0.0), (False, 0.0), (0.0, 0.0)])
def test_right_and_wrong_are_read_in_every_spelling(said, meant):
    assert files.truth_field({"ok": said}, "ok", "here") == meant


@pytest.mark.parametrize("said", ["maybe", None, 2, float("nan")])
def test_anything_else_is_neither_right_nor_wrong(said):
    with pytest.raises(OutcomeError, match="here: 'ok' must be true or false"):
        files.truth_field({"ok": said}, "ok", "here")
