"""What is mended when a conversation goes on elsewhere."""

import json

from hypothesis import given
from hypothesis import strategies as st

from router.core.history import FOREIGN, mend

CALLS = [{"id": "call_9", "type": "function", "function": {"name": "f", "arguments": '{"a": 1.0}'}}]
TALK = [
    {"role": "system", "content": "s", "reasoning": "mine"},
    {"role": "user", "content": "u"},
    {"role": "assistant", "content": None, "reasoning_content": "secret", "tool_calls": CALLS},
    {"role": "tool", "tool_call_id": "call_9", "content": "r", "annotations": []},
    {"role": "assistant", "content": "a", "thinking_blocks": [{"signature": "x"}]},
]


def body(messages):
    return json.dumps({"model": "m", "messages": messages, "seed": 12345678901234567890}).encode()


def test_foreign_fields_go_and_everything_else_stays_in_its_place():
    got = json.loads(mend(body(TALK)))
    assert [m["role"] for m in got["messages"]] == ["system", "user", "assistant", "tool", "assistant"]
    assert got["messages"][2] == {"role": "assistant", "content": None, "tool_calls": CALLS}
    assert got["messages"][4] == {"role": "assistant", "content": "a"}
    assert got["messages"][0] == TALK[0]  # only the assistant's messages came from a server
    assert got["messages"][3] == TALK[3]
    assert got["seed"] == 12345678901234567890


def test_signatures_inside_tool_calls_go_and_ids_and_arguments_stay():
    call = {**CALLS[0], "extra_content": {"google": {"thought_signature": "x"}}}
    got = json.loads(mend(body([{"role": "assistant", "tool_calls": [call, CALLS[0]]}])))
    assert got["messages"][0]["tool_calls"] == [CALLS[0], CALLS[0]]


def test_a_history_without_them_keeps_its_bytes():
    plain = b'{ "messages" : [ {"role":"assistant","content":"a" , "tool_calls": null} ],"model":"m"}'
    assert mend(plain) is plain


@given(st.lists(st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool"]), "content": st.text(max_size=8)},
    optional={name: st.text(max_size=4) for name in sorted(FOREIGN)} | {"name": st.text(max_size=4), "tool_call_id": st.text(max_size=4)},
), max_size=6))  # fmt: skip
def test_mending_takes_out_what_it_names_and_nothing_else(messages):
    want = [{k: v for k, v in m.items() if m["role"] != "assistant" or k not in FOREIGN} for m in messages]
    got = mend(body(messages))
    assert json.loads(got)["messages"] == want
    assert mend(got) == got
