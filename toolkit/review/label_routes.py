"""What the page on which pictures are labelled asks for, beside what it shares with the review page."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import FileResponse
from starlette.concurrency import run_in_threadpool

from toolkit.errors import DatasetError, ToolkitError
from toolkit.review import incoming
from toolkit.review.active import NONE
from toolkit.review.learner import Learner
from toolkit.review.session import row_id

PAGE = Path(__file__).with_name("label.html")
UNDOABLE = 200  # marks that a page can undo when it is opened


def _learner(request: Request) -> Learner:
    if request.app.state.learner is None:
        raise HTTPException(404, "expected a page of `toolkit label`, this one reviews")
    return request.app.state.learner


Learning = Annotated[Learner, Depends(_learner)]
routes = APIRouter(prefix="/{token}/label")


@routes.get("")
def _page(learner: Learning) -> FileResponse:
    learner.session.begin()
    return FileResponse(PAGE, media_type="text/html; charset=utf-8")


@routes.get("/rows")
def _rows(learner: Learning) -> dict:
    """All pictures, and of each the number of its class, -1 without one, and whether it is in use."""
    now = learner.labels()
    return {
        "rows": [row_id(path) for path in learner.paths],
        "classes": list(now.classes),
        "labels": now.index.tolist(),
        "open": "".join("1" if is_open else "0" for is_open in now.open),
    }


@routes.get("/undoable")
def _undoable(learner: Learning) -> list[dict]:
    """The last marks that can be undone, each with all of its pictures."""
    marks: dict[str, dict] = {}
    for entry in learner.session.journal.undoable:
        mark = marks.setdefault(entry["id"], {"id": entry["id"], "rows": []})
        mark["rows"].append(row_id(entry["path"]))
    return list(marks.values())[-UNDOABLE:]


@routes.get("/progress")
def _progress(learner: Learning) -> dict:
    return learner.progress()


@routes.get("/proposal")
def _proposal(
    learner: Learning,
    view: Literal["next", "confirm", "decide", "like", "unlike", "disagree", "sample"] = "next",
    label: str = "",
    skip: int = 0,
    like: str = "",
) -> dict:
    """What a person should look at, with what each picture is taken for; of a sample nothing is told."""
    path = learner.session.path(like)
    proposal = learner.propose(view, label=label, skip=max(skip, 0), like=path)
    classes, now = list(learner.session.journal.classes), learner.labels()
    pictures = []
    for index in proposal.indices.tolist():
        taken, share = learner.taken_for(index) if view != "sample" else ("", 0.0)
        own = now.name(index) if view != "sample" else ""
        pictures.append({"row": row_id(learner.paths[index]), "label": own, "taken": taken, "share": round(share, 3)})
    return {
        "kind": proposal.kind,
        "label": classes[proposal.label] if proposal.label != NONE else "",
        "pictures": pictures,
        "few": [row_id(learner.paths[index]) for index in proposal.few.tolist()],
        "progress": learner.progress(),
    }


@routes.get("/map")
def _map(learner: Learning) -> dict:
    """Where the pictures lie on the map, 0 to 1000 across and down, in the order of `rows`; none before a look."""
    places = learner.places()
    return {"x": places[:, 0].tolist(), "y": places[:, 1].tolist()}


@routes.post("/frame")
async def _frame(request: Request, learner: Learning, label: str) -> dict:
    """Keep a frame of the camera, a JPEG, and tell how many of its class wait."""
    try:
        count = await run_in_threadpool(incoming.keep, learner.session.root, label, await request.body())
    except DatasetError as error:
        raise HTTPException(422, str(error)) from error
    return {"frames": count}


@routes.post("/frames")
def _frames(request: Request, learner: Learning) -> dict:
    """The camera is off: bring its frames into the dataset, and look at all pictures again."""
    session = learner.session
    try:
        incoming.bring_in(session.manifest)
        session.refresh()
    except ToolkitError as error:
        raise HTTPException(409, str(error)) from error
    learner.close()
    request.app.state.learner = anew = Learner(session)
    return {"added": len(anew.paths) - len(learner.paths)}


@routes.post("/done")
def _done(request: Request, _: Learning) -> dict:
    """The person is done: the page ends, and whoever opened it goes on."""
    finish: Callable[[], None] = request.app.state.on_done
    finish()
    return {"done": True}
