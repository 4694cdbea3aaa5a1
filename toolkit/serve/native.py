"""`POST /predict`: pictures in, names and probabilities out."""

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from toolkit.model import abstaining, sets
from toolkit.model.classifier import Classifier
from toolkit.model.familiarity import FAMILIAR
from toolkit.serve.engine import Engine, Result
from toolkit.serve.problems import Ascii, Facts, Problem, documented

NAME = 200  # letters of the name of a file that are sent back, at most
BINARY = {"schema": {"type": "string", "format": "binary"}}
FORM = {
    "schema": {
        "type": "object",
        "properties": {"pictures": {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1}},
        "required": ["pictures"],
    }
}
BODY = {"required": True, "content": {"image/*": BINARY, "multipart/form-data": FORM}}


class Share(BaseModel):
    """A class and its probability."""

    label: str
    probability: float


class Answer(BaseModel):
    """The answer for one picture, or the error."""

    picture: str
    label: str | None = None
    probability: float | None = None
    abstained: bool | None = None
    familiarity: float | None = None
    familiar: bool | None = None
    set: list[str] | None = None
    top: list[Share] | None = None
    probabilities: dict[str, float] | None = None
    error: Facts | None = None


class Answers(BaseModel):
    """An answer per picture, in their order."""

    model: str
    predictions: list[Answer]


class _Parser(MultiPartParser):
    spool_max_size = 1 << 40  # the body is in memory already; a disk would not make it smaller


def routes(engines: Mapping[str, Engine]) -> APIRouter:
    """The routes of the toolkit's own protocol.

    Args:
        engines: of each model, by its name; the first answers where none is named.
    """
    first = next(iter(engines))
    router = APIRouter(tags=["predict"])

    @router.post(
        "/predict",
        response_model=Answers,
        responses=documented(404, 415, 422),
        openapi_extra={"requestBody": BODY},
        summary="Say what is on pictures",
    )
    async def predict(
        request: Request,
        top: Annotated[int, Query(ge=1, le=1000, description="likeliest classes that are listed in `top`")] = 5,
        abstain_below: Annotated[
            float | None, Query(ge=0, le=1, description="not sure below this; the model's own limit if not given")
        ] = None,
        model: Annotated[str, Query(description="which of several models answers")] = first,
    ) -> JSONResponse:
        """Send the bytes of one picture as the body, or several as the files of a form.

        Each of several has its own answer, which may be an error. If there is none that could be opened, the status is
        that of the first error.
        """
        if model not in engines:
            raise Problem(404, f"expected a model of {', '.join(engines)}, got {model!r:.80}")
        engine = engines[model]
        names, pictures = await _pictures(request, engine.config.max_pictures)
        results = await engine.answer(pictures)
        limits = abstaining.limits(engine.model, abstain_below)
        answers = [_answer(engine.model, *pair, limits, top) for pair in zip(names, results, strict=True)]
        if all("error" in answer for answer in answers):
            raise _first(results, answers)
        return Ascii({"model": model, "predictions": answers})

    return router


async def _pictures(request: Request, most: int) -> tuple[list[str], list[bytes]]:
    """Their names and bytes."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return ["picture"], [await request.body()]
    try:
        form = await _Parser(request.headers, request.stream(), max_files=most, max_fields=most).parse()
    except MultiPartException as error:
        status = 413 if error.message.startswith("Too many") else 400
        raise Problem(status, f"expected at most {most} pictures in a form, got: {error.message}") from error
    except (LookupError, UnicodeError) as error:  # a charset that there is not, or in which this is no text
        raise Problem(400, f"expected the names of files in UTF-8, got: {error}") from error
    files = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
    names, pictures = [(file.filename or "picture")[:NAME] for file in files], [await file.read() for file in files]
    await form.close()
    if not files:
        raise Problem(422, "expected pictures as the files of the form, got none")
    return names, pictures


def _answer(model: Classifier, picture: str, result: Result, limits: Mapping[str, float], top: int) -> dict:
    if isinstance(result, Problem):
        return {"picture": picture, "error": result.facts}
    probabilities = result.probabilities.astype(float).tolist()
    order = np.argsort(-result.probabilities, kind="stable")[:top]
    best, shares = probabilities[order[0]], dict(zip(model.classes, probabilities, strict=True))
    familiarity = None if result.familiarity is None else float(result.familiarity)
    return {
        "picture": picture,
        "label": model.classes[order[0]],
        "probability": best,
        "abstained": best < limits[model.classes[order[0]]],
        "familiarity": familiarity,
        "familiar": None if familiarity is None else familiarity >= FAMILIAR,
        "set": None if model.set_limit is None else sets.holding(shares, model.set_limit),
        "top": [{"label": model.classes[index], "probability": probabilities[index]} for index in order],
        "probabilities": shares,
    }


def _first(results: list[Result], answers: list[dict]) -> Problem:
    """The problem of the first of pictures that all have one, with those of the others."""
    problem = next(result for result in results if isinstance(result, Problem))
    if len(answers) == 1:
        return problem
    return Problem(problem.status_code, problem.detail, code=problem.code, pictures=answers)
