"""What a person reads when the gateway cannot start. That it starts is proved by the suite's real gateways."""

import asyncio
import os
import socket
import sys

import httpx
import pytest
from click.testing import CliRunner

from stillhouse.cli.serve import command
from tests.support.upstream import ScriptedUpstream


@pytest.fixture
def serve(home, monkeypatch):
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "MISTRAL_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-operator")

    def run(*options):
        result = CliRunner().invoke(command, ["--from-env", "--port", "0", *options], catch_exceptions=False)
        assert result.exit_code == 2, result.output
        assert "Traceback" not in result.output
        assert "sk-of-the-operator" not in result.output
        return result.output

    return run


def test_a_port_in_use_is_named(serve):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = serve("--port", str(port))
    assert f"port {port}" in said
    assert "address already in use" in said
    assert "--port 0" in said


@pytest.mark.parametrize("host", ["192.0.2.1", "x" * 70 + ".invalid"])
def test_a_host_that_is_none_is_named(serve, host):
    assert f"cannot listen on {host}" in serve("--host", host)


def test_a_ledger_that_is_none_is_named(serve, home):
    (home / "notes.txt").write_text("not a ledger, and longer than nothing")
    assert "file is not a database" in serve("--ledger", str(home / "notes.txt"))
    assert "Name a file that you may write to" in serve("--ledger", str(home / "notes.txt" / "ledger.db"))


def test_an_address_without_a_scheme_is_named(serve, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "localhost:8000/v1")
    assert "OPENAI_BASE_URL must begin with https:// or http://" in serve("--small", "a")


async def test_observing_is_said_at_the_start_and_done(home):
    """A real process in front of a real server: what the flag says at the start is what then happens."""
    async with ScriptedUpstream() as up:
        environment = {**os.environ, "OPENAI_BASE_URL": up.base_url, "STILLHOUSE_HOME": str(home)}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "stillhouse.cli", "serve", "--observe", "--port", "0", "--small", "a", "--large", "b",
            env=environment, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            said = ""
            while "ready" not in said:
                line = await process.stdout.readline()
                assert line, said
                said = line.decode()
                if said.startswith("observe"):
                    assert "every request goes where its caller asked" in said
            url = said.split()[1]
            async with httpx.AsyncClient(trust_env=False) as http:  # it listens when it says "ready"
                body = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
                answer = await http.post(f"{url}/chat/completions", json=body)
            assert (answer.headers["x-stillhouse-reason"], answer.headers["x-stillhouse-model"]) == ("observed", "b")
        finally:
            process.terminate()
            await process.wait()
