"""Exports: every format keeps its own rules, and what must not leave does not."""

import json
import random

import msgspec
import pytest
from click.testing import CliRunner

from evals.distill.apart import Overlap
from evals.distill.example import Message, prompt_id
from evals.distill.export.formats import FORMATS
from evals.distill.export.run import ExportError
from evals.distill.export.run import export as export_all
from evals.distill.folder import Folder
from stillhouse.cli.distill_export import FORMATS as OFFERED
from stillhouse.cli.distill_export import command
from tests.evals.distill import made


def export(folder, name):
    return export_all(folder, [name])[0]


def loop(tmp_path, rows, held=()):
    folder = Folder.of(tmp_path, "loop")
    folder.root.mkdir(parents=True)
    made.write(folder.train, rows)
    made.write(folder.holdout, held)
    made.write(folder.general, [])
    return folder


def rows(n=120, **more):
    rng = random.Random(5)
    return [made.row(made.text(rng, "refund"), rejected="No idea.", **more) for _ in range(n)]


def test_every_format_writes_the_same_bytes_twice_and_every_line_keeps_it(tmp_path):
    folder = loop(tmp_path, rows())
    assert set(OFFERED) == set(FORMATS)
    for name, of in FORMATS.items():
        manifest = export(folder, name)
        path = folder.root / "exports" / manifest["file"]
        first = path.read_bytes()
        assert manifest["rows"] == 120 == len(first.splitlines())
        assert [of.check(line) for line in first.splitlines()] == [None] * 120
        export(folder, name)
        assert path.read_bytes() == first


def test_a_row_of_one_format_is_none_of_another(tmp_path):
    folder = loop(tmp_path, rows())
    line = {}
    for name in FORMATS:
        line[name] = (folder.root / "exports" / export(folder, name)["file"]).read_bytes().splitlines()[0]
    for name, of in FORMATS.items():
        fits = {other for other, data in line.items() if of.check(data) is None}
        assert fits == ({"bedrock", "nova"} if name in {"bedrock", "nova"} else {name})


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("openai", {"messages": [{"role": "user", "content": "a"}]}),
        ("openai", {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": " "}]}),
        ("openai", {"messages": [{"role": "bot", "content": "a"}, {"role": "assistant", "content": "b"}]}),
        ("openai", {"messages": []}),
        ("openai", {"messages": [{"role": "user", "content": "a"}], "extra": 1}),
        ("bedrock", {"schemaVersion": "2024", "messages": []}),
        ("sharegpt", {"conversations": [{"from": "human", "value": "a"}]}),
        ("preference", {"prompt": [{"role": "user", "content": "a"}], "chosen": [], "rejected": []}),
        ("prompts", {"prompt": "a"}),
        ("prompts", ["a"]),
    ],
)
def test_a_broken_line_is_found_and_its_texts_are_not_told(name, broken):
    wrong = FORMATS[name].check(json.dumps(broken).encode())
    assert wrong
    assert FORMATS[name].check(b"\xff{") == "not a JSON object in UTF-8"


def test_several_turns_go_to_nova_and_not_to_single_turn_students(tmp_path):
    said = (
        Message("system", "Be brief."),
        Message("user", "One?"),
        Message("assistant", "Two."),
        Message("user", "Three?"),
    )
    long = [
        msgspec.structs.replace(one, messages=(*said[:3], one.messages[1]), id=prompt_id((*said[:3], one.messages[1])))
        for one in rows(100)
    ]
    folder = loop(tmp_path, long)
    assert export(folder, "nova")["rows"] == 100
    with pytest.raises(ExportError, match=r"0 rows fit the format bedrock.*100 more than one turn"):
        export(folder, "bedrock")


def test_missing_answers_are_counted_and_refused_but_prompts_go(tmp_path):
    folder = loop(
        tmp_path, [msgspec.structs.replace(one, answer=None) if at >= 110 else one for at, one in enumerate(rows())]
    )
    with pytest.raises(ExportError, match=r"10 of 120 rows have no answer.*stillhouse distill label loop"):
        export(folder, "openai")
    assert export(folder, "prompts")["rows"] == 120


def test_terms_that_forbid_training_are_refused_for_answers_only(tmp_path):
    folder = loop(tmp_path, [*rows(119), msgspec.structs.replace(rows(120)[119], licence="forbidden", teacher="gpt")])
    with pytest.raises(ExportError, match="the terms of gpt forbid"):
        export(folder, "sharegpt")
    assert export(folder, "bedrock-prompts")["rows"] == 120


def test_held_out_rows_and_their_like_are_refused(tmp_path):
    many = rows()
    twin = made.row(many[3].messages[1].content + " please")
    with pytest.raises(Overlap):
        export(loop(tmp_path / "same", many, [many[7]]), "openai")
    with pytest.raises(Overlap):
        export(loop(tmp_path / "near", many, [twin]), "openai")


def test_personal_data_that_came_with_a_later_answer_is_refused(tmp_path):
    folder = loop(tmp_path, [*rows(119), msgspec.structs.replace(rows(120)[119], answer="Write to jo@example.org.")])
    with pytest.raises(ExportError, match="1 rows hold personal data") as error:
        export(folder, "openai")
    assert "example.org" not in str(error.value)
    assert export(folder, "prompts")["rows"] == 120


def test_the_command_says_where_the_file_lies_and_a_refusal_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path))
    loop(tmp_path, rows())
    done = CliRunner().invoke(command, ["loop", "--format", "openai"])
    assert done.exit_code == 0
    assert "120 rows" in done.output
    assert "train.openai.jsonl" in done.output
    assert CliRunner().invoke(command, ["other", "--format", "openai"]).exit_code != 0
