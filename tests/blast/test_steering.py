"""Real cells behind a real proxy with the configuration that we make for it: who is served where, and what a death does."""

import http.client
import json
import time
from datetime import UTC, datetime

import pytest

from evals.blast.estate import estate, proxied, proxy_program, steer
from evals.blast.faults import LONGEST, hurt
from router.registry.keys import KeyStore

PINS = {"acme": ["c0", "c1"], "globex": ["c1", "c0"], "nobody": ["c9"]}


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """Two cells, and one in the file that does not run."""
    folder = tmp_path_factory.mktemp("estate")
    with estate(folder, cells=2, proxy=None, tenants=tuple(PINS), pins=PINS, absent=["c9"]) as it:
        yield it


@pytest.fixture(scope="module", params=["envoy", "haproxy"])
def behind(request, cells):
    """The same cells behind each proxy."""
    if proxy_program(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    with proxied(cells, request.param):
        yield cells, request.param


@pytest.fixture
def it(behind):
    return behind[0]


def code_of(body):
    return json.loads(body)["error"]["code"]


def homes(it, *tenants):
    """Where each tenant is served; the proxy may need a moment to see that a cell is back."""
    return [it.served_by(it.chat(who)[1]["x-request-id"]) for who in tenants]


def eventually(true, seconds=15):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_each_tenant_is_served_by_its_home(it):
    eventually(lambda: homes(it, "acme", "globex") == ["c0", "c1"])


def test_whoever_has_no_known_key_is_refused_in_the_shape_that_clients_read(it):
    for headers in ({}, {"authorization": "Bearer sk-stillhouse-00000000-x"}, {"authorization": "Basic eDp5"}):
        status, said, body = it.chat("acme", headers=headers)
        assert (status, code_of(body)) == (401, "invalid_api_key")
        assert said["content-type"] == "application/json"
        assert "x-request-id" not in said  # no cell was asked


def test_a_known_id_with_a_wrong_secret_is_refused_by_the_cell(it):
    eventually(lambda: it.chat("acme")[0] == 200)
    status, said, body = it.chat("acme", headers={"authorization": "Bearer " + it.tokens["acme"][:-4] + "nope"})
    assert (status, code_of(body)) == (401, "invalid_api_key")
    assert said["x-request-id"].startswith("req_")


def test_two_keys_in_one_request_are_refused(it):
    connection = http.client.HTTPConnection("127.0.0.1", it.proxy_port, timeout=5)
    connection.putrequest("POST", "/v1/chat/completions")
    for who in ("globex", "acme"):
        connection.putheader("authorization", f"Bearer {it.tokens[who]}")
    connection.putheader("content-length", "2")
    connection.endheaders(b"{}")
    with connection.getresponse() as answer:
        assert answer.status == 400
    connection.close()


def test_a_tenant_without_a_living_cell_is_told_at_once_to_try_again(it):
    status, said, body = it.chat("nobody")
    assert (status, code_of(body), said["retry-after"]) == (503, "overloaded", "1")


def test_the_proxy_itself_says_that_it_lives(it):
    assert it.ask("GET", "/healthz")[0] == 200


def test_a_stream_passes_event_by_event(it):
    eventually(lambda: it.chat("acme")[0] == 200)
    it.upstream("slow")
    connection = http.client.HTTPConnection("127.0.0.1", it.proxy_port, timeout=10)
    body = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    headers = {"authorization": f"Bearer {it.tokens['acme']}", "content-type": "application/json"}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    with connection.getresponse() as answer:
        first = answer.readline()
        # The upstream holds what comes after its first event until it is told to go on, so this one was not buffered.
        assert first.startswith(b"data: ")
        it.upstream("ok")
        assert b"data: [DONE]" in answer.read()
    connection.close()


def test_when_a_cell_is_killed_its_tenants_are_answered_by_their_second_and_others_notice_nothing(it):
    eventually(lambda: homes(it, "acme") == ["c0"])
    it.kill("c0")
    time.sleep(0.1)  # what was on the way when the process died is lost; no new request is
    acme, globex = zip(*((it.chat("acme"), it.chat("globex")) for _ in range(10)), strict=True)
    assert [answer[0] for answer in acme + globex] == [200] * 20
    assert it.served_by(acme[0][1]["x-request-id"]) == "c1"
    eventually(lambda: it.ready("c0"))  # the keeper has started it again


@pytest.mark.parametrize("fault", ["broken", "reset", "garbage"])
def test_an_upstream_that_fails_is_replaced_by_another_and_the_ledgers_hold_every_answer(it, fault):
    eventually(lambda: it.ready("c0"))
    found = hurt(it, fault, 6, ("acme", "globex"))
    assert {status for counts in found.statuses.values() for status in counts} == {200}
    assert found.slowest < LONGEST
    assert (found.lost, found.twice) == (0, 0)


def test_a_new_key_is_known_once_the_configuration_is_made_again(behind):
    it, proxy = behind
    if proxy != "envoy":
        pytest.skip("HAProxy takes it up at its next reload")
    it.tokens["late"] = KeyStore.load(it.folder / "keys.json").add("late", now=datetime.now(UTC))[1]
    assert it.chat("late")[0] == 401
    steer(it, "envoy")
    eventually(lambda: it.chat("late")[0] == 200)
