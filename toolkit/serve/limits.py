"""The limits of a service: who may ask, how much, how often, and for how long.

By hand, since they have to hold before a body is read: middlewares for a rate or a size each begin after another.
"""

import asyncio
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from toolkit.core import sockets
from toolkit.serve.config import Config
from toolkit.serve.metrics import Metrics
from toolkit.serve.problems import Problem, overloaded

HEALTH = ("/healthz", "/readyz", "/v2/health/live", "/v2/health/ready")
WITHOUT_TOKEN = ("/docs", "/openapi.json", "/")
JSON = ("/v1/", "/v2/")  # paths whose body is JSON
LINGER = 1.0  # seconds in which a refused body is read on and dropped
BURST = 2.0  # seconds whose requests may come at once
ADDRESSES = 10_000  # whose rates are remembered
GONE = 499  # as nginx, for a client that disconnected


class LimitedApplication:
    """An application behind the limits of a service, which gets the body of a request as a whole.

    Args:
        application: ASGI.
        config: the limits.
        metrics: counts the requests.
        full: whether the queue is full, which is cheapest to check here.
    """

    def __init__(self, application: ASGIApp, config: Config, metrics: Metrics, full: Callable[[], bool]):
        self._application, self._config, self._metrics, self._full = application, config, metrics, full
        self._rates = Rates(config.rate)
        self.held, self.stopping = 0, False
        metrics.gauge("held_bytes", "Of the bodies of all requests under way", lambda: self.held)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI has it."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        started, answer, body = time.perf_counter(), _Answer(send, self), None
        held = _Held(self, self._config.held_megabytes * 1e6)
        try:
            self._admit(scope)
            body = await self._body(scope, receive, held)
            self._check(scope["path"], body)
            if scope["method"] == "POST" and self._full():
                raise overloaded("too many pictures are waiting")
            async with asyncio.timeout(self._config.answer_seconds):
                await self._application(scope, _replay(body, receive), answer)
        except _Gone:
            answer.status = GONE
        except TimeoutError:
            await answer.problem(Problem(504, f"expected an answer within {self._config.answer_seconds:g} s, got none"))
        except Problem as problem:
            if body is None and not await _dropped(scope, receive):
                problem.headers["Connection"] = "close"
            await answer.problem(problem)
        finally:
            held.release()
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.requests.labels(route, answer.status).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - started)

    def _admit(self, scope: Scope) -> None:
        """Check who asks, the rate and the token."""
        path, headers = scope["path"], Headers(scope=scope)
        if path in HEALTH:
            return
        self._check_origin(scope["method"], headers)
        if path in WITHOUT_TOKEN or path.startswith("/docs/"):
            return
        address = scope["client"][0] if scope.get("client") else ""
        wait = self._rates.wait(address, time.monotonic())
        if wait:
            message = f"expected at most {self._config.rate:g} requests per second from {address}"
            raise Problem(429, message, headers={"Retry-After": str(int(wait) + 1)})
        if self._config.token and not self._knows_token(headers.get("authorization", "")):
            message = "expected the token as `Authorization: Bearer TOKEN`"
            raise Problem(401, message, headers={"WWW-Authenticate": "Bearer"})

    def _check_origin(self, method: str, headers: Headers) -> None:
        """Refuse a name that was pointed here from elsewhere, and what a page from elsewhere sends."""
        config, host = self._config, headers.get("host", "")
        known = bool(config.hosts) or (sockets.is_loopback(config.host) and not config.token)
        if known and host and not sockets.is_named(host, (config.host, *config.hosts)):
            raise Problem(403, f"expected the address of this service, got {host!r:.80}; see its option --hosts")
        if method != "POST" or config.token:  # an answer is not shown to it; it does not know the token
            return
        origin, site = headers.get("origin", f"//{host}"), headers.get("sec-fetch-site", "")
        if {origin, "*"} & set(config.allow_origins):
            return
        if site not in ("same-origin", "none") if site else origin.partition("//")[2] != host:
            raise Problem(403, f"expected a request of this service's own page, got one of {origin!r:.80}")

    def _knows_token(self, header: str) -> bool:
        scheme, _, token = header.partition(" ")
        same = hmac.compare_digest(token.encode("latin-1"), self._config.token.encode())  # takes as long for any guess
        return same and scheme.lower() == "bearer"

    def _check(self, path: str, body: bytes) -> None:
        """Refuse JSON of very many parts before it is read; each has a comma or a bracket."""
        if path.startswith(JSON) and sum(map(body.count, (b",", b"[", b"{"))) > self._config.max_values:
            raise Problem(413, f"expected at most {self._config.max_values:,} values; send files in base64 instead")

    async def _body(self, scope: Scope, receive: Receive, held: "_Held") -> bytes:
        """All of the body, if it is small enough, and comes in time."""
        headers, limit = Headers(scope=scope), self._config.max_bytes
        length = headers.get("content-length", "")
        if length == "0" or (not length and "transfer-encoding" not in headers):
            return b""
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise Problem(415, f"expected a plain body, got the content-encoding {headers['content-encoding']}")
        if length and int(length) > limit:
            raise _too_large(limit)
        try:
            async with asyncio.timeout(self._config.receive_seconds):
                return await _received(receive, limit, held)
        except TimeoutError:
            raise Problem(408, f"expected the request within {self._config.receive_seconds:g} s") from None


