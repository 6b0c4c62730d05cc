import gzip
import json

import pytest

from evals.guards import __main__ as guards
from evals.guards.people import judge_people
from evals.intervals import wilson
from guardrails import compile_rails

RAILS = compile_rails([{"pii": {"entities": ["structured", "URL"], "action": "detect"}}])


def row(text, value="", kind="", source="made"):
    start = text.index(value)
    spans = [{"start": start, "end": start + len(value), "type": kind}] if value else []
    return {"text": text, "spans": spans, "lang": "en", "source": source}


ROWS = [
    row("mail a@example.com", "a@example.com", "EMAIL_ADDRESS"),
    row("mail a@example", "a@example", "EMAIL_ADDRESS"),
    row("from b@example.com"),
    row("I am Kim", "Kim", "PERSON"),
    row("ssn 123-45-6789", "ssn 123-45-6789", "US_SSN"),
    row("version 1.2.3.4", source="made-neg"),
    row("10.1.2.3", source="made-neg"),
]


def test_found_missed_and_invented_are_counted_by_type():
    tally = guards.judge(RAILS, ROWS)
    email = ("en", "EMAIL_ADDRESS")
    assert (tally.hit[email], tally.missed[email], tally.false[email]) == (1, 1, 1)
    assert tally.hit[("en", "US_SSN")] == 1  # 11 of 15 characters: more than half
    assert (tally.look_alikes, tally.alarms, tally.rows) == (2, 1, 7)


def test_types_without_a_form_are_not_scored():
    tally = guards.judge(RAILS, ROWS)
    assert not any(kind == "PERSON" for _, kind in (*tally.hit, *tally.missed, *tally.false))


def test_the_last_line_is_the_sum():
    *_, total = guards.table(guards.judge(RAILS, ROWS))
    assert (total["type"], total["n"]) == ("all", 3)
    assert total["precision"] == pytest.approx(2 / 3)
    assert total["recall"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("right", "of", "low", "high"),
    [(0, 0, 0.0, 1.0), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634)],
)
def test_wilsons_interval(right, of, low, high):
    assert wilson(right, of) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz"])
def test_a_report_says_what_it_rests_on(tmp_path, monkeypatch, capsys, ending):
    path = tmp_path / f"rows.{ending}"
    data = "".join(json.dumps(line) + "\n" for line in ROWS).encode()
    path.write_bytes(gzip.compress(data) if ending.endswith("gz") else data)
    monkeypatch.setattr("sys.argv", ["guards", str(path), "--out", str(tmp_path)])
    guards.main()
    written = json.loads((tmp_path / "guards-pii.json").read_text(encoding="utf-8"))
    assert {"commit", "date", "machine", "caution", "rows"} <= set(written)
    assert str(tmp_path) not in json.dumps(written)
    assert "| en | EMAIL_ADDRESS | 2 | 0.500" in capsys.readouterr().out


def test_a_missing_file_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["guards", str(tmp_path / "none")])
    with pytest.raises(SystemExit):
        guards.main()
    assert "is no file" in capsys.readouterr().err


PEOPLE = [
    {
        "text": "Mr. Kevin Miller lives at 12 Main Street, Springfield",
        "spans": [
            {"start": 0, "end": 3, "type": "PERSON"},
            {"start": 4, "end": 16, "type": "PERSON"},
            {"start": 26, "end": 40, "type": "STREET_ADDRESS"},
            {"start": 42, "end": 53, "type": "GPE"},
        ],
        "lang": "en",
        "source": "made",
    },
    row("ask Sarah Walker", source="made"),
    row("it was told by Ö", "Ö", "PERSON"),
]


def test_names_and_addresses_are_measured_apart():
    rails = compile_rails([{"pii": {"entities": ["NAME", "ADDRESS"], "action": "detect"}}])
    lines = {line["type"]: line for line in judge_people(rails, PEOPLE)}
    assert (lines["PERSON"]["n"], lines["PERSON"]["recall"], lines["PERSON"]["precision"]) == (2, 0.5, 0.5)
    assert (lines["STREET_ADDRESS"]["recall"], lines["GPE"]["recall"]) == (1.0, 0.0)
    assert lines["any place"]["precision"] == 1.0


def test_ordinary_prompts_are_counted_by_group_and_once(tmp_path):
    path = tmp_path / "prompts.jsonl"
    prompts = ["mail a@example.com", "mail a@example.com", "nothing here", "long " * 2000]
    path.write_text("".join(json.dumps({"prompt": p, "language": "en"}) + "\n" for p in prompts), encoding="utf-8")
    found = guards.ordinary(path, 10)
    assert (found["n"], found["groups"]["structured"]["flagged"]) == (3, 1)
    assert found["groups"]["structured"]["kinds"] == {"EMAIL": 1}
    assert found["cpu_ms"]["en"]["n"] == 2
    assert found["groups"]["context"]["flagged"] == 0


def test_secrets_in_code_are_counted_by_line_and_never_shown(tmp_path, capsys):
    key = "ghp_" + "aB3dE5gH7jK9mN1pQ4rS6tV8wX0yZ2cD4eF6"
    (tmp_path / "a.py").write_text(f"x = 1\nkey = '{key}'\n\n", encoding="utf-8")
    (tmp_path / "b.bin").write_text(key, encoding="utf-8")
    guards.main(["secrets", "--code", str(tmp_path), "--out", str(tmp_path)])
    written = json.loads((tmp_path / "guards-secrets.json").read_text(encoding="utf-8"))
    assert (written["files"], written["lines"], written["flagged"]) == (1, 4, 1)
    assert written["where"] == [{"file": "a.py", "line": 2, "kind": "GITHUB_TOKEN"}]
    assert key not in json.dumps(written) + capsys.readouterr().out


def test_a_missing_folder_of_code_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        guards.main(["secrets", "--code", str(tmp_path / "none")])
    assert "is no folder" in capsys.readouterr().err
