"""What sessions cost, by who decides: ``python -m evals.sessions [--data DIR]``.

Sessions are drawn from ``evals.sessions.model``; every call is decided by the router's own code (``weigh``,
``decide``, ``remember``) with the model's clock. Compared are the whole of it with its parts and with the
usual habits. Figures are means over seeds with 95 % intervals of the mean; differences are paired by seed.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from evals.sessions.model import Call, Task, needed, outcome_pool, session, synthetic_pool, talk_of
from evals.sessions.report import FIGURES, write
from evals.stamp import stamp
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

RESULTS = Path(__file__).parents[1] / "results"
MODELS = {"small": "gpt-5-nano", "medium": "gpt-5-mini", "large": "gpt-5"}
FAMILY = "llama-3.1"
POLICIES = {"keep 0.95": "quality: {keep: 0.95}", "dial 0.7": "cost_quality: 0.7"}
SWEEPS = {"keep": (0.7, 0.8, 0.9, 0.95, 0.98, 1.0), "dial": (0.4, 0.6, 0.75, 0.87, 0.95, 1.0)}
SHARES = (0.8, 0.9, 0.95)
CACHE_SECONDS = 300.0
RANK = {tier: place for place, tier in enumerate(TIER_NAMES)}


class Seen(NamedTuple):
    """What a strategy may look at."""

    call: Call
    failures: int
    memory: Memory | None
    first: TierName | None


Strategy = Callable[[Seen], TierName]


def strategies(policy: Policy, fleet: Fleet) -> dict[str, Strategy]:
    """Who decides, by name; ``ours`` is what the gateway does."""

    def go(seen: Seen, turn: Turn, *, affinity: bool) -> TierName:
        call = seen.call
        facts = Features(
            language="en", input_tokens=call.input_tokens, ask_chars=80, turns=call.messages, tools=False, images=False
        )
        stay = stay_of(policy.body, seen.memory, call.at, call.messages) if affinity else None
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
        "always large": lambda _: "large",
        "always small": lambda _: "small",
        "oracle per turn": lambda seen: TIER_NAMES[needed(seen.call.task)],
    }


def play(calls: Sequence[Call], choose: Strategy, prices: Mapping[str, Price]) -> dict[str, float]:
    """One session under one strategy: its sums."""
    memory: Memory | None = None
    first: TierName | None = None
    last: TierName | None = None
    failures = 0
    sums = dict.fromkeys(("nano", "right", "switches", "too_low", "too_high", "cached", "input"), 0.0)
    for call in calls:
        failures = failures if call.inside else 0
        tier = choose(Seen(call, failures, memory, first))
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


def figures(sessions: Sequence[Sequence[Call]], choose: Strategy, prices: Mapping[str, Price]) -> list[float]:
    """``FIGURES`` of many sessions."""
    played = [play(calls, choose, prices) for calls in sessions]
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


def measure(
    pool: Sequence[Task], body: str, prices: Mapping[str, Price], seeds: int, count: int
) -> dict[str, dict[str, Any]]:
    """All strategies on the same sessions, seed by seed, and the paired differences of ours to each."""
    chosen = strategies(_policy(body), _fleet(prices))
    rows: dict[str, list[list[float]]] = {name: [] for name in chosen}
    for sessions in _drawn(pool, seeds, count):
        for name, choose in chosen.items():
            rows[name].append(figures(sessions, choose, prices))
    mine = list(zip(*rows["ours"], strict=True))
    out: dict[str, dict[str, Any]] = {}
    for name, per_seed in rows.items():
        columns = list(zip(*per_seed, strict=True))
        out[name] = {key: interval(column) for key, column in zip(FIGURES, columns, strict=True)}
        out[name]["ours_less_this"] = {
            key: interval([a - b for a, b in zip(mine[i], columns[i], strict=True)]) for i, key in enumerate(FIGURES)
        }
    return out


def at_equal_quality(
    pool: Sequence[Task], aim: str, prices: Mapping[str, Price], seeds: int, count: int
) -> list[dict[str, Any]]:
    """Cost and switches where a strategy reaches a share of what large adds to small, its aim turned until it does.

    Settings between two of the sweep are taken to lie on the straight line between them. ``cost`` is a share of
    always-large's; ``ours_less_this`` is paired by seed.
    """
    bodies = {name: [body.format(x) for x in SWEEPS[aim]] for name, body in _variants(aim).items()}
    got: dict[tuple[str, float], list[tuple[float, float]]] = {}
    for sessions in _drawn(pool, seeds, count):
        small, large = (figures(sessions, lambda _, t=tier: t, prices) for tier in ("small", "large"))  # type: ignore[misc]
        for name, turned in bodies.items():
            who = name.split(", ")[0]
            points = [figures(sessions, strategies(_policy(body), _fleet(prices))[who], prices) for body in turned]
            quality = np.maximum.accumulate([point[1] for point in points])
            for share in SHARES:
                goal = small[1] + share * (large[1] - small[1])
                cost = float(np.interp(goal, quality, [point[0] for point in points])) / large[0]
                got.setdefault((name, share), []).append(
                    (cost, float(np.interp(goal, quality, [point[2] for point in points])))
                )
    rows = []
    for (name, share), values in sorted(got.items(), key=lambda item: (item[0][1], item[0][0] != "ours")):
        costs, switches = zip(*values, strict=True)
        mine = [cost for cost, _ in got["ours", share]]
        rows.append(
            {
                "aim": aim, "share": share, "who": name, "cost": interval(costs), "switches": interval(switches),
                "ours_less_this": interval([a - b for a, b in zip(mine, costs, strict=True)]),
            }
        )  # fmt: skip
    return rows


def _variants(aim: str) -> dict[str, str]:
    """Who is compared at equal quality, and with what policy; ``{}`` is where the aim's figure goes."""
    plain = "quality: {{keep: {}}}" if aim == "keep" else "cost_quality: {}"
    others = ("ours without affinity", "per turn (last ask alone)", "sticky (first ask decides)")
    hysteresis = {f"ours, hysteresis {h}": f"{plain}\nsession: {{{{hysteresis: {h}}}}}" for h in (0.0, 0.05)}
    return {"ours": plain, **dict.fromkeys(others, plain), **hysteresis}