class Rates:
    """Rate limit: a token bucket per address.

    Args:
        rate: requests per second; 0 sets no limit.

    >>> Rates(0.5).wait("10.0.0.1", now=0.0)
    0.0
    """

    def __init__(self, rate: float):
        self._rate, self._most = rate, max(1.0, BURST * rate)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, address: str, now: float) -> float:
        """Count a request; 0 if it is within the rate, or the seconds to wait."""
        if not self._rate:
            return 0.0
        left, before = self._left.pop(address, (self._most, now))
        left = min(self._most, left + (now - before) * self._rate)
        self._left[address] = (left - 1 if left >= 1 else left, now)
        if len(self._left) > ADDRESSES:
            self._left.popitem(last=False)
        return 0.0 if left >= 1 else (1 - left) / self._rate


class _Gone(Exception):
    """The client has disconnected."""


class _Held:
    """The bytes that one request holds."""

    def __init__(self, limited: LimitedApplication, limit: float):
        self._limited, self._limit, self._bytes = limited, limit, 0

    def add(self, count: int) -> None:
        if self._limited.held + count > self._limit:
            raise overloaded("too many bytes are under way")
        self._bytes += count
        self._limited.held += count

    def release(self) -> None:
        self._limited.held -= self._bytes


class _Answer:
    """The response of a request, and its status once it has begun."""

    def __init__(self, send: Send, limited: LimitedApplication):
        self._send, self._limited, self.status = send, limited, 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", []), (b"x-content-type-options", b"nosniff")]
            if self._limited.stopping:
                message["headers"].append((b"connection", b"close"))
        await self._send(message)

    async def problem(self, problem: Problem) -> None:
        if self.status:  # it has begun, and can only be broken off
            raise problem
        await problem.response({"type": "http"}, _nothing, self)


async def _received(receive: Receive, limit: int, held: _Held) -> bytes:
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        held.add(len(chunk))
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)


def _too_large(limit: int) -> Problem:
    return Problem(413, f"expected at most {limit:,} bytes")


async def _dropped(scope: Scope, receive: Receive) -> bool:
    """Read a refused body to its end, so that its sender gets to see the answer; whether it ended in time."""
    if "expect" in Headers(scope=scope):  # it asks before it sends
        return False
    try:
        async with asyncio.timeout(LINGER):
            while (await receive()).get("more_body"):
                pass
    except TimeoutError:
        return False
    return True


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the whole body at once, and then what else comes."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
