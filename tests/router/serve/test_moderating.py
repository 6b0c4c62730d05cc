"""Moderations over real sockets, by OpenAI's own client and by plain HTTP."""

import asyncio
from dataclasses import replace

import pytest

from guardrails import Action
from guardrails.run import Checked, Rails
from guardrails.types import Finding

GUARDED = """
stillhouse: 1
name: guarded
quality: {keep: 0.9}
guards:
  input:
    - pii: {entities: [EMAIL], action: detect}
    - words: {words: [blueprint], action: block}
"""
OTHER = """
stillhouse: 1
name: other
quality: {keep: 0.9}
"""


class Content:
    """A guard that finds what the text says it holds."""

    guard, scope, actions = "content", "answer", frozenset({Action.BLOCK})

    def run(self, view):
        yield from ()
        return tuple(
            Finding("content", word, 0.8, 0, 0, Action.DETECT, f"content.{word.lower()}")
            for word in ("VIOLENCE", "INSULTS", "MISCONDUCT")
            if word in view.text
        )


def content(cell):
    policy = cell.policies["guarded"]
    guards = policy.body.guards.model_copy(update={"input": ({"content": {}},)})
    rails = {**policy.rails, "input": Rails([], [Checked(Content(), Action.BLOCK)], "content")}
    cell.policies = {"guarded": replace(policy, rails=rails, body=policy.body.model_copy(update={"guards": guards}))}


async def ask(gw, given, headers=None, **more):
    return await gw.http.post("/v1/moderations", json={"input": given, **more}, headers=headers)


async def test_openais_client_reads_the_answer(serve):
    import openai

    gw = await serve(GUARDED, cell=content)

    def use():
        with openai.OpenAI(base_url=gw.base_url, api_key="none", max_retries=0) as client:
            one = client.moderations.create(input="VIOLENCE and INSULTS", model="omni-moderation-latest")
            many = client.moderations.create(input=["fine", "MISCONDUCT"])
            parts = client.moderations.create(
                input=[{"type": "text", "text": "a"}, {"type": "text", "text": "VIOLENCE"}]
            )
            with pytest.raises(openai.NotFoundError) as missing:
                client.moderations.create(input="x", model="nope")
            with pytest.raises(openai.BadRequestError) as image:
                client.moderations.create(input=[{"type": "image_url", "image_url": {"url": "data:,"}}])
        return one, many, parts, missing.value, image.value

    one, many, parts, missing, image = await asyncio.to_thread(use)
    assert (one.model, one.results[0].flagged) == ("guarded", True)
    true = {name for name, value in one.results[0].categories.to_dict().items() if value}
    assert true == {"violence", "harassment"}
    assert one.results[0].category_scores.violence == 0.8
    assert one.results[0].category_scores.self_harm == 0
    assert one.results[0].category_applied_input_types.violence == ["text"]
    assert one.results[0].category_applied_input_types.self_harm == []
    assert [result.flagged for result in many.results] == [False, True]
    assert many.results[1].categories.illicit is True
    assert [result.flagged for result in parts.results] == [True]
    assert (missing.code, image.code, image.param) == ("model_not_found", "invalid_request_error", "input[0]")


async def test_the_answer_says_which_categories_were_looked_for(serve):
    gw = await serve(GUARDED, cell=content)
    body = (await ask(gw, "fine")).json()
    assert body["stillhouse"]["categories_checked"] == ["harassment", "hate", "illicit", "sexual", "violence"]
    assert body["results"][0]["flagged"] is False


async def test_without_a_guard_of_content_no_category_was(serve):
    gw = await serve(GUARDED)
    body = (await ask(gw, "a@example.com")).json()
    [result] = body["results"]
    assert body["stillhouse"]["categories_checked"] == []
    assert result["flagged"] is False
    assert not any(result["categories"].values())
    assert not any(result["category_scores"].values())
    assert [f["category"] for f in result["stillhouse"]["findings"]] == ["EMAIL"]
    assert "example.com" not in str(result["stillhouse"])


async def test_what_the_policy_blocks_is_flagged_whatever_its_category(serve):
    gw = await serve(GUARDED)
    answer = await ask(gw, ["fine", "the blueprint"])
    assert [result["flagged"] for result in answer.json()["results"]] == [False, True]
    record = await gw.record(answer)
    assert (record["endpoint"], record["mode"], record["outcome"]) == ("/v1/moderations", "guard", "blocked_input")
    assert [f["where"] for f in record["findings"]] == ["input[1]"]


async def test_a_guard_that_could_not_be_run_flags_and_is_named(serve):
    class Broken(Content):
        def run(self, view):
            raise RuntimeError(view.text)
            yield

    def broken(cell):
        content(cell)
        policy = cell.policies["guarded"]
        rails = {**policy.rails, "input": Rails([], [Checked(Broken(), Action.BLOCK)], "broken")}
        cell.policies = {"guarded": replace(policy, rails=rails)}

    gw = await serve(GUARDED, cell=broken)
    [result] = (await ask(gw, "fine")).json()["results"]
    assert (result["flagged"], result["stillhouse"]["not_run"]) == (True, ["content"])


async def test_model_names_the_policy(serve):
    gw = await serve(GUARDED, OTHER)
    assert (await ask(gw, "the blueprint")).json()["results"][0]["flagged"] is True
    other = (await ask(gw, "the blueprint", model="other")).json()
    assert (other["model"], other["results"][0]["flagged"]) == ("other", False)
    for model in ("small", "m-small", "nothing"):
        assert (await ask(gw, "x", model=model)).status_code == 404


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": 5}, "input"),
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", 5]}, "input[1]"),
        ({"input": [{"type": "text"}]}, "input[0]"),
        ({"input": [{"type": "sound", "text": "SECRET-WORD"}]}, "input[0]"),
        ({"input": "x", "model": 5}, "model"),
        ({"input": "x", "policy": "guarded"}, "policy"),
    ],
)
async def test_a_wrong_body_is_refused_naming_the_field(serve, body, param):
    gw = await serve(GUARDED)
    answer = await gw.http.post("/v1/moderations", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert "SECRET-WORD" not in answer.text


async def test_the_parts_of_a_list_are_one_input(serve):
    gw = await serve(GUARDED)
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "the blueprint"}]
    [result] = (await ask(gw, parts)).json()["results"]
    assert [finding["where"] for finding in result["stillhouse"]["findings"]] == ["input[1].text"]
    assert (await gw.http.get("/v1/moderations")).status_code == 405


async def test_keys_need_the_scope(serve, home):
    from datetime import UTC, datetime

    from router.registry.keys import KeyStore

    store, now = KeyStore(home / "keys.json"), datetime(2026, 11, 1, tzinfo=UTC)
    usual, narrow = (
        {"authorization": f"Bearer {store.add(tenant='a', now=now, **given)[1]}"}
        for given in ({}, {"scopes": ("chat",)})
    )
    gw = await serve(GUARDED, keys="required")
    assert (await ask(gw, "x")).status_code == 401
    assert (await ask(gw, "x", headers=narrow)).status_code == 403
    assert (await ask(gw, "x", headers=usual)).status_code == 200
