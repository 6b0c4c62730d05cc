"""Rows of files: every way to write them, every way to get them wrong."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.importers.outcomes import OutcomeError, read_outcomes
from evals.labels.texts import TextsError, text_ids
from evals.migrate.calls import LogError, text_of
from evals.suites.grammar import Data, Fields
from evals.suites.rows import DataError, chosen, read_file, row_of


def written(tmp_path, *rows, name="rows.jsonl"):
    path = tmp_path / name
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz", "rows.ndjson"])
def test_json_lines_are_read(tmp_path, name):
    path = written(
        tmp_path,
        {"id": "a", "prompt": "2 + 2?", "reference": 4, "language": "en", "meta": {"task": "sum"}},
        {
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "셋 더하기 넷?"}],
            "tier": "small",
        },
        name=name,
    )
    first, second = read_file(path, Fields())
    assert (first.id, first.text, first.reference) == ("a", "2 + 2?", ("4",))
    assert first.slices(["language", "meta.task", "absent"]) == {"language": "en", "meta.task": "sum"}
    assert (second.id, second.text, second.tier, len(second.messages)) == ("2", "셋 더하기 넷?", "small", 2)
    assert first.stem != second.stem


def test_csv_is_read_under_the_names_its_columns_have(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text('nr,ask,right,bad\n7,"What, now?",yes,1\n8,And then?,,0\n')
    rows = read_file(path, Fields(id="nr", prompt="ask", reference="right", label="bad"))
    assert [(row.id, row.text, row.reference, row.wanted.found) for row in rows] == [
        ("7", "What, now?", ("yes",), True),
        ("8", "And then?", (), False),
    ]


def test_a_row_may_have_several_right_answers_or_an_object(tmp_path):
    rows = read_file(
        written(tmp_path, {"prompt": "a", "reference": ["x", 1]}, {"prompt": "b", "reference": {"k": 1}}), Fields()
    )
    assert [row.reference for row in rows] == [("x", "1"), ('{"k": 1}',)]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"id": "a"}, "no prompt; name one column with data.fields.prompt"),
        ({"prompt": "a", "messages": [{"role": "user", "content": "a"}]}, "both 'prompt' and 'messages'"),
        ({"messages": []}, "must be a list of OpenAI's messages"),
        ({"prompt": "a", "tier": "huge"}, "'tier' must be one of small, medium, large"),
        ({"prompt": "a", "label": "perhaps"}, "'label' must be true, false, 1 or 0"),
        ({"prompt": "a", "direction": "up"}, "must be input or output"),
        ({"prompt": "a", "tools": "{"}, "must be a JSON list"),
        ({"prompt": "a", "reference": [[]]}, "a reference must be"),
    ],
)
def test_a_wrong_row_is_refused_by_its_line_without_its_text(tmp_path, row, words):
    path = written(tmp_path, {"prompt": "fine"}, {**row, "secret": "hush"})
    with pytest.raises(DataError, match=words) as error:
        read_file(path, Fields())
    assert "rows.jsonl:2" in str(error.value)
    assert "hush" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("rows.txt", b"", "rows are read from"),
        ("rows.jsonl", b"[1]", "must be a JSON object"),
        ("rows.jsonl", b"{", "not JSON"),
        ("rows.jsonl", b"\xff", "not UTF-8"),
        ("rows.jsonl.gz", b"no gzip", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path, name, data, words):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(OutcomeError, match=words):
        read_file(path, Fields())


def test_rows_are_chosen_by_their_fields_and_ids_stand_once(tmp_path):
    rows = read_file(
        written(tmp_path, *({"id": str(n), "prompt": str(n), "kind": "ab"[n % 2]} for n in range(6))), Fields()
    )
    assert [row.id for row in chosen(rows, Data(file="f", where={"kind": ("a",)}, limit=2), "f")] == ["0", "2"]
    with pytest.raises(DataError, match=r"no row is left by data\.where"):
        chosen(rows, Data(file="f", where={"kind": ("c",)}), "f")
    with pytest.raises(DataError, match="the id '0' stands twice"):
        chosen([*rows, rows[0]], Data(file="f"), "f")


@given(
    st.dictionaries(
        st.sampled_from(["id", "prompt", "reference", "label", "messages", "tier"]),
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.text(max_size=3), max_size=2),
    )
)
def test_any_row_reads_or_is_refused(fields):
    try:
        assert row_of(fields, Fields(), "f:1", 1).messages
    except DataError as error:
        assert str(error).startswith("f:1")


def test_a_damaged_archive_is_a_mistake_of_its_file(tmp_path):
    path = tmp_path / "rows.jsonl.gz"
    raw = bytearray(gzip.compress("\n".join(json.dumps({"prompt": f"q {n * n}"}) for n in range(5000)).encode()))
    raw[200:300] = bytes(each ^ 0xFF for each in raw[200:300])
    path.write_bytes(raw)
    with pytest.raises(DataError, match="cannot be read"):
        read_file(path, Fields())
    with pytest.raises(TextsError, match="cannot be read"):
        text_ids(path)
    with pytest.raises(OutcomeError, match="cannot be read"):
        read_outcomes(path)
    with pytest.raises(LogError):
        text_of(path)
