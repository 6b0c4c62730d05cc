"""What is no request is refused with 4xx, in one shape, before any model is asked."""

import gzip
import json

import pytest

from tests.support.raw import Wire, chat, post

pytestmark = [pytest.mark.clients, pytest.mark.asyncio(loop_scope="module")]

ASK = '{"model":"auto","messages":[{"role":"user","content":"hi"}]}'
BROKEN = {
    "nothing": b"",
    "spaces": b"   ",
    "an array": b"[]",
    "null": b"null",
    "a string": b'"hi"',
    "a number": b"5",
    "true": b"true",
    "cut": ASK[:-5].encode(),
    "two objects": (ASK * 2).encode(),
    "a trailing comma": ASK.replace("}]}", "},]}").encode(),
    "single quotes": ASK.replace('"', "'").encode(),
    "a comment": b"// hi\n" + ASK.encode(),
    "NaN": ASK.replace("}]}", '}],"temperature":NaN}').encode(),
    "Infinity": ASK.replace("}]}", '}],"temperature":-Infinity}').encode(),
    "bad UTF-8": ASK.encode().replace(b"hi", b"\xff\xfe"),
    "cut UTF-8": ASK.encode().replace(b"hi", "한".encode()[:2]),
    "overlong UTF-8": ASK.encode().replace(b"hi", b"\xc0\xaf"),
    "a surrogate in UTF-8": ASK.encode().replace(b"hi", b"\xed\xa0\x80"),
    "a lone surrogate": ASK.replace("hi", "\\ud83d").encode(),
    "a lone low surrogate": ASK.replace("hi", "\\udc00").encode(),
    "UTF-16": ASK.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + ASK.encode(),
    "a control character": ASK.replace("hi", "h\x01i").encode(),
    "deep arrays": b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "deep and open": b"[" * 100_000,
    "gzip": gzip.compress(ASK.encode()),
    "a key twice": ASK.replace('"model":"auto",', '"model":"auto","model":"large",').encode(),
    "a form": b"model=auto&messages=hi",
    "a number of 5000 digits": ASK.replace("}]}", '}],"seed":' + "9" * 5000 + "}").encode(),
}


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/v1/embeddings", "/v1/route", "/v1/moderations", "/v1/feedback"]
)
@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
async def test_what_is_no_json_object_is_a_400(gw, shared_up, body, path):
    answer = await gw.http.post(path, content=body, headers={"content-type": "application/json"})
    error = answer.json()["error"]
    assert answer.status_code == 400, answer.text
    assert set(error) == {"message", "type", "param", "code", "request_id"}
    assert error["type"] == "invalid_request_error"
    assert error["request_id"] == answer.headers["x-request-id"]
    assert not shared_up.requests


