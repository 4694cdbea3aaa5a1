"""A server on this machine that answers like Reddit's API, as far as PRAW asks, and serves the pictures."""

from __future__ import annotations

import base64
import binascii
import json
import socket
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from toolkit.practice.files import KINDS, PAGE, encode
from toolkit.practice.listings import ORDERS, page
from toolkit.practice.pages import Pages
from toolkit.practice.posts import HERE, Content

CLIENT, SECRET = "practice-client", "practice-secret"
# A window that is about to end: PRAW spreads its requests over what is left of it, and would wait up to 10 s each.
PACE = {"x-ratelimit-used": "1", "x-ratelimit-remaining": "999.0", "x-ratelimit-reset": "1"}


@dataclass
class Fault:
    """Something that goes wrong for the next `times` requests whose path starts with `path`.

    Answers `status` with `headers` and `body` after `delay` seconds; with `drop` the connection is cut instead, with
    `truncate` the true answer breaks off half-way. One with status 200, no body, and neither of these only delays.
    """

    path: str
    times: int = 1
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | str | dict | None = None
    delay: float = 0.0
    drop: bool = False
    truncate: bool = False


@dataclass(frozen=True)
class Answer:
    """What is sent back for one request."""

    status: int
    body: bytes = b""
    kind: str = "application/json; charset=UTF-8"
    headers: dict[str, str] = field(default_factory=dict)


def _json(status: int, value: object, **headers: str) -> Answer:
    return Answer(
        status, json.dumps(value).encode(), headers={name.replace("_", "-"): text for name, text in headers.items()}
    )


def _refusal(status: int, message: str, **more: str) -> Answer:
    return _json(status, {"message": message, "error": status, **more})


