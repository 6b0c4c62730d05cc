"""Written conversations: short lines in, OpenAI's messages out; and the decision for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from policies.policy import Policy
from router.core.decide import Caller, Fleet, decide
from router.core.features import features_of
from router.core.turns import turn_of
from router.core.wire import ChatRequest, read_chat
from router.registry.references import reference_prices
from router.score import Scorer
from router.types import TIER_NAMES, Decision, Deployment

CASES = Path(__file__).parents[1] / "router" / "core" / "cases"
FLEET = tuple(Deployment(name=tier, tier=tier, model=tier, upstream="u") for tier in TIER_NAMES)
_ROLES = {"U": "user", "A": "assistant", "S": "system"}
_RULE = "When a customer asks about a parcel, look up its number, read the last scan, and answer in two sentences. "


def load(name: str) -> list[dict[str, Any]]:
    """The cases of a file."""
    cases: list[dict[str, Any]] = yaml.safe_load((CASES / name).read_text("utf-8"))
    return cases


def messages_of(lines: list[str]) -> list[dict[str, Any]]:
    """OpenAI's messages for lines of a case."""
    messages: list[dict[str, Any]] = []
    calls: list[str] = []
    for line in lines:
        kind, _, text = line.partition(": ")
        if kind == "C":
            name, _, arguments = text.partition(" ")
            call = {
                "id": f"call_{len(messages)}",
                "type": "function",
                "function": {"name": name, "arguments": arguments},
            }
            calls = [call["id"]]
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        elif kind == "T":
            messages.append({"role": "tool", "tool_call_id": calls.pop(0) if calls else "lost", "content": text})
        else:
            messages.append({"role": _ROLES[kind], "content": text})
    return messages


def request_of(case: dict[str, Any], lines: list[str], *, bare: bool = False) -> ChatRequest:
    """A request of these lines, behind the case's filler unless ``bare``."""
    messages = messages_of(lines)
    body: dict[str, Any] = {"model": "auto", "messages": messages}
    if not bare:
        if tokens := case.get("history_tokens"):
            filler = _RULE * (tokens * 4 // len(_RULE) // 10)
            body["messages"] = [{"role": r, "content": filler} for r in ("user", "assistant") * 5] + messages
        if tokens := case.get("system_tokens"):
            text = _RULE * (tokens * 4 // len(_RULE))
            body["messages"] = [{"role": "system", "content": text}, *body["messages"]]
        if count := case.get("tools"):
            body["tools"] = [
                {
                    "type": "function",
                    "function": {"name": f"tool_{i}", "description": _RULE * 2, "parameters": {"type": "object"}},
                }
                for i in range(count)
            ]
    return read_chat(json.dumps(body).encode())


def decision_of(policy: Policy, scorer: Scorer, request: ChatRequest) -> Decision:
    """What the gateway decides for a request without a remembered session."""
    turn = turn_of(request, lambda text: scorer.score(text, policy.body.family))
    features = features_of(request, request.ask())
    fleet = Fleet(FLEET, reference_prices(policy.body.family))
    return decide(policy, features, turn.score, Caller(text=request.ask()), fleet, turn)


def holds(case: dict[str, Any], policy: Policy, scorer: Scorer) -> list[str]:
    """What is wrong with the decision for a case; nothing when it is as written."""
    lines = case["messages"]
    got = decision_of(policy, scorer, request_of(case, lines))
    than, how = case["than"], case["is"]
    if how == "tier":
        other: str = than
    elif than == "fresh":
        other = decision_of(policy, scorer, request_of(case, lines[-1:], bare=True)).wanted
    elif "earlier" in than:
        other = decision_of(policy, scorer, request_of(case, lines[: than["earlier"]])).wanted
    else:
        other = decision_of(policy, scorer, request_of(case, than["instead"])).wanted
    mine, theirs = TIER_NAMES.index(got.wanted), TIER_NAMES.index(other)
    fine = {"same": mine == theirs, "tier": mine == theirs, "up": mine > theirs, "down": mine < theirs,
            "at_least": mine >= theirs, "at_most": mine <= theirs}[how]  # fmt: skip
    ids = {r.id for r in got.reasons}
    wrong = [] if fine else [f"{got.wanted} is not {how} {other} ({', '.join(sorted(ids))})"]
    if case.get("reason", next(iter(ids))) not in ids:
        wrong.append(f"no {case['reason']} among {sorted(ids)}")
    if case.get("no_reason") in ids:
        wrong.append(f"{case['no_reason']} among the reasons")
    return wrong
