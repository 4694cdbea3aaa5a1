"""Downloading: many at a time, few from one host, patient with busy servers, strict with what comes back."""

import email.utils
import os
import random
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

import toolkit
from toolkit import images
from toolkit.images import kinds
from toolkit.scrape import public_only
from toolkit.scrape.item import Options
from toolkit.scrape.packing import Unpackable, unpacked

RETRIED = {408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524}
REDIRECTS = public_only.REDIRECTS
OPT_OUTS = re.compile(r"\b(noai|noimageai|noindex|noimageindex|none)\b", re.IGNORECASE)  # whoever is asked for it
PLACEHOLDERS = ("i.imgur.com/removed.png",)  # where hosts send a request for a picture they no longer have


def user_agent() -> str:
    """Who is asking: this program, and whom to write to, from the environment variable TOOLKIT_CONTACT."""
    contact = os.environ.get("TOOLKIT_CONTACT") or "image-classifier-toolkit, no contact given"
    return f"image-classifier-toolkit/{toolkit.__version__} ({contact}) requests/{requests.__version__}"


class Refused(Exception):
    """A download that failed; `again` if another attempt may go better, after `wait` seconds."""

    def __init__(self, reason: str, *, again: bool = False, wait: float = 0.0):
        super().__init__(reason)
        self.reason, self.again, self.wait = reason, again, wait


@dataclass
class _Host:
    slots: threading.Semaphore
    lock: threading.Lock = field(default_factory=threading.Lock)
    not_before: float = 0.0  # monotonic seconds; moved by Retry-After for all workers at once


