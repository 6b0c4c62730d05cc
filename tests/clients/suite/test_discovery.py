"""What a newcomer's client looks for, wrong turns, keys, and what every answer carries."""

import asyncio
import json

import pytest

from tests.support.raw import Wire, chat, post
from tests.support.upstream import HOLD, Answer, Repeat, chunk, finish, sse

pytestmark = [pytest.mark.clients]
shared = pytest.mark.asyncio(loop_scope="module")

ASK = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
GETS = [
    "/v1/models",
    "/v1/models/auto",
    "/v1/models/m-small",
    "/health",
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
]
POSTS = ["/v1/chat/completions", "/v1/embeddings", "/v1/moderations", "/v1/route", "/v1/feedback"]


@shared
@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("path", GETS)
async def test_what_is_read_is_there(gw, path, slash):
    answer = await gw.http.get(path + slash)
    assert answer.status_code == 200
    assert answer.headers["x-request-id"].startswith("req_")


@shared
@pytest.mark.parametrize("path", GETS)
async def test_head_is_get_without_its_body(gw, path):
    got, asked = await gw.http.get(path), await gw.http.head(path)
    assert asked.status_code == got.status_code
    assert asked.content == b""
    assert asked.headers["content-type"] == got.headers["content-type"]
    assert asked.headers["x-request-id"].startswith("req_")


@shared
async def test_a_trailing_slash_does_not_lose_a_request(gw, shared_up):
    answer = await gw.http.post("/v1/chat/completions/", json=ASK)
    assert answer.status_code == 200
    assert len(shared_up.requests) == 1


@shared
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE"])
@pytest.mark.parametrize("path", POSTS)
async def test_a_wrong_method_is_a_405_that_names_the_right_one(gw, method, path):
    answer = await gw.http.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"].startswith("req_")
    if method != "HEAD":
        assert answer.json()["error"]["code"] == "method_not_allowed"


@shared
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/v1/models", "/healthz"])
async def test_what_is_only_read_is_not_written(gw, method, path):
    answer = await gw.http.request(method, path, json={})
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]
    assert answer.json()["error"]["code"] == "method_not_allowed"


@shared
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize(
    "path", ["/", "/nowhere", "/v1", "/v1/", "/v1/nowhere", "/v1/threads", "//v1/models", "/v1/chat", "/%00", "/v1/..%2fmodels", "/docs", "/v1/assistants"]
)  # fmt: skip
async def test_a_wrong_path_is_a_404_in_our_shape(gw, method, path):
    answer = await gw.http.request(method, path)
    assert answer.status_code == 404, answer.text
    assert answer.json()["error"]["code"] == "not_found"
    assert answer.json()["error"]["request_id"] == answer.headers["x-request-id"]


@shared
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/models"), ("POST", "/chat/completions"), ("POST", "/embeddings")]
)
async def test_a_base_url_without_its_end_is_told_so(gw, method, path):
    answer = await gw.http.request(method, path, json=ASK)
    assert answer.status_code == 404
    assert f"/v1{path}" in answer.json()["error"]["message"]


@shared
@pytest.mark.parametrize(
    "model", ["nope", "", " ", "auto ", "AUTO", "gpt-4o", "../auto", "m-small\u0000", "x" * 5000, "모델"]
)
async def test_an_unknown_model_is_a_404(gw, shared_up, model):
    answer = await gw.chat(model=model)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"
    assert answer.json()["error"]["param"] == "model"
    assert not shared_up.requests


@shared
@pytest.mark.parametrize("name", ["nope", "a/b", "%EB%AA%A8", "auto%20"])
async def test_an_unknown_model_is_not_listed(gw, name):
    answer = await gw.http.get(f"/v1/models/{name}")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"


@shared
async def test_every_listed_model_answers(gw):
    listing = (await gw.http.get("/v1/models", headers={"authorization": "Bearer anything"})).json()
    assert listing["object"] == "list"
    for entry in listing["data"]:
        assert {"id", "object", "created", "owned_by"} <= set(entry)
        assert entry["object"] == "model"
        assert isinstance(entry["created"], int)
        assert (await gw.chat(model=entry["id"])).status_code == 200
        assert (await gw.http.get(f"/v1/models/{entry['id']}")).json() == entry


@shared
@pytest.mark.parametrize("name", ["x-request-id", "x-client-request-id"])
async def test_a_request_id_of_the_callers_is_not_taken_for_ours(gw, name):
    """Ids name records: whoever could choose one could claim another's."""
    first, second = [await gw.chat(headers={name: "req_" + "0" * 24}) for _ in range(2)]
    ids = {first.headers["x-request-id"], second.headers["x-request-id"]}
    assert len(ids) == 2
    assert "req_" + "0" * 24 not in ids


