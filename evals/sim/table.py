"""All runs of the blast-radius table, and the page they make."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from evals.sim.figures import figures, goodput, mean_of
from evals.sim.run import Ran, run
from evals.sim.world import ARMS, BAD, Arm, Fault, World

FAULTS: tuple[Fault, ...] = (
    "dead cell", "dead upstream", "black hole", "retry storm", "poison: errors", "poison: slow", "poison: huge",
    "poison: kills", "poison: memory", "poison: unseen",
)  # fmt: skip
CELLS_ONLY = frozenset({"poison: memory", "poison: unseen"})  # without cells they do what ``poison: kills`` does
BY_CHANCE: tuple[Fault, ...] = ("chance: kills", "chance: memory", "chance: faults")
WORLD = World(tenants=120, rate=600.0, places=80, queue=40, begins=10.0, ends=30.0, lasts=30.0, restart=3.0)
LOADED = World(tenants=120, places=32, queue=16, rate=200.0, begins=4.0, ends=12.0, lasts=12.0, fault="overload")
LOADS = (1.0, 1.2)  # of the capacity by sums; the best goodput of these is the peak
OVERLOAD = 5.0
Rows = dict[str, dict[str, list[float]]]


def measure(
    seeds: Sequence[int], world: World = WORLD, loaded: World = LOADED, say: Callable[[str], None] = print,
    faults: Sequence[Fault] = (*FAULTS, *BY_CHANCE, "overload"),
) -> dict[str, Any]:  # fmt: skip
    """Every fault, in every arm, under every seed."""
    rows: Rows = defaultdict(lambda: defaultdict(list))
    waited: dict[str, Waited] = defaultdict(Waited)
    requests, spent = 0, 0.0
    for seed in seeds:
        for arm in ARMS:
            base = msgspec.structs.replace(world, seed=seed, arm=arm)
            calm = run(base)
            for fault in (each for each in FAULTS if each in faults):
                if fault in CELLS_ONLY and arm != "cells":
                    continue
                # A cell that is dead stays dead here; one that a request kills is started again.
                change = {"restart": 3600.0} if fault == "dead cell" else {}
                began = time.process_time()
                ran = run(msgspec.structs.replace(base, fault=fault, **change))
                spent += time.process_time() - began
                requests += len(ran.seen)
                if arm == "cells":
                    waited[fault].add(ran)
                for name, value in figures(ran, calm).items():
                    if value is not None:
                        rows[f"{fault}|{arm}"][name].append(value)
            say(f"seed {seed}, {arm}: done")
        for fault in (each for each in BY_CHANCE if each in faults):
            waited[fault].add(run(msgspec.structs.replace(world, seed=seed, fault=fault)))
    return {
        "world": msgspec.to_builtins(world), "seeds": list(seeds), "requests": requests,
        "cpu_seconds_per_100000": 1e5 * spent / requests,
        "rows": {name: {k: _told(v) for k, v in found.items()} for name, found in rows.items()},
        "waited": {name: msgspec.to_builtins(each) for name, each in waited.items()},
        **({"overload": overload(seeds, loaded, say)} if "overload" in faults else {}),
    }  # fmt: skip


def renewed(before: dict[str, Any], found: dict[str, Any], stamp: str) -> dict[str, Any]:
    """An earlier table with the faults of ``found`` measured anew, by the same seeds in the same world.

    Raises:
        ValueError: they are not the same.
    """
    if any(before[name] != found[name] for name in ("world", "seeds")):
        raise ValueError("the earlier table is of another world or of other seeds; make all of it again")
    names = sorted({key.partition("|")[0] for key in found["rows"]} | set(found["waited"]))
    return before | {
        "rows": before["rows"] | found["rows"],
        "waited": before.get("waited", {}) | found["waited"],
        "renewed": before.get("renewed", {}) | dict.fromkeys(names, stamp),
    }


class Waited(msgspec.Struct):
    """Over all runs of a fault: who had to wait as the likely cause of crashes.

    Attributes:
        runs: how many. crashes: in all of them. poison: runs in which the one to blame had to wait.
        others: tenants, each once a run, who had to wait though they were not to blame.
    """

    runs: int = 0
    crashes: int = 0
    poison: int = 0
    others: int = 0

    def add(self, ran: Ran) -> None:
        """One more run."""
        blamed = {f"t{BAD}"} if ran.world.fault.startswith("poison") else set[str]()
        self.runs += 1
        self.crashes += ran.crashes
        self.poison += bool(ran.waited & blamed)
        self.others += len(ran.waited - blamed)


def overload(seeds: Sequence[int], world: World, say: Callable[[str], None]) -> dict[str, Any]:
    """Goodput at five times the capacity against the best there is."""
    found: dict[str, Any] = {}
    arms: tuple[Arm, ...] = ("cells", "replicas")
    for arm in arms:
        shares, critical, amplified = [], [], []
        for seed in seeds:
            peak = max(goodput(_loaded(world, arm, seed, load))[0] for load in LOADS)
            ran = _loaded(world, arm, seed, OVERLOAD)
            good, best = goodput(ran)
            shares.append(good / peak)
            critical.append(best)
            amplified.append((ran.first + ran.further) / ran.first)
        found[arm] = {"goodput": _told(shares), "critical": _told(critical), "amplification": _told(amplified)}
        say(f"overload, {arm}: done")
    return {"world": msgspec.to_builtins(world), **found}


def _loaded(world: World, arm: Arm, seed: int, load: float) -> Ran:
    capacity = world.cells * world.places / (0.9 * world.work)
    return run(msgspec.structs.replace(world, arm=arm, seed=seed, load=load * capacity / world.rate))


def _told(values: Sequence[float]) -> dict[str, float | int | None]:
    mean, half = mean_of(values)
    return {"mean": mean, "half": None if half != half else half, "n": len(values)}  # noqa: PLR0124


# --- the page ----------------------------------------------------------------------------------------

_COLUMNS = (
    ("any error", "before.any"), ("down", "before.down"), ("success < 99 %", "before.failing"),
    ("p99 > 2 x", "before.slow"), ("hurt after 10 s", "after.hurt"),
)  # fmt: skip
_NEVER: Mapping[str, Any] = {"mean": float("inf"), "half": None}
_SHARES = """\
Shares of the other tenants, in percent, in the first 10 seconds of the fault; last column: success below 99 % or p99
beyond twice the calm one, from 10 seconds on."""
_WORDS = {"cells": "2 of 8 cells", "replicas": "8 replicas", "bare": "8 replicas, no protections"}


def _how(world: Mapping[str, Any]) -> str:
    return f"""\
