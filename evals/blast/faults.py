"""Faults of real processes, and what callers and ledgers say of them."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from evals.blast.estate import Estate

UPSTREAM = ("hang", "reset", "trickle", "garbage", "busy", "broken", "cut")
KILLED, STOPPED = "SIGKILL of c0", "SIGTERM of c0"
FAULTS = ("none", *UPSTREAM, KILLED, STOPPED)
_AT_ONCE = 8
LONGEST = 6.0 + 1.0  # seconds: the policy's ``total``, and one


class Found(NamedTuple):
    """What a fault did.

    Attributes:
        fault: which. statuses: tenant -> how often each status was answered; 0: the connection broke.
        slowest: seconds of the slowest answer.
        lost: answered requests that no ledger holds. twice: those that two hold.
    """

    fault: str
    statuses: dict[str, Counter[int]]
    slowest: float
    lost: int
    twice: int


def hurt(it: Estate, fault: str, requests: int, tenants: Sequence[str] = ()) -> Found:
    """Do it while tenants (all, unless some are named) ask ``requests`` times, every second one for a stream.

    Then hold the ledgers to what was answered.
    """
    if fault in UPSTREAM:
        it.upstream(fault, "m-medium")  # others answer, so a fallback is there
    asking = tenants or tuple(it.tokens)
    work = [(tenant, number) for number in range(requests) for tenant in asking]
    slowest, ids = 0.0, []
    statuses: dict[str, Counter[int]] = {tenant: Counter() for tenant in asking}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = pool.map(lambda job: _ask(it, *job), work)
        for number, (tenant, status, request, seconds) in enumerate(answers):
            if number == len(work) // 4 and fault in (KILLED, STOPPED):
                it.kill("c0", signal.SIGKILL if fault == KILLED else signal.SIGTERM)
            statuses[tenant][status] += 1
            slowest = max(slowest, seconds)
            ids += [request] if request else []
    it.upstream("ok", "m-medium")
    time.sleep(0.5)  # the ledgers' writers
    held = Counter(request for cell in it.ports for request in it.records(cell))
    return Found(
        fault, statuses, slowest, sum(not held[request] for request in ids), sum(held[r] > 1 for r in ids)
    )  # fmt: skip


def _ask(it: Estate, tenant: str, number: int) -> tuple[str, int, str, float]:
    began = time.monotonic()
    status, headers, _ = it.chat(tenant, stream=bool(number % 2))
    return tenant, status, headers.get("x-request-id", ""), time.monotonic() - began


def page(found: Sequence[Found]) -> str:
    """Markdown."""
    lines = ["| fault | tenant | answers | slowest s | in no ledger | in two |", "|---|---|---|---|---|---|"]
    for one in found:
        for tenant, counts in one.statuses.items():
            told = ", ".join(f"{count} x {status or 'broken off'}" for status, count in sorted(counts.items()))
            lines.append(f"| {one.fault} | {tenant} | {told} | {one.slowest:.1f} | {one.lost} | {one.twice} |")
    return "\n".join(lines)
