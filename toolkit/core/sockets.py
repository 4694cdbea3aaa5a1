"""Listening sockets of this machine, and servers that answer at one."""

import contextlib
import ctypes
import ipaddress
import socket
import struct
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from toolkit.errors import ToolkitError

if TYPE_CHECKING:
    import uvicorn

SO_ATTACH_FILTER = 26  # Linux's number; Python has no name for it
RETURN_NOTHING = (0x06, 0, 0, 0)  # the BPF instruction RET 0: keep nothing of a packet


def listening(host: str, ports: Sequence[int]) -> socket.socket:
    """A listening socket at the first free port of several.

    Args:
        host: an address of this machine.
        ports: to try, in this order; 0 is any free one.

    Raises:
        ToolkitError: none is free, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for number in ports:
        try:
            return socket.create_server((host, number), family=family)
        except OSError as error:
            problem = error
    raise ToolkitError(f"expected to listen at {host}, port {ports[0]}, got: {problem}; choose another with --port")


def stop_accepting(listening: socket.socket) -> None:
    """Stop accepting: let no new connection reach a socket; those already waiting there can still be accepted.

    Closing the socket would break the waiting ones off. On Linux a filter drops every packet; other systems have no
    such filter, and nothing happens.
    """
    if sys.platform != "linux":
        return
    drop = ctypes.create_string_buffer(struct.pack("HBBI", *RETURN_NOTHING))
    with contextlib.suppress(OSError):  # some sandboxes have no such filters
        listening.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(drop)))


def url(listening: socket.socket, host: str) -> str:
    """The URL of a listening socket, without a slash at its end."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listening.getsockname()[1]}"


def host_name(header: str) -> str:
    """The name or address in a Host header, without its port.

    >>> host_name("localhost:8000"), host_name("[::1]:8000"), host_name("[::1]")
    ('localhost', '::1', '::1')
    """
    return (header.rpartition(":")[0] if not header.endswith("]") and ":" in header else header).strip("[]")


def is_named(header: str, hosts: Sequence[str]) -> bool:
    """Whether a Host header means this machine: by a name that no page elsewhere can have pointed here (DNS rebinding).

    Args:
        header: as a browser sends it, perhaps with a port. Figures, and names without a dot, are none that anybody
            could register and point anywhere.
        hosts: further names that it has; "*" for any.

    >>> is_named("localhost:8000", []), is_named("[::1]:8000", []), is_named("evil.example", [])
    (True, True, False)
    """
    name = host_name(header)
    if ("." not in name and ":" not in name) or name.lower() in map(str.lower, hosts) or "*" in hosts:
        return True
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether this address, or this name, means this machine to itself.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("10.0.0.7")
    (True, True, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Serving:
    """A server that answers at a socket: in this thread until it is interrupted, or in one of its own until `close`.

    Args:
        server: of uvicorn.
        listening: the socket; it is closed at the end.
        host: the address it listens at.
    """

    def __init__(self, server: "uvicorn.Server", listening: socket.socket, host: str):
        self._server, self._socket = server, listening
        self.url = url(listening, host)

    def run(self) -> None:
        """Answer until SIGTERM or Ctrl-C; requests under way are answered then."""
        try:
            self._server.run(sockets=[self._socket])
        except KeyboardInterrupt:  # the way to end it
            pass
        finally:
            self._end()

    def start(self) -> Self:
        """Answer in a thread of its own, until `close`."""
        self._thread = threading.Thread(target=self.run, name=f"answer at {self.url}", daemon=True)
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            self._thread.join(0.01)
        return self

    def close(self) -> None:
        """Answer what is under way, and stop."""
        self._server.should_exit = True
        self._thread.join()

    def _end(self) -> None:
        """Close what was opened."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
