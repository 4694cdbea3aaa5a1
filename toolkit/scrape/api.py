"""Asking a JSON service: patient with a busy server, one line for everything else that can go wrong."""

import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

import requests
import urllib3

from toolkit.errors import SourceError
from toolkit.images.files import Passed
from toolkit.scrape import public_only
from toolkit.scrape.fetch import RETRIED, retry_after, user_agent
from toolkit.scrape.item import Item, Options
from toolkit.scrape.packing import Unpackable, unpacked

NOT_TAKEN, ODD = "licence that is not taken", "answer that lacks the usual fields"  # why a picture is passed over
Query = Mapping[str, str | int]

MAX_ANSWER = 64 << 20  # bytes; no page of any service comes near it
NETWORK = (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError)


class Busy(Exception):
    """Another attempt may go better, after `wait` seconds."""

    def __init__(self, reason: str, *, wait: float = 0.0):
        super().__init__(reason)
        self.wait = wait


class Rejected(SourceError):
    """The service answered that it will not; `status` is its HTTP status."""

    def __init__(self, message: str, *, status: int):
        super().__init__(message)
        self.status = status


class Service:
    """A JSON service.

    Args:
        name: what people call it, for messages.
        url: its address, which paths are appended to.
        options: `tries`, `timeout`, `deadline`, `backoff` and `max_wait` bound a request.
        advice: what to do if it refuses, for messages.
        sleep: waits between attempts, given a number of seconds.

    >>> Service("Openverse", "https://api.openverse.org/v1/", Options()).ask("images/", {"q": "cat"})  # doctest: +SKIP
    """

    def __init__(
        self,
        name: str,
        url: str,
        options: Options,
        *,
        advice: str = "try again later",
        sleep: Callable[[float], None] = time.sleep,
    ):
        self.name, self.url, self.options, self.advice, self.sleep = name, url, options, advice, sleep
        allow = (*options.allow, *public_only.named(url))  # who is asked was named by a person, a redirect was not
        self.session = public_only.session(allow, deadline=options.deadline)
        self.session.headers.update(
            {"User-Agent": user_agent(), "Accept": "application/json", "Accept-Encoding": "identity"}
        )

    def ask(
        self,
        path: str = "",
        query: Query | None = None,
        *,
        form: Mapping[str, str] | None = None,
        busy: Callable[[dict], bool] = lambda answer: False,
    ) -> dict:
        """The JSON object a service answers with.

        Args:
            path: appended to its address.
            query: parameters of the address.
            form: fields to send with POST; None asks with GET.
            busy: True for an answer that says "later" with status 200.

        Raises:
            Rejected: an HTTP status that another attempt would not change.
            SourceError: no usable answer in `tries` attempts, a wait longer than `max_wait`, or a redirect to an
                address that is not public.
        """
        return patiently(lambda: self._once(path, query, form, busy), self.name, self.options, sleep=self.sleep)

    def _once(
        self, path: str, query: Query | None, form: Mapping[str, str] | None, busy: Callable[[dict], bool]
    ) -> dict:
        method, timeout = "POST" if form else "GET", self.options.timeout
        try:
            with self.session.followed(method, self.url + path, params=query, data=form, timeout=timeout) as response:
                body, wait = self._body(response), retry_after(response.headers.get("Retry-After"))
        except public_only.Blocked as error:
            raise SourceError(f"expected {self.name} at a public address, got: {error}; check its address") from error
        except NETWORK as error:
            raise Busy(f"connection: {type(error).__name__}") from error
        if response.status_code in RETRIED:
            raise Busy(f"HTTP {response.status_code}", wait=wait)
        answer = _parsed(body)
        if response.status_code != 200:
            message = f"{self.name} refused the request (HTTP {response.status_code}{_quoted(answer)}); {self.advice}"
            raise Rejected(message, status=response.status_code)
        if answer is None:
            raise Busy(f"{_start(body)!r} in place of JSON")
        if busy(answer):
            raise Busy(f"busy{_quoted(answer)}", wait=wait)
        return answer

    def _body(self, response: requests.Response) -> bytes:
        started, body = time.monotonic(), bytearray()
        chunks = iter(partial(response.raw.read1, 1 << 16), b"")  # which gives what is there: a drip meets the deadline
        try:
            for piece in unpacked(chunks, response.headers.get("Content-Encoding", "")):
                body += piece
                if len(body) > MAX_ANSWER or time.monotonic() - started > self.options.deadline:
                    raise Busy(f"an answer of more than {self.options.deadline:g} seconds or {MAX_ANSWER:,} bytes")
        except Unpackable as error:
            raise Busy(str(error)) from error
        return bytes(body)


def patiently(
    call: Callable[[], dict], name: str, options: Options, *, sleep: Callable[[float], None] = time.sleep
) -> dict:
    """What `call` returns, tried again while it raises `Busy`.

    Args:
        call: takes nothing.
        name: of whom is asked, for messages.
        options: `tries`, `backoff` and `max_wait`.
        sleep: waits between attempts, given a number of seconds.

    Raises:
        SourceError: `tries` attempts were not enough, or it asks for a longer wait than `max_wait`.
    """
    for attempt in range(1, options.tries + 1):
        try:
            return call()
        except Busy as busy:
            if busy.wait > options.max_wait:
                raise SourceError(
                    f"{name} asks to wait {busy.wait:.0f} seconds, more than the limit of {options.max_wait:.0f}; run "
                    "the same again after that"
                ) from busy
            if attempt == options.tries:
                raise SourceError(
                    f"expected an answer from {name}, got none in {attempt} attempts (the last: {busy}); try again "
                    "later"
                ) from busy
            sleep(max(busy.wait, random.uniform(0, options.backoff * 2 ** (attempt - 1))))
    raise SourceError("expected at least one attempt, got none; raise tries")


def unique(items: Iterable[Item | Passed], limit: int | None, *, what: str) -> Iterator[Item | Passed]:
    """Each item once, at most `limit` of them; and what is passed over.

    Args:
        items: as they come.
        limit: None takes all.
        what: was asked for, for the message.

    Raises:
        SourceError: there is none.
    """
    keys: set[str] = set()
    for item in items:
        if isinstance(item, Passed):
            yield item
        elif item.key not in keys:
            keys.add(item.key)
            yield item
        if len(keys) == limit:
            return
    if not keys:
        raise SourceError(f"expected pictures for {what}, found none that may be used; try other words or licences")


def _parsed(body: bytes) -> dict | None:
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _quoted(answer: dict | None) -> str:
    """What a service says about an error, in one of the fields they use for it."""
    error = (answer or {}).get("error")
    inner = error if isinstance(error, dict) else {}
    words = inner.get("info") or (answer or {}).get("detail") or (answer or {}).get("message") or error
    return f": {_start(words)}" if isinstance(words, str) else ""


def _start(text: bytes | str) -> str:
    text = text[:400].decode(errors="replace") if isinstance(text, bytes) else text
    return " ".join(text.split())[:100]
