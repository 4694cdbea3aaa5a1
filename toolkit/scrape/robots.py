"""Whether a site wants programs, as its robots.txt says (RFC 9309)."""

import re
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from protego import Protego

from toolkit.errors import SourceError
from toolkit.scrape import public_only
from toolkit.scrape.fetch import user_agent
from toolkit.scrape.packing import unpacked

AGENT = "image-classifier-toolkit"  # the product token of `user_agent`
VERSION = re.compile(r"(?im)^(\s*user-agent\s*:\s*[a-z_-]+)[^\r\n]*")  # behind a name, which some write there
MOST = 512_000  # bytes of it that are read (RFC 9309, 2.5)


def check(address: str, *, timeout: float = 15.0) -> None:
    """Ask a host whether programs may have an address.

    Args:
        address: of a page.
        timeout: seconds to wait for robots.txt, in all.

    Raises:
        SourceError: they may not, or the host does not say.

    >>> check("https://example.org/search?q=pizza")  # doctest: +SKIP
    """
    host = urlsplit(address).netloc
    try:
        status, rules = _asked(urljoin(address, "/robots.txt"), timeout)
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, ValueError, OSError) as error:
        raise SourceError(f"expected {host} to answer, got {type(error).__name__}; check the address") from error
    forbidden = status in (401, 403) or status >= 500
    if forbidden or (status < 400 and not allows(rules, address)):
        raise SourceError(
            f"expected {host} to allow programs, got a robots.txt that forbids {address} (HTTP {status}); "
            "take another source"
        )


def allows(rules: bytes, address: str) -> bool:
    """Whether the rules of a robots.txt let programs have an address.

    Args:
        rules: the file; a byte order mark, blank lines and patterns are read as RFC 9309 says.
        address: of a page.

    >>> allows(b"User-agent: *\n\nDisallow: /*.php$", "https://example.org/search.php")
    False
    """
    text = rules[:MOST].decode("utf-8-sig", "replace").replace("\0", "")
    text = VERSION.sub(r"\1", text)
    return Protego.parse(text).can_fetch(address, AGENT)


def _asked(url: str, seconds: float) -> tuple[int, bytes]:
    """Status and bytes of a robots.txt, as much of it as has to be read.

    A person has named the host; where it redirects to has to be a public address.
    """
    headers = {"User-Agent": user_agent(), "Accept-Encoding": "identity"}
    with (
        public_only.session(public_only.named(url), deadline=seconds) as session,
        session.followed("GET", url, headers=headers, timeout=seconds) as answer,
    ):
        packed = public_only.within(answer, most=MOST, seconds=seconds)
        body = bytearray()
        for piece in unpacked([packed], answer.headers.get("Content-Encoding", "")):
            body += piece
            if len(body) > MOST:
                break
    return answer.status_code, bytes(body)
