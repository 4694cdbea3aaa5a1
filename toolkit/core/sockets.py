"""Addresses on this machine to listen at."""

import contextlib
import ctypes
import socket
import struct
import sys
from collections.abc import Sequence

from toolkit.errors import ToolkitError

SO_ATTACH_FILTER = 26  # of Linux, which Python has no name for
RETURN_NOTHING = (0x06, 0, 0, 0)  # BPF's instruction RET 0: of every packet nothing is kept


def listening(host: str, ports: Sequence[int]) -> socket.socket:
    """A socket that listens at the first of these ports that is free.

    Args:
        host: an address of this machine.
        ports: 0 is any that is free.

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


def deafen(listening: socket.socket) -> None:
    """Let no new connection reach a socket; those that wait there can still be accepted.

    Closing it would break those off. Linux can do that, by a filter that drops every packet; elsewhere nothing happens.
    """
    if sys.platform != "linux":
        return
    drop = ctypes.create_string_buffer(struct.pack("HBBI", *RETURN_NOTHING))
    with contextlib.suppress(OSError):  # some sandboxes have no such filters
        listening.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(drop)))


def url(listening: socket.socket, host: str) -> str:
    """The address of what listens there, without a slash at its end."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listening.getsockname()[1]}"
