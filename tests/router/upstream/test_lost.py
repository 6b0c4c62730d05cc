"""A server that vanishes behind an open connection is found while its answer is waited for, and a slow one is not lost."""

import asyncio
import sys

import pytest

from evals.faults.server import Server
from evals.faults.vanish import vanish
from router.errors import UpstreamUnavailable
from router.upstream.base import Deadline
from router.upstream.transport import AiohttpTransport

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells and is told on Linux only")

DEADLINE = Deadline(connect=5, first_byte=60, gap=60, total=60)
BODY = b'{"model": "m"}'


async def ask(transport, server):
    url = f"http://127.0.0.1:{server.port}/v1/chat/completions"
    response = await transport.send("POST", url, {"content-type": "application/json"}, BODY, DEADLINE)
    return response.status, await response.read()


def test_a_server_that_vanished_while_its_connection_was_idle_is_unreachable_and_the_next_call_reaches_the_new_one():
    async def run():
        server, transport = Server(), AiohttpTransport()
        await server.start()
        assert (await ask(transport, server))[0] == 200
        assert server.vanish() == 1
        with pytest.raises(UpstreamUnavailable):
            await ask(transport, server)
        assert (await ask(transport, server))[0] == 200
        await transport.close()
        await server.stop()

    asyncio.run(run())


def test_a_server_that_only_takes_its_time_is_waited_for():
    async def run():
        server, transport = Server(), AiohttpTransport()
        server.pace = 2.5
        await server.start()
        assert (await ask(transport, server))[0] == 200
        await transport.close()
        await server.stop()

    asyncio.run(run())


def test_what_a_vanished_peer_is_sent_is_counted_as_unheard():
    async def run():
        gone, here = asyncio.Event(), asyncio.Event()

        async def serve(_, writer):
            vanish(writer.get_extra_info("socket"))
            gone.set()
            await here.wait()
            writer.transport.abort()

        from router.sockets import unheard

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        await gone.wait()
        sock = writer.get_extra_info("socket")
        assert unheard(sock) == 0
        writer.write(b"is anybody there?")
        while unheard(sock) == 0:
            await asyncio.sleep(0.05)
        here.set()
        writer.transport.abort()
        server.close()

    asyncio.run(run())
