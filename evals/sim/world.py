"""What a simulated world is made of, as data: its size, its tenants, what goes wrong and when."""

from __future__ import annotations

from typing import Literal

import msgspec

Arm = Literal["cells", "replicas", "bare"]
ARMS: tuple[Arm, ...] = ("cells", "replicas", "bare")
"""``cells``: tenants live in 2 of 8 cells. ``replicas``: the same 8 processes with all their protections, but any of
them serves anybody. ``bare``: replicas without gates, breakers and budgets."""

Fault = Literal[
    "none", "dead cell", "dead upstream", "black hole", "poison: errors", "poison: slow", "poison: huge",
    "poison: kills", "retry storm", "overload",
]  # fmt: skip


class World(msgspec.Struct, frozen=True, kw_only=True):
    """One simulated run.

    Attributes:
        fault: what goes wrong, between ``begins`` and ``ends`` (seconds); arrivals go on until ``lasts``.
        arm: how the processes are organised.
        seed: of everything that is drawn.
        cells, per_tenant: how many processes, and in how many a tenant lives.
        tenants: how many, all with the same load; ``rate``: requests a second of all of them together.
        work: seconds that a model needs for an answer, on average; the spread is log-normal, ``sigma``.
        door, serve: seconds of processor time to read a request's head, and to serve it.
        heavy: share of everybody's requests that are large: work for a worker, as all of a poison's huge ones are.
        places, queue, queue_seconds, share: of each process's gate, as in the settings of ``server``.
        deadline: seconds after which a caller is told that time is up.
        critical: share of requests of the class ``critical``; as many are ``batch``.
        detect: seconds between health checks; two in a row must fail. restart: until a dead process serves again.
        tries: how often a caller asks again after an error that is worth it; ``patience``: the first pause.
        poison: how many times its usual load the bad tenant brings.
        load: times the usual load of everybody while the fault ``overload`` lasts.
    """

    fault: Fault = "none"
    arm: Arm = "cells"
    seed: int = 1
    cells: int = 8
    per_tenant: int = 2
    tenants: int = 200
    rate: float = 1000.0
    work: float = 0.4
    sigma: float = 0.5
    door: float = 0.00015
    serve: float = 0.001
    heavy: float = 0.02
    places: int = 128
    queue: int = 64
    queue_seconds: float = 5.0
    share: float = 0.5
    deadline: float = 15.0
    critical: float = 0.1
    detect: float = 0.5
    restart: float = 10.0
    tries: int = 2
    patience: float = 0.5
    poison: float = 20.0
    load: float = 1.0
    begins: float = 15.0
    ends: float = 45.0
    lasts: float = 45.0


TIERS = ("small", "medium", "large")
MIX = (0.5, 0.8, 1.0)  # cumulative: half small, three tenths medium, the rest large
SLOWNESS = (0.5, 1.0, 1.75)  # of each tier, times ``work``; 0.9 on average
BAD = 0  # the tenant that is the poison