class PracticeServer:
    """Serves `content` on a free port of 127.0.0.1.

    `faults` are used up first in, first out; `log` lists (method, path, status); `latency` is seconds added to every
    request; `token_seconds` is how long a token is good for.
    """

    def __init__(self, content: Content):
        self.content = content
        self.faults: list[Fault] = []
        self.log: list[tuple[str, str, int]] = []
        self.latency = 0.0
        self.token_seconds = 86_400
        self._tokens: dict[str, float] = {}
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        self.pages = Pages(content, encode)
        handler = type("PracticeHandler", (_Handler,), {"practice": self})
        self._http = _Http(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def start(self) -> None:
        """Begin to answer, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and give the port back."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def take_fault(self, path: str) -> Fault | None:
        """The first fault for `path` that is not used up yet, one use fewer."""
        with self._lock:
            for fault in self.faults:
                if path.startswith(fault.path):
                    fault.times -= 1
                    self.faults[:] = [left for left in self.faults if left.times > 0]
                    return fault
        return None

    def token(self, authorization: str) -> Answer:
        """POST /api/v1/access_token: basic authentication for a token."""
        try:
            given = base64.b64decode(authorization.removeprefix("Basic "), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            given = ""
        if given != f"{CLIENT}:{SECRET}":
            return _refusal(401, "Unauthorized")
        with self._lock:
            token = f"token-{len(self._tokens) + 1}"
            self._tokens[token] = time.monotonic() + self.token_seconds
        return _json(
            200, {"access_token": token, "token_type": "bearer", "expires_in": self.token_seconds, "scope": "*"}
        )

    def expire_tokens(self) -> None:
        """Make every token given out so far worthless."""
        with self._lock:
            self._tokens = dict.fromkeys(self._tokens, 0.0)

    def remove(self, post_id: str, *, category: str = "deleted") -> None:
        """Do as if a post had been removed: by its author, or by what else Reddit calls a `category`."""
        post = next(post for posts in self.content.posts.values() for post in posts if post["id"] == post_id)
        place = HERE + post["permalink"]
        post.update(removed_by_category=category, title=f"[ {category} ]", author="[deleted]", url=place)
        for name in ("url_overridden_by_dest", "preview", "media_metadata", "gallery_data", "crosspost_parent_list"):
            post.pop(name, None)

    def get(self, path: str, query: dict[str, str], authorization: str) -> Answer:
        """The answer to a GET: a picture, a page, or the API."""
        if path.startswith("/i/"):
            return self._picture(path.removeprefix("/i/"))
        if path == "/article.html":
            return Answer(200, PAGE, "text/html")
        shown = self.pages.get(path, query)
        if shown is not None:
            return Answer(200, *shown)
        parts = path.strip("/").split("/")
        if parts[0] != "r" and path.rstrip("/") != "/api/info":
            return _refusal(404, "Not Found")
        token = authorization.partition(" ")[2]
        if self._tokens.get(token, 0.0) <= time.monotonic():
            return _json(
                401,
                {"message": "Unauthorized", "error": 401},
                www_authenticate='Bearer realm="reddit", error="invalid_token"',
            )
        answer = self._subreddit(parts[1:], query) if parts[0] == "r" else self._info(query)
        return Answer(answer.status, answer.body, answer.kind, {**PACE, **answer.headers})

    def _picture(self, name: str) -> Answer:
        file = self.content.files.get(name)
        if file is None or file.kind == "missing":
            return Answer(404, b"Not Found", "text/plain")
        with self._lock:
            first = name not in self._seen
            self._seen.add(name)
        if file.kind == "unavailable once" and first:
            return Answer(503, b"Try again", "text/plain")
        kind = "text/html" if file.kind == "html" else KINDS[file.ending]
        return Answer(200, encode(file), kind)

    def _subreddit(self, parts: list[str], query: dict[str, str]) -> Answer:
        name, action = parts[0].lower() if parts else "", parts[1] if len(parts) > 1 else "hot"
        if name == "practice_private":
            return _refusal(403, "Forbidden", reason="private")
        if name == "practice_banned":
            return _refusal(404, "Not Found", reason="banned")
        if name not in self.content.posts:
            return Answer(302, kind="text/html", headers={"location": f"/subreddits/search?q={name}"})
        if action == "about":
            return _json(200, {"kind": "t5", "data": {"display_name": name, "id": name, "name": f"t5_{name}"}})
        if action not in ORDERS:
            return _refusal(404, "Not Found")
        return self._listing(ORDERS[action](list(self.content.posts[name]), query), query)

    def _info(self, query: dict[str, str]) -> Answer:
        wanted = query.get("id", "").split(",")
        known = {post["name"]: post for posts in self.content.posts.values() for post in posts}
        return self._listing([known[name] for name in wanted[:100] if name in known], {"limit": "100"})

    def _listing(self, posts: list[dict], query: dict[str, str]) -> Answer:
        return Answer(200, json.dumps(page(posts, query)).replace(HERE, self.url).encode())


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up early is nothing to report."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # one write an answer; several small ones cost 40 ms each
    disable_nagle_algorithm = True
    practice: PracticeServer

    def log_message(self, *args: object) -> None:
        """Say nothing; `log` keeps the record."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        token = self.path == "/api/v1/access_token"
        self._answer(
            lambda: self.practice.token(self.headers.get("Authorization", "")) if token else _refusal(404, "Not Found")
        )

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        self._answer(lambda: self.practice.get(address.path, query, self.headers.get("Authorization", "")))

    def _answer(self, work) -> None:
        fault = self.practice.take_fault(urlsplit(self.path).path)
        time.sleep(self.practice.latency + (fault.delay if fault else 0.0))
        if fault and fault.drop:
            self._record(0)
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif fault and not fault.truncate and (fault.status != 200 or fault.body is not None):
            self._send(Answer(fault.status, _as_bytes(fault), headers=fault.headers))
        else:
            self._send(work(), whole=not (fault and fault.truncate))

    def _send(self, answer: Answer, *, whole: bool = True) -> None:
        self._record(answer.status)
        self.send_response(answer.status)
        lines = {"content-type": answer.kind, "content-length": str(len(answer.body))}
        lines.update({name.lower(): text for name, text in answer.headers.items()})
        if self.close_connection:  # the client asked for it; told nothing, it might send its next request here
            lines["connection"] = "close"
        for name, text in lines.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(answer.body if whole else answer.body[: len(answer.body) // 2])
        self.wfile.flush()
        self.close_connection = self.close_connection or not whole

    def _record(self, status: int) -> None:
        # Before the answer leaves, so that whoever has the answer finds it in the log.
        self.practice.log.append((self.command, self.path, status))


def _as_bytes(fault: Fault) -> bytes:
    body = {"message": "fault", "error": fault.status} if fault.body is None else fault.body
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()
