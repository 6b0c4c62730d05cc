"""Whose limits a request comes under, and what is left of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from router.core.limits import FIELDS, MONEY, Allowance, Book, Cap, state_of
from router.registry.home import home
from router.serve.limits.limiting import Limiter
from router.serve.metrics import Metrics
from router.serve.settings import Settings, read_secret
from router.state.store import open_store

if TYPE_CHECKING:
    from router.registry.keys import Key, KeyStore
    from router.serve.limits.settings import AllowanceSettings, LimitSettings


class Limits:
    """The limits of the settings and of the key file, over one limiter."""

    def __init__(self, settings: LimitSettings, limiter: Limiter) -> None:
        self.settings, self.limiter = settings, limiter
        self._known: dict[tuple[str | None, str], tuple[Key | None, tuple[Cap, ...]]] = {}

    def caps(self, key: Key | None, tenant: str) -> tuple[Cap, ...]:
        """The meters of a request; none where nothing bounds it."""
        name = (key.id if key else None, tenant)
        known = self._known.get(name)
        if known is None or known[0] is not key:  # the key file was read again
            known = self._known[name] = (key, caps_of(self.settings, key, tenant))
        return known[1]

    async def usage(self, key: Key | None, tenant: str) -> list[dict[str, Any]]:
        """What was used and is left of every meter of a key, its team and its tenant; see ``usage_of``.

        Raises:
            StoreAway: the store does not answer.
        """
        caps = self.caps(key, tenant)
        loop, store = asyncio.get_running_loop(), self.limiter.store
        subjects = sorted({cap.subject for cap in caps})
        now, kept = await loop.run_in_executor(self.limiter.thread, store.books, subjects)
        return usage_of(caps, {(each.subject, each.kind): each.book for each in kept}, now)


def caps_of(settings: LimitSettings, key: Key | None, tenant: str) -> tuple[Cap, ...]:
    """All meters of a key, its team and its tenant: what is written for each, and else what is for every one."""
    found: list[Cap] = []
    own = settings.tenants.get(tenant)
    if key is not None:
        found += _caps(key.limits, settings.each_key, f"key:{key.id}")
        if key.team is not None:
            team = own.teams.get(key.team) if own else None
            found += _caps(team.allowance() if team else None, settings.each_team, f"team:{tenant}/{key.team}")
    found += _caps(own.allowance() if own else None, settings.each_tenant, f"tenant:{tenant}")
    return tuple(found)


def _caps(own: Allowance | None, usual: AllowanceSettings | None, subject: str) -> Iterable[Cap]:
    return (own or Allowance()).over(usual.allowance() if usual else None).caps(subject)


def usage_of(caps: Iterable[Cap], books: dict[tuple[str, Any], Book], now_ms: int) -> list[dict[str, Any]]:
    """Meters in words.

    Money in nano-dollars; ``held`` is set aside for calls in progress or lies with a gateway; ``forfeited`` was, when
    its gateway died, and counts as used.
    """
    lines: list[dict[str, Any]] = []
    for subject, kind, limit in caps:
        state = state_of(books.get((subject, kind), Book()), kind, now_ms)
        what, name = subject.split(":", 1)
        held = state.leased
        left = max(0, limit - state.used - held - state.forfeited)
        lines.append(
            {
                "of": what, "name": name, "limit": FIELDS[kind], "unit": "nanodollars" if kind in MONEY else kind,
                "allowed": limit, "used": state.used, "held": held, "forfeited": state.forfeited, "left": left,
                "resets_ms": state.ends if kind in MONEY else None,
            }
        )  # fmt: skip
    return lines


def open_limits(
    settings: Settings,
    keys: KeyStore,
    clock: Callable[[], float],
    now_ms: Callable[[], int],
    metrics: Metrics,
) -> Limits | None:
    """The limits of a cell; None where nothing is limited.

    Args:
        settings: the operator's.
        keys: the key file, which has limits of its own.
        clock: monotonic seconds.
        now_ms: the wall clock.
        metrics: count what is refused.

    Raises:
        ValueError: the store's reference cannot be read.
    """
    wanted = settings.limits
    if settings.server.observe or (not wanted.any and not any(key.limits for key in keys.keys)):
        return None  # who only looks on refuses nobody
    limiter = Limiter(
        open_store(where_of(wanted), home() / "limits.db"),
        when_away=wanted.when_away, wait=wanted.wait, clock=clock, now_ms=now_ms,
        refused=lambda kind: metrics.limited.add(1, kind),
    )  # fmt: skip
    return Limits(wanted, limiter)


def where_of(settings: LimitSettings) -> str:
    """Where limits are kept: empty for the default file."""
    store = settings.store or ""
    return read_secret(store) if store.startswith(("env:", "file:")) else store
