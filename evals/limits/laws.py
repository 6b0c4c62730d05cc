"""What must hold after a storm, by what everybody saw: callers, the models' server, the ledger, the store of limits.

A record that was younger than a second when its gateway was killed may be lost (``router.ledger.writer``), and what was
bought with a lease that its gateway never reported is forfeited (``router.core.limits``): both are bounded here. All
else is exact.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

from evals.faults.claims import Claim, least, most
from evals.faults.stage import Told
from evals.limits.biller import IN_NANO, OUT_NANO, Bill, Biller
from router.core.limits import State, state_of
from router.postgres import Dsn, connect
from router.state.store import open_store

YOUNG = 1.0  # seconds
_BATCH = 100  # records that a kill may lose
_ROWS = "SELECT tag, outcome, tokens_in, tokens_out, cost_nano FROM stillhouse_ledger.requests"


class Asked(NamedTuple):
    """One request, and which life of which gateway it went to."""

    name: str
    tenant: str
    bound: int
    at: int
    life: int
    told: Told | None


class Death(NamedTuple):
    """A kill."""

    at: int
    life: int
    when: float


class Row(NamedTuple):
    """A request in the ledger."""

    name: str
    outcome: str
    given: int | None
    made: int | None
    nano: int | None


class Evidence(NamedTuple):
    """All that was seen."""

    asked: dict[str, Asked]
    bills: list[Bill]
    cut: int
    inside: Counter[str]
    deaths: dict[tuple[int, int], float]
    rows: list[Row]
    books: dict[str, State]

    def counts(self) -> dict[str, int]:
        """How much of everything there was."""
        status = Counter(each.told.status for each in self.asked.values() if each.told)
        names = {row.name for row in self.rows if row.outcome == "ok"}
        return {
            "requests": len(self.asked), "answered": status[200], "refused by a limit": status[429],
            "cut off by a kill": status[0], "kills": len(self.deaths), "answers generated": len(self.bills),
            "of them ended by max_tokens": self.cut, "of them on record": sum(b.name in names for b in self.bills),
            "of them lost with a kill": sum(b.name not in names for b in self.bills),
            "requests of one tenant in the worst 60 seconds": _busiest(self.bills),
            "billed in all": sum(b.nano for b in self.bills),
            "forfeited of budgets": sum(s.forfeited for s in self.books.values()),
        }  # fmt: skip


def read(dsn: str, asked: list[Asked], server: Biller, deaths: list[Death]) -> Evidence:
    """Ask the database, when the gateways have ended in order."""
    with connect(Dsn(dsn), read_only=True) as db:
        rows = [Row(*row) for row in db.execute(_ROWS).fetchall()]
    store = open_store(dsn, Path())
    try:
        tenants = sorted({each.tenant for each in asked})
        now, kept = store.books([f"tenant:{name}" for name in tenants])
    finally:
        store.close()
    days = [each for each in kept if each.kind == "day"]
    books = {each.subject.removeprefix("tenant:"): state_of(each.book, each.kind, now) for each in days}
    by_name = {each.name: each for each in asked}
    died = {(death.at, death.life): death.when for death in deaths}
    return Evidence(by_name, list(server.bills), server.cut, server.most_of, died, rows, books)


def claims(seen: Evidence, money: int, requests: int, places: int) -> list[Claim]:
    """All laws."""
    return [*_limits(seen, money, requests, places), *_ledger(seen), *_store(seen), *_answers(seen)]


def _limits(seen: Evidence, money: int, requests: int, places: int) -> list[Claim]:
    billed = _billed(seen.bills)
    spent = [nano for tenant, nano in billed.items() if tenant.startswith("money")]
    return [
        most("overshoot: money of the worst tenant", max(0, max(spent) - money), 0),
        least("budgets that were used up, at least to 90 %, forfeited money counted", float(_used_up(seen, money)), 1),
        most("overshoot: requests in the worst 60 seconds", max(0, _busiest(seen.bills) - requests), 0),
        most("overshoot: requests in progress", max(0, seen.inside["few"] - places), 0),
        least("requests in progress at most, of those allowed", seen.inside["few"], places),
    ]


def _billed(bills: list[Bill]) -> Counter[str]:
    found: Counter[str] = Counter()
    for bill in bills:
        found[bill.tenant] += bill.nano
    return found


def _used_up(seen: Evidence, money: int) -> int:
    books = [state for tenant, state in seen.books.items() if tenant.startswith("money")]
    return sum(state.used + state.forfeited >= 0.9 * money for state in books)


def _busiest(bills: list[Bill]) -> int:
    times, start, most_ = sorted(bill.came for bill in bills if bill.tenant == "fast"), 0, 0
    for end, came in enumerate(times):
        while came - times[start] >= 60:
            start += 1
        most_ = max(most_, end - start + 1)
    return most_


def _ledger(seen: Evidence) -> list[Claim]:
    good = {row.name: row for row in seen.rows if row.outcome == "ok"}
    bills = {bill.name: bill for bill in seen.bills}
    wrong = [row for name, row in good.items() if name not in bills or row[2:] != _due(bills[name])]
    lost = [bill for bill in seen.bills if bill.name not in good]
    owed: Counter[tuple[int, int]] = Counter()
    for bill in lost:
        if _whole(seen.asked[bill.name]):
            owed[seen.asked[bill.name].at, seen.asked[bill.name].life] += 1
    sums = sum(row.nano or 0 for row in good.values()) + sum(bill.nano for bill in lost)
    return [
        most("ledger: rows that are not what was billed", len(wrong), 0),
        most("ledger: requests that are there twice", len(seen.rows) - len({row.name for row in seen.rows}), 0),
        most("ledger: lost without a kill, or older than a second when it came", len(_old(seen, lost)), 0),
        most("ledger: answered, and lost with one kill", max(owed.values(), default=0), _BATCH),
        most("ledger: its sum, and what was lost, against the bills", abs(sums - sum(b.nano for b in seen.bills)), 0),
    ]


def _due(bill: Bill) -> tuple[int, int, int]:
    return bill.given, bill.made, bill.given * IN_NANO + bill.made * OUT_NANO


def _whole(asked: Asked) -> bool:
    return asked.told is not None and asked.told.whole


def _old(seen: Evidence, bills: list[Bill]) -> list[Bill]:
    """Those whose gateway lived on, or was killed more than a second later: nothing excuses their loss."""
    found = []
    for bill in bills:
        asked = seen.asked[bill.name]
        died = seen.deaths.get((asked.at, asked.life))
        if died is None or (_whole(asked) and bill.ended < died - YOUNG):
            found.append(bill)
    return found


def _store(seen: Evidence) -> list[Claim]:
    by_tenant: dict[str, list[Bill]] = defaultdict(list)
    for bill in seen.bills:
        by_tenant[bill.tenant].append(bill)
    twice = few = hidden = 0
    for tenant, state in seen.books.items():
        bills = by_tenant[tenant]
        billed, held = sum(bill.nano for bill in bills), state.forfeited + state.leased
        twice = max(twice, state.used - billed)
        few = max(few, sum(bill.nano for bill in _old(seen, bills)) - state.used)
        hidden = max(hidden, billed - state.used - held)
    return [
        most("limits: money counted that was not billed", twice, 0),
        most("limits: money not counted that no kill explains", few, 0),
        most("limits: money billed that is neither counted nor forfeited", hidden, 0),
    ]


def _answers(seen: Evidence) -> list[Claim]:
    lived = [each for each in seen.asked.values() if (each.at, each.life) not in seen.deaths and each.told]
    odd = [each for each in lived if each.told and each.told.status not in (200, 429)]
    told = [each for each in seen.asked.values() if each.told and each.told.status == 429]
    wide = [each for each in told if each.tenant == "calm" or each.tenant.startswith("wide")]
    return [
        most("refused because 32,000 tokens were asked for", len(wide), 0),
        most("answers of living gateways that are neither good nor a limit's", len(odd), 0),
    ]
