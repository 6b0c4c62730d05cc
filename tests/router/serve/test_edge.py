"""The HTTP edge with raw sockets: nothing smuggled, nothing without end, every refusal in one shape."""

import asyncio
import shutil
import ssl

import pytest

from router.serve.http.edge import MAX_HEAD_BYTES, MAX_HEADERS
from tests.support.raw import Wire, chat, post
from tests.support.upstream import HOLD, Answer, chunk, finish, usage

# Tests that change nothing of the gateway share one.
shared = pytest.mark.asyncio(loop_scope="module")

HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
BODY = chat()
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
INNER = post(chat("smuggled"))

AMBIGUOUS = {
    "a length beside chunks": HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + INNER,
    "chunks beside a length": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + INNER,
    "two equal lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}" + INNER,
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 200\r\n\r\n{}" + INNER,
    "a list of lengths": HEAD + b"Content-Length: 2, 2\r\n\r\n{}" + INNER,
    "a signed length": HEAD + b"Content-Length: +2\r\n\r\n{}" + INNER,
    "a length beyond all numbers": HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    "a folded header": HEAD + b"X-A: b\r\n c\r\nContent-Length: 2\r\n\r\n{}" + INNER,
    "a folded coding": HEAD + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + INNER,
    "two codings": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + INNER,
    "an unknown coding": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + INNER,
    "bare line feeds": HEAD.replace(b"\r\n", b"\n") + b"Content-Length: 2\n\n{}" + INNER,
    "one bare line feed": HEAD + b"X: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + INNER,
    "a bare carriage return": HEAD + b"X: a\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + INNER,
    "a space before the colon": HEAD + b"Content-Length : 2\r\n\r\n{}" + INNER,
    "a zero byte": HEAD + b"X: a\x00b\r\nContent-Length: 2\r\n\r\n{}",
    "a chunk size in C": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n" + INNER,
    "chunks with bare line feeds": HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n" + INNER,
    "chunks in HTTP/1.0": HEAD.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKED,
    "a preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
    "a tunnel": b"CONNECT internal:22 HTTP/1.1\r\nHost: internal\r\n\r\n",
    "a path that is no path": HEAD.replace(b"/v1/chat/completions", b"http://[") + b"Content-Length: 2\r\n\r\n{}",
}


@shared
@pytest.mark.parametrize("request_bytes", AMBIGUOUS.values(), ids=AMBIGUOUS)
async def test_what_two_parsers_could_read_differently_ends_the_connection(gw, shared_up, request_bytes):
    async with Wire(gw.url) as wire:
        await wire.send(request_bytes)
        heard = await wire.hear()
        assert heard.status == 400
        assert heard.code == "invalid_request_error"
        assert await wire.closed()
    assert not shared_up.requests


@shared
async def test_a_body_compressed_by_its_transfer_is_refused(gw, shared_up):
    async with Wire(gw.url) as wire:
        await wire.send(HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKED)
        assert (await wire.hear()).code == "unsupported_media_type"
    assert not shared_up.requests


@shared
async def test_trailers_are_no_headers(gw, shared_up):
    async with Wire(gw.url) as wire:
        body = b"%x\r\n%b\r\n0\r\nX-Stillhouse-Tier: huge\r\n\r\n" % (len(BODY), BODY)
        await wire.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body)
        heard = await wire.hear()
    assert heard.status == 200, heard.body
    assert "caller-tier" not in heard.headers["x-stillhouse-reason"]


@shared
@pytest.mark.parametrize("name", ["Authorization", "Content-Type", "Host", "x-stillhouse-tier", "Content-Encoding"])
async def test_a_header_that_we_act_on_comes_once(gw, shared_up, name):
    async with Wire(gw.url) as wire:
        await wire.send(post(BODY, f"{name}: application/json", f"{name}: identity"))
        heard = await wire.hear()
        assert heard.code == "invalid_request_error"
        assert heard.json["error"]["param"] == name.lower()
    assert not shared_up.requests


@shared
async def test_other_headers_may_come_twice(gw):
    async with Wire(gw.url) as wire:
        await wire.send(post(BODY, "Accept: a", "Accept: b", "Cookie: c", "Cookie: d"))
        assert (await wire.hear()).status == 200


