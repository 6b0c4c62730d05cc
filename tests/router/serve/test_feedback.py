"""Feedback over real sockets: kept once, for one's own requests only, never text."""

import pytest

from router.ledger.feedback import judged


def bearer(token):
    return {"authorization": f"Bearer {token}"}


async def judge(gw, request_id, score=1.0, who="person", headers=None, **more):
    return await gw.http.post(
        "/v1/feedback", json={"request_id": request_id, "score": score, "who": who, **more}, headers=headers
    )


async def asked(gw, **given):
    return (await gw.chat("How warm is it?", **given)).headers["x-request-id"]


async def test_a_judgement_is_kept_once_and_shown_with_the_request(serve):
    gw = await serve()
    request_id = await asked(gw)
    first = await judge(gw, request_id, 0.5)
    assert first.status_code == 201
    assert first.json() == {"object": "stillhouse.feedback", "request_id": request_id, "who": "person", "score": 0.5}
    assert first.headers["x-request-id"] != request_id
    assert (await judge(gw, request_id, 0.5)).status_code == 200
    gw.cell.ledger.flush()
    record = (await gw.http.get(f"/v1/stillhouse/requests/{request_id}")).json()
    assert [(f["who"], f["score"]) for f in record["feedback"]] == [("person", 0.5)]
    assert b"stillhouse_feedback_total 1" in (await gw.http.get("/metrics")).content


async def test_each_judge_has_one_word_and_does_not_take_it_back(serve):
    gw = await serve()
    request_id = await asked(gw)
    assert (await judge(gw, request_id, 1)).status_code == 201
    assert (await judge(gw, request_id, 0, who="judge")).status_code == 201
    changed = await judge(gw, request_id, 0)
    assert changed.status_code == 409
    error = changed.json()["error"]
    assert (error["code"], error["param"]) == ("conflict", "score")
    assert "already scored this answer 1" in error["message"]
    gw.cell.ledger.flush()
    assert [a.score for a in judged(gw.cell.ledger.place)] == [0.5]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"score": 1, "who": "person"}, "request_id"),
        ({"request_id": "req_x", "score": 1.5, "who": "person"}, "score"),
        ({"request_id": "req_x", "score": "good", "who": "person"}, "score"),
        ({"request_id": "req_x", "score": True, "who": "person"}, "score"),
        ({"request_id": "req_x", "score": 1, "who": "two words"}, "who"),
        ({"request_id": "req_x", "score": 1, "who": "person", "comment": "SECRET-PROMPT"}, None),
        ([], None),
    ],
)
async def test_a_malformed_judgement_is_refused_naming_the_field(serve, body, param):
    gw = await serve()
    answer = await gw.http.post("/v1/feedback", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
    assert answer.json()["error"]["request_id"] == answer.headers["x-request-id"]
    assert "SECRET-PROMPT" not in answer.text


async def test_no_json_a_repeated_key_and_nan_are_refused(serve):
    gw = await serve()
    for text in ("{", '{"request_id":"a","score":1,"score":0,"who":"x"}', '{"request_id":"a","score":NaN,"who":"x"}'):
        answer = await gw.http.post("/v1/feedback", content=text, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_json")
    assert (await gw.http.get("/v1/feedback")).status_code == 405


async def test_an_unknown_request_is_not_found(serve):
    gw = await serve()
    answer = await judge(gw, "req_nothing")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


async def test_what_no_model_answered_cannot_be_judged(serve):
    gw = await serve()
    body = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
    routed = await gw.http.post("/v1/route", json=body)
    answer = await judge(gw, routed.headers["x-request-id"])
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "request_id")


async def test_a_key_judges_its_own_tenants_requests_only(serve, home):
    from datetime import UTC, datetime

    from router.registry.keys import KeyStore

    store, now = KeyStore(home / "keys.json"), datetime(2026, 11, 1, tzinfo=UTC)
    mine, other = (store.add(tenant=tenant, now=now)[1] for tenant in ("a", "b"))
    admin = store.add(tenant="c", scopes=("chat", "admin"), now=now)[1]
    narrow = store.add(tenant="a", scopes=("route",), now=now)[1]
    gw = await serve(keys="required")
    request_id = await asked(gw, headers=bearer(mine))
    assert (await judge(gw, request_id)).status_code == 401
    assert (await judge(gw, request_id, headers=bearer(narrow))).status_code == 403
    assert (await judge(gw, request_id, headers=bearer(other))).status_code == 404
    assert (await judge(gw, request_id, headers=bearer(mine))).status_code == 201
    assert (await judge(gw, request_id, who="judge", headers=bearer(admin))).status_code == 201


async def test_places_are_kept_as_numbers_unless_the_settings_say_no(serve, home):
    gw = await serve()
    record = await gw.record(await gw.chat("A quiet word about torque"))
    assert len(record["place"]) > 40
    assert "torque" not in str(record)


async def test_without_places_there_is_nothing_to_learn_from(serve):
    gw = await serve(change=lambda settings: settings.model_copy(update={"places": False}))
    request_id = await asked(gw)
    await judge(gw, request_id)
    gw.cell.ledger.flush()
    assert judged(gw.cell.ledger.place) == []


async def test_the_endpoint_is_in_the_api_document(serve):
    gw = await serve()
    post = (await gw.http.get("/openapi.json")).json()["paths"]["/v1/feedback"]["post"]
    assert {"200", "201", "400", "404", "409"} <= set(post["responses"])
    assert post["requestBody"]["content"]["application/json"]["schema"]["additionalProperties"] is False


async def test_a_ledger_that_cannot_be_written_is_a_503_and_not_a_lie(serve, monkeypatch):
    import sqlite3

    gw = await serve()
    request_id = await asked(gw)

    def full(path, given):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("router.serve.doors.feedback.give", full)
    answer = await judge(gw, request_id)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
