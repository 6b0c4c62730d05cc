"""Which clients there are, what each needs, and how one is run: a command that prints a JSON line a case."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.clients.commands import Case, codex, curl, langchain_standard, llm, open_webui, opencode, schema

ROOT = Path(__file__).parents[2]
BUILT = ROOT / ".clients"
DRIVERS = Path(__file__).parent / "drivers"
SECONDS = 300
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR")


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one client. ``not_run`` says why, where it has not been run: that is no pass."""

    client: str
    version: str = ""
    cases: tuple[Case, ...] = ()
    not_run: str = ""

    @property
    def failed(self) -> list[Case]:
        """The cases that did not work."""
        return [case for case in self.cases if not case.ok]


@dataclass(frozen=True, slots=True)
class Client:
    """One client of the matrix.

    Attributes:
        name: as people know it.
        needs: what must be there for it to run, beside the gateway.
        run: base URL, scratch folder -> version, cases.
    """

    name: str
    needs: Path
    run: Callable[[str, Path], tuple[str, list[Case]]]


def _environment(**more: str) -> dict[str, str]:
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | more


def driver(command: Sequence[str], url: str, cwd: Path | None = None) -> tuple[str, list[Case]]:
    """Run a driver and read its lines."""
    done = subprocess.run(
        [*command, url],
        cwd=cwd,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    version, cases = "", []
    for line in done.stdout.splitlines():
        if not line.startswith('{"c'):
            continue  # what libraries print of their own
        said: dict[str, Any] = json.loads(line)
        if "client" in said:
            version = said["version"]
        else:
            cases.append(Case(said["case"], said["ok"], said.get("why", "")))
    if done.returncode != 0 or not cases:
        cases.append(Case("the driver itself", ok=False, why=(done.stderr or done.stdout).strip()[-400:]))
    return version, cases


def _python(file: str, interpreter: Path) -> Callable[[str, Path], tuple[str, list[Case]]]:
    return lambda url, _: driver([str(interpreter), str(DRIVERS / file)], url)


def _node(file: str) -> Callable[[str, Path], tuple[str, list[Case]]]:
    def run(url: str, _: Path) -> tuple[str, list[Case]]:
        for script in ("case.mjs", file):  # modules are looked for beside the file that imports them
            shutil.copy(DRIVERS / script, BUILT / "agents" / script)
        return driver(["node", file], url, BUILT / "agents")

    return run


def clients() -> list[Client]:
    """All of them, in the order in which they are shown."""
    ours, three = Path(sys.executable), BUILT / "openai3/bin/python"
    frameworks, modules = BUILT / "frameworks/bin/python", BUILT / "agents/node_modules"

    def framework(name: str, file: str) -> Client:
        return Client(name, frameworks, _python(file, frameworks))

    return [
        Client("openai-python 2", ours, _python("openai_python.py", ours)),
        Client("openai-python 3", three, _python("openai_python.py", three)),
        Client("openai-node", modules / "openai", _node("openai_node.mjs")),
        Client("anthropic-python", ours, _python("anthropic_python.py", ours)),
        Client("anthropic-node", modules / "@anthropic-ai/sdk", _node("anthropic_node.mjs")),
        framework("LangChain", "use_langchain.py"),
        Client("LangChain's standard suite", frameworks, langchain_standard(frameworks, DRIVERS)),
        framework("LlamaIndex OpenAILike", "use_llamaindex.py"),
        framework("pydantic-ai", "use_pydantic_ai.py"),
        framework("instructor", "use_instructor.py"),
        framework("openai-agents", "use_agents.py"),
        Client("litellm", ours, _python("use_litellm.py", ours)),
        Client("Vercel AI SDK", modules / "ai", _node("ai_sdk.mjs")),
        Client("llm", BUILT / "frameworks/bin/llm", llm(BUILT / "frameworks/bin/llm")),
        Client("codex", modules / ".bin/codex", codex(modules / ".bin/codex")),
        Client("opencode", modules / ".bin/opencode", opencode(modules / ".bin/opencode")),
        Client("Open WebUI's probes", ours, open_webui),
        Client("curl", Path(shutil.which("curl") or "curl"), curl),
        Client(
            "schemathesis", BUILT / "schemathesis/bin/schemathesis", schema(BUILT / "schemathesis/bin/schemathesis")
        ),
    ]


def run(client: Client, url: str, scratch: Path) -> Row:
    """Run one client; whatever goes wrong with it is told in its row."""
    if not client.needs.exists():
        where = client.needs.relative_to(ROOT) if client.needs.is_relative_to(ROOT) else client.needs.name
        return Row(client.name, not_run=f"{where} is not there; '.ci/clients all' builds it")
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        version, cases = client.run(url, scratch)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Row(client.name, cases=(Case("the client itself", ok=False, why=str(error)[:400]),))
    return Row(client.name, version, tuple(cases))
