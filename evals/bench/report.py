"""From raw repetitions to what is read: medians, spread, ratios; Markdown and JSON. Caveats come first."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from evals.bench import payload

Row = tuple[str, ...]
Rounds = Sequence[Mapping[str, Any]]

BUSY = 0.9  # a load core busier than this may have been the limit
_VERSIONS = ("uvicorn", "uvloop", "httptools", "aiohttp", "fastapi", "msgspec")

CAVEATS = tuple(
    " ".join(paragraph.split())
    for paragraph in """
Gate on CPU a request and on ratios of one run. Requests a second and the tails depend on what else the
machine did.

CPU is read from the kernel's counters over all processes of a peer: the part of time that belongs to it.

The upstream answers at once (or after 50 ms where said). A real model takes seconds: no user would feel these
differences as speed, an operator pays them as machines.

Load generator and fake upstream share one core. Where that core was over 90 % busy, requests a second is
marked '>=': the generator was the limit, not the peer.

Peers do not do the same work: floor and nginx only pass bytes on, LiteLLM checks a key, Stillhouse does
everything it can do.

At a few requests a second every one of them uses several times the CPU a request (wake-ups, cold caches).
Added latency is measured there, CPU is not.
""".strip().split("\n\n")
)


def facts(plan: Any) -> dict[str, Any]:
    """Where, when and from what the figures come."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "--short", "HEAD"),
        "clean": not _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!evals/results"),
        "machine": f"{_processor()}, {os.cpu_count()} CPUs",
        "system": f"Linux {platform.release()}, Python {platform.python_version()}",
        "load_average": list(os.getloadavg()),
        "versions": {name: version(name) for name in _VERSIONS},
        "seconds": plan.seconds,
        "repetitions": plan.repetitions,
        "in_flight": plan.in_flight,
        "rates": {"whole": plan.rate, "stream": plan.stream_rate},
        "bytes": {"question": len(payload.question(payload.MODEL)), "answer": len(payload.answer())},
    }


