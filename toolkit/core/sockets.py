"""Listening sockets of this machine."""

import contextlib
import ctypes
import socket
import struct
import sys
from collections.abc import Sequence

from toolkit.errors import ToolkitError

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
