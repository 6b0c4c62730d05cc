"""Real agents' conversations through the router's reading: ``python -m evals.sessions.traces --tau FILE``.

Three questions. Does what we read as trouble mean trouble, told by whether the run ended well? How often do
the directions hold that the written cases assert? How often would a session switch, with and without
affinity? One model (gpt-4o) made all runs, so nothing here says which tier would have sufficed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from evals.importers.agent_traces import COMMIT, Trace, TraceError, read_tau_bench
from evals.stamp import stamp
from policies.load import load_policy
from policies.policy import Policy
from router.core.affinity import Memory, Warm, remember
from router.core.conversation import Conversation, read_conversation
from router.core.decide import Caller, Fleet, decide
from router.core.features import features_of
from router.core.session import stay_of
from router.core.turns import weigh
from router.core.wire import read_chat
from router.registry.references import reference_prices
from router.score import Scorer, load
from router.types import TIER_NAMES, Deployment, TierName

RESULTS = Path(__file__).parents[1] / "results"
POLICY = "quality: {keep: 0.9}"
SEED = 20261124
SECONDS = 20.0  # between calls: the traces have no times
RANK = {tier: place for place, tier in enumerate(TIER_NAMES)}


class Step(NamedTuple):
    """One call of a run: what was read, and where it would go alone and in its session."""

    talk: Conversation
    alone: TierName
    held: TierName


def replay(trace: Trace, policy: Policy, scorer: Scorer, fleet: Fleet) -> list[Step]:
    """Decide every call of a run, remembering the session."""
    memory: Memory | None = None
    steps: list[Step] = []
    for place, messages in enumerate(trace.turns()):
        request = read_chat(json.dumps({"model": "auto", "messages": messages}).encode())
        talk = read_conversation(request)
        turn = weigh(talk, lambda text: scorer.score(text, policy.body.family))
        facts = features_of(request, talk.ask)
        now = place * SECONDS
        alone = decide(policy, facts, turn.score, Caller(), fleet, turn).wanted
        stay = stay_of(policy.body, memory, now, request.turns)
        held = decide(policy, facts, turn.score, Caller(), fleet, turn, stay).wanted
        memory = remember(memory, Warm(held, held, "u", facts.input_tokens, now), request.turns)
        steps.append(Step(talk, alone, held))
    return steps


def signs(steps: Sequence[Step]) -> dict[str, bool]:
    """Which signs of trouble a run shows."""
    return {
        "a tool failed": any(s.talk.failures for s in steps),
        "two failures in a row": any(s.talk.failures >= 2 for s in steps),
        "the same call again": any(s.talk.repeats >= 2 for s in steps),
        "the user complained": any(s.talk.complaint for s in steps),
    }


def associations(traces: Sequence[Trace], replayed: Sequence[Sequence[Step]]) -> list[dict[str, Any]]:
    """Share of runs that ended badly, with and without each sign; intervals by a bootstrap over tasks."""
    bad = np.array([1 - trace.reward for trace in traces])
    tasks = np.array([trace.id.split(":")[1] for trace in traces])
    shown = [signs(steps) for steps in replayed]
    rows = []
    for name in shown[0]:
        flag = np.array([s[name] for s in shown])
        rows.append({"sign": name, "runs_with": int(flag.sum()), "runs": len(flag), **_difference(bad, flag, tasks)})
    return rows


def _difference(bad: np.ndarray[Any, Any], flag: np.ndarray[Any, Any], tasks: np.ndarray[Any, Any]) -> dict[str, Any]:
    def gap(index: np.ndarray[Any, Any]) -> float:
        on, off = bad[index][flag[index]], bad[index][~flag[index]]
        return float(on.mean() - off.mean()) if len(on) and len(off) else float("nan")

    rng = np.random.default_rng(SEED)
    places = {task: np.flatnonzero(tasks == task) for task in np.unique(tasks)}
    names = list(places)
    draws = []
    for _ in range(2000):
        picked = rng.integers(len(names), size=len(names))
        draws.append(gap(np.concatenate([places[names[i]] for i in picked])))
    known = [draw for draw in draws if not np.isnan(draw)] or [float("nan")]
    low, high = np.percentile(known, [2.5, 97.5])
    every = np.arange(len(bad))
    return {
        "bad_with": _rounded(bad[flag].mean() if flag.any() else float("nan")),
        "bad_without": _rounded(bad[~flag].mean() if (~flag).any() else float("nan")),
        "difference": _rounded(gap(every)), "low": _rounded(low), "high": _rounded(high),
    }  # fmt: skip


def directions(replayed: Sequence[Sequence[Step]]) -> list[dict[str, Any]]:
    """How often a call goes where it should relative to the call before it in its run."""
    pairs = [(before, after) for steps in replayed for before, after in itertools.pairwise(steps)]
    kinds: dict[str, Callable[[Step], bool]] = {
        "after a failing tool, not below the call before": lambda s: s.talk.failures > 0,
        "a follow-up, not below the call before": lambda s: s.talk.follow_ups == 1,
        "in the middle of work with tools, not below": lambda s: s.talk.inside and not s.talk.failures,
    }
    rows = []
    for name, is_one in kinds.items():
        chosen = [(b, a) for b, a in pairs if is_one(a)]
        for who in ("alone", "held"):
            kept = sum(RANK[getattr(a, who)] >= RANK[getattr(b, who)] for b, a in chosen)
            rows.append({"direction": name, "decided": who, "kept": kept, "of": len(chosen)})
    return rows


def switches(replayed: Sequence[Sequence[Step]]) -> dict[str, Any]:
    """Switches of tier per run and the mix of tiers, without and with affinity."""
    out: dict[str, Any] = {}
    for who in ("alone", "held"):
        tiers = [[getattr(s, who) for s in steps] for steps in replayed]
        per_run = [sum(a != b for a, b in itertools.pairwise(run)) for run in tiers]
        calls = [tier for run in tiers for tier in run]
        half = 1.96 * float(np.std(per_run, ddof=1)) / len(per_run) ** 0.5
        mean = float(np.mean(per_run))
        out[who] = {
            "switches_per_run": _rounded(mean), "low": _rounded(mean - half), "high": _rounded(mean + half),
            "mix": {tier: _rounded(calls.count(tier) / len(calls)) for tier in TIER_NAMES},
        }  # fmt: skip
    return out


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m evals.sessions.traces", description="Replay agents' conversations."
    )
    parser.add_argument(
        "--tau", type=Path, required=True, help="tau-bench's historical_trajectories/gpt-4o-airline.json"
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args(argv)
    try:
        traces = read_tau_bench(options.tau)
    except TraceError as error:
        print(f"error: {error}")
        return 2
    scorer = load()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p.yaml"
        path.write_text(f"stillhouse: 1\nname: p\n{POLICY}\n", encoding="utf-8")
        policy = load_policy(path)
    fleet = Fleet(
        tuple(Deployment(name=t, tier=t, model=t, upstream="u") for t in TIER_NAMES), reference_prices("generic")
    )
    replayed = [replay(trace, policy, scorer, fleet) for trace in traces]
    body = {
        "about": {
            **stamp("python -m evals.sessions.traces --tau gpt-4o-airline.json"),
            "source": f"sierra-research/tau-bench at {COMMIT[:12]}, MIT, {options.tau.name}",
            "runs": len(traces), "calls": sum(len(steps) for steps in replayed),
            "tasks": len({t.id.split(":")[1] for t in traces}), "policy": POLICY, "artefact": scorer.digest,
        },
        "trouble_and_outcome": associations(traces, replayed),
        "directions": directions(replayed),
        "switches": switches(replayed),
    }  # fmt: skip
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "traces.json").write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    (options.out / "traces.md").write_text(_markdown(body), encoding="utf-8")
    print(f"wrote {options.out / 'traces.md'}")
    return 0


_HEAD = """# Agents' traces