WRONG = {
    "no model": {"model": ...},
    "model null": {"model": None},
    "model a number": {"model": 5},
    "model an array": {"model": ["auto"]},
    "no messages": {"messages": ...},
    "messages null": {"messages": None},
    "messages a string": {"messages": "hi"},
    "messages an object": {"messages": {"role": "user"}},
    "no message": {"messages": []},
    "a message null": {"messages": [None]},
    "a message a string": {"messages": ["hi"]},
    "a message an array": {"messages": [[]]},
    "no role": {"messages": [{"content": "hi"}]},
    "role null": {"messages": [{"role": None, "content": "hi"}]},
    "role a number": {"messages": [{"role": 1, "content": "hi"}]},
    "content a number": {"messages": [{"role": "user", "content": 5}]},
    "content true": {"messages": [{"role": "user", "content": True}]},
    "content an object": {"messages": [{"role": "user", "content": {"text": "hi"}}]},
    "a part a number": {"messages": [{"role": "user", "content": [5]}]},
    "a part null": {"messages": [{"role": "user", "content": [None]}]},
    "a text a number": {"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]},
    "stream a string": {"stream": "yes"},
    "stream a number": {"stream": 1},
    "stream_options a string": {"stream": True, "stream_options": "usage"},
    "stream_options an array": {"stream": True, "stream_options": []},
    "include_usage a string": {"stream": True, "stream_options": {"include_usage": "yes"}},
    "max_tokens a string": {"max_tokens": "many"},
    "max_tokens a fraction": {"max_tokens": 1.5},
    "n a string": {"n": "two"},
    "tools holding a number": {"tools": [5]},
    "tool_calls holding a number": {"messages": [{"role": "assistant", "tool_calls": [5]}]},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
async def test_a_field_of_the_wrong_kind_is_a_400_that_names_it(gw, shared_up, changes):
    body = {"model": "auto", "messages": [{"role": "user", "content": "hi"}], **changes}
    body = {name: value for name, value in body.items() if value is not ...}
    answer = await gw.http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["param"]
    assert error["param"].split("[")[0].split(".")[0] in body | {"model": 0, "messages": 0}
    assert "hi" not in error["message"].split()
    assert not shared_up.requests


ODD = {
    "a prompt id in max_tokens": {"max_tokens": None},
    "n null": {"n": None},
    "stream null": {"stream": None},
    "stream_options null": {"stream_options": None},
    "tools null": {"tools": None},
    "tools empty": {"tools": []},
    "content null": {"messages": [{"role": "assistant", "content": None}, {"role": "user", "content": "hi"}]},
    "content absent": {"messages": [{"role": "assistant"}, {"role": "user", "content": "hi"}]},
    "content empty": {"messages": [{"role": "user", "content": []}]},
}


@pytest.mark.parametrize("changes", ODD.values(), ids=ODD)
async def test_what_is_merely_odd_travels(gw, shared_up, changes):
    answer = await gw.chat(**changes)
    assert answer.status_code == 200, answer.text
    assert all(shared_up.requests[0].json[name] == value for name, value in changes.items())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "application/json"}, 200),
        ({"content-type": "application/json; charset=utf-8"}, 200),
        ({"content-type": "APPLICATION/JSON"}, 200),
        ({"content-type": "application/vnd.api+json"}, 200),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "multipart/form-data; boundary=x"}, 415),
        ({"content-type": ""}, 415),
        ({}, 415),
        ({"content-type": "application/json", "content-encoding": "gzip"}, 415),
        ({"content-type": "application/json", "content-encoding": "br"}, 415),
        ({"content-type": "application/json", "content-encoding": "identity"}, 200),
    ],
)
async def test_what_is_said_of_the_body_is_read(gw, shared_up, headers, status):
    answer = await gw.http.post("/v1/chat/completions", content=ASK.encode(), headers=headers)
    assert answer.status_code == status
    assert len(shared_up.requests) == (status == 200)


async def test_a_body_in_chunks_is_read_whole(gw, shared_up):
    async def parts():
        for i in range(0, len(ASK), 7):
            yield ASK[i : i + 7].encode()

    answer = await gw.http.post("/v1/chat/completions", content=parts(), headers={"content-type": "application/json"})
    assert answer.status_code == 200
    assert json.loads(shared_up.requests[0].body)["messages"] == json.loads(ASK)["messages"]


@pytest.mark.parametrize("size", [900_000, 1_100_000])
async def test_the_limit_of_a_body_is_kept(gw, shared_up, size):
    async with Wire(gw.url) as wire:
        await wire.send(post(chat("x" * size)))
        assert (await wire.hear()).status == (200 if size < 1024 * 1024 else 413)
    assert len(shared_up.requests) == (size < 1024 * 1024)


async def test_no_error_repeats_what_was_asked(gw, shared_up):
    secret = "a-very-private-prompt"
    for body in (
        {"model": "auto", "messages": [{"role": secret}]},
        {"model": "auto", "messages": [{"role": "user", "content": {"text": secret}}]},
        {"model": "auto", "messages": secret},
        {"model": "auto", "messages": [{"role": "user", "content": [{"type": secret, "text": 5}]}]},
    ):
        answer = await gw.http.post("/v1/chat/completions", json=body)
        if answer.status_code != 200:
            assert secret not in answer.text
    broken = await gw.http.post(
        "/v1/chat/completions", content=f'{{"{secret}'.encode(), headers={"content-type": "application/json"}
    )
    assert broken.status_code == 400
    assert secret not in broken.text
