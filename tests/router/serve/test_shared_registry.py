"""A gateway on a shared registry: keys come and go, and it serves on while the server is away, also after a restart."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from router.postgres import Dsn
from router.registry.keys import KeyStore
from router.registry.shared import Shared
from router.serve.cell import open_cell
from router.serve.settings import Settings
from stillhouse.cli import keys as keys_command
from stillhouse.cli import pin as pin_command
from stillhouse.cli import policy as policy_command
from tests.postgres import Server

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def settings() -> Settings:
    return Settings(
        upstreams={"lab": {"kind": "openai", "base_url": "http://127.0.0.1:9/v1"}},
        tiers=tuple({"tier": tier, "upstream": "lab", "model": f"m-{tier}"} for tier in ("small", "large")),
        registry="env:REGISTRY_DSN",
        ledger="env:REGISTRY_DSN",
    )


async def test_a_gateway_serves_on_while_registry_and_ledger_are_away(
    postgres_dsn: str, postgres_server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REGISTRY_DSN", postgres_dsn)
    elsewhere = Shared(Dsn(postgres_dsn), tmp_path / "elsewhere")
    cell = open_cell(settings())
    elsewhere.join()
    with elsewhere.editing() as place:
        _, token = KeyStore.load(place / "keys.json").add("acme", now=NOW)
        (place / "pin.json").write_text('{"tier": "large"}')
    cell.reload()
    assert cell.keys.find(token) is not None
    assert cell.pin == "large"

    postgres_server.stop()
    try:
        cell.reload()
        assert cell.keys.find(token) is not None
        await cell.close()
        again = open_cell(settings())  # a restart in the middle of it
        again.reload()
        assert again.keys.find(token) is not None
        assert again.pin == "large"
    finally:
        postgres_server.start()
    with elsewhere.editing() as place:
        (place / "pin.json").unlink()
    again.reload()
    assert again.pin is None
    await again.close()
    elsewhere.close()


def test_commands_change_the_shared_registry(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DSN", postgres_dsn)
    monkeypatch.setenv("STILLHOUSE_REGISTRY", "env:DSN")
    run = CliRunner().invoke
    assert run(keys_command.command, ["add", "--tenant", "acme"]).exit_code == 0
    assert run(pin_command.command, ["large"]).exit_code == 0
    rules = ["rules", "--two-people", "off", "--by", "ann", "--why", "one of us"]
    assert run(policy_command.command, rules).exit_code == 0
    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path / "another"))
    assert "acme" in run(keys_command.command, ["list"]).output
    assert (tmp_path / "another" / "pin.json").exists()
    assert "one of us" in run(policy_command.command, ["history"]).output


def test_without_the_server_a_command_changes_nothing_and_says_so(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("STILLHOUSE_REGISTRY", "postgresql://127.0.0.1:1/none")
    done = CliRunner().invoke(keys_command.command, ["add", "--tenant", "acme"])
    assert done.exit_code == 2
    assert "Nothing was changed" in done.output
    assert not (home / "keys.json").exists()


def test_a_password_in_the_settings_is_refused() -> None:
    from pydantic import ValidationError

    for name in ("ledger", "registry"):
        plain = settings().model_dump() | {name: "postgresql://u:geheim@h/d"}
        with pytest.raises(ValidationError, match="a password does not belong here"):
            Settings.model_validate(plain)
