"""An answer leaves as uvicorn would write it, byte by byte, and an idle connection is closed when its time is over."""

import asyncio
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from router.alarms import Alarms
from router.serve.http.edge import Cycle, Idle

LOG = logging.getLogger("stillhouse")
NAMES = (b"content-type", b"X-Request-Id", b"x-a", b"bad name", b"Connection", b"transfer-encoding", b"content-length")
VALUES = (b"application/json", b"", b"close", b"chunked", b"a\r\nb: c", b"5", b"0", "é".encode("latin-1"))


class Wire:
    """A transport that keeps what is written."""

    def __init__(self):
        self.written, self.closed = b"", False

    def write(self, data):
        self.written += bytes(data)

    def close(self):
        self.closed = True

    def is_closing(self):
        return self.closed

    def resume_reading(self):
        pass


def left_by(kind, method, keep_alive, messages):
    """What a cycle of this kind writes, whether it closes, and what it raises."""
    wire, done = Wire(), []
    cycle = kind(
        scope={"type": "http", "method": method, "http_version": "1.1"},
        transport=wire,
        flow=FlowControl(wire),
        logger=LOG,
        access_logger=LOG,
        access_log=False,
        default_headers=[],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=keep_alive,
        on_response=lambda: done.append(True),
    )

    async def send():
        for message in messages:
            await cycle.send(message)

    fault = ""
    try:
        asyncio.run(send())
    except (RuntimeError, ValueError) as error:
        fault = f"{type(error).__name__} {error}"
    return wire.written, wire.closed, fault, done, cycle.response_started, cycle.response_complete


@given(
    st.sampled_from(["POST", "GET", "HEAD"]),
    st.booleans(),
    st.sampled_from([200, 204, 304, 400, 502]),
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)), max_size=4),
    st.sampled_from([b"", b"hello", b"longer than that"]),
    st.booleans(),
    st.booleans(),
)
def test_an_answer_is_written_as_uvicorn_writes_it(method, keep_alive, status, headers, body, sized, twice):
    if sized:
        headers = [(b"content-length", str(len(body)).encode()), *headers]
    start = {"type": "http.response.start", "status": status, "headers": headers}
    messages = [start, *([start] if twice else ()), {"type": "http.response.body", "body": body}]
    ours, theirs = (left_by(kind, method, keep_alive, messages) for kind in (Cycle, RequestResponseCycle))
    assert ours == theirs


def test_a_head_may_come_without_headers():
    assert left_by(Cycle, "GET", True, [{"type": "http.response.start", "status": 200}])[0].startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(("again", "closed"), [(False, 1), (True, 0)], ids=["nobody", "another request"])
async def test_an_idle_connection_is_closed_when_its_time_is_over(again, closed):
    class Connection:
        closed = 0

        def timeout_keep_alive_handler(self):
            self.closed += 1

    connection = Connection()
    idle = Idle(connection, Alarms(asyncio.get_running_loop())).begin(0.01)
    if again:
        idle.cancel()
    await asyncio.sleep(0.05)
    assert connection.closed == closed
