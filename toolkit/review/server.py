"""The review page and what it asks for, over HTTP on this machine."""

import hashlib
import ipaddress
import os
import secrets
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Literal

import uvicorn
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse, PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field

from toolkit.core import sockets
from toolkit.errors import ImageError
from toolkit.review.session import SIDES, Session, row_id

PAGE = Path(__file__).with_name("review.html")
TOKEN = ".review-token"  # kept by a crash, so that an open page goes on where it was; removed at the end
PORT = 8642  # if it is free
UNDOABLE = 1000  # marks that a page knows of when it is opened
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


class Server:
    """A review that is being served.

    Args:
        root: folder of the dataset.
        host: address to listen at; any but that of this machine itself lets others on the network in, if they have the
            token.
        port: None takes 8642, or any that is free.
        queue: name of the queue that is shown first; "" for the first.

    Raises:
        DatasetError: no dataset there, or it is under review already.
        ToolkitError: the address is taken.
        ValueError: no queue of that name.
    """

    def __init__(self, root: Path, *, host: str = "127.0.0.1", port: int | None = None, queue: str = ""):
        self._closed = False
        self._socket = sockets.listening(host, [PORT, 0] if port is None else [port])
        try:
            self.session = Session(root)
        except BaseException:
            self._socket.close()
            raise
        if queue and queue not in self.session.queues:
            self._close()
            raise ValueError(f"expected a queue of {', '.join(self.session.queues)}, got {queue!r}")
        token = _token(self.session.root)
        settings = uvicorn.Config(
            _application(self.session, token, host, queue, self._close),
            log_level="warning",
            access_log=False,
            ws="none",
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(settings)
        self.url = f"{sockets.url(self._socket, host)}/{token}/"

    def run(self) -> None:
        """Answer until interrupted; all marks are saved then."""
        try:
            self._server.run(sockets=[self._socket])
        except KeyboardInterrupt:  # the way to end it
            pass
        finally:
            self._close()

    def start(self) -> "Server":
        """Answer in a thread of its own, until `close`."""
        self._thread = threading.Thread(target=self.run, name="review server", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop answering, and save."""
        self._server.should_exit = True
        self._thread.join()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _repr_html_(self) -> str:
        return f'<a href="{self.url}" target="_blank" rel="noreferrer">review {self.session.root.name}</a>'

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            self.session.close()
            (self.session.root / TOKEN).unlink(missing_ok=True)
            self._socket.close()


def _application(session: Session, token: str, host: str, queue: str, ended: Callable[[], None]) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        ended()  # here, since a signal ends the process before whoever started it can

    application = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    application.include_router(_routes(session, token, queue))

    @application.middleware("http")
    async def guarded(request: Request, answer: Callable) -> Response:
        if not _is_ours(request.headers.get("host", ""), host):
            return PlainTextResponse("expected the address of this machine", 403)
        response = await answer(request)
        for name, value in (SAFE | FRESH).items():
            response.headers.setdefault(name, value)
        return response

    return application


def _routes(session: Session, token: str, queue: str) -> APIRouter:
    def known(token_given: str) -> None:
        if not secrets.compare_digest(token_given.encode(), token.encode()):
            raise HTTPException(403, "expected the address that `toolkit review` printed last")

    routes = APIRouter(prefix="/{token_given}", dependencies=[Depends(known)])

    @routes.get("/")
    def page() -> FileResponse:
        return FileResponse(PAGE, media_type="text/html; charset=utf-8")

    @routes.get("/state")
    def state() -> dict:
        listed = [
            {"name": one.name, "title": one.title, "question": one.question, "count": len(one.items)}
            for one in session.queues.values()
        ]
        marks = session.journal.undoable[-UNDOABLE:]
        undoable = [{"id": mark["id"], "row": row_id(mark["path"]), "before": mark["before"]} for mark in marks]
        facts = {"dataset": session.root.name, "key": hashlib.sha256(str(session.root).encode()).hexdigest()[:12]}
        facts |= {"classes": list(session.journal.classes), "last": session.journal.last, "sides": SIDES}
        return {**facts, "queues": listed, "queue": queue, "undoable": undoable}

    @routes.get("/rows")
    def rows(queue: str) -> dict:
        """All rows of a queue, and what a person said of each: a letter, or a dash."""
        found = [item.path for item in _queue(session, queue)]
        said = [str(session.journal.cells.get(path, {}).get("reviewed", "")) for path in found]
        return {"rows": [row_id(path) for path in found], "reviewed": "".join(word[:1] or "-" for word in said)}

    @routes.get("/items")
    def items(queue: str, start: int = 0, count: int = 100) -> dict:
        """Some of the items of a queue, and what is known of their rows."""
        some = _queue(session, queue)[max(start, 0) :][: max(count, 0)]
        listed = [
            {"row": row_id(item.path), "why": item.why, "suggested": item.suggested}
            | {"others": [row_id(path) for path in item.others]}
            for item in some
        ]
        wanted = {row for item in listed for row in (item["row"], *item["others"])}
        return {"items": listed, "rows": [session.state(row) for row in sorted(wanted)]}

    @routes.get("/picture/{row}/{side}")
    def picture(row: str, side: int) -> Response:
        if side not in SIDES or not session.path(row):
            raise HTTPException(404, "no such picture")
        try:
            return Response(session.picture(row, side), media_type="image/jpeg", headers=KEPT)
        except ImageError as error:
            raise HTTPException(404, error.reason) from error

    @routes.post("/marks")
    def marks(sent: Marks) -> dict:
        """Take keystrokes; what is answered is on disk."""
        try:
            refused = session.mark(mark.model_dump() for mark in sent.marks)
        except OSError as error:
            raise HTTPException(507, f"the marks could not be written: {error}") from error
        changed = [session.state(row_id(path)) for path in session.journal.changed(sent.since)]
        return {"refused": refused, "rows": changed, "last": session.journal.last, "problem": session.problem}

    return routes


def _queue(session: Session, name: str) -> tuple:
    if name not in session.queues:
        raise HTTPException(404, "no such queue")
    return session.queues[name].items


def _is_ours(header: str, host: str) -> bool:
    """False for a name that somebody's page may have pointed at this machine (DNS rebinding); figures are no name."""
    name = header.rpartition(":")[0] if not header.endswith("]") and ":" in header else header
    if name.lower() in ("localhost", host.lower()):
        return True
    try:
        return bool(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        return False


def _token(root: Path) -> str:
    """What an address needs so that a mark is taken; that of a server that was killed, if there is one."""
    file = root / TOKEN
    if file.exists() and len(file.read_text()) == 43:
        return file.read_text()
    file.unlink(missing_ok=True)
    token = secrets.token_urlsafe(32)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(handle, token.encode())
    os.close(handle)
    return token
