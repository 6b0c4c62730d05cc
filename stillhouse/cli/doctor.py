"""``stillhouse doctor``: is this installation sound, and does a gateway (ours or any other) keep the protocol?"""

from __future__ import annotations

import asyncio
import json
import platform
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import click

from stillhouse.cli import show

SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: ``state`` is ok, warn or bad; ``words`` say what was seen and, if need be, the mend."""

    name: str
    state: str
    words: str


@click.command(help="Check this installation; with --url also a running OpenAI-compatible server.")
@click.option("--url", help="Base URL, e.g. http://127.0.0.1:8484/v1")
@click.option("--key", default="", envvar="OPENAI_API_KEY", help="API key for it (default: $OPENAI_API_KEY).")
@click.option("--model", default="auto", show_default=True, help="Model to ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(url: str | None, key: str, model: str, as_json: bool) -> None:  # noqa: D103
    findings = list(_installation())
    if url:
        findings += asyncio.run(_server(url.rstrip("/"), key, model))
    bad = any(f.state == "bad" for f in findings)
    if as_json:
        checks = [{"name": f.name, "state": f.state, "words": f.words} for f in findings]
        show.json_line({"ok": not bad, "checks": checks})
    else:
        show.table(("check", "", "seen"), [(f.name, f.state, f.words) for f in findings], title="Stillhouse doctor")
    sys.exit(1 if bad else 0)


# --- the installation


def _installation() -> Iterator[Finding]:
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    for name, check in (
        ("scorer", _scorer),
        ("policies", _policies),
        ("weights", _weights),
        ("ledger", _ledger),
        ("keys", _keys),
    ):
        try:
            yield Finding(name, *check())
        except Exception as error:  # noqa: BLE001  (whatever is wrong with it is the finding)
            yield Finding(name, "bad", f"{type(error).__name__}: {error}")


def _scorer() -> tuple[str, str]:
    from router.serve.scoring import Watch

    found = Watch().look()
    if found.scorer is None:
        return "bad", found.fault
    scorer = found.scorer
    score = scorer.score("What is 2 + 2?")
    words = f"'What is 2 + 2?' has complexity {score.complexity:.2f}"
    return "ok", f"artefact {scorer.digest[:12]}, {len(scorer.families)} families; {words}"


def _policies() -> tuple[str, str]:
    from policies.load import load_policy, preset_names

    names = [load_policy(name).name for name in preset_names()]
    return "ok", "presets " + ", ".join(names)


def _weights() -> tuple[str, str]:
    from router.registry.home import home
    from router.registry.weights import load_weights, state_of

    weights = load_weights(home())
    if not weights:
        return "warn", "none; 'stillhouse models add small PATH' or a provider is needed"
    states = {w.name: state_of(w) for w in weights}
    state = "ok" if set(states.values()) == {"ready"} else "bad"
    return state, ", ".join(f"{name}: {words}" for name, words in states.items())


def _ledger() -> tuple[str, str]:
    from router.registry.home import home

    path = home() / "ledger.db"
    return "ok", f"{path} ({path.stat().st_size >> 10} KiB)" if path.exists() else f"{path} (not made yet)"


def _keys() -> tuple[str, str]:
    from router.registry.home import home
    from router.registry.keys import KeyStore

    count = len(KeyStore.load(home() / "keys.json").keys)
    return "ok", f"{count} keys" if count else "none; needed on every address but loopback ('stillhouse keys add')"


# --- a server


async def _server(url: str, key: str, model: str) -> list[Finding]:
    import aiohttp

    headers = {"authorization": f"Bearer {key}"} if key else {}
    findings: list[Finding] = []
    checks: tuple[tuple[str, Callable[[Any, str, str], Awaitable[tuple[str, str]]]], ...] = (
        ("models are listed", _lists),
        ("a whole answer", _whole),
        ("a stream with usage", _stream),
        ("no usage unless asked", _no_usage),
        ("an unknown model is 404", _unknown),
        ("bad JSON is 400", _bad_json),
    )
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
        for name, check in checks:
            try:
                findings.append(Finding(name, *await check(session, url, model)))
            except Exception as error:  # noqa: BLE001  (as above)
                findings.append(Finding(name, "bad", f"{type(error).__name__}: {error}"))
    return findings


def _ask(model: str, **more: object) -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": "Say hi."}], "max_tokens": 8, **more}


async def _lists(session: Any, url: str, _model: str) -> tuple[str, str]:
    async with session.get(f"{url}/models") as answer:
        names = [row["id"] for row in (await answer.json())["data"]]
    return "ok", f"{len(names)}: {', '.join(names[:8])}"


async def _whole(session: Any, url: str, model: str) -> tuple[str, str]:
    async with session.post(f"{url}/chat/completions", json=_ask(model)) as answer:
        body = await answer.json()
        if answer.status != 200:
            return "bad", f"HTTP {answer.status}: {body.get('error', {}).get('message')}"
        tier = answer.headers.get("x-stillhouse-tier")
    usage = body.get("usage") or {}
    words = f"finish {body['choices'][0]['finish_reason']}, {usage.get('total_tokens', 'no')} tokens"
    return "ok", words + (f", tier {tier} because {answer.headers.get('x-stillhouse-reason')}" if tier else "")


async def _events(session: Any, url: str, fields: dict[str, object]) -> list[dict[str, Any]]:
    async with session.post(f"{url}/chat/completions", json=fields) as answer:
        text = await answer.text()
    lines = [line[6:] for line in text.split("\n") if line.startswith("data: ")]
    if not lines or lines[-1] != "[DONE]":
        raise ValueError("the stream does not end with [DONE]")
    return [json.loads(line) for line in lines[:-1]]


async def _stream(session: Any, url: str, model: str) -> tuple[str, str]:
    events = await _events(session, url, _ask(model, stream=True, stream_options={"include_usage": True}))
    if not events[-1].get("usage") or events[-1]["choices"]:
        return "bad", "the last event is not a usage event with empty choices"
    return "ok", f"{len(events)} events"


async def _no_usage(session: Any, url: str, model: str) -> tuple[str, str]:
    events = await _events(session, url, _ask(model, stream=True))
    return ("bad", "usage came unasked") if any(e.get("usage") for e in events) else ("ok", f"{len(events)} events")


async def _unknown(session: Any, url: str, _model: str) -> tuple[str, str]:
    async with session.post(f"{url}/chat/completions", json=_ask("no-such-model-here")) as answer:
        body = await answer.json()
        code = (body.get("error") or {}).get("code")
        return ("ok" if answer.status == 404 else "bad"), f"HTTP {answer.status}, code {code}"


async def _bad_json(session: Any, url: str, _model: str) -> tuple[str, str]:
    head = {"content-type": "application/json"}
    async with session.post(f"{url}/chat/completions", data=b'{"model":', headers=head) as answer:
        body = await answer.json()
        shaped = isinstance(body.get("error"), dict)
        state = "ok" if answer.status == 400 and shaped else "bad"
        return state, f"HTTP {answer.status}, {'an error object' if shaped else 'no error object'}"
