import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.ledger.writer import Ledger
from stillhouse.cli import report
from stillhouse.cli.ledger import command
from tests.support.records import DAY_MS, attempt, full, request


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, catch_exceptions=False)


@pytest.fixture
def ledger(home: Path) -> Path:
    """The default ledger with a request of now and one of forty days ago."""
    now = int(time.time() * 1000)
    book = Ledger(home / "ledger.db")
    book.record(request("old", at_ms=now - 40 * DAY_MS), [attempt()])
    book.record(request("new", at_ms=now, tenant="b"), [attempt()])
    book.close()
    return home / "ledger.db"


def test_path_follows_the_home_and_the_option(home: Path) -> None:
    assert run("path").output == f"{home / 'ledger.db'}\n"
    assert run("path", "--ledger", "/else/where.db").output == "/else/where.db\n"


def test_info_for_people_and_for_programs(ledger: Path) -> None:
    assert "requests │ 2" in run("info").output
    shown = json.loads(run("info", "--json").output)
    assert (shown["requests"], shown["attempts"], shown["pruned_requests"]) == (2, 2, 0)
    assert shown["path"] == str(ledger)


def test_export_writes_one_request_a_line(ledger: Path, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in run("export").stdout.splitlines()]
    assert [(line["id"], len(line["attempts"])) for line in lines] == [("old", 1), ("new", 1)]
    assert run("export", "--since", "7d", "--tenant", "b", "--out", str(tmp_path / "out.jsonl")).exit_code == 0
    assert json.loads((tmp_path / "out.jsonl").read_text())["id"] == "new"


def test_an_export_holds_what_the_api_shows(home: Path) -> None:
    book = Ledger(home / "ledger.db")
    book.record(*full())
    shown = book.get("req-1")
    book.close()
    assert json.loads(run("export").stdout) == shown


def test_a_dry_run_changes_nothing(ledger: Path) -> None:
    assert "1 requests before" in run("prune", "--older-than", "30d", "--dry-run").output
    assert json.loads(run("info", "--json").output)["requests"] == 2


def test_pruning_keeps_every_total(ledger: Path) -> None:
    before = CliRunner().invoke(report.command, ["--json", "--by", "day"]).output
    pruned = json.loads(run("prune", "--older-than", "30d", "--json").output)
    assert (pruned["requests"], pruned["dry_run"]) == (1, False)
    assert CliRunner().invoke(report.command, ["--json", "--by", "day"]).output == before
    assert [json.loads(line)["id"] for line in run("export").stdout.splitlines()] == ["new"]
    assert "0 requests" in run("prune", "--older-than", "30d").output


@pytest.mark.parametrize("arguments", [["info"], ["export"], ["prune", "--older-than", "30d"]])
def test_without_a_ledger_each_says_so_and_makes_none(home: Path, arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "there is no such file" in result.stderr
    assert not (home / "ledger.db").exists()


def test_erasing_a_tenant_takes_its_captured_texts(ledger: Path) -> None:
    from tests.router.ledger.test_captures import capture, write

    texts = ledger.with_name("ledger.db.captures")
    write(texts, capture(1, tenant="b"), capture(2))
    assert json.loads(run("info", "--json").output)["captures"] == 2
    assert "1 captured texts are gone" in run("erase", "--tenant", "b").output
    assert json.loads(run("erase", "--tenant", "acme", "--json").output)["captures"] == 1
    assert "captures" not in run("info").output


def test_pruning_needs_an_age(ledger: Path) -> None:
    assert "--older-than" in run("prune").stderr
    assert "is not a span of time" in run("prune", "--older-than", "soon").stderr
