"""The review page and what it asks for, as an application for this machine alone."""

import hashlib
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, PlainTextResponse
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from toolkit.core import sockets
from toolkit.errors import ToolkitError
from toolkit.review import label_routes
from toolkit.review.learner import Learner
from toolkit.review.queues import Item
from toolkit.review.session import SIDES, Session, row_id

PAGE, SHARED = (Path(__file__).with_name(name) for name in ("review.html", "marks.js"))
UNDOABLE = 1000  # marks that a page can undo when it is opened
SAFE = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
FRESH, KEPT = {"Cache-Control": "no-store"}, {"Cache-Control": "private, max-age=86400, immutable"}
MAX_BODY = 4 << 20  # bytes; of a thousand marks with all their words
MOST_ROWS = 100_000  # of one mark


def _as_text(value: object) -> object:
    """Text that can be stored: half a character, as a keyboard may leave one, becomes a question mark."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


Text = Annotated[str, Field(max_length=300), BeforeValidator(_as_text)]


class Mark(BaseModel):
    """One keystroke of a person, about one row or about many."""

    model_config = ConfigDict(extra="forbid")
    id: Annotated[str, Field(min_length=1, max_length=64), BeforeValidator(_as_text)]
    row: Text = ""
    rows: Annotated[list[Text], Field(min_length=1, max_length=MOST_ROWS)] | None = None
    mark: Literal["keep", "use", "exclude", "label", "doubt", "rename", "undo"]
    label: Text = ""
    was: Text = ""
    new: bool = False
    seen: Literal["", "alone", "together", "confirmed"] = ""
    words: Text = ""
    of: Text = ""


class Marks(BaseModel):
    """Keystrokes in their order, and the number of the last one whose outcome the page knows."""

    model_config = ConfigDict(extra="forbid")
    marks: Annotated[list[Mark], Field(max_length=1000)]
    since: int


def build(
    session: Session,
    token: str,
    *,
    host: str,
    queue: str,
    on_stop: Callable[[], None],
    learner: Learner | None = None,
    on_done: Callable[[], None] = lambda: None,
) -> FastAPI:
    """The whole page as an ASGI application.

    Args:
        session: the dataset under review.
        token: that every address has to begin with.
        host: the address it listens at.
        queue: name of the queue that is shown first; "" for the first.
        on_stop: called when it ends.
        learner: orders the pictures of the page on which they are labelled; None is without that page.
        on_done: called when the person says on that page that all is done.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        on_stop()  # here, since a signal ends the process before whoever started it can

    application = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    application.state.session, application.state.queue = session, queue
    application.state.learner, application.state.on_done = learner, on_done
    application.include_router(label_routes.routes)
    application.include_router(routes)
    application.add_middleware(_Guard, token=token, host=host)
    application.exception_handler(RequestValidationError)(_invalid)
    return application


async def _invalid(_: Request, error: RequestValidationError) -> Response:
    """What was wrong, in ASCII: what was sent may be no text that can be sent back."""
    first = error.errors()[0]
    words = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return PlainTextResponse(words.encode("ascii", "backslashreplace"), 422)


class _Guard:
    """Looks at who asks, for what, and how much it is, before a body is read."""

    def __init__(self, application: ASGIApp, *, token: str, host: str):
        self._application, self._token, self._host = application, token, host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI has it."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        refusal, body = self._refusal(scope), b""
        if not refusal:
            body, refusal = await _body(receive)
        answer = refusal or self._application
        await answer(scope, _replayed(body, receive), _with_headers(send))

    def _refusal(self, scope: Scope) -> Response | None:
        headers, closing = Headers(scope=scope), {"Connection": "close"}
        if not sockets.is_named(headers.get("host", ""), [self._host]):
            return PlainTextResponse("expected the address of this machine", 403, closing)
        token = scope["path"].split("/")[1]
        if not secrets.compare_digest(token.encode(errors="replace"), self._token.encode()):
            return PlainTextResponse("expected the address that was printed last", 403, closing)
        length = headers.get("content-length", "0")
        return _too_large() if not length.isdecimal() or int(length) > MAX_BODY else None


