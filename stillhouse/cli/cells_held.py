"""``stillhouse cells held`` and ``release``: who waits as the likely cause of crashes, and letting one in again."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import click

from router.registry.home import home
from stillhouse.cli import show

_FOLDER = "quarantine"


@click.command(help="Tenants whose requests were inside when cells died, and who has to wait for it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a tenant.")
def held(as_json: bool) -> None:  # noqa: D103
    from router.core.resilience.crashes import chances
    from router.core.resilience.crashes import held as verdicts
    from router.serve.limits.quarantine import KEEP, crashes_in, lifted_in, waits_in

    folder, now = home() / _FOLDER, time.time()
    crashes, lifted = sorted(crashes_in(folder, now, KEEP), key=lambda crash: crash.at), lifted_in(folder)
    waits = waits_in(folder)
    recent = [crash for crash in crashes if now - crash.at <= waits.window]
    waiting = verdicts(crashes, waits, lifted)
    rows: list[dict[str, Any]] = []
    for name, chance in sorted(chances(recent, lifted).items(), key=lambda each: -each[1]):
        until = waiting[name].until if name in waiting else None
        inside = sum(name in crash.inside for crash in recent)
        rows.append({"tenant": name, "crashes": inside, "of": len(recent), "chance": round(chance, 3), "until": until})
    if as_json:
        for row in rows:
            show.json_line(row)
        return
    if not crashes:
        show.line("No cell with this home has ended uncleanly in a week.")
        return
    last = datetime.fromtimestamp(crashes[-1].at, UTC).isoformat(timespec="seconds")
    show.line(f"{len(crashes)} unclean ends in a week, the last one of cell {crashes[-1].cell} at {last}.")
    if rows:
        show.table(
            ("tenant", "inside at", "chance to be the cause", "waits until"),
            [[r["tenant"], f"{r['crashes']} of {r['of']}", f"{r['chance']:.1%}", _when(r["until"], now)] for r in rows],
        )


@click.command(help="Let a tenant in again; what happened until now is not held against it any more.")
@click.argument("tenant")
def release(tenant: str) -> None:  # noqa: D103
    from router.serve.limits.quarantine import lift

    lift(home() / _FOLDER, tenant, time.time())
    show.line(f"Every cell with this home lets {tenant} in within a second.")


def _when(until: float | None, now: float) -> str:
    if until is None:
        return "-"
    if until <= now:
        return "let in again, on trial"
    return datetime.fromtimestamp(until, UTC).isoformat(timespec="seconds")
