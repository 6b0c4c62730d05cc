"""Audio, images and files pass where the policy accepts what no guard reads, and nowhere else."""

import asyncio
from datetime import UTC, datetime

import pytest

from policies.load import load_policy
from policies.mistakes import Mistakes
from router.registry.keys import KeyStore
from router.serve.settings import MediaSettings
from tests.support.upstream import HOLD, Answer

OPEN = """
stillhouse: 1
name: open
unguarded: accepted
"""
CLOSED = OPEN.replace("unguarded: accepted", "tiers: [small, large]")
PRIVATE = OPEN + "rules: [{name: p, when: {tag: [p]}, private: true}]\n"


def takes(*kinds, **more):
    def change(settings):
        return settings.model_copy(update={"media": (MediaSettings(serves=kinds, upstream="up"),), **more})

    return change


SOUND = {"file": ("a.wav", b"RIFF" + bytes(range(256)) * 800, "audio/wav")}


async def test_a_multipart_body_travels_byte_by_byte_with_its_answer(serve, up):
    gw = await serve(OPEN, change=takes("audio"))
    up.script(Answer.json({"text": "hello"}, headers={"x-secret": "s", "server": "them"}))
    answer = await gw.http.post("/v1/audio/transcriptions", files=SOUND, data={"model": "whisper"})
    assert answer.json() == {"text": "hello"}
    seen = up.requests[0]
    assert seen.path == "/v1/audio/transcriptions"
    assert SOUND["file"][1] in seen.body
    assert seen.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert "x-secret" not in answer.headers
    record = await gw.record(answer)
    assert (record["endpoint"], record["outcome"], record["status"]) == ("/v1/audio/transcriptions", "ok", 200)


async def test_speech_comes_back_as_bytes(serve, up):
    gw = await serve(OPEN, change=takes("audio"))
    up.script(Answer.raw(b"\xff\xfb" * 5000, content_type="audio/mpeg"))
    answer = await gw.http.post("/v1/audio/speech", json={"model": "tts", "input": "hi", "voice": "x"})
    assert answer.content == b"\xff\xfb" * 5000
    assert answer.headers["content-type"] == "audio/mpeg"


async def test_files_are_reached_by_their_ids(serve, up):
    gw = await serve(OPEN, change=takes("files"))
    up.always(Answer.json({"id": "file-1"}))
    for method, path in (
        ("POST", ""),
        ("GET", ""),
        ("GET", "/file-1"),
        ("DELETE", "/file-1"),
        ("GET", "/file-1/content"),
    ):
        assert (await gw.http.request(method, f"/v1/files{path}")).status_code == 200
    assert [(r.method, r.path) for r in up.requests][2:] == [
        ("GET", "/v1/files/file-1"), ("DELETE", "/v1/files/file-1"), ("GET", "/v1/files/file-1/content"),
    ]  # fmt: skip
    assert (await gw.http.put("/v1/files/file-1")).status_code == 405


@pytest.mark.parametrize(
    ("policy", "kinds", "status", "words"),
    [
        (CLOSED, ("images",), 403, "'unguarded: accepted'"),
        (OPEN, ("audio",), 404, "'media'"),
        (PRIVATE, ("images",), 403, "private"),
    ],
    ids=["policy", "settings", "private"],
)
async def test_a_refusal_says_why_and_how_to_allow_it(serve, up, policy, kinds, status, words):
    gw = await serve(policy, change=takes(*kinds))
    answer = await gw.http.post("/v1/images/generations", json={"model": "x", "prompt": "a cat"})
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]
    assert not up.requests


async def test_a_key_needs_the_scope_and_sees_no_listing(serve, up, home):
    store, now = KeyStore(home / "keys.json"), datetime(2026, 11, 1, tzinfo=UTC)
    usual = store.add(tenant="a", now=now)[1]
    able = store.add(tenant="a", scopes=("media",), now=now)[1]
    bound = store.add(tenant="a", scopes=("media",), models=("small",), now=now)[1]
    gw = await serve(OPEN, change=takes("files"), keys="required")
    up.always(Answer.json({"id": "file-1"}))

    async def status(method, path, token):
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return (await gw.http.request(method, path, headers=headers)).status_code

    assert await status("POST", "/v1/files", None) == 401
    assert await status("POST", "/v1/files", usual) == 403
    assert await status("POST", "/v1/files", bound) == 403
    assert await status("POST", "/v1/files", able) == 200
    assert await status("GET", "/v1/files", able) == 403
    assert able not in str(up.requests[0].headers)


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_that_is_too_large_is_refused_before_or_while_it_comes(serve, up, announced):
    gw = await serve(OPEN, change=takes("audio"), max_body_mb=0.1)

    async def pieces():
        for _ in range(40):
            yield bytes(10_000)

    content = bytes(400_000) if announced else pieces()
    answer = await gw.http.post("/v1/audio/transcriptions", content=content, headers={"content-type": "audio/wav"})
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "request_too_large"


@pytest.mark.parametrize(("status", "told"), [(400, 400), (401, 502), (500, 502)])
async def test_what_the_upstream_refuses_is_told_as_for_chat(serve, up, status, told):
    gw = await serve(OPEN, change=takes("images"))
    up.script(Answer.error(status, "no such size"))
    answer = await gw.http.post("/v1/images/generations", json={"prompt": "a cat"})
    assert answer.status_code == told
    assert answer.headers["x-request-id"] == answer.json()["error"]["request_id"]


async def test_a_caller_who_leaves_takes_the_upstreams_work_along(serve, up):
    gw = await serve(OPEN, change=takes("audio"))
    up.script(Answer((HOLD,)))
    task = asyncio.ensure_future(gw.http.post("/v1/audio/transcriptions", files=SOUND))
    seen = await up.wait_for(1)
    task.cancel()
    await asyncio.wait_for(seen.gone.wait(), 5)


def test_a_layer_accepts_it_over_a_floor_without_guards_only(tmp_path):
    floor, layer = tmp_path / "floor.yaml", tmp_path / "layer.yaml"
    layer.write_text(f"stillhouse: 1\nname: layer\nextends: {floor}\nunguarded: accepted\n")
    floor.write_text("stillhouse: 1\nname: floor\n")
    assert load_policy(str(layer)).body.unguarded == "accepted"
    for strict in ("unguarded: refused\n", "guards: {input: [secrets: {}]}\n"):
        floor.write_text("stillhouse: 1\nname: floor\n" + strict)
        with pytest.raises(Mistakes) as caught:
            load_policy(str(layer))
        assert [m.path for m in caught.value.mistakes] == ["unguarded"]
