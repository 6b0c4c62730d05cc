"""Signs about answers, read off what a running gateway wrote."""

import asyncio

from router.ledger.implicit import signals


def talk(*said):
    roles = ("user", "assistant")
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(said)]


async def post(gw, messages, session="s-1", **fields):
    body = {"model": "auto", "messages": messages, **fields}
    answer = await gw.http.post(
        "/v1/chat/completions", json=body, headers={"x-stillhouse-session": session}
    )  # fmt: skip
    assert answer.status_code == 200
    return answer.headers["x-request-id"]


async def kinds(gw):
    assert await asyncio.to_thread(gw.cell.ledger.flush)
    return {signal.request_id: signal.kind for signal in signals(gw.cell.ledger.place)}


async def test_asking_again_complaining_and_going_on_leave_their_signs(serve):
    gw = await serve()
    ask = "Please list the three largest rivers of Korea."
    first = await post(gw, talk(ask))
    second = await post(gw, talk(ask))
    third = await post(gw, talk(ask, "Han.", "That is wrong, try again."))
    await post(gw, talk("Something else altogether, in another session."), session="s-2")
    found = await kinds(gw)
    assert found == {first: "regenerate", second: "complaint"}
    assert third not in found


async def test_a_tool_that_failed_is_a_sign_about_the_answer_that_called_it(serve):
    gw = await serve()
    tools = [{"type": "function", "function": {"name": "track", "parameters": {"type": "object"}}}]
    ask = talk("Where is parcel 17?")
    first = await post(gw, ask, tools=tools)
    call = {"id": "c1", "type": "function", "function": {"name": "track", "arguments": "{}"}}
    went_on = [
        *ask,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "Error: missing argument 'id'"},
    ]
    await post(gw, went_on, tools=tools)
    assert await kinds(gw) == {first: "tool_error"}


async def test_a_repeat_is_known_without_its_text_and_by_its_tenant_only(serve, home):
    gw = await serve()
    ask = talk("A question that nobody else would put like this.")
    answers = [await gw.http.post("/v1/chat/completions", json={"model": "auto", "messages": ask}) for _ in range(2)]
    first, second = [(await gw.record(answer))["prompt_hash"] for answer in answers]
    assert first == second
    assert len(first) == 32
    assert gw.cell.prompt_hash("default", ask[0]["content"]) == first != gw.cell.prompt_hash("b", ask[0]["content"])
    assert (home / "prompts.salt").stat().st_mode & 0o077 == 0


async def test_a_restarted_gateway_knows_the_repeat(serve):
    one, other = await serve(), await serve()
    assert one.cell.prompt_hash("t", "again") == other.cell.prompt_hash("t", "again")


async def test_where_nothing_of_prompts_is_kept_there_is_no_hash(serve, home):
    gw = await serve(change=lambda settings: settings.model_copy(update={"places": False}))
    answer = await gw.chat("What is 2 + 2?")
    assert (await gw.record(answer))["prompt_hash"] is None
    assert not (home / "prompts.salt").exists()


async def test_a_salt_that_cannot_be_read_is_said_and_stops_nothing(serve, home, caplog):
    (home / "prompts.salt").write_bytes(b"damaged")
    gw = await serve()
    assert (await gw.chat("hi")).status_code == 200
    assert "repeated prompts" in caplog.text
