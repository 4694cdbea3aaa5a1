"""Whether a site wants programs, as its robots.txt says (RFC 9309)."""

import re
from urllib.parse import urljoin, urlsplit

import requests
from protego import Protego

from toolkit.errors import SourceError
from toolkit.scrape.fetch import user_agent

AGENT = "image-classifier-toolkit"  # the product token of `user_agent`
VERSION = re.compile(r"(?im)^(\s*user-agent\s*:\s*[a-z_-]+)[^\r\n]*")  # behind a name, which some write there
MOST = 512_000  # bytes of it that are read (RFC 9309, 2.5)


def check(address: str, *, timeout: float = 15.0) -> None:
    """Ask a host whether programs may have an address.

    Args:
        address: of a page.
        timeout: seconds to wait for robots.txt.

    Raises:
        SourceError: they may not, or the host does not say.

    >>> check("https://example.org/search?q=pizza")  # doctest: +SKIP
    """
    host = urlsplit(address).netloc
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(urljoin(address, "/robots.txt"), headers={"User-Agent": user_agent()}, timeout=timeout)
    except (requests.exceptions.RequestException, ValueError) as error:
        raise SourceError(f"expected {host} to answer, got {type(error).__name__}; check the address") from error
    forbidden = answer.status_code in (401, 403) or answer.status_code >= 500
    if forbidden or (answer.ok and not allows(answer.content, address)):
        raise SourceError(
            f"expected {host} to allow programs, got a robots.txt that forbids {address} (HTTP {answer.status_code}); "
            "take another source"
        )


def allows(rules: bytes, address: str) -> bool:
    """Whether the rules of a robots.txt let programs have an address.

    Args:
        rules: the file; a byte order mark, blank lines and patterns are read as RFC 9309 says.
        address: of a page.

    >>> allows(b"User-agent: *\\n\\nDisallow: /*.php$", "https://example.org/search.php")
    False
    """
    text = rules[:MOST].decode("utf-8-sig", "replace").replace("\0", "")
    text = VERSION.sub(r"\1", text)
    return Protego.parse(text).can_fetch(address, AGENT)
