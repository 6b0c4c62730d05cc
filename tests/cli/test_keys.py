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
