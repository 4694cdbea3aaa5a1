"""Connections to public addresses only, so that no picture's address leads into the network behind the firewall.

The check is made when a connection is opened, on the very address that is connected to: it holds for redirects, and for
names whose answer changes from one look-up to the next. A check of the address in the link would hold for neither.
"""

import ipaddress
import socket
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from http.cookiejar import DefaultCookiePolicy

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

GIVEN_OUT = ipaddress.ip_network("2000::/3")  # the part of IPv6 in which public addresses lie
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # where networks without IPv4 put its addresses


class Blocked(ValueError):
    """A host has an address that is not public."""


def public(address: str, allow: Iterable[Network] = ()) -> bool:
    """Whether an address may be connected to.

    Args:
        address: in numbers, IPv4 or IPv6; of one that holds an IPv4 address, that one counts.
        allow: networks that may be reached although they are not public.

    >>> public("192.168.1.1"), public("::ffff:10.0.0.1"), public("1.1.1.1")
    (False, False, True)
    """
    number = ipaddress.ip_address(address)
    if any(number in network for network in allow):
        return True
    if number.version == 4:
        return number.is_global and not number.is_multicast
    inner = number.ipv4_mapped or number.sixtofour or (number.teredo and number.teredo[1])
    if number in NAT64:
        inner = ipaddress.IPv4Address(int(number) & 0xFFFFFFFF)
    if inner:
        return public(str(inner), allow)
    return number.is_global and number in GIVEN_OUT


class Session(requests.Session):
    """A session that knows no proxies, passwords or cookies of this machine, and leaves redirects to its caller.

    Requests would read all that comes with a redirect, however long, before it follows it.
    """

    def get_redirect_target(self, response: requests.Response) -> None:
        """None, whatever the response says; see `target`."""

    def target(self, response: requests.Response) -> str | None:
        """Where a response redirects to, as it is written there; None if it does not."""
        return super().get_redirect_target(response)


def session(allow: Iterable[str] = (), *, deadline: float = 60.0) -> Session:
    """A session that connects to public addresses only, over http and https; for use in one thread.

    Args:
        allow: networks that may be reached all the same, such as "127.0.0.1/32".
        deadline: seconds until the head of an answer must be there, however slowly it drips.

    Raises:
        ValueError: a network is none. Requests raise `Blocked`, which is one too.
    """
    adapter = _Adapter(tuple(ipaddress.ip_network(network) for network in allow), deadline)
    made = Session()
    made.trust_env = False  # a proxy would connect for us, and look at no address
    made.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    made.mount("http://", adapter)
    made.mount("https://", adapter)
    return made


class _Guarded:
    """Mixed into the connections of urllib3; they speak TLS and HTTP with the name, but connect to what was checked."""

    networks: tuple[Network, ...] = ()
    deadline = 60.0

    def _new_conn(self) -> socket.socket:
        problem: OSError | None = None
        for address in self._addresses():
            try:
                place = (address, self.port)
                return create_connection(
                    place, self.timeout, source_address=self.source_address, socket_options=self.socket_options
                )
            except OSError as error:
                problem = error
        raise NewConnectionError(self, f"cannot connect: {problem}") from problem

    def _addresses(self) -> list[str]:
        """What the name stands for; one address that is not public spoils them all."""
        try:
            entries = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        addresses = list(dict.fromkeys(entry[4][0] for entry in entries))
        for address in addresses:
            if not public(address, self.networks):
                raise Blocked(f"{self.host} is at {address}, which is not a public address")
        return addresses

    def getresponse(self) -> object:
        late = threading.Timer(self.deadline, self._hang_up)  # the socket's own timeout begins anew with every byte
        late.daemon, started = True, time.monotonic()
        late.start()
        try:
            response = super().getresponse()
        finally:
            late.cancel()
        if time.monotonic() - started >= self.deadline:  # and what came was cut short
            response.close()
            raise TimeoutError(f"no answer in {self.deadline:g} seconds")
        return response

    def _hang_up(self) -> None:
        with suppress(OSError, AttributeError):  # gone already
            self.sock.shutdown(socket.SHUT_RDWR)


class _Adapter(HTTPAdapter):
    def __init__(self, networks: tuple[Network, ...], deadline: float):
        facts = {"networks": networks, "deadline": deadline}
        self._pools = {"http": _pool(HTTPConnectionPool, facts), "https": _pool(HTTPSConnectionPool, facts)}
        super().__init__()

    def init_poolmanager(self, *args: object, **options: object) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools


def _pool(kind: type, facts: dict[str, object]) -> type:
    """urllib3's pool of this kind, but with guarded connections."""
    connection = type("GuardedConnection", (_Guarded, kind.ConnectionCls), facts)
    return type("GuardedPool", (kind,), {"ConnectionCls": connection})