Simulated, not measured on a network: {world["tenants"]} tenants with equal load, {world["rate"]:.0f} requests a second,
{world["cells"]} processes with {world["places"]} places each. The processes' gates, breakers, budgets, plans and
placement are the product's own code in virtual time; models, network, processor time and callers are modelled
(`evals/sim/world.py` says how). Callers ask again as the usual client libraries do, {world["tries"]} times. Two cells
of eight a tenant, against the same eight processes serving anybody, with and without protections."""


def _spread(found: Mapping[str, Any], stamp: str) -> str:
    return f"""\
Mean over {len(found["seeds"])} seeds, in brackets half of the 95 % interval (Student); {found["requests"]:,} requests;
{found["cpu_seconds_per_100000"]:.1f} s of processor time for 100,000. {stamp}"""


def _renewed(found: Mapping[str, Any]) -> dict[str, list[str]]:
    """Stamp -> the faults that were measured under it, later than the rest."""
    told: dict[str, list[str]] = defaultdict(list)
    for fault, stamp in found.get("renewed", {}).items():
        told[stamp].append(fault)
    return told


def page(found: Mapping[str, Any], stamp: str) -> str:
    """Markdown."""
    rows = found["rows"]
    lines = [
        "# Blast radius",
        "",
        _how(found["world"]),
        "",
        _spread(found, stamp),
        *(f"\nMeasured anew since: {', '.join(names)}.\n{when}" for when, names in _renewed(found).items()),
        "",
        _SHARES,
        "",
        "| fault | processes | " + " | ".join(name for name, _ in _COLUMNS) + " |",
        "|---|---|" + "---|" * len(_COLUMNS),
    ]
    for fault in FAULTS:
        for arm in ("cells",) if fault in CELLS_ONLY else ARMS:
            cells = " | ".join(_percent(rows[f"{fault}|{arm}"][key]) for _, key in _COLUMNS)
            lines.append(f"| {fault} | {_WORDS[arm]} | {cells} |")
    return "\n".join([*lines, "", *_waiting(found), "", *_goals(found), ""])


_WAITING = """\
Who has to wait as the likely cause of crashes, in cells, over all seeds. By chance: a process ends every four
seconds or so, and no tenant has to do with it."""


def _waiting(found: Mapping[str, Any]) -> list[str]:
    lines = [
        _WAITING,
        "",
        "| fault | crashes | runs in which the poison waited | others that waited |",
        "|---|---|---|---|",
    ]
    for fault, each in found["waited"].items():
        if each["crashes"]:
            poison = f"{each['poison']} of {each['runs']}" if fault.startswith("poison") else "-"
            lines.append(f"| {fault} | {each['crashes']} | {poison} | {each['others']} |")
    return lines


def _goals(found: Mapping[str, Any]) -> list[str]:
    rows, load = found["rows"], found["overload"]
    dead, hole, storm = (rows[f"{fault}|cells"] for fault in ("dead cell", "black hole", "retry storm"))
    wrong = sum(each["others"] for name, each in found["waited"].items() if name.startswith("poison"))
    late = max(row["beyond_deadline"]["mean"] for row in rows.values())
    return [
        "| goal | reached | |",
        "|---|---|---|",
        _goal("dead cell: tenants fully down", 0.0, dead["before.down"], 100, "%", least=False),
        _goal("dead cell: p99 of tenants elsewhere, against calm", 1.10, dead["others_p99"], 1, "x", least=False),
        _goal(
            "black hole: seconds until the last cell noticed", 2.0, hole.get("detected", _NEVER), 1, "s", least=False
        ),
        f"| no try later than its deadline + 1 s | {late:.2f} s | {_kept(late <= 1)} |",
        *(
            _goal(f"{kind}: others hurt {when}", limit, rows[f"{kind}|cells"][key], 100, "%", least=False)
            for kind in FAULTS
            if kind.startswith("poison")
            for when, key, limit in (("in 10 s", "before.hurt", 0.04), ("after 10 s", "after.hurt", 0.01))
        ),
        f"| poison that kills: others who wait for it, 0 | {wrong} | {_kept(wrong == 0)} |",
        _goal("5 x overload: goodput, of its peak", 0.90, load["cells"]["goodput"], 100, "%", least=True),
        _goal("5 x overload: critical class succeeds", 0.999, load["cells"]["critical"], 100, "%", least=True),
        _goal("5 x overload: calls a request", 1.1, load["cells"]["amplification"], 1, "x", least=False),
        _goal("retry storm: calls a request", 1.1, storm["amplification"], 1, "x", least=False),
    ]


def _goal(words: str, limit: float, told: Mapping[str, Any], times: float, unit: str, *, least: bool) -> str:
    value = told["mean"]
    kept = value >= limit if least else value <= limit
    half = f" ({times * told['half']:.2f})" if told["half"] is not None else ""
    sign = "at least" if least else "at most"
    return f"| {words}, {sign} {times * limit:g} {unit} | {times * value:.2f}{half} {unit} | {_kept(kept)} |"


def _kept(yes: bool) -> str:
    return "reached" if yes else "**not reached**"


def _percent(told: Mapping[str, Any]) -> str:
    half = f" ({100 * told['half']:.1f})" if told["half"] is not None else ""
    return f"{100 * told['mean']:.1f}{half}"
