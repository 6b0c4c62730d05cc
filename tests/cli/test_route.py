import json

import pytest
from click.testing import CliRunner

from stillhouse.cli.route import command


@pytest.fixture
def run(tmp_path):
    def route(data: bytes) -> list[dict]:
        source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
        source.write_bytes(data)
        result = CliRunner().invoke(command, ["--in", str(source), "--out", str(target)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in target.read_bytes().split(b"\n") if line]

    return route


GOOD = b'{"id":"a","prompt":"What is 2 + 2?"}'


def test_a_row_is_decided(run):
    (out,) = run(GOOD)
    assert list(out) == ["id", "tier", "score", "complexity", "reason", "cost"]
    assert out["tier"] in {"small", "medium", "large"}
    assert set(out["score"]) == set(out["cost"]) == {"small", "medium", "large"}
    assert all(isinstance(nano, int) for nano in out["cost"].values())


BAD = [
    b"garbage", b"[]", b"null", b'{"id":"x"}', b'{"id":"x","prompt":5}', b'{"id":"x","prompt":"a","messages":[]}',
    b'{"id":"x","messages":"a"}', b'{"id":"x","messages":[{"content":"a"}]}', b'{"id":"x","prompt":"\xff"}', b'{"prompt":"\\ud800"}',
    b'{"id":"x","prompt":"a","more":' + b"[" * 5000 + b"]" * 5000 + b"}",
    b'{"id":"x","messages":[{"role":"user","content":"a","more":' + b"[" * 990 + b"]" * 990 + b"}]}",
]  # fmt: skip


def test_every_row_yields_one_in_order_good_or_bad(run):
    outs = run(b"\n".join([GOOD, *[part for bad in BAD for part in (bad, GOOD)]]))
    assert len(outs) == 1 + 2 * len(BAD)
    for place, out in enumerate(outs[1::2]):
        assert out["error"]["line"] == 2 * place + 2
        assert out["error"]["message"]
    assert all(out["id"] == "a" and "error" not in out for out in outs[::2])


def test_files_of_other_systems_are_read(run):
    assert [out["id"] for out in run(b"\xef\xbb\xbf" + GOOD + b"\r\n\r\n" + GOOD)] == ["a", "a"]
    assert run(b"") == []
