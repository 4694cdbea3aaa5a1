"""Whether a site wants programs, as its robots.txt says (RFC 9309)."""

from urllib.parse import urljoin, urlsplit
from urllib.robotparser import RobotFileParser

import requests

from toolkit.errors import SourceError
from toolkit.scrape.fetch import user_agent


def check(address: str, *, timeout: float = 15.0) -> None:
    """Ask a host whether programs may have an address.

    Args:
        address: of a page.
        timeout: seconds to wait for robots.txt.

    Raises:
        SourceError: they may not, or the host does not say.

    >>> check("https://example.org/search?q=pizza")  # doctest: +SKIP
    """
    host, robots = urlsplit(address).netloc, RobotFileParser()
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(urljoin(address, "/robots.txt"), headers={"User-Agent": user_agent()}, timeout=timeout)
    except (requests.exceptions.RequestException, ValueError) as error:
        raise SourceError(f"expected {host} to answer, got {type(error).__name__}; check the address") from error
    forbidden = answer.status_code in (401, 403) or answer.status_code >= 500
    robots.disallow_all = forbidden  # type: ignore[attr-defined]  # the stubs lack this attribute
    robots.parse(answer.text.splitlines() if answer.ok else [])
    if not robots.can_fetch(user_agent(), address):
        raise SourceError(
            f"expected {host} to allow programs, got a robots.txt that forbids {address} (HTTP {answer.status_code}); "
            "take another source"
        )
