"""Words of the two protocols side by side."""

from __future__ import annotations

import json
from hashlib import blake2b

import msgspec

#: How chat's finish reasons are said in Messages, and back.
STOP_OF_FINISH = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
FINISH_OF_STOP = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}

#: Reasoning efforts of chat as thinking budgets in tokens. Messages takes no budget below 1,024.
BUDGETS = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 32_768, "max": 32_768}
LEAST_BUDGET = 1_024

#: Settings that travel as they are to a server that speaks Messages, and nowhere else. A closed list without prose:
#: what a model would read in them, no guard has read. Nor anything that the callers of one account share.
WHOLE = ("thinking", "output_config", "top_k", "service_tier", "cache_control", "inference_geo", "speed")
#: The same for the members of a tool.
TOOL_WHOLE = ("eager_input_streaming", "defer_loading", "allowed_callers")
#: Tools that Messages knows by type and that the caller runs. Those that its server runs do not travel: the blocks in
#: which their results come hold texts where no guard reads.
CLIENT_TOOLS = ("bash_", "text_editor_", "computer_", "memory_")
#: What such a tool may not say in its own words.
TOOL_PROSE = frozenset({"description", "input_schema", "input_examples"})

#: How Anthropic's API names the kinds of errors.
ERROR_OF_STATUS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
#: What agents look for before they shorten a conversation by themselves.
TOO_LONG = "prompt is too long"


def effort_of(budget: int) -> str:
    """The reasoning effort that comes nearest to a thinking budget in tokens."""
    if budget < 4_096:
        return "low"
    return "medium" if budget < 16_384 else "high"


def digest_of(thinking: str) -> str:
    """By what a thinking block is known to be unchanged since it was signed: a changed one would be refused."""
    return blake2b(thinking.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def read_input(arguments: object) -> object:
    """The arguments of a call; what is no JSON object travels as a text under a name of its own."""
    if not isinstance(arguments, str) or not arguments.strip():
        return {}
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return msgspec.Raw(arguments.encode("utf-8", "surrogatepass"))
    return {"arguments": arguments}