`{command}`, {date}, commit {commit}, {machine}. {source}: {runs} runs of {tasks} tasks, {calls} calls, all by gpt-4o.
Policy `{policy}`, artefact {artefact}.

## Does what is read as trouble mean trouble?

Share of runs that ended badly; difference with a 95 % interval (bootstrap over tasks).

| sign | runs | bad with it | bad without | difference |
|---|---|---|---|---|"""
_DIRECTIONS = """
## Directions

Alone: each call by its own conversation. Held: with the session remembered.

| direction | alone | held |
|---|---|---|"""
_SWITCHES = """
## Switches

| | switches a run | small | medium | large |
|---|---|---|---|---|"""


def _markdown(body: Mapping[str, Any]) -> str:
    lines = [_HEAD.format(**{**body["about"], "artefact": body["about"]["artefact"][:12]})]
    for r in body["trouble_and_outcome"]:
        difference = f"{r['difference']} ({r['low']} to {r['high']})"
        cells = (r["sign"], f"{r['runs_with']} of {r['runs']}", str(r["bad_with"]), str(r["bad_without"]), difference)
        lines.append(f"| {' | '.join(cells)} |")
    lines.append(_DIRECTIONS)
    rows = body["directions"]
    for a, b in zip(rows[::2], rows[1::2], strict=True):
        lines.append(f"| {a['direction']} | {a['kept']} of {a['of']} | {b['kept']} of {b['of']} |")
    lines.append(_SWITCHES)
    for who, row in body["switches"].items():
        mix = " | ".join(f"{row['mix'][tier]:.0%}" for tier in TIER_NAMES)
        lines.append(f"| {who} | {row['switches_per_run']} ({row['low']} to {row['high']}) | {mix} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
