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
from urllib.parse import urljoin, urlsplit

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

REDIRECTS = 5
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")  # the part of IPv6 in which public addresses lie
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # where networks without IPv4 put its addresses
ISATAP = 0x5EFE  # of the last 64 bits, the second 16, behind 0 or 0x200; an IPv4 address follows (RFC 5214)
# Beside the tables of Python, which were wrong in some of its versions (CVE-2024-4032): what is not "globally
# reachable" in the IPv4 and IPv6 Special-Purpose Address Registries of the IANA, as of November 2026, and what clouds
# put elsewhere.
NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
        *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        "168.63.129.16/32",  # Azure's own services, reached from within it alone
        *("::/8", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2001:db8::/32", "2002::/16"),
        *("3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"),
    )
)


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
    inner = _inner(number) if number.version == 6 else None
    if inner:
        return public(str(inner), allow)
    if any(number in network for network in NOT_PUBLIC):
        return False
    return number.is_global and not number.is_multicast and (number.version == 4 or number in GLOBAL_UNICAST)


def _inner(number: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address holds, by which a relay would reach it."""
    last = ipaddress.IPv4Address(int(number) & 0xFFFFFFFF)
    if number in NAT64 or (int(number) >> 32 & 0xFDFFFFFF) == ISATAP:
        return last
    return number.ipv4_mapped or number.sixtofour or (number.teredo and number.teredo[1]) or None


class Session(requests.Session):
    """A session that knows no proxies, passwords or cookies of this machine, and leaves redirects to its caller.

    Requests would read all that comes with a redirect, however long, before it follows it.
    """

    def get_redirect_target(self, response: requests.Response) -> None:
        """None, whatever the response says; see `target`."""

    def target(self, response: requests.Response) -> str | None:
        """Where a response redirects to, as it is written there; None if it does not."""
        return super().get_redirect_target(response)

    def followed(self, method: str, url: str, **options: Any) -> requests.Response:
        """The response at the end of at most `REDIRECTS` redirects, each of them checked like the first address.

        Raises:
            requests.TooManyRedirects: there are more.
        """
        for _ in range(REDIRECTS + 1):
            response = self.request(method, url, stream=True, **options)
            target = self.target(response)
            if not target:
                return response
            response.close()
            url, options["params"] = urljoin(url, target), None
        raise requests.TooManyRedirects(f"more than {REDIRECTS}")


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


def named(url: str) -> tuple[str, ...]:
    """The addresses of the host in a URL that a person gave: that one may be reached, wherever it is.

    >>> named("http://127.0.0.1:8000/wiki")
    ('127.0.0.1',)
    """
    try:
        entries = socket.getaddrinfo(urlsplit(url).hostname, None, type=socket.SOCK_STREAM)
    except (OSError, ValueError):  # connecting will say so
        return ()
    return tuple(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in entries))


def within(response: requests.Response, *, most: int, seconds: float) -> bytes:
    """The body of a response that was asked for as it is, however slowly it drips.

    Args:
        response: not read yet.
        most: bytes; a longer body is cut off one byte later.
        seconds: that reading it may take.

    Raises:
        TimeoutError: it takes longer.
    """
    started, body = time.monotonic(), bytearray()
    while len(body) <= most and (chunk := response.raw.read1(1 << 16)):  # read1 gives what is there
        body += chunk
        if time.monotonic() - started > seconds:
            raise TimeoutError(f"no end in {seconds:g} seconds")
    return bytes(body[: most + 1])


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
