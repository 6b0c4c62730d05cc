import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.registry.keys import KeyStore
from stillhouse.cli.keys import command


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, catch_exceptions=False)


def test_a_new_key_prints_its_token_alone_on_standard_output(home: Path) -> None:
    result = run("add", "--tenant", "acme")
    token = result.stdout.strip()
    key = KeyStore.load(home / "keys.json").find(token)
    assert key is not None
    assert key.tenant == "acme"
    assert token not in result.stderr


def test_the_token_is_never_shown_again() -> None:
    token = run("add", "--tenant", "acme").stdout.strip()
    secret = token.split("-", 3)[3]
    assert secret not in run("list").output + run("list", "--json").output
    assert "sha256" not in run("list", "--json").output


def test_rights_are_given_by_name(home: Path) -> None:
    made = json.loads(
        run(
            "add", "--tenant", "acme", "--scope", "admin", "--allow-header", "tier", "--model", "auto", "--expires", "30d",
            "--note", "ours", "--json",
        ).stdout
    )  # fmt: skip
    key = KeyStore.load(home / "keys.json").find(made["token"])
    assert key is not None
    assert (key.scopes, key.headers, key.models, key.note) == (("admin",), ("tier",), ("auto",), "ours")
    assert key.expires is not None
    assert (key.expires - key.created).days == 30


def test_the_list_tells_live_from_revoked() -> None:
    made = json.loads(run("add", "--tenant", "acme", "--json").stdout)
    assert [key["revoked"] for key in json.loads(run("list", "--json").output)] == [None]
    assert "is revoked since" in run("revoke", made["id"]).output
    assert "revoked" in run("list").output
    (key,) = json.loads(run("list", "--json").output)
    assert key["revoked"] is not None


def test_an_empty_list_names_the_next_command() -> None:
    assert "stillhouse keys add --tenant NAME" in run("list").output
    assert json.loads(run("list", "--json").output) == []


def test_an_unknown_id_is_refused_with_a_hint() -> None:
    result = run("revoke", "nobody")
    assert result.exit_code == 2
    assert "there is no key 'nobody'" in result.stderr
    assert "keys list" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["add"], "--tenant"),
        (["add", "--tenant", "a b"], "cannot name a tenant"),
        (["add", "--tenant", "a", "--scope", "root"], "'root' is not one of"),
        (["add", "--tenant", "a", "--expires", "never"], "is not a span of time"),
    ],
)
def test_wrong_words_are_refused(arguments: list[str], says: str, home: Path) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert says in result.stderr
    assert not (home / "keys.json").exists()


@pytest.mark.parametrize("arguments", [["list"], ["add", "--tenant", "a"], ["revoke", "x"]])
def test_a_wrong_key_file_is_named(home: Path, arguments: list[str]) -> None:
    (home / "keys.json").write_text("{")
    (home / "keys.json").chmod(0o600)
    result = run(*arguments)
    assert result.exit_code == 2
    assert f"error: {home / 'keys.json'}:1:2: it is not JSON" in result.stderr


def test_another_key_file_can_be_named(tmp_path: Path, home: Path) -> None:
    other = tmp_path / "own" / "keys.json"
    run("add", "--tenant", "acme", "--keys-file", str(other))
    assert other.exists()
    assert not (home / "keys.json").exists()


def test_limits_are_given_changed_and_taken_away(home: Path) -> None:
    made = json.loads(
        run(
            "add",
            "--tenant",
            "acme",
            "--team",
            "search",
            "--tag",
            "batch",
            "--rpm",
            "60",
            "--usd-per-day",
            "2.5",
            "--json",
        ).stdout
    )
    assert made["limits"] == {"requests_per_minute": 60, "usd_per_day": 2.5}
    assert "usd-per-day=2.5" in run("edit", made["id"], "--note", "x").output
    run("edit", made["id"], "--rpm", "none", "--parallel", "4", "--tag", "none", "--team", "none")
    (key,) = KeyStore.load(home / "keys.json").keys
    assert key.limits is not None
    assert (key.limits.requests_per_minute, key.limits.parallel, key.limits.usd_per_day) == (None, 4, 2.5)
    assert (key.team, key.tags) == (None, ())
    run("edit", made["id"], "--parallel", "none", "--usd-per-day", "none")
    (key,) = KeyStore.load(home / "keys.json").keys
    assert key.limits is None
    assert key.sha256 == KeyStore.load(home / "keys.json").find(made["token"]).sha256


@pytest.mark.parametrize("bad", ["0", "-3", "nan", "inf", "much"])
def test_what_is_no_limit_is_refused(bad: str) -> None:
    result = run("add", "--tenant", "acme", "--usd-per-day", bad)
    assert result.exit_code == 2
    assert "number above zero" in result.output


def test_a_rotated_key_has_a_new_token_and_the_old_one_for_a_while(home: Path) -> None:
    made = json.loads(run("add", "--tenant", "acme", "--rpm", "5", "--json").stdout)
    again = json.loads(run("rotate", made["id"], "--overlap", "24h", "--json").stdout)
    keys = KeyStore.load(home / "keys.json")
    new, old = keys.find(again["token"]), keys.find(made["token"])
    assert new is not None
    assert old is not None
    assert new.id == old.id == made["id"]
    assert new.limits == old.limits
    assert (new.expires, old.expires is None) == (None, False)
    hour = 3_600_000
    now = int(old.created.timestamp() * 1000)
    assert (old.expired(now + 23 * hour), old.expired(now + 25 * hour)) == (False, True)
    run("rotate", made["id"])
    assert KeyStore.load(home / "keys.json").find(again["token"]) is None
    assert "sha256" not in run("list", "--json").output
    assert "there is no key" in run("rotate", "nobody").output


def test_usage_shows_what_is_used_and_left(home: Path) -> None:
    from router.core.limits import Ask, Cap, slot_of
    from router.state.sqlite import SqliteStore

    assert "Nothing is limited" in run("usage").output
    made = json.loads(run("add", "--tenant", "acme", "--team", "search", "--usd-per-day", "2", "--json").stdout)
    config = home / "stillhouse.yaml"
    config.write_text(
        "upstreams: {a: {kind: openai, base_url: 'http://127.0.0.1:1/v1'}}\ntiers: [{tier: small, upstream: a, model: m}]\n"
        "limits: {tenants: {acme: {usd_per_month: 10, teams: {search: {parallel: 3}}}}}\n"
    )
    store = SqliteStore(home / "limits.db")
    now, _ = store.books([])
    store.turn([Ask("x", Cap(f"key:{made['id']}", "day", 2 * 10**9), slot_of("day", now), 500_000_000, 0)])
    store.close()
    lines = {
        (line["of"], line["limit"]): line for line in json.loads(run("usage", "--config", str(config), "--json").stdout)
    }
    assert set(lines) == {("key", "usd_per_day"), ("team", "parallel"), ("tenant", "usd_per_month")}
    day = lines["key", "usd_per_day"]
    assert (day["used"], day["left"], day["allowed"]) == (500_000_000, 1_500_000_000, 2_000_000_000)
    assert "1.5000" in run("usage", made["id"], "--config", str(config)).output