@shared
async def test_every_answer_carries_one_request_id(gw, shared_up):
    shared_up.script(Answer.completion(), Answer.stream(chunk("a"), finish()), Answer.error(400))
    answers = [await gw.chat(), await gw.chat(stream=True), await gw.chat(model="large"), await gw.chat(model="nope")]
    for answer in answers:
        assert len(answer.headers.get_list("x-request-id")) == 1
    assert len({answer.headers["x-request-id"] for answer in answers}) == 4


@shared
async def test_the_schema_describes_the_bodies(gw):
    paths = (await gw.http.get("/openapi.json")).json()["paths"]
    for path in POSTS:
        content = paths[path]["post"]["requestBody"]["content"]["application/json"]
        assert content["schema"]["properties"]
        assert {"400", "401", "404", "405", "413", "415"} <= set(paths[path]["post"]["responses"])


@shared
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models", "/nowhere"])
async def test_without_the_option_no_page_may_call(gw, path):
    answer = await gw.http.get(path, headers={"origin": "https://app.example"})
    assert "access-control-allow-origin" not in answer.headers


# --- with settings of their own

ORIGIN = "https://app.example"


async def test_a_page_of_an_allowed_origin_may_call(serve, up):
    gw = await serve(cors_origins=(ORIGIN,))
    asks = {"origin": ORIGIN, "access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type,x-stainless-os"}  # fmt: skip
    before = await gw.http.options("/v1/chat/completions", headers=asks)
    assert before.status_code == 200
    assert before.headers["access-control-allow-origin"] == ORIGIN
    assert "POST" in before.headers["access-control-allow-methods"]
    assert "x-stainless-os" in before.headers["access-control-allow-headers"]
    up.script(Answer.completion(), Answer.stream(chunk("a"), finish()))
    for answer in (await gw.chat(headers={"origin": ORIGIN}), await gw.chat(headers={"origin": ORIGIN}, stream=True),
                   await gw.chat(headers={"origin": ORIGIN}, model="nope"), await gw.http.get("/v1/models", headers={"origin": ORIGIN})):  # fmt: skip
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "x-request-id" in answer.headers["access-control-expose-headers"]


@pytest.mark.parametrize("origin", ["https://evil.example", "https://app.example.evil", "http://app.example", "null"])
async def test_a_page_of_another_origin_may_not(serve, origin):
    gw = await serve(cors_origins=(ORIGIN,))
    asks = {"origin": origin, "access-control-request-method": "POST"}
    for answer in (
        await gw.http.options("/v1/chat/completions", headers=asks),
        await gw.chat(headers={"origin": origin}),
    ):
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "value", [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic d3Jvbmc=", "wrong", "Bearer sk-stillhouse-" + "0" * 48, "Bearer a b", "Bearer \u00e9"]
)  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models", "/v1/embeddings"])
async def test_without_a_good_key_it_is_a_401(serve, up, value, path):
    gw = await serve(keys="required")
    async with Wire(gw.url) as wire:
        headers = [] if value is None else [f"Authorization: {value}"]
        request = post(chat(), *headers, path=path)
        if path == "/v1/models":
            request = "\r\n".join(["GET /v1/models HTTP/1.1", "Host: a", *headers, "", ""]).encode("latin-1")
        await wire.send(request)
        heard = await wire.hear()
    assert heard.status == 401
    assert heard.code == "invalid_api_key"
    assert heard.json["error"]["type"] == "authentication_error"
    assert heard.headers["www-authenticate"] == "Bearer"
    assert not up.requests
    assert b"wrong" not in heard.body


async def test_health_needs_no_key(serve):
    gw = await serve(keys="required")
    for path in ("/health", "/healthz", "/readyz"):
        assert (await gw.http.get(path)).status_code == 200


# --- callers who leave


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("where", ["before the head", "before the first event", "inside"])
async def test_a_caller_who_leaves_stops_the_upstream_within_a_second(serve, up, stream, where):
    gw = await serve("stillhouse: 1\nname: plain\nfallback_tier: large\n")
    sse_head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
    json_head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n"
    first = {
        "before the head": (HOLD,),
        "before the first event": (sse_head if stream else json_head, HOLD),
        "inside": (sse_head, Repeat(sse(chunk("a")), every=0.01)) if stream else (json_head, Repeat(b" ", every=0.01)),
    }[where]
    up.always(Answer(first))
    async with Wire(gw.url) as wire:
        await wire.send(post(json.dumps({**ASK, "stream": stream}).encode()))
        seen = await up.wait_for(1)
        if where == "inside" and stream:
            await wire.reader.readuntil(b"data: ")
    await asyncio.wait_for(seen.gone.wait(), 1)
    for _ in range(100):
        if gw.cell.active == 0:
            break
        await asyncio.sleep(0.01)
    assert gw.cell.active == 0
    assert len(up.requests) == 1, "nobody is left to try again for"