@shared
@pytest.mark.parametrize(
    "headers",
    [
        [f"X-{i}: 1" for i in range(MAX_HEADERS)],
        ["X-Long: " + "x" * MAX_HEAD_BYTES],
        [f"X-{i}: " + "y" * 800 for i in range(90)],
    ],
    ids=["many", "one long", "many long"],
)
@pytest.mark.parametrize("whole", [True, False])
async def test_a_flood_of_headers_is_refused(gw, shared_up, headers, whole):
    request = post(BODY, *headers)
    async with Wire(gw.url) as wire:
        parts = [request] if whole else [request[i : i + 9_000] for i in range(0, len(request), 9_000)]
        try:
            await wire.send(*parts)
        except ConnectionError:
            return  # closed while we were still sending
        heard = await wire.hear()
        assert heard.status == 431
        assert heard.code == "headers_too_large"
        assert await wire.closed()
    assert not shared_up.requests


@shared
async def test_a_head_without_end_costs_no_more_than_its_limit(gw):
    async with Wire(gw.url) as wire:
        with pytest.raises(ConnectionError):
            for _ in range(200):
                await wire.send(b"POST / HTTP/1.1\r\nX: " if _ == 0 else b"x" * 65_536)
                if wire.reader.at_eof():
                    raise ConnectionResetError