def _drawn(pool: Sequence[Task], seeds: int, count: int) -> Iterator[list[list[Call]]]:
    for seed in range(seeds):
        rng = np.random.default_rng([20261124, seed])
        yield [session(rng, pool) for _ in range(count)]


def _fleet(prices: Mapping[str, Price]) -> Fleet:
    return Fleet(tuple(Deployment(name=t, tier=t, model=t, upstream="u") for t in TIER_NAMES), prices)


@lru_cache(maxsize=256)
def _policy(body: str) -> Policy:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p.yaml"
        path.write_text(f"stillhouse: 1\nname: p\n{body}\n", encoding="utf-8")
        return load_policy(path)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evals.sessions", description="Simulate sessions.")
    parser.add_argument("--data", type=Path, help="folder of the outcome files; without it the synthetic pool alone")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--sessions", type=int, default=50, help="per seed")
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
    equal = {
        pool: [row for aim in SWEEPS for row in at_equal_quality(tasks, aim, prices, options.seeds, options.sessions)]
        for pool, tasks in pools.items()
    }
    about = {
        **stamp(f"python -m evals.sessions --data DIR --seeds {options.seeds} --sessions {options.sessions}"),
        "seeds": options.seeds,
        "sessions_per_seed": options.sessions,
        "prices": {tier: f"{model} ({book.price(model).source})" for tier, model in MODELS.items()},
        "tasks": {pool: len(tasks) for pool, tasks in pools.items()},
        "artefact": scorer.digest,
        "family": FAMILY,
        "horizon": HORIZON,
    }
    write(options.out, about, results, equal)
    print(f"wrote {options.out / 'sessions.md'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
