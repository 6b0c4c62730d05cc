import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.ledger.record import RequestRecord
from router.ledger.writer import Ledger
from stillhouse.cli.report import GROUPINGS, command, usd
from tests.support.records import DAY_MS, attempt, request

BOOK = "reference:2026-11-01:table"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, catch_exceptions=False)


@pytest.fixture
def serve(home: Path):
    """Put requests into the default ledger."""

    def put(*requests: RequestRecord) -> None:
        ledger = Ledger(home / "ledger.db")
        for one in requests:
            ledger.record(one, [attempt()])
        ledger.close()

    return put


def test_before_the_first_request_the_next_command_is_named(serve) -> None:
    assert "stillhouse serve" in run().output
    serve()
    assert run().exit_code == 0
    assert "Nothing has been served yet" in run().output


def test_the_picture_shows_tiers_money_and_outcomes(serve) -> None:
    serve(
        request("a"),
        request("b", outcome="upstream_error", error_code="upstream_timeout"),
        request("c", guard_in="mask"),
    )
    shown = run().output
    assert "3 requests since the beginning" in shown
    assert "cost    $0.000003" in shown
    assert "saving  88.9%, $0.000024 of $0.000027 for always-large, over 3 requests" in shown
    assert "model failed" in shown
    assert "error codes: upstream_timeout 1" in shown
    assert "guards on requests: mask 1" in shown
    assert "hypothetical" not in shown


@pytest.mark.parametrize("changes", [{"price_source": BOOK}, {"tokens_source": "estimated"}])
def test_money_that_rests_on_others_figures_is_called_hypothetical(serve, changes) -> None:
    serve(request(**changes))
    shown = run().output
    assert "cost    $0.000001 (hypothetical)" in shown
    assert "for always-large (hypothetical)" in shown
    assert "hypothetical: counted with reference prices or estimated tokens" in shown


def test_an_unknown_price_is_never_zero(serve) -> None:
    serve(request("a", cost_nano=None), request("b", baseline_nano=None))
    assert "and 1 answer of unknown price" in run().output
    assert "$0.000001 and 1 answer of unknown price" in run().output


def test_nothing_known_is_called_unknown(serve) -> None:
    serve(request(cost_nano=None, baseline_nano=None))
    shown = run().output
    assert "unknown: no answer has a known price" in shown
    assert "unknown: the large tier has no known price" in shown
    assert "$" not in shown


def test_a_loss_is_told_as_a_loss(serve) -> None:
    serve(request(cost_nano=9_000, baseline_nano=1_000))
    assert "saving  none: $0.000008 more than $0.000001 for always-large" in run().output


def test_since_tenant_and_policy_narrow_it(serve) -> None:
    now = int(time.time() * 1000)
    serve(
        request("old", at_ms=now - 9 * DAY_MS),
        request("new", at_ms=now),
        request("b", at_ms=now, tenant="b", policy="korean"),
    )
    assert json.loads(run("--since", "7d", "--json").output)["requests"] == 2
    assert json.loads(run("--tenant", "b", "--policy", "korean", "--json").output)["requests"] == 1
    assert "Nothing was served since the beginning, tenant nobody" in run("--tenant", "nobody").output


def test_json_holds_exact_figures(serve) -> None:
    serve(request())
    shown = json.loads(run("--json").output)
    assert shown["cost_nano"] == 1_000
    assert shown["saving"] == {
        "trust": "measured", "requests": 1, "cost_nano": 1_000, "always_large_nano": 9_000, "saved_nano": 8_000,
        "saved_share": 8 / 9,
    }  # fmt: skip
    assert shown["latency_ms"]["total"] == {"requests": 1, "p50": 120.0, "p95": 120.0, "p99": 120.0}


def test_json_of_an_empty_ledger_has_the_same_shape(serve) -> None:
    empty = json.loads(run("--json").output)
    serve(request())
    assert list(empty) == list(json.loads(run("--json").output))


@pytest.mark.parametrize("by", GROUPINGS)
def test_a_table_by_anything_that_is_summed(serve, by: str) -> None:
    serve(request("a"), request("b"))
    assert f"By {by}" in run("--by", by).output
    (group,) = json.loads(run("--by", by, "--json").output)["groups"]
    assert group["requests"] == 2
    assert group["key"] == {"day": "2024-10-04", "key": ""}.get(by, group["key"])


def test_markup_in_a_tenants_name_is_only_text(serve) -> None:
    serve(request(tenant="[red]x[/red]"))
    assert "[red]x[/red]" in run("--by", "tenant").output


@pytest.mark.parametrize("content", [None, b"not a ledger at all" * 300])
def test_a_wrong_file_ends_with_two_and_a_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "other.db"
    if content is not None:
        path.write_bytes(content)
    result = run("--ledger", str(path))
    assert result.exit_code == 2
    assert f"error: ledger {path}: " in result.stderr


def test_a_damaged_ledger_ends_with_two_and_a_sentence(serve, home: Path) -> None:
    serve(*(request(f"req-{i}") for i in range(300)))
    path = home / "ledger.db"
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xff" * (len(whole) - 8192))
    result = run()
    assert result.exit_code == 2
    assert "error: ledger" in result.stderr


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (0, "$0.00"),
        (1, "$0.000000001"),
        (1_000, "$0.000001"),
        (1_234_567, "$0.00123"),
        (500_000_000, "$0.50"),
        (12_345_678, "$0.0123"),
        (999_949_999, "$0.9999"),
        (1_234_567_000_000, "$1,234.57"),
        (-5_000_000, "-$0.005"),
    ],
)
def test_dollars_show_as_many_digits_as_matter(nano: int, text: str) -> None:
    assert usd(nano) == text
