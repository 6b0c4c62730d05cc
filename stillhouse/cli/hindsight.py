"""Logged calls as observed requests in a ledger of their own: what a policy would have done with past traffic.

The same record that ``serve --observe`` leaves, made from a log, so that ``report --observe --ledger FILE`` reads both.
Each call is judged by itself: a log does not tell what a session would have remembered.
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from router.core.cascade import planned
from router.core.cost import cost_of
from router.core.decide import Caller
from router.errors import BadRequest
from router.ledger.record import OWN_PRICE, AttemptRecord, RequestRecord
from router.ledger.writer import Ledger
from router.serve.memory.sessions import session_name
from router.types import Deployment, Reason, Usage
from stillhouse.cli.offline import request_of

if TYPE_CHECKING:
    from evals.migrate.calls import Call
    from router.core.wire import ChatRequest
    from stillhouse.cli.offline import Bench, Judged


def keep(calls: Iterable[Call], bench: Bench, ledger: Path) -> Counter[str]:
    """Judge the calls and keep them in a new ledger; how many, and how many could not be, by their reason.

    Raises:
        LedgerError: the ledger cannot be opened.
    """
    salt = secrets.token_bytes(16)  # names of conversations must not tell what was said
    known = _by_name(bench.fleet.deployments)
    told: Counter[str] = Counter()
    store = Ledger(ledger)
    try:
        for call in calls:
            deployment = known.get(call.model) or known.get(call.model.rpartition("/")[2])
            if deployment is None:
                told[f"{call.model} is no deployment of the settings"] += 1
                continue
            try:
                request = request_of(None, call.messages, call.tools or None)
            except BadRequest:
                told["the messages are not OpenAI's"] += 1
                continue
            record, attempt = _records(call, request, deployment, bench, salt)
            store.record(record, [attempt])
            told["kept"] += 1
    finally:
        store.close()
    return told


def _by_name(deployments: Sequence[Deployment]) -> Mapping[str, Deployment]:
    """Deployments by every name that a log may use for them; the first one listed wins."""
    known: dict[str, Deployment] = {}
    for d in deployments:
        for name in (d.name, d.model, d.model.rpartition("/")[2]):
            known.setdefault(name, d)
    return known


def _records(
    call: Call, request: ChatRequest, d: Deployment, bench: Bench, salt: bytes
) -> tuple[RequestRecord, AttemptRecord]:
    policy, judged = bench.policy, bench.judge(request, Caller(tenant=call.tenant))
    cost, source = _paid(call, d)
    large = bench.fleet.prices.get("large")
    usage = _usage(call)
    score, decision = judged.score, judged.decision
    session = session_name(request, call.tenant, policy.hash, call.session, salt)
    record = RequestRecord(
        id=call.id, at_ms=call.at_ms, tenant=call.tenant, endpoint="/v1/chat/completions", outcome="ok", status=200,
        session=f"~{session.hex()}", mode="observed", stream=call.stream, requested_model=call.model,
        policy=policy.name, policy_hash=policy.hash, artefact_hash=score.artefact if score else None,
        family=score.family if score else None, features=judged.features,
        p_right=score.p_right if score else None, output_tokens=score.output_tokens if score else None,
        complexity=score.complexity if score else None, novelty=score.novelty if score else None,
        tier_wanted=decision.wanted, tier_served=d.tier, reasons=_reasons(judged, d, bench),
        predicted_cost=decision.cost, total_ms=call.latency_ms, tokens_in=call.tokens_in, tokens_out=call.tokens_out,
        tokens_cached=call.tokens_cached, tokens_source="upstream" if usage else None, model=d.model, cost_nano=cost,
        price_source=source, baseline_nano=cost_of(usage, large) if usage and large else None,
        baseline_source=large.source if large else "unknown",
        place=b64encode(score.place).decode() if score else None,
    )  # fmt: skip
    attempt = AttemptRecord(
        n=0, tier=d.tier, deployment=d.name, model=d.model, upstream=d.upstream, outcome="ok", started_ms=0.0,
        lineage=d.lineage, ended_ms=call.latency_ms, tokens_in=call.tokens_in, tokens_out=call.tokens_out,
        tokens_cached=call.tokens_cached, tokens_source="upstream" if usage else None, cost_nano=cost,
        price_source=source, finish_reason=call.finish_reason,
    )  # fmt: skip
    return record, attempt


def _usage(call: Call) -> Usage | None:
    if call.tokens_in is None or call.tokens_out is None:
        return None
    return Usage(input_tokens=call.tokens_in, output_tokens=call.tokens_out, cached_tokens=call.tokens_cached or 0)


def _paid(call: Call, d: Deployment) -> tuple[int | None, str]:
    """What the call cost: at the operator's own price where there is one, else as the log says, else by the book."""
    usage = _usage(call)
    own = cost_of(usage, d.price) if usage else None
    if own is not None and d.price.source == OWN_PRICE:
        return own, OWN_PRICE
    if call.cost_nano is not None:
        return call.cost_nano, f"log:{call.source}"
    return own, d.price.source


def _reasons(judged: Judged, d: Deployment, bench: Bench) -> tuple[Reason, ...]:
    decision = judged.decision
    text = f"From a log: {d.tier} was asked; the policy would have asked {decision.served}."
    reasons = [Reason(id="observed", text=text), *decision.reasons]
    if judged.blocked:
        reasons.append(Reason(id="observed-block", text="A guard would have blocked the request."))
    climbed, _ = planned(bench.policy.body, decision, judged.score, judged.features, bench.fleet)
    if climbed and climbed[0] != decision.served:
        words = f"The policy's cascade would have asked {climbed[0]} first; what it would have kept is not known."
        reasons.append(Reason(id="observed-cascade", text=words))
    return tuple(reasons)
