"""Who is measured. A peer is one function that says how to start it; see `PEERS` for the list.

Configurations lie beside this file and work by hand on ports 28600 (the fake upstream) and 28601 (the peer);
a run puts its own ports in.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from evals.bench.payload import MODEL
from router.registry.keys import KeyStore

HERE = Path(__file__).parent
ENVIRONMENTS = Path(".stillhouse/bench")  # under the working directory, ignored by git
_UPSTREAM, _PEER = "127.0.0.1:28600", "127.0.0.1:28601"
_KEY = "sk-bench"
PORTKEY = "1.15.2"
PREPARED = ("litellm", "switchyard", "tensorzero", "portkey")  # those that live in an environment of their own


class NotHere(Exception):
    """This peer cannot be measured on this machine; the message says how to change that."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start a peer and how to speak to it."""

    command: tuple[str, ...]
    what: str
    model: str = MODEL
    env: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    patience: float = 30.0  # seconds until the first answer
    address: Path | None = None  # where a peer that chooses its own port writes its base URL
    path: str = "/v1/chat/completions"
    streams: bool = True  # False: its streams are known to fail, so it is measured without


Peer = Callable[[Path, int, int], Launch]


def configure(source: Path, folder: Path, port: int, upstream: int) -> Path:
    """A copy of a configuration in `folder`, with this run's ports."""
    text = source.read_text().replace(_UPSTREAM, f"127.0.0.1:{upstream}").replace(_PEER, f"127.0.0.1:{port}")
    target = folder / source.name
    target.write_text(text)
    return target


def floor(folder: Path, port: int, upstream: int) -> Launch:  # noqa: ARG001 - one signature for all
    """The bare ASGI application; see `evals.bench.floor`."""
    program = (sys.executable, "-m", "uvicorn", "evals.bench.floor:app", "--port", str(port))
    fast = ("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning")
    made_of = f"bare ASGI + aiohttp {version('aiohttp')} on uvicorn {version('uvicorn')}"
    return Launch(
        (*program, *fast),
        f"{made_of}: passes bytes on, nothing else",
        env={"BENCH_UPSTREAM": f"http://127.0.0.1:{upstream}"},
    )


def stillhouse(folder: Path, port: int, upstream: int) -> Launch:
    """Ourselves: key check, scoring, decision, guards both ways, metrics, ledger."""
    config = configure(HERE.parent / "stillhouse.yaml", folder, port, upstream)
    home = folder / "stillhouse"
    home.mkdir(exist_ok=True)
    _, token = KeyStore(home / "keys.json").add("bench", now=datetime.now(UTC))
    start = "from stillhouse.cli.main import main; main()"
    return Launch(
        (sys.executable, "-c", start, "serve", "--config", str(config), "--port", str(port)),
        "everything on: key, scoring, decision, guards both ways, metrics, ledger",
        model="auto",
        env={"STILLHOUSE_HOME": str(home)},
        headers={"authorization": f"Bearer {token}"},
    )


def litellm(folder: Path, port: int, upstream: int) -> Launch:
    """LiteLLM's proxy, in its own environment."""
    program = ENVIRONMENTS.absolute() / "litellm" / "bin" / "litellm"
    if not program.exists():
        raise NotHere("not installed; run: python -m evals.bench --prepare")
    config = configure(HERE / "litellm.yaml", folder, port, upstream)
    options = ("--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1")
    return Launch(
        (str(program), *options),
        f"LiteLLM proxy {_pinned('litellm')}: key check only, one worker, no database",
        model="auto",
        env={
            "LITELLM_MODE": "PRODUCTION",
            "LITELLM_LOG": "ERROR",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # or its start waits for a download
            "DISABLE_ADMIN_UI": "True",
        },
        headers={"authorization": f"Bearer {_KEY}"},
        patience=180.0,
    )


