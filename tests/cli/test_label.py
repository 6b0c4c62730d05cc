"""``stillhouse label`` as a person or a script sees it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from router.core.decide import PRIVATELY
from router.ledger.feedback import Feedback, feedback_of, give
from router.ledger.store import open_reader
from router.ledger.weak import weak_labels
from router.ledger.writer import Ledger
from router.types import Reason
from stillhouse.cli.label import command
from tests.support.records import NOON, attempt, request
from tests.support.upstream import Answer, ScriptedUpstream, tokens

IDS = [f"req-{i:02}" for i in range(20)]
PRIVATE = (Reason(id="rule.patients", text=f"Rule patients {PRIVATELY}."),)


def run(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(command, arguments, input=typed, catch_exceptions=False)


@pytest.fixture
def ledger(home: Path) -> Path:
    """Twenty answers, the last one kept private by a rule; the first is dear and uncertain."""
    book = Ledger(home / "ledger.db")
    for number, name in enumerate(IDS):
        dear = {"cost_nano": 1_000_000, "p_right": {"small": 0.5, "large": 0.9}} if number == 0 else {}
        private = {"reasons": PRIVATE} if number == len(IDS) - 1 else {}
        book.record(request(name, at_ms=NOON + number, **dear, **private), [attempt()])
    book.close()
    return home / "ledger.db"


@pytest.fixture
def texts(tmp_path: Path) -> str:
    path = tmp_path / "texts.jsonl"
    lines = [
        {"id": name, "messages": [{"role": "user", "content": f"Ask {name}"}], "answer": f"Say {name} \x1b[31mred"}
        for name in IDS
    ]
    path.write_text("\n".join(json.dumps(line) for line in lines))
    return str(path)


def scores(ledger: Path, name: str) -> list[tuple[Any, Any]]:
    with open_reader(ledger) as db:
        return [(row["who"], row["score"]) for row in feedback_of(db, [name]).get(name, [])]


def test_a_dry_run_shows_what_is_worth_most_and_changes_nothing(ledger: Path, texts: str) -> None:
    result = run("--texts", texts, "--dry-run", "--rows", "3", "--json")
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert told[0]["id"] == IDS[0]
    assert len(told) == 3
    assert "Ask" not in run("--texts", texts, "--dry-run").output
    assert scores(ledger, IDS[0]) == []


def test_a_person_judges_in_the_terminal_and_may_stop(ledger: Path, texts: str) -> None:
    result = run("--texts", texts, "--person", "--rows", "4", typed="y\ns\nh\nq\n")
    assert "2 labels kept as person, 1 skipped" in result.stdout
    assert scores(ledger, IDS[0]) == [("person", 1.0)]
    assert "\x1b[31m" not in result.output
    again = run("--texts", texts, "--person", "--rows", "1", typed="q\n")
    assert IDS[0] not in again.stdout


def test_labels_go_out_to_a_file_and_come_back(ledger: Path, texts: str, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    run("--texts", texts, "--export", str(out), "--rows", "3")
    assert out.stat().st_mode & 0o077 == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert lines[0]["messages"][0]["content"] == f"Ask {IDS[0]}"
    lines[0]["score"], lines[1]["score"] = 1, 0
    out.write_text("\n".join(json.dumps(line) for line in lines))
    assert "2 labels kept, 0 were there already, 1 have no score" in run("--import", str(out), "--as", "ann").stdout
    assert scores(ledger, IDS[0]) == [("ann", 1.0)]
    assert "0 labels kept, 2 were there already" in run("--import", str(out), "--as", "ann").stdout


def test_what_comes_back_wrong_is_said_and_changes_nothing_old(ledger: Path, tmp_path: Path) -> None:
    give(ledger, Feedback(request_id=IDS[0], at_ms=NOON, who="person", score=1.0, given_ms=NOON))
    file = tmp_path / "in.jsonl"
    file.write_text(f'{{"id": "{IDS[0]}", "score": 0}}\n{{"id": "nowhere", "score": 1}}\n')
    result = run("--import", str(file))
    assert result.exit_code == 1
    assert IDS[0] in result.stdout
    assert "nowhere" in result.stdout
    assert scores(ledger, IDS[0]) == [("person", 1.0)]
    file.write_text('{"id": "a", "score": 1}\n{"id": "b", "score": 7}\n')
    assert "in.jsonl:2" in run("--import", str(file)).stderr


def test_signs_are_counted_with_what_they_are_worth(ledger: Path) -> None:
    assert "regenerate" in run("--signals").stdout
    told = [json.loads(line) for line in run("--signals", "--json").stdout.splitlines()]
    assert {line["kind"] for line in told} >= {"regenerate", "retry", "tool_error", "invalid_json", "left"}


# --- a model judges


def settings(folder: Path, base_url: str, price: str = "{input: 1, output: 2}", *, private: str = "false") -> str:
    path = folder / "stillhouse.yaml"
    path.write_text(
        f"upstreams: {{lab: {{kind: openai, base_url: '{base_url}', private: {private}}}}}\n"
        f"tiers: [{{tier: large, upstream: lab, model: m-large{f', price: {price}' if price else ''}}}]\n"
    )
    return str(path)


def judges(seen: Any) -> Answer:
    """Even answers are right, odd ones wrong."""
    text = seen.json["messages"][0]["content"]
    number = next(i for i, name in enumerate(IDS) if f"Say {name}" in text)
    return Answer.completion(f"VERDICT: {'wrong' if number % 2 else 'right'}", used=tokens(100, 20))


async def test_a_tier_judges_within_its_budget_and_its_labels_are_kept(
    ledger: Path, texts: str, tmp_path: Path, home: Path
) -> None:
    async with ScriptedUpstream() as up:
        up.always(judges)
        given = ("--texts", texts, "--judge", "large", "--budget", "1usd", "--twice", "1", "--json")
        result = await asyncio.to_thread(run, *given, "--config", settings(tmp_path, up.base_url))
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["stored"]["kept"] == "feedback"
    assert told["stored"]["new"] == 19
    assert told["spent_nano"] == 38 * (100 * 1_000 + 20 * 2_000)
    assert told["agreement"]["itself"]["alpha"] == pytest.approx(1)
    assert told["agreement"]["people"]["alpha"] is None
    assert "1 were kept on private models" in result.stderr
    assert scores(ledger, IDS[1]) == [("judge-m-large", 0.0)]
    assert all(IDS[-1] not in str(seen.json) for seen in up.requests)
    assert [path.name for path in (home / "labels").iterdir()] == ["judge-m-large.1.done.jsonl"]


async def test_a_private_judge_may_read_what_a_rule_kept_private(ledger: Path, texts: str, tmp_path: Path) -> None:
    async with ScriptedUpstream() as up:
        up.always(judges)
        file = settings(tmp_path, up.base_url, private="true")
        given = ("--texts", texts, "--judge", "m-large", "--budget", "1usd", "--twice", "1", "--as", "ours")
        await asyncio.to_thread(run, *given, "--config", file)
    assert scores(ledger, IDS[-1]) == [("ours", 0.0)]


async def test_a_judge_that_contradicts_itself_is_kept_apart_and_said(ledger: Path, texts: str, tmp_path: Path) -> None:
    async with ScriptedUpstream() as up:
        up.always(lambda seen: Answer.completion(f"VERDICT: {'right' if len(seen.body) % 2 else 'wrong'}"))
        given = ("--texts", texts, "--judge", "large", "--budget", "1usd")
        result = await asyncio.to_thread(run, *given, "--config", settings(tmp_path, up.base_url))
    assert "Kept apart as weak labels (19 new)" in result.stdout
    assert len(weak_labels(ledger)) == 19
    assert scores(ledger, IDS[0]) == []


async def test_people_check_the_judge(ledger: Path, texts: str, tmp_path: Path) -> None:
    for number, name in enumerate(IDS[:15]):
        give(ledger, Feedback(request_id=name, at_ms=NOON, who="person", score=float(number % 2), given_ms=NOON))
    async with ScriptedUpstream() as up:
        up.always(judges)
        given = ("--texts", texts, "--judge", "large", "--budget", "1usd", "--twice", "1", "--json")
        result = await asyncio.to_thread(run, *given, "--config", settings(tmp_path, up.base_url))
    told = json.loads(result.stdout)
    assert told["agreement"]["people"]["n"] == 15
    assert told["agreement"]["people"]["alpha"] < 0
    assert told["stored"]["kept"] == "weak"
    assert scores(ledger, IDS[0]) == [("person", 0.0)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name one of --judge"),
        (("--judge", "large", "--person"), "name one of --judge"),
        (("--person",), "bring it with --texts"),
        (("--person", "--texts", "nowhere.jsonl"), "nowhere.jsonl: cannot be read"),
        (("--person", "--as", "an n"), "letters, digits"),
        (("--judge", "large"), "a judge needs a budget"),
        (("--judge", "large", "--budget", "5"), "is no budget"),
        (("--judge", "small", "--budget", "5usd"), "no tier or model here is 'small'"),
    ],
)
def test_bad_input_is_refused_with_how_to_mend_it(
    ledger: Path, texts: str, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    if "--judge" in arguments:
        arguments = (*arguments, "--texts", texts, "--config", settings(tmp_path, "http://127.0.0.1:9/v1"))
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_judge_without_a_price_is_refused(ledger: Path, texts: str, tmp_path: Path) -> None:
    file = settings(tmp_path, "http://127.0.0.1:9/v1", price="")
    result = run("--judge", "large", "--budget", "1usd", "--texts", texts, "--config", file)
    assert result.exit_code == 2
    assert "price is not known" in result.stderr


def test_nothing_to_judge_is_said(home: Path, ledger: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text('{"id": "x", "messages": [], "answer": "a"}\n')
    result = run("--person", "--texts", str(other))
    assert result.exit_code == 2
    assert "20 of 20 unjudged prompts have no text" in result.stderr
    assert "nothing is left to judge" in result.stderr