def _git(*words: str) -> str:
    done = subprocess.run(("git", *words), capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def middle(values: Sequence[float | None]) -> float | None:
    """The median of what is there; None for nothing."""
    there = [value for value in values if value is not None]
    return statistics.median(there) if there else None


def spread(values: Sequence[float | None]) -> float | None:
    """Largest less smallest, as a share of the median; None for fewer than two values."""
    there = [value for value in values if value is not None]
    return (max(there) - min(there)) / statistics.median(there) if len(there) > 1 else None


def _of(rounds: Rounds, phase: str, name: str) -> list[float | None]:
    """A figure of a phase in every round; None in the phases that a peer cannot do."""
    return [one.get(phase, {}).get(name) for one in rounds]


def _added(rounds: Rounds, direct: Rounds, phase: str, name: str) -> list[float | None]:
    """Each round less the same round without a gateway."""
    pairs = zip(_of(rounds, phase, name), _of(direct, phase, name), strict=True)
    return [None if a is None or b is None else a - b for a, b in pairs]


def medians(peer: Mapping[str, Any], direct: Rounds) -> dict[str, Any]:
    """The figures of one peer."""
    rounds: Rounds = peer["repetitions"]
    cpu, streams = _of(rounds, "whole", "cpu_us"), _of(rounds, "stream", "cpu_us")
    chunk = middle(streams)
    phases = [key for key in rounds[0] if key != "load_average"]
    return {
        "cpu_us": middle(cpu),
        "cpu_us_spread": spread(cpu),
        "rps": middle(_of(rounds, "whole", "rps")),
        "rps_is_floor": max(_busy(rounds, "whole")) > BUSY,
        "rps_paused": middle(_of(rounds, "paused", "rps")),
        "added_p50_ms": middle(_added(rounds, direct, "whole_paced", "p50_ms")),
        "added_p99_ms": middle(_added(rounds, direct, "whole_paced", "p99_ms")),
        "added_ttft_p50_ms": middle(_added(rounds, direct, "stream_paced", "ttft_p50_ms")),
        "added_ttft_p99_ms": middle(_added(rounds, direct, "stream_paced", "ttft_p99_ms")),
        "cpu_us_stream": chunk,
        "cpu_us_stream_spread": spread(streams),
        "cpu_us_chunk": chunk / payload.CHUNKS if chunk is not None else None,
        "streams_per_second": middle(_of(rounds, "stream", "rps")),
        "memory_idle_mb": peer["memory_idle_mb"],
        "memory_after_mb": peer["memory_after_mb"],
        "idle_cpu_share": peer["idle_cpu_share"],
        "cold_s": middle(peer["cold_s"]),
        "requests": sum(one[phase]["ok"] for one in rounds for phase in phases),
        "errors": sum(one[phase]["errors"] for one in rounds for phase in phases),
    }


def _busy(rounds: Rounds, phase: str) -> list[float]:
    return [one[phase]["load_core_busy"] for one in rounds]


def ratios(figures: Mapping[str, Mapping[str, Any]], to: str) -> dict[str, dict[str, float]]:
    """Each peer's figures divided by those of one of them; below 1 is less than it."""
    base = figures.get(to)
    if base is None:
        return {}
    names = ("cpu_us", "rps", "cpu_us_stream", "memory_after_mb", "cold_s")
    return {
        peer: {name: own[name] / base[name] for name in names if own[name] and base[name]}
        for peer, own in figures.items()
    }


def result(raw: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """The whole result, ready to be written."""
    measured = {name: peer for name, peer in raw["peers"].items() if "repetitions" in peer}
    figures = {name: medians(peer, raw["direct"]) for name, peer in measured.items()}
    return {
        "caveats": list(CAVEATS),
        **about,
        "upstream_alone_rps": raw["upstream_alone"]["rps"],
        "figures": figures,
        "ratio_to_floor": ratios(figures, "floor"),
        "ratio_to_litellm": ratios(figures, "litellm"),
        "not_measured": {n: p["not_measured"] for n, p in raw["peers"].items() if "not_measured" in p},
        "what": {name: peer["what"] for name, peer in measured.items()},
        "raw": {"direct": raw["direct"], "peers": measured},
    }


def _number(value: Any, digits: int = 3) -> str:
    """A figure with as many digits as it deserves."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.{digits}g}"


def _times(share: float | None) -> str:
    return "-" if share is None else f"{share:.3g} x"


COLUMNS: tuple[tuple[str, Callable[[Mapping[str, Any], str], str]], ...] = (
    ("peer", lambda _, name: name),
    ("CPU us/request (spread)", lambda r, n: _with_spread(r["figures"][n], "cpu_us")),
    ("x floor", lambda r, n: _times(r["ratio_to_floor"].get(n, {}).get("cpu_us"))),
    ("LiteLLM / it", lambda r, n: _inverse(r["ratio_to_litellm"].get(n, {}).get("cpu_us"))),
    (
        "req/s",
        lambda r, n: (">= " if r["figures"][n]["rps_is_floor"] else "") + _number(r["figures"][n]["rps"]),
    ),
    ("req/s, 64 in flight, 50 ms", lambda r, n: _number(r["figures"][n]["rps_paused"])),
    ("added p50 / p99 ms", lambda r, n: _pair(r["figures"][n], "added_p50_ms", "added_p99_ms")),
    (
        "TTFT added p50 / p99 ms",
        lambda r, n: _pair(r["figures"][n], "added_ttft_p50_ms", "added_ttft_p99_ms"),
    ),
    ("CPU us/stream (spread)", lambda r, n: _with_spread(r["figures"][n], "cpu_us_stream")),
    ("x floor, stream", lambda r, n: _times(r["ratio_to_floor"].get(n, {}).get("cpu_us_stream"))),
    ("MB idle / after", lambda r, n: _pair(r["figures"][n], "memory_idle_mb", "memory_after_mb")),
    ("start s", lambda r, n: _number(r["figures"][n]["cold_s"])),
    ("requests, errors", lambda r, n: f"{r['figures'][n]['requests']:,}, {r['figures'][n]['errors']}"),
)


def _with_spread(figures: Mapping[str, Any], name: str) -> str:
    value, wide = figures[name], figures[f"{name}_spread"]
    return _number(value) if wide is None else f"{_number(value)} ({wide:.0%})"


def _pair(figures: Mapping[str, Any], first: str, second: str) -> str:
    return f"{_number(figures[first])} / {_number(figures[second])}"


def _inverse(share: float | None) -> str:
    return "-" if not share else f"{1 / share:.3g} x"


def rows(made: Mapping[str, Any]) -> list[Row]:
    """The table's cells, without the heading."""
    return [tuple(cell(made, name) for _, cell in COLUMNS) for name in made["figures"]]


def heading(made: Mapping[str, Any]) -> list[str]:
    """What stands above the table."""
    load_ = ", ".join(f"{value:.1f}" for value in made["load_average"])
    state = "" if made["clean"] else ", with uncommitted changes"
    size = made["bytes"]
    return [
        f"{made['date']}, commit {made['commit']}{state}; load average {load_} at the start.",
        f"{made['machine']}, {made['system']}.",
        f"{made['repetitions']} repetitions of {made['seconds']:g} s a phase, {made['in_flight']} in flight.",
        "Figures are medians; spread is (largest - smallest) / median.",
        f"{size['question']} bytes in, {size['answer']} out; streams of {payload.CHUNKS} chunks, 1 ms apart.",
        *(
            [f"The upstream alone answers {made['upstream_alone_rps']:,.0f} requests a second."]
            if "upstream_alone_rps" in made
            else []
        ),
    ]


def markdown(made: Mapping[str, Any]) -> str:
    """The page `evals/results/bench.md`."""
    page = ["# Speed, side by side", "", *(f"- {caveat}" for caveat in made["caveats"]), ""]
    page += [line + "  " for line in heading(made)]
    if made["figures"]:
        names = [name for name, _ in COLUMNS]
        page += ["", "| " + " | ".join(names) + " |", "|---" * len(names) + "|"]
        page += ["| " + " | ".join(cells) + " |" for cells in rows(made)]
        page += ["", *(f"- **{name}**: {what}" for name, what in made["what"].items())]
        page += [f"- **{name}**: not measured: {why}" for name, why in made["not_measured"].items()]
    page += ["", *lines(made), ""] if "sizes" in made or "agent" in made else [""]
    page += ["Made by `python -m evals.bench`; every repetition is in the JSON file beside this page.", ""]
    return "\n".join(page)


def lines(made: Mapping[str, Any]) -> list[str]:
    """Cost by size, and of an agent's turns: one request after the other, so dearer than under load."""
    page: list[str] = []
    if "sizes" in made:
        page += ["## By the size of a prompt", "", "| peer | bytes: CPU us | line |", "|---|---|---|"]
        for name, one in made["sizes"].items():
            cells = ", ".join(f"{row['bytes']:,}: {row['cpu_us']:,.0f}" for row in one["rows"])
            page.append(f"| {name} | {cells} | {_line(one['line'])} |")
        page.append("")
    if "agent" in made:
        page += ["## An agent's conversation", "", "| peer | turn (bytes): CPU us | line | last turn, unseen |"]
        page.append("|---|---|---|---|")
        for name, one in made["agent"].items():
            some = [one["turns"][at] for at in (0, 1, 10, 20, len(one["turns"]) - 1)]
            cells = ", ".join(f"{turn['turn']} ({turn['bytes']:,}): {turn['cpu_us']:,.0f}" for turn in some)
            page.append(f"| {name} | {cells} | {_line(one['line'])} | {one['cold_us']:,.0f} us |")
        page.append("")
    return page


def _line(found: Mapping[str, float]) -> str:
    return f"{found['floor_us']:,.0f} us + {found['us_per_kb']:.1f} us a kB"