SLOW = {
    "nothing": [],
    "half a head": [HEAD],
    "half a body": [post(BODY)[:-10]],
    "a head byte by byte": [bytes([b]) for b in HEAD[:40]],
    "half a chunk": [HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"],
}


@pytest.mark.parametrize("parts", SLOW.values(), ids=SLOW)
async def test_what_does_not_come_is_not_waited_for(serve, up, parts):
    gw = await serve(read_seconds=0.2)
    async with Wire(gw.url) as wire:
        await wire.send(*parts)
        if parts:
            heard = await wire.hear()
            assert heard.status == 408
            assert heard.code == "request_timeout"
        assert await wire.closed()
    assert not up.requests
    assert gw.cell.active == 0


async def test_a_second_request_that_does_not_come_is_not_waited_for(serve):
    gw = await serve(read_seconds=0.2)
    async with Wire(gw.url) as wire:
        await wire.send(post(BODY))
        assert (await wire.hear()).status == 200
        await wire.send(HEAD)
        assert (await wire.hear()).code == "request_timeout"
        assert await wire.closed()


async def test_a_slow_answer_is_not_a_slow_request(serve, up):
    up.always(Answer.completion().after(0.5))
    gw = await serve(read_seconds=0.1)
    async with Wire(gw.url) as wire:
        await wire.send(post(BODY))
        assert (await wire.hear()).status == 200
        await wire.send(post(BODY))
        assert (await wire.hear()).status == 200


async def test_a_body_that_comes_at_a_fair_pace_may_take_its_time(serve):
    gw = await serve(read_seconds=0.2)
    body = chat("x" * 20_000)
    async with Wire(gw.url) as wire:
        request = post(body)
        for i in range(0, len(request), 2_000):
            await wire.send(request[i : i + 2_000])
            await asyncio.sleep(0.05)
        assert (await wire.hear()).status == 200


async def test_an_announced_giant_is_refused_before_it_is_sent(serve, up):
    gw = await serve(max_body_mb=1, read_seconds=0.3)
    async with Wire(gw.url) as wire:
        await wire.send(post(b"", length=50_000_000))
        assert (await wire.hear()).code == "request_too_large"
        assert await wire.closed(), "what still comes is not read for ever"
    assert not up.requests


@shared
@pytest.mark.parametrize("rest", [b"GARBAGE\r\n\r\n", HEAD + b"Content-Length: x\r\n\r\n"])
async def test_what_comes_behind_a_good_request_does_not_take_its_answer(gw, shared_up, rest):
    shared_up.always(Answer.completion().after(0.1))
    async with Wire(gw.url) as wire:
        await wire.send(post(BODY) + rest)
        assert (await wire.hear()).status == 200
        assert await wire.closed()


@shared
async def test_pipelined_requests_are_answered_in_order(gw, shared_up):
    shared_up.always(lambda seen: Answer.completion(seen.json["messages"][0]["content"]).after(0.05))
    async with Wire(gw.url) as wire:
        await wire.send(b"".join(post(chat(f"n{i}")) for i in range(5)))
        said = [(await wire.hear()).json["choices"][0]["message"]["content"] for _ in range(5)]
    assert said == [f"n{i}" for i in range(5)]


@shared
@pytest.mark.parametrize("protocol", ["h2c", "websocket", "TLS/1.0"])
async def test_an_offer_of_another_protocol_is_answered_in_this_one(gw, shared_up, protocol):
    """Java's HTTP client offers h2c with every POST."""
    offer = ("Connection: Upgrade, HTTP2-Settings", f"Upgrade: {protocol}", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA")
    async with Wire(gw.url) as wire:
        for parts in ([post(BODY, *offer)], [post(BODY, *offer)[:-20], post(BODY)[-20:]]):
            await wire.send(*parts)
            assert (await wire.hear()).status == 200
    assert len(shared_up.requests) == 2


@shared
async def test_http_1_0_is_answered_and_closed(gw):
    async with Wire(gw.url) as wire:
        await wire.send(post(BODY).replace(b"HTTP/1.1", b"HTTP/1.0"))
        heard = await wire.hear()
        assert heard.status == 200
        assert heard.headers["connection"] == "close"
        assert await wire.closed()


@shared
async def test_a_body_is_asked_for_where_the_caller_waits_for_leave(gw):
    async with Wire(gw.url) as wire:
        await wire.send(post(b"", "Expect: 100-continue", length=len(BODY)))
        assert (await wire.hear()).status == 100
        await wire.send(BODY)
        assert (await wire.hear()).status == 200


@pytest.mark.parametrize("length", [len(BODY) - 5, len(BODY) + 5])
async def test_a_length_that_lies_is_an_error_of_the_caller_alone(serve, up, length):
    gw = await serve(read_seconds=0.2)
    async with Wire(gw.url) as wire:
        await wire.send(post(BODY, length=length))
        assert (await wire.hear()).status in (400, 408)
    assert not up.requests
    assert (await gw.chat()).status_code == 200


@shared
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_caller_who_closes_while_waiting_takes_the_upstream_along(gw, shared_up, streamed):
    shared_up.always(Answer((HOLD,)))
    async with Wire(gw.url) as wire:
        await wire.send(post(chat(stream=streamed)))
        seen = await asyncio.wait_for(shared_up.wait_for(1), 5)
    await asyncio.wait_for(seen.gone.wait(), 1)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
async def test_tls_is_spoken_from_1_2_on(serve, home):
    made = await asyncio.create_subprocess_exec(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", home / "key.pem",
        "-out", home / "cert.pem", stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await made.wait() == 0
    gw = await serve(tls_cert=str(home / "cert.pem"), tls_key=str(home / "key.pem"))
    trust = ssl.create_default_context(cafile=str(home / "cert.pem"))
    async with Wire(gw.url, ssl=trust, server_hostname="localhost") as wire:
        await wire.send(post(BODY))
        assert (await wire.hear()).status == 200
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="TLS"):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        async with Wire(gw.url, ssl=old, server_hostname="localhost"):
            pass
    async with Wire(gw.url) as wire:  # plain HTTP against TLS
        await wire.send(post(BODY))
        assert await wire.closed()


async def test_who_stops_reading_is_cut_off_and_who_reads_slowly_is_not(serve, up):
    """The slow one takes a little at a time, with pauses longer than a look, and less than the limit."""
    word = "a long word " * 400
    up.script(Answer.stream(*[chunk(word)] * 4_000, finish(), usage()), Answer.stream(*[chunk(word)] * 600, finish()))
    gw = await serve(stuck_seconds=0.4)
    body = chat(stream=True)
    async with Wire(gw.url, limit=4096) as stuck:
        await stuck.send(post(body))
        while not up.requests:
            await asyncio.sleep(0.01)
        await asyncio.wait_for(up.requests[0].gone.wait(), 10)
        while gw.cell.active:
            await asyncio.sleep(0.01)
    async with Wire(gw.url) as slow:
        await slow.send(post(body))
        heard, reads = b"", 0
        while not heard.endswith(b"0\r\n\r\n"):
            more = await slow.reader.read(100_000)
            assert more, "cut off"
            heard, reads = heard[-16:] + more, reads + 1
            await asyncio.sleep(0.15 if reads < 8 else 0)
