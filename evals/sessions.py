"""What sessions cost, by who decides: ``python -m evals.sessions [--data DIR]``.

Sessions are drawn from ``evals.sessions_model``; every call is decided by the router's own code (``weigh``,
``decide``, ``remember``) with the model's clock. Compared are the whole of it with its parts and with the
usual habits. Figures are means over seeds with 95 % intervals of the mean; differences are paired by seed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from evals.sessions_model import Call, Task, needed, outcome_pool, session, synthetic_pool, talk_of
from policies.load import load_policy
from policies.policy import Policy
from router.core.affinity import HORIZON, Memory, Warm, cached_tokens, remember
from router.core.cost import cost_of
from router.core.decide import Caller, Fleet, decide
from router.core.session import stay_of
from router.core.turns import Turn, weigh
from router.registry.prices import PriceBook
from router.score import load
from router.types import TIER_NAMES, Deployment, Features, Price, TierName, Usage

RESULTS = Path(__file__).parent / "results"
MODELS = {"small": "gpt-5-nano", "medium": "gpt-5-mini", "large": "gpt-5"}
FAMILY = "llama-3.1"
POLICIES = {"keep 0.95": "quality: {keep: 0.95}", "dial 0.7": "cost_quality: 0.7"}
CACHE_SECONDS = 300.0
RANK = {tier: place for place, tier in enumerate(TIER_NAMES)}
FIGURES = ("usd_per_session", "quality", "switches", "too_low", "too_high", "cached_share")


class Seen(NamedTuple):
    """What a strategy may look at."""

    call: Call
    failures: int
    memory: Memory | None
    first: TierName | None
    horizon: int


Strategy = Callable[[Seen], TierName]


def strategies(policy: Policy, fleet: Fleet) -> dict[str, Strategy]:
    """Who decides, by name; ``ours`` is what the gateway does."""

    def go(seen: Seen, turn: Turn, *, affinity: bool) -> TierName:
        call = seen.call
        facts = Features(
            language="en", input_tokens=call.input_tokens, ask_chars=80, turns=call.messages, tools=False, images=False
        )
        stay = None
        if affinity:
            stay = stay_of(policy.body, seen.memory, call.at, call.messages)
            stay = type(stay)(
                memory=stay.memory, now=stay.now, hysteresis=stay.hysteresis,
                cache_seconds=stay.cache_seconds, horizon=seen.horizon,
            )  # fmt: skip
        return decide(policy, facts, turn.score, Caller(), fleet, turn, stay).wanted

    def last_ask(seen: Seen) -> TierName:
        return go(seen, Turn(score=seen.call.own.score), affinity=False)

    def turn(seen: Seen) -> Turn:
        return weigh(*talk_of(seen.call, seen.failures))

    return {
        "ours": lambda seen: go(seen, turn(seen), affinity=True),
        "ours without affinity": lambda seen: go(seen, turn(seen), affinity=False),
        "per turn (last ask alone)": last_ask,
        "last ask with affinity": lambda seen: go(seen, Turn(score=seen.call.own.score), affinity=True),
        "sticky (first ask decides)": lambda seen: seen.first or last_ask(seen),
        "always large": lambda seen: "large",
        "always small": lambda seen: "small",
        "oracle per turn": lambda seen: TIER_NAMES[needed(seen.call.task)],
    }


def play(calls: Sequence[Call], choose: Strategy, prices: Mapping[str, Price], horizon: int) -> dict[str, float]:
    """One session under one strategy: its sums."""
    memory: Memory | None = None
    first: TierName | None = None
    last: TierName | None = None
    failures = 0
    sums = dict.fromkeys(("nano", "right", "switches", "too_low", "too_high", "cached", "input"), 0.0)
    for call in calls:
        failures = failures if call.inside else 0
        tier = choose(Seen(call, failures, memory, first, horizon))
        first = first or tier
        cached = cached_tokens(memory, tier, call.input_tokens, call.at, CACHE_SECONDS)
        usage = Usage(input_tokens=call.input_tokens, output_tokens=call.output_tokens, cached_tokens=cached)
        chance, need = call.task.right[RANK[tier]], needed(call.task)
        sums["nano"] += cost_of(usage, prices[tier]) or 0
        sums["right"] += chance
        sums["switches"] += last is not None and tier != last
        sums["too_low"] += chance < call.task.right[need] - 0.02
        sums["too_high"] += RANK[tier] > need
        sums["cached"] += cached
        sums["input"] += call.input_tokens
        failures = failures + 1 if call.fails < 0.5 * (1 - chance) else 0
        memory = remember(memory, Warm(tier, tier, "u", call.input_tokens, call.at), call.messages)
        last = tier
    return sums


def figures(sessions: Sequence[Sequence[Call]], choose: Strategy, prices: Mapping[str, Price], horizon: int) -> list[float]:
    """``FIGURES`` of many sessions."""
    played = [play(calls, choose, prices, horizon) for calls in sessions]
    total = {key: sum(p[key] for p in played) for key in played[0]}
    calls = sum(len(calls) for calls in sessions)
    return [
        total["nano"] / 1e9 / len(sessions), total["right"] / calls, total["switches"] / len(sessions),
        total["too_low"] / calls, total["too_high"] / calls, total["cached"] / total["input"],
    ]  # fmt: skip


def interval(values: Sequence[float]) -> dict[str, float]:
    """Mean and 95 % interval of the mean over seeds (normal)."""
    array = np.asarray(values, dtype=float)
    half = 1.96 * float(array.std(ddof=1)) / len(array) ** 0.5
    mean = float(array.mean())
    return {"value": round(mean, 6), "low": round(mean - half, 6), "high": round(mean + half, 6)}


def measure(pool: Sequence[Task], body: str, prices: Mapping[str, Price], seeds: int, count: int) -> dict[str, Any]:
    """All strategies on the same sessions, seed by seed, and the paired differences of ours to each."""
    policy = _policy(body)
    fleet = Fleet(tuple(Deployment(name=t, tier=t, model=t, upstream="u") for t in TIER_NAMES), prices)
    chosen = strategies(policy, fleet)
    rows: dict[str, list[list[float]]] = {name: [] for name in chosen}
    for seed in range(seeds):
        rng = np.random.default_rng([20261124, seed])
        sessions = [session(rng, pool) for _ in range(count)]
        for name, choose in chosen.items():
            rows[name].append(figures(sessions, choose, prices, HORIZON))
    out: dict[str, Any] = {}
    for name, per_seed in rows.items():
        columns = list(zip(*per_seed, strict=True))
        mine = list(zip(*rows["ours"], strict=True))
        out[name] = {key: interval(column) for key, column in zip(FIGURES, columns, strict=True)}
        out[name]["ours_less_this"] = {
            key: interval([a - b for a, b in zip(mine[i], columns[i], strict=True)]) for i, key in enumerate(FIGURES)
        }
    return out


def sweep(pool: Sequence[Task], prices: Mapping[str, Price], seeds: int, count: int) -> list[dict[str, Any]]:
    """Ours at other horizons and hystereses, under the first policy."""
    fleet = Fleet(tuple(Deployment(name=t, tier=t, model=t, upstream="u") for t in TIER_NAMES), prices)
    rows = []
    for hysteresis in (0.0, 0.05, 0.1):
        choose = strategies(_policy(f"{POLICIES['keep 0.95']}\nsession: {{hysteresis: {hysteresis}}}"), fleet)["ours"]
        for horizon in (1, 2, 4, 8):
            got = []
            for seed in range(seeds):
                rng = np.random.default_rng([20261124, seed])
                got.append(figures([session(rng, pool) for _ in range(count)], choose, prices, horizon))
            columns = zip(FIGURES, zip(*got, strict=True), strict=True)
            rows.append({"hysteresis": hysteresis, "horizon": horizon, **{k: interval(v) for k, v in columns}})
    return rows


def _policy(body: str) -> Policy:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p.yaml"
        path.write_text(f"stillhouse: 1\nname: p\n{body}\n", encoding="utf-8")
        return load_policy(path)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evals.sessions", description="Simulate sessions.")
    parser.add_argument("--data", type=Path, help="folder of the outcome files; without it the synthetic pool alone")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--sessions", type=int, default=100, help="per seed")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args(argv)
    book = PriceBook.load()
    prices = {tier: book.price(model) for tier, model in MODELS.items()}
    scorer = load()
    pools = {"synthetic": synthetic_pool(np.random.default_rng(7))}
    if options.data:
        pools["outcomes"] = outcome_pool(options.data, scorer, FAMILY)
    results = {
        f"{pool}, {name}": measure(tasks, body, prices, options.seeds, options.sessions)
        for pool, tasks in pools.items()
        for name, body in POLICIES.items()
    }
    swept = {pool: sweep(tasks, prices, max(2, options.seeds // 2), options.sessions) for pool, tasks in pools.items()}
    about = {
        "command": "python -m evals.sessions --data DIR",
        "date": datetime.now(UTC).date().isoformat(),
        "commit": subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
        ).stdout.strip(),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}",
        "seeds": options.seeds,
        "sessions_per_seed": options.sessions,
        "prices": {tier: f"{model} ({book.price(model).source})" for tier, model in MODELS.items()},
        "tasks": {pool: len(tasks) for pool, tasks in pools.items()},
        "artefact": scorer.digest,
        "family": FAMILY,
        "horizon": HORIZON,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    body = {"about": about, "results": results, "sweep": swept}
    (options.out / "sessions.json").write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    (options.out / "sessions.md").write_text(_markdown(about, results, swept), encoding="utf-8")
    print(f"wrote {options.out / 'sessions.md'}")
    return 0


# --- words -------------------------------------------------------------------------------------------


def _markdown(about: Mapping[str, Any], results: Mapping[str, Any], swept: Mapping[str, Any]) -> str:
    tasks = ", ".join(f"{name} {count}" for name, count in about["tasks"].items())
    lines = [
        "# Sessions", "",
        f"`{about['command']}`, {about['date']}, commit {about['commit']}, {about['machine']}. "
        f"{about['seeds']} seeds of {about['sessions_per_seed']} sessions; tasks: {tasks}. "
        f"Prices: {', '.join(f'{t} {m}' for t, m in about['prices'].items())}. "
        "**Simulated**: the model of sessions is stated in `evals/sessions_model.py`; the decisions are the router's own.",
        "",
        "Cost is USD per session, quality the mean chance that a call was done right, switches per session; too low is "
        "the share of calls on a tier that does the task worse than the cheapest one that suffices, too high on a dearer "
        "one than that; cached is the share of input read from a prompt cache. 95 % intervals of the mean over seeds.",
    ]  # fmt: skip
    for name, table in results.items():
        lines += ["", f"## {name}", "", "| who decides | cost | quality | switches | too low | too high | cached |", "|---|---|---|---|---|---|---|"]
        lines += [f"| {who} | " + " | ".join(_cell(row[key]) for key in FIGURES) + " |" for who, row in table.items()]
        lines += ["", "Ours less each, paired by seed:", "", "| | cost | quality | switches | too low | too high |", "|---|---|---|---|---|---|"]
        lines += [
            f"| {who} | " + " | ".join(_cell(row["ours_less_this"][key], sign=True) for key in FIGURES[:-1]) + " |"
            for who, row in table.items() if who != "ours"
        ]  # fmt: skip
    for pool, rows in swept.items():
        lines += ["", f"## Horizon and hysteresis, {pool}, keep 0.95", "", "| hysteresis | horizon | cost | quality | switches | too low | too high |", "|---|---|---|---|---|---|---|"]
        lines += [f"| {r['hysteresis']} | {r['horizon']} | " + " | ".join(_cell(r[k]) for k in FIGURES[:-1]) + " |" for r in rows]
    return "\n".join(lines) + "\n"


def _cell(figure: Mapping[str, float], *, sign: bool = False) -> str:
    plus = "+" if sign else ""
    digits = 4 if abs(figure["high"]) < 1 else 2
    return f"{figure['value']:{plus}.{digits}f} ({figure['low']:{plus}.{digits}f} to {figure['high']:{plus}.{digits}f})"


if __name__ == "__main__":
    raise SystemExit(main())
