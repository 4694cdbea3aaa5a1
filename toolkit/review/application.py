"""The review page and what it asks for, as an application for this machine alone."""

import hashlib
import ipaddress
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse, PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field

from toolkit.errors import ImageError
from toolkit.review.queues import Item
from toolkit.review.session import SIDES, Session, row_id

PAGE = Path(__file__).with_name("review.html")
UNDOABLE = 1000  # marks that a page can undo when it is opened
SAFE = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
FRESH, KEPT = {"Cache-Control": "no-store"}, {"Cache-Control": "private, max-age=86400, immutable"}
Text = Annotated[str, Field(max_length=300)]


class Mark(BaseModel):
    """One keystroke of a person."""

    model_config = ConfigDict(extra="forbid")
    id: Annotated[str, Field(min_length=1, max_length=64)]
    row: Text
    mark: Literal["keep", "use", "exclude", "label", "undo"]
    label: Text = ""
    words: Text = ""
    of: Text = ""


class Marks(BaseModel):
    """Keystrokes in their order, and the number of the last one whose outcome the page knows."""

    model_config = ConfigDict(extra="forbid")
    marks: Annotated[list[Mark], Field(max_length=1000)]
    since: int


def build(session: Session, token: str, *, host: str, queue: str, on_stop: Callable[[], None]) -> FastAPI:
    """The whole page as an ASGI application.

    Args:
        session: the dataset under review.
        token: that every address has to begin with.
        host: the address it listens at.
        queue: name of the queue that is shown first; "" for the first.
        on_stop: called when it ends.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        on_stop()  # here, since a signal ends the process before whoever started it can

    application = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    application.state.session, application.state.token, application.state.queue = session, token, queue
    application.include_router(routes)

    @application.middleware("http")
    async def guarded(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        if not _is_this_machine(request.headers.get("host", ""), host):
            return PlainTextResponse("expected the address of this machine", 403)
        response = await answer(request)
        for name, value in (SAFE | FRESH).items():
            response.headers.setdefault(name, value)
        return response

    return application


def _authorized(request: Request, token: str) -> None:
    if not secrets.compare_digest(token.encode(), request.app.state.token.encode()):
        raise HTTPException(403, "expected the address that `toolkit review` printed last")


def _session(request: Request) -> Session:
    return request.app.state.session


def _items(request: Request, queue: str) -> Sequence[Item]:
    queues = _session(request).queues
    if queue not in queues:
        raise HTTPException(404, "no such queue")
    return queues[queue].items


Reviewed = Annotated[Session, Depends(_session)]
Items = Annotated[Sequence[Item], Depends(_items)]
routes = APIRouter(prefix="/{token}", dependencies=[Depends(_authorized)])


@routes.get("/")
def _page() -> FileResponse:
    return FileResponse(PAGE, media_type="text/html; charset=utf-8")


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
        "classes": list(session.journal.classes),
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
    except ImageError as error:
        raise HTTPException(404, error.reason) from error


@routes.post("/marks")
def _marks(session: Reviewed, sent: Marks) -> dict:
    """Take keystrokes; what is answered is on disk."""
    try:
        refused = session.mark(mark.model_dump() for mark in sent.marks)
    except OSError as error:
        raise HTTPException(507, f"the marks could not be written: {error}") from error
    changed = [session.state(row_id(path)) for path in session.journal.changed(sent.since)]
    return {"refused": refused, "rows": changed, "last": session.journal.last, "problem": session.problem}


def _is_this_machine(header: str, host: str) -> bool:
    """False for a name that somebody's page may have pointed at this machine (DNS rebinding); figures are no name."""
    name = header.rpartition(":")[0] if not header.endswith("]") and ":" in header else header
    if name.lower() in ("localhost", host.lower()):
        return True
    try:
        return bool(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        return False