async def _body(receive: Receive) -> tuple[bytes, Response | None]:
    """All of a body, or why it is not read on."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            return b"", _too_large()
        if not message.get("more_body"):
            return bytes(body), None


def _too_large() -> Response:
    return PlainTextResponse(f"expected at most {MAX_BODY:,} bytes", 413, {"Connection": "close"})


def _replayed(body: bytes, receive: Receive) -> Receive:
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed


def _with_headers(send: Send) -> Send:
    """A `send` that adds the headers of all answers, unless an answer has its own."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in (SAFE | FRESH).items():
                headers.setdefault(name, value)
        await send(message)

    return sent


def _session(request: Request) -> Session:
    return request.app.state.session


def _items(request: Request, queue: str) -> Sequence[Item]:
    queues = _session(request).queues
    if queue not in queues:
        raise HTTPException(404, "no such queue")
    return queues[queue].items


Reviewed = Annotated[Session, Depends(_session)]
Items = Annotated[Sequence[Item], Depends(_items)]
routes = APIRouter(prefix="/{token}")  # which is right, or the request is not let in


@routes.get("/")
def _page(session: Reviewed) -> FileResponse:
    session.begin()
    return FileResponse(PAGE, media_type="text/html; charset=utf-8")


@routes.get("/marks.js")
def _shared() -> FileResponse:
    return FileResponse(SHARED, media_type="text/javascript; charset=utf-8")


@routes.get("/state")
def _state(request: Request, session: Reviewed) -> dict:
    """What a page has to know when it is opened."""
    queues = [
        {"name": queue.name, "title": queue.title, "question": queue.question, "count": len(queue.items)}
        for queue in session.queues.values()
    ]
    undoable = [
        {"id": mark["id"], "row": row_id(mark["path"]), "before": mark["before"]}
        for mark in session.journal.undoable[-UNDOABLE:]
    ]
    return {
        "dataset": session.root.name,
        "key": hashlib.sha256(str(session.root).encode()).hexdigest()[:12],
        "classes": list(session.journal.named),
        "last": session.journal.last,
        "sides": SIDES,
        "queues": queues,
        "queue": request.app.state.queue,
        "undoable": undoable,
    }


@routes.get("/rows")
def _rows(session: Reviewed, items: Items) -> dict:
    """All rows of a queue, and the last mark of each: its first letter, or a dash."""
    marks = [str(session.journal.cells.get(item.path, {}).get("reviewed", "")) for item in items]
    return {"rows": [row_id(item.path) for item in items], "reviewed": "".join(mark[:1] or "-" for mark in marks)}


@routes.get("/items")
def _listed(session: Reviewed, items: Items, start: int = 0, count: int = 100) -> dict:
    """Some of the items of a queue, and the state of their rows."""
    page = items[max(start, 0) :][: max(count, 0)]
    listed = [
        {
            "row": row_id(item.path),
            "why": item.why,
            "suggested": item.suggested,
            "others": [row_id(path) for path in item.others],
        }
        for item in page
    ]
    rows = {row_id(path) for item in page for path in (item.path, *item.others)}
    return {"items": listed, "rows": [session.state(row) for row in sorted(rows)]}


@routes.get("/picture/{row}/{side}")
def _picture(session: Reviewed, row: str, side: int) -> Response:
    if side not in SIDES or not session.path(row):
        raise HTTPException(404, "no such picture")
    try:
        return Response(session.picture(row, side), media_type="image/jpeg", headers=KEPT)
    except ToolkitError as error:
        raise HTTPException(404, str(error)) from error


@routes.post("/marks")
def _marks(session: Reviewed, sent: Marks) -> dict:
    """Take keystrokes; what is answered is on disk."""
    try:
        refused = session.mark(mark.model_dump() for mark in sent.marks)
    except OSError as error:
        raise HTTPException(507, f"the marks could not be written: {error}") from error
    changed = [session.state(row_id(path)) for path in session.journal.changed(sent.since)]
    return {"refused": refused, "rows": changed, "last": session.journal.last, "problem": session.problem}