def nginx(folder: Path, port: int, upstream: int) -> Launch:
    """A plain hop through nginx."""
    program = shutil.which("nginx")
    if program is None:
        raise NotHere("nginx is not on the PATH; install your system's package")
    config = configure(HERE / "nginx.conf", folder, port, upstream)
    said = subprocess.run((program, "-v"), capture_output=True, text=True, check=False).stderr.strip()
    return Launch(
        (program, "-e", "stderr", "-p", str(folder.absolute()), "-c", str(config.absolute())),
        f"{said.rpartition(' ')[2]}: a plain hop",
    )


def switchyard(folder: Path, port: int, upstream: int) -> Launch:
    """NVIDIA's Switchyard, which passes on."""
    program = _environment("switchyard")
    config = configure(HERE / "switchyard.toml", folder, port, upstream)
    return Launch(
        (str(program), str(HERE / "run_switchyard.py"), str(config), str(port)),
        f"NeMo Switchyard {_pinned('nemo-switchyard', 'switchyard')} (Rust): passes on, one worker",
        env={"OPENAI_API_KEY": _KEY, "TOKIO_WORKER_THREADS": "1"},
    )


def tensorzero(folder: Path, port: int, upstream: int) -> Launch:
    """TensorZero's gateway, as its wheel embeds it."""
    program = _environment("tensorzero")
    config = configure(HERE / "tensorzero.toml", folder, port, upstream)
    address = folder / "address"
    address.unlink(missing_ok=True)
    return Launch(
        (str(program), str(HERE / "run_tensorzero.py"), str(config), str(address)),
        f"TensorZero {_pinned('tensorzero')} (Rust): parses and passes on, observability off, one worker",
        model="tensorzero::model_name::bench",
        env={"OPENAI_API_KEY": _KEY, "TOKIO_WORKER_THREADS": "1"},
        address=address,
        path="/chat/completions",
    )


def portkey(folder: Path, port: int, upstream: int) -> Launch:  # noqa: ARG001 - one signature for all
    """Portkey's gateway on Node."""
    node = shutil.which("node")
    program = ENVIRONMENTS.absolute() / "portkey" / "node_modules" / "@portkey-ai" / "gateway" / "build"
    if node is None or not program.exists():
        raise NotHere("not installed; run: python -m evals.bench --prepare portkey (it needs Node and npm)")
    return Launch(
        (node, str(program / "start-server.js"), f"--port={port}", "--headless"),
        f"Portkey {PORTKEY} (Node): checks and passes on, one process; its streams fail on current Node, left out",
        streams=False,
        env={"TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost", "NODE_ENV": "production"},
        headers={
            "authorization": f"Bearer {_KEY}",
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": f"http://127.0.0.1:{upstream}/v1",
        },
    )


PEERS: Mapping[str, Peer] = {
    "floor": floor,
    "stillhouse": stillhouse,
    "litellm": litellm,
    "nginx": nginx,
    "switchyard": switchyard,
    "tensorzero": tensorzero,
    "portkey": portkey,
}


def _environment(name: str) -> Path:
    """The Python of a peer's own environment."""
    program = ENVIRONMENTS.absolute() / name / "bin" / "python"
    if not program.exists():
        raise NotHere(f"not installed; run: python -m evals.bench --prepare {name}")
    return program


def _pinned(name: str, file: str | None = None) -> str:
    lines = (HERE / f"{file or name}.txt").read_text().splitlines()
    return next(line.split()[0].partition("==")[2] for line in lines if line.startswith(f"{name}=="))


def prepare(name: str = "litellm") -> Path:
    """Build the environment of a peer from its pinned requirements; one that is there is built anew."""
    folder = ENVIRONMENTS.absolute() / name
    if name == "portkey":
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}')
        npm = ("npm", "install", "--no-audit", "--no-fund", f"@portkey-ai/gateway@{PORTKEY}")
        subprocess.run(npm, cwd=folder, check=True)
        return folder
    venv.create(folder, with_pip=True, clear=True)
    hashed = ("--require-hashes",) if name == "litellm" else ()  # two of its versions were stolen
    install = ("-m", "pip", "--disable-pip-version-check", "install", *hashed, "--no-deps")
    only = ("--only-binary", ":all:", "-r", str(HERE / f"{name}.txt"))
    subprocess.run((str(folder / "bin" / "python"), *install, *only), check=True)
    return folder
