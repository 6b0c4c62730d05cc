"""What a listening socket is told holds for the connections that it accepts."""

import socket
import sys

import pytest

from router.sockets import give_up_after, look_for_life


@pytest.mark.skipif(sys.platform != "linux", reason="as Linux does")
def test_callers_are_given_up_and_looked_for_as_the_listener_was_told():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        give_up_after(listener, 7)
        look_for_life(listener, 3.5)
        with socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 4
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 7_000
