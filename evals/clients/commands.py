"""Clients that are commands, or that need words of their own: each returns its version and its cases."""

from __future__ import annotations

import json
import os
import re
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HELLO = "Hello from upstream."
SECONDS = 500
EXAMPLES = "10"  # of generated requests an operation; the coverage phase adds its own
Run = Callable[[str, Path], tuple[str, list["Case"]]]


@dataclass(frozen=True, slots=True)
class Case:
    """One thing tried."""

    name: str
    ok: bool
    why: str = ""


def _call(command: Sequence[str | Path], scratch: Path, **env: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return subprocess.run(
        [str(part) for part in command],
        cwd=scratch,
        env={**kept, "HOME": str(scratch), **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def _said(name: str, done: subprocess.CompletedProcess[str], wanted: str = HELLO) -> Case:
    ok = done.returncode == 0 and wanted in done.stdout
    return Case(name, ok, "" if ok else f"exit {done.returncode}: {(done.stderr or done.stdout).strip()[-400:]}")


def _version(command: Sequence[str | Path], scratch: Path) -> str:
    found = re.search(r"\d+(\.\d+)+", _call(command, scratch).stdout)
    return found[0] if found else "unknown"


def curl(url: str, scratch: Path) -> tuple[str, list[Case]]:
    """What people paste into a terminal."""
    ask = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
    head = ("-H", "Content-Type: application/json", "-H", "Authorization: Bearer none")

    def post(body: dict[str, Any], *more: str) -> subprocess.CompletedProcess[str]:
        data = json.dumps(body)
        return _call(["curl", "-sS", "--fail-with-body", *more, f"{url}/chat/completions", *head, "-d", data], scratch)

    return _version(["curl", "--version"], scratch), [
        _said("whole", post(ask)),
        _said("streamed", post({**ask, "stream": True}, "-N"), "data: [DONE]"),
        _said("HTTP/2 offered", post(ask, "--http2")),
        _said("HTTP/1.0", post(ask, "--http1.0")),
        _said("a body in chunks", post(ask, "-H", "Transfer-Encoding: chunked")),
        _said("models", _call(["curl", "-sS", f"{url}/models", *head], scratch), '"auto"'),
        _said("a head alone", _call(["curl", "-sS", "-I", f"{url}/models"], scratch), "200 OK"),
    ]


def open_webui(url: str, scratch: Path) -> tuple[str, list[Case]]:
    """What its documentation says it asks: the listing with a bearer key, then chat in events."""
    head = ("-H", "Authorization: Bearer sk-none", "-H", "Content-Type: application/json")
    listing = _call(["curl", "-sS", f"{url}/models", *head], scratch)
    names = [row["id"] for row in json.loads(listing.stdout or "{}").get("data", ())]
    ask = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    title = {**ask, "stream": False, "max_completion_tokens": 1000, "metadata": {"task": "title_generation"}}
    chat = [
        _call(["curl", "-sS", f"{url}/chat/completions", *head, "-d", json.dumps(body)], scratch)
        for body in (ask, title)
    ]
    return "as documented", [
        Case("connection verified", "auto" in names, ", ".join(names)),
        _said("chat", chat[0], "data: [DONE]"),
        _said("a title", chat[1]),
    ]


def llm(program: Path) -> Run:
    """The ``llm`` command with the gateway as an extra model."""

    def run(url: str, scratch: Path) -> tuple[str, list[Case]]:
        entry = f"- {{model_id: gw, model_name: auto, api_base: '{url}', can_stream: true, supports_schema: true}}\n"
        (scratch / "extra-openai-models.yaml").write_text(entry)
        env = {"LLM_USER_PATH": str(scratch), "OPENAI_API_KEY": "none"}
        return _version([program, "--version"], scratch), [
            _said("streamed", _call([program, "-m", "gw", "hi"], scratch, **env)),
            _said("whole", _call([program, "-m", "gw", "--no-stream", "hi"], scratch, **env)),
            _said("a schema", _call([program, "-m", "gw", "--schema", "age int", "hi"], scratch, **env), '"age": 3'),
        ]

    return run


def codex(program: Path) -> Run:
    """codex, which speaks Responses alone."""

    def run(url: str, scratch: Path) -> tuple[str, list[Case]]:
        home = scratch / ".codex"
        home.mkdir(exist_ok=True)
        (home / "config.toml").write_text(
            f'model = "auto"\nmodel_provider = "gw"\n[model_providers.gw]\nname = "gw"\nbase_url = "{url}"\n'
            'wire_api = "responses"\nenv_key = "GW_KEY"\nrequest_max_retries = 0\nstream_max_retries = 0\n'
        )
        command: list[str | Path] = [program, "exec", "--skip-git-repo-check", "--sandbox", "read-only", "hi"]
        done = _call(command, scratch, CODEX_HOME=str(home), GW_KEY="none")
        tail = (done.stdout + done.stderr)[-400:]
        # The upstream calls the first tool it is offered once; its answer after that ends the turn.
        ok = done.returncode == 0 and ("sunny" in done.stdout or HELLO in done.stdout)
        return _version([program, "--version"], scratch), [Case("a turn with a tool", ok, "" if ok else tail)]

    return run


def opencode(program: Path) -> Run:
    """opencode, which speaks chat."""

    def run(url: str, scratch: Path) -> tuple[str, list[Case]]:
        provider = {"npm": "@ai-sdk/openai-compatible", "name": "gw", "options": {"baseURL": url, "apiKey": "none"}}
        config = {"provider": {"gw": {**provider, "models": {"auto": {"name": "auto"}}}}, "model": "gw/auto"}
        (scratch / "opencode.json").write_text(json.dumps(config))
        env = {"OPENCODE_CONFIG": str(scratch / "opencode.json"), "OPENCODE_DISABLE_AUTOUPDATE": "1"}
        done = _call([program, "run", "--model", "gw/auto", "hi"], scratch, **env)
        ok = done.returncode == 0 and ("sunny" in done.stdout or HELLO in done.stdout)
        return _version([program, "--version"], scratch), [
            Case("a turn with a tool", ok, "" if ok else (done.stdout + done.stderr)[-400:])
        ]

    return run


def langchain_standard(python: Path, drivers: Path) -> Run:
    """LangChain's standard suite, by pytest; a test that it skips by itself is no case."""

    def run(url: str, scratch: Path) -> tuple[str, list[Case]]:
        told = scratch / "junit.xml"
        (scratch / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")  # not this project's own
        alone = ("-c", scratch / "pytest.ini", "--rootdir", scratch, "-p", "no:cacheprovider")
        command: list[str | Path] = [python, "-m", "pytest", "-q", *alone, f"--junitxml={told}"]
        done = _call([*command, drivers / "langchain_standard.py"], scratch, BASE_URL=url, LANGSMITH_TRACING="false")
        version = _version(
            [python, "-c", "import importlib.metadata as m; print(m.version('langchain-tests'))"], scratch
        )
        if not told.exists():
            return version, [Case("the suite itself", ok=False, why=(done.stdout + done.stderr)[-400:])]
        cases = []
        for test in ET.parse(told).iter("testcase"):  # noqa: S314  (pytest wrote it a moment ago)
            if test.find("skipped") is not None:
                continue
            fault = test.find("failure") if test.find("failure") is not None else test.find("error")
            why = "" if fault is None else (fault.get("message") or "")[:300]
            cases.append(Case(test.get("name", ""), fault is None, why))
        return version, cases

    return run


def schema(program: Path) -> Run:
    """Schemathesis over our own description: no 5xx, and no status that it does not name."""

    def run(url: str, scratch: Path) -> tuple[str, list[Case]]:
        base = url.removesuffix("/v1")
        done = _call(
            [
                program, "run", f"{base}/openapi.json", "--checks", "not_a_server_error,status_code_conformance",
                "--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES, "--seed", "1", "--no-color",
            ],
            scratch,
        )  # fmt: skip
        ok = done.returncode == 0
        summary = (done.stdout + done.stderr).strip()[-1500:]
        return _version([program, "--version"], scratch), [
            Case("no 5xx and no status unnamed", ok, "" if ok else summary)
        ]

    return run
