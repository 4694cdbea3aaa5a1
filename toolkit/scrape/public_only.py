"""Protection from server-side request forgery (SSRF): a picture's address cannot lead behind the firewall.

Connections are made to public addresses only. The check is made when a connection is opened, on the very address that
is connected to: it holds for redirects, and for names whose answer changes from one look-up to the next (DNS
rebinding). A check of the address in the link would hold for neither, which is why this is written here.
"""

import ipaddress
import socket
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, cast

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection
from urllib3.exceptions import NameResolutionError, NewConnectionError
from urllib3.response import HTTPResponse
from urllib3.util.connection import create_connection

if TYPE_CHECKING:
    _Mixin = HTTPConnection
else:
    _Mixin = object

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")  # the part of IPv6 in which public addresses lie
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # where networks without IPv4 put its addresses


class Blocked(ValueError):
    """A host has an address that is not public."""


def public(address: str, allow: Iterable[Network] = ()) -> bool:
    """Whether an IP address is public, and so may be connected to.

    Args:
        address: IPv4 or IPv6 in numbers; an IPv6 address that holds an IPv4 address is judged by that.
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
    return number.is_global and number in GLOBAL_UNICAST


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
    session = Session()
    session.trust_env = False  # a proxy would connect for us, and check no address
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


class _PublicOnly(_Mixin):
    """Mixed into the connections of urllib3; they speak TLS and HTTP with the name, but connect to what was checked."""

    networks: tuple[Network, ...] = ()
    deadline = 60.0

    def _new_conn(self) -> socket.socket:
        problem: OSError | None = None
        for address in self._addresses():
            try:
                return create_connection(
                    (address, self.port),
                    self.timeout,
                    source_address=self.source_address,
                    socket_options=self.socket_options,
                )
            except OSError as error:
                problem = error
        raise NewConnectionError(self, f"cannot connect: {problem}") from problem

    def _addresses(self) -> list[str]:
        """The addresses of the host; if one of them is not public, none is used."""
        try:
            entries = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
        for address in addresses:
            if not public(address, self.networks):
                raise Blocked(f"{self.host} is at {address}, which is not a public address")
        return addresses

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as in urllib3 itself
        started = time.monotonic()
        timer = threading.Timer(self.deadline, self._hang_up)  # the socket's own timeout begins anew with every byte
        timer.daemon = True
        timer.start()
        try:
            response = super().getresponse()
        finally:
            timer.cancel()
        if time.monotonic() - started >= self.deadline:  # and what came was cut short
            response.close()
            raise TimeoutError(f"no answer in {self.deadline:g} seconds")
        return response

    def _hang_up(self) -> None:
        with suppress(OSError, AttributeError):  # closed already
            self.sock.shutdown(socket.SHUT_RDWR)


class _Adapter(HTTPAdapter):
    def __init__(self, networks: tuple[Network, ...], deadline: float):
        limits = {"networks": networks, "deadline": deadline}
        self._pools = {"http": _pool(HTTPConnectionPool, limits), "https": _pool(HTTPSConnectionPool, limits)}
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools


def _pool(kind: type[HTTPConnectionPool], attributes: dict[str, object]) -> type[HTTPConnectionPool]:
    """urllib3's pool of this kind, with connections to public addresses only."""
    connection = type("PublicConnection", (_PublicOnly, kind.ConnectionCls), attributes)
    return cast(type[HTTPConnectionPool], type("PublicPool", (kind,), {"ConnectionCls": connection}))
