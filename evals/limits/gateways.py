"""Two gateways on one PostgreSQL under a kill storm, through HTTP: registry, limits and ledger are all in it.

A hundred callers ask at once, each of them of one tenant, and each tenant meets one limit: money, places, requests, or
none though it always asks for 32,000 tokens. One gateway is killed at a drawn moment of each round and started again.
What the models' server generated is the truth that limits and ledger are held against (``laws``).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

from evals.faults.claims import Claim, most
from evals.faults.stage import Stage, Told, keys_in
from evals.limits.biller import Biller
from evals.limits.laws import Asked, Death, Evidence, claims, read

HUGE = 32_000  # the max_tokens that many clients always send
PLACES = 4


class Terms(NamedTuple):
    """How hard it is.

    Attributes:
        rounds: one kill each. calm: times that all ask at once before the first one.
        callers: in all. within: the kill comes at one of so many answers. seconds: a round lasts, at least.
        money: nano-dollars of each round's tenant with a budget. requests: a minute, of the one tenant bound by them.
    """

    rounds: int = 10
    calm: int = 3
    seed: int = 1
    callers: int = 100
    within: int = 400
    seconds: float = 6.0
    money: int = 12_000_000
    requests: int = 600

    def tenants(self) -> dict[str, str]:
        """Each with its limits, as the settings say them."""
        found = {"fast": f"requests_per_minute: {self.requests}", "few": f"parallel: {PLACES}", "held": "parallel: 4"}
        for i in range(self.rounds + 1):
            found[f"money-{i}"] = f"usd_per_day: {self.money / 1e9:.9f}"
            found[f"wide-{i}"] = f"tokens_per_minute: {1_500 * self.callers + 250_000}"
        # It pays what is really used, and a tenth of what is asked for at once: 32,000 tokens cost 6,400,000.
        found["calm"] = f"usd_per_day: {self.callers * 600_000 / 1e9:.9f}"
        return found


class Found(NamedTuple):
    """What came of it."""

    terms: Terms
    evidence: Evidence
    claims: list[Claim]

    def told(self) -> dict[str, Any]:
        """For JSON."""
        return {**self.terms._asdict(), "counts": self.evidence.counts(), "claims": [c._asdict() for c in self.claims]}


class Pair:
    """The two gateways. ``up`` are those that callers choose from."""

    def __init__(self, gateways: list[Stage], server: Biller, draw: random.Random) -> None:
        self.gateways, self.server, self.draw = gateways, server, draw
        self.up = list(range(len(gateways)))
        self.asked: list[Asked] = []
        self.deaths: list[Death] = []
        self.lives = [0] * len(gateways)

    async def ask(self, tenant: str, *, bound: int, at: int | None = None) -> Told:
        """One question, on record with where it went."""
        at = self.draw.choice(self.up) if at is None else at
        life, name = self.lives[at], f"n{len(self.asked)}"
        self.asked.append(Asked(name, tenant, bound, at, life, None))
        index = len(self.asked) - 1
        told = await self.gateways[at].ask(
            tenant=tenant, text=f"{name} {tenant} says hello to the storm", most=bound, tag=name
        )
        self.asked[index] = self.asked[index]._replace(told=told)
        return told

    async def caller(self, tenant: str, over: asyncio.Event, *, bound: int) -> None:
        """Ask again and again. Who is refused waits a little, who is cut off asks anew."""
        while not over.is_set():
            told = await self.ask(tenant, bound=bound)
            if told.status != 200:
                await asyncio.sleep(self.draw.uniform(0.05, 0.3))

    async def kill(self, at: int) -> None:
        """SIGKILL one, and start it again."""
        self.up.remove(at)
        gateway = self.gateways[at]
        self.deaths.append(Death(at, self.lives[at], time.monotonic()))
        gateway.process.kill()
        await asyncio.sleep(0.2)  # those who were inside see it
        await gateway.stop()
        self.lives[at] += 1
        await gateway.start()
        self.up.append(at)

    async def round(self, number: int, terms: Terms) -> None:
        """All ask at once, one gateway dies among them, and it goes on until it serves again and the money is gone."""
        over, begun, rich = asyncio.Event(), time.monotonic(), f"money-{number}"
        whom = [(rich, HUGE), (rich, 0), ("fast", HUGE), ("few", 0), (f"wide-{number}", HUGE)]
        callers = [
            asyncio.create_task(self.caller(tenant, over, bound=bound))
            for tenant, bound in (whom[i % len(whom)] for i in range(terms.callers))
        ]
        death = len(self.server.bills) + self.draw.randrange(1, terms.within)
        await self._until(lambda: len(self.server.bills) >= death)
        await self.kill(self.draw.choice(self.up))
        await self._until(lambda: time.monotonic() - begun >= terms.seconds and self._refused(rich))
        over.set()
        await asyncio.gather(*callers)

    def _refused(self, tenant: str) -> bool:
        return any(a.tenant == tenant and a.told is not None and a.told.status == 429 for a in self.asked)

    async def _until(self, true: Callable[[], bool]) -> None:
        async def asked() -> bool:
            return true()

        assert await self.gateways[0].until(asked, 60) < 60, "the storm does not get on"

    async def calm(self, terms: Terms) -> None:
        """All at once, again and again, who ask for far more than their budget pays, and need far less."""
        for _ in range(terms.calm):
            await asyncio.gather(*(self.ask("calm", bound=HUGE) for _ in range(terms.callers)))

    async def places_back(self) -> float:
        """Seconds after which the places that died with a gateway are free at the other one."""
        self.server.slow["held"] = 5.0
        inside = [asyncio.create_task(self.ask("held", bound=0, at=0)) for _ in range(4)]
        await self._until(lambda: self.server.inside_of["held"] == 4)
        self.server.slow.clear()
        refused = await self.ask("held", bound=0, at=1)
        assert refused.status == 429, refused
        begun = time.monotonic()
        dying = asyncio.create_task(self.kill(0))
        await self.gateways[1].until(self._let_in, 30)
        seconds = time.monotonic() - begun
        await asyncio.gather(dying, *inside)
        return seconds

    async def _let_in(self) -> bool:
        return (await self.ask("held", bound=0, at=1)).status == 200


@contextlib.asynccontextmanager
async def pair(dsn: str, folder: Path, terms: Terms) -> AsyncIterator[Pair]:
    """Two gateways with one database, before one server that bills."""
    server = Biller(terms.seed)
    await server.start()
    tenants = terms.tenants()
    keys = keys_in(folder / "g0", tuple(tenants))
    limits = "".join(f"    {name}: {{{what}}}\n" for name, what in tenants.items())
    more = (
        f"server: {{keys: required}}\nledger: '{dsn}'\nregistry: '{dsn}'\n"
        f"limits:\n  store: '{dsn}'\n  tenants:\n{limits}"
    )
    gateways = [Stage(folder / f"g{i}", server, ("small",), more, keys) for i in range(2)]
    for each in gateways:  # one after the other: the first one brings the keys
        await each.start()
    try:
        yield Pair(gateways, server, random.Random(terms.seed))  # noqa: S311  (to be repeated)
    finally:
        await asyncio.gather(*(each.stop() for each in gateways))
        await server.stop()


async def storm(
    dsn: str, folder: Path, terms: Terms, *, places: bool = True, say: Callable[[str], object] = lambda _: None
) -> Found:
    """All of it. ``places``: also wait for the places that a dead gateway held."""
    more: list[Claim] = []
    async with pair(dsn, folder, terms) as both:
        await both.calm(terms)
        for number in range(terms.rounds):
            await both.round(number, terms)
            say(f"round {number}: {len(both.asked)} asked, {len(both.server.bills)} answered")
        if places:
            seconds = await both.places_back()
            more.append(most("seconds until the places of a dead gateway are free (10, and a beat)", seconds, 11.0))
    evidence = await asyncio.to_thread(read, dsn, both.asked, both.server, both.deaths)
    return Found(terms, evidence, [*claims(evidence, terms.money, terms.requests, PLACES), *more])


def page(found: Found, stamped: str) -> str:
    """Markdown."""
    about = (
        f"{found.terms.callers} callers at once through HTTP; in each of {found.terms.rounds} rounds one gateway is "
        "killed (SIGKILL) at a drawn moment and started again. Registry, limits and ledger are in PostgreSQL. The "
        "models' server honours `max_tokens`, works on when its caller is gone, and its bills are the truth. Money in "
        "nano-dollars."
    )
    lines = [
        "# Two gateways on one PostgreSQL under a kill storm", "",
        about, "", stamped, "", "| law | measured | goal | |", "|---|---|---|---|",
        *(f"| {c.what} | {c.value:g} | {c.goal} | {'' if c.kept else '**not kept**'} |" for c in found.claims), "",
        "| counted | |", "|---|---|",
        *(f"| {name} | {value:,} |" for name, value in found.evidence.counts().items()),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"