class Fetcher:
    """Downloads pictures politely; one for a run, shared by its threads.

    Args:
        options: limits, see `Options`.
        sleep: waits for a number of seconds; tests give one that does not.
    """

    def __init__(self, options: Options, *, sleep: Callable[[float], None] = time.sleep):
        self.options, self.sleep = options, sleep
        self._hosts: dict[str, _Host] = defaultdict(lambda: _Host(threading.Semaphore(options.per_host)))
        self._lock, self._local = threading.Lock(), threading.local()

    def get(self, url: str) -> bytes:
        """The bytes of the picture at `url`.

        Raises:
            Refused: with the reason, after the last attempt.
        """
        for attempt in range(self.options.tries):
            try:
                return self._once(url)
            except Refused as refused:
                if not refused.again or attempt + 1 == self.options.tries:
                    raise
                pause = random.uniform(0, self.options.backoff * 2**attempt)
                self.sleep(min(max(pause, refused.wait), self.options.max_wait))
        raise Refused("no attempt was made")

    def _once(self, url: str) -> bytes:
        try:
            for _ in range(REDIRECTS + 1):
                with self._turn(url) as host:
                    answer = self._ask(url, host)
                if isinstance(answer, bytes):
                    return answer
                url = urljoin(url, answer)
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, ValueError) as error:
            raise Refused(f"bad address: {error}") from error
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Refused(f"connection: {type(error).__name__}", again=True) from error
        raise Refused("too many redirects; the site may want cookies, which are not kept")

    def _ask(self, url: str, host: _Host) -> bytes | str:
        """The picture at `url`, or the address it redirects to."""
        started = time.monotonic()  # not before: waiting for one's turn is no fault of the server
        session = self._session()
        with session.get(url, stream=True, timeout=self.options.timeout) as response:
            if target := session.target(response):
                return target
            self._check(response, host)
            return self._body(response, started)

    @contextmanager
    def _turn(self, url: str) -> Iterator[_Host]:
        """Wait for a free slot of the host, and until it wants to be asked again."""
        try:
            name = urlsplit(url).netloc
        except ValueError as error:
            raise Refused(f"bad address: {error}") from error
        with self._lock:
            host = self._hosts[name]
        with host.slots:
            wait = host.not_before - time.monotonic()
            if wait > 0:
                self.sleep(wait)
            yield host

    def _session(self) -> public_only.Session:
        """One session per thread: they are not thread-safe."""
        if not hasattr(self._local, "session"):
            session = public_only.session(self.options.allow, deadline=self.options.deadline)
            session.headers.update({"User-Agent": user_agent(), "Accept": "image/*", "Accept-Encoding": "identity"})
            self._local.session = session
        return self._local.session

    def _check(self, response: requests.Response, host: _Host) -> None:
        if response.status_code in RETRIED:
            wait = min(retry_after(response.headers.get("Retry-After")), self.options.max_wait)
            with host.lock:
                host.not_before = max(host.not_before, time.monotonic() + wait)
            raise Refused(f"HTTP {response.status_code}", again=True, wait=wait)
        if response.status_code not in (200, 203) and not _is_whole(response):
            raise Refused(f"HTTP {response.status_code}")
        if response.url.split("?")[0].endswith(PLACEHOLDERS):
            raise Refused("placeholder of a removed picture")
        if opt_out := OPT_OUTS.search(response.headers.get("X-Robots-Tag", "")):
            raise Refused(f"its site asks not to use it (X-Robots-Tag: {opt_out[0].lower()})")
        if _declared(response) > self.options.download_bytes:
            raise Refused(f"{_declared(response):,} bytes, more than the limit of {self.options.download_bytes:,}")

    def _body(self, response: requests.Response, started: float) -> bytes:
        body, most = bytearray(), self.options.download_bytes
        is_page = response.headers.get("Content-Type", "").lower().startswith("text/html")
        try:
            for piece in unpacked(self._received(response, started), response.headers.get("Content-Encoding", "")):
                body += piece
                if len(body) > most:
                    raise Refused(f"more than the limit of {most:,} bytes")
                if is_page and len(body) >= kinds.HEAD and images.sniff(bytes(body[: kinds.HEAD])) is None:
                    break  # not before: pictures are sent as web pages, too
        except Unpackable as error:
            raise Refused(str(error)) from error
        if said := _refusal(bytes(body[: kinds.HEAD]), is_page=is_page):
            raise Refused(said)
        if images.pixels(bytes(body)) > self.options.max_pixels:
            raise Refused(f"more than the limit of {self.options.max_pixels:,} pixels")
        return bytes(body)

    def _received(self, response: requests.Response, started: float) -> Iterator[bytes]:
        """What comes, piece by piece, in time and to its end."""
        received = 0
        while chunk := response.raw.read1(1 << 16):  # read1 gives what is there, so a slow drip meets the deadline
            received += len(chunk)
            yield chunk
            if time.monotonic() - started > self.options.deadline:
                raise Refused(f"slower than {self.options.deadline:g} seconds", again=True)
        if received < _declared(response):
            raise Refused("connection: closed early", again=True)


def _refusal(head: bytes, *, is_page: bool) -> str:
    """Why a body that begins so is no picture; "" if it is one."""
    said = kinds.refusal(head)
    if not said or not head:
        return "empty" if said else ""
    if said == kinds.heic_missing():
        return said
    return "a web page, not a picture" if is_page else "not a picture in a format that is read"


def _is_whole(response: requests.Response) -> bool:
    """Whether an answer with a part of something has all of it."""
    told = re.fullmatch(r"bytes 0-(\d+)/(\d+)", response.headers.get("Content-Range", "").strip())
    return response.status_code == 206 and told is not None and int(told[1]) + 1 == int(told[2])


def retry_after(value: str | None, *, now: float | None = None) -> float:
    """Seconds to wait from a Retry-After header, which holds seconds or a date (RFC 9110, 10.2.3); 0 without one.

    >>> retry_after("7")
    7.0
    """
    if not value:
        return 0.0
    if value.strip().isdecimal():
        return float(value)
    try:
        then = email.utils.parsedate_to_datetime(value).timestamp()
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return max(0.0, then - (time.time() if now is None else now))


def _declared(response: requests.Response) -> int:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else 0
