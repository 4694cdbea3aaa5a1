"""Listening sockets: at the first free port, said in an address, and closed to those who come late."""

import socket
import sys

import pytest

from toolkit.core import sockets
from toolkit.errors import ToolkitError


def port_of(listening):
    return listening.getsockname()[1]


def test_the_first_free_port_is_taken():
    with sockets.listening("127.0.0.1", [0]) as first, sockets.listening("127.0.0.1", [port_of(first), 0]) as second:
        assert port_of(second) not in (0, port_of(first))
        with pytest.raises(ToolkitError, match=f"port {port_of(first)}, got: .*; choose another with --port"):
            sockets.listening("127.0.0.1", [port_of(first)])


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
def test_an_address_can_be_opened_by_a_browser(host, shown):
    if ":" in host and not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    with sockets.listening(host, [0]) as listening:
        assert sockets.url(listening, host) == f"http://{shown}:{port_of(listening)}"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such filters")
def test_who_comes_after_the_stop_is_not_let_in_but_who_waits_already_is():
    with sockets.listening("127.0.0.1", [0]) as listening, socket.socket() as waiting:
        waiting.connect(("127.0.0.1", port_of(listening)))
        sockets.stop_accepting(listening)
        with pytest.raises(TimeoutError):
            socket.create_connection(("127.0.0.1", port_of(listening)), timeout=0.3)
        listening.settimeout(5)
        listening.accept()[0].close()
