"""Errors of a service, in one shape: {"error": {"code": …, "message": …}}."""

import json
from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "too_slow",
    413: "too_large",
    415: "unsupported_format",
    422: "invalid",
    429: "too_many_requests",
    500: "internal",
    503: "overloaded",
    504: "timeout",
}
DESCRIPTIONS = {
    400: "not HTTP or JSON as expected",
    401: "no token, or another",
    403: "asked by a name that is not this service's, or by a page from elsewhere",
    404: "no such model",
    408: "it did not arrive in time",
    413: "too many bytes, or pictures",
    415: "a format that is not taken",
    422: "a picture that cannot be opened, or a value out of range",
    429: "too many requests",
    503: "too much to do; ask again later",
    504: "no answer in time",
}
COMMON = (400, 401, 403, 408, 413, 429, 503, 504)  # errors of all routes


class Problem(HTTPException):
    """A request, or one picture of it, that is not answered.

    Args:
        status: of HTTP, one of `CODES`.
        message: what was expected, and what came.
        code: a word for programs; None takes that of the status.
        headers: further ones.
        more: further facts for programs.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        **more: object,
    ):
        super().__init__(status, message)
        self.headers: dict[str, str] = dict(headers or {})
        self.code, self.more = code or CODES[status], more

    @property
    def facts(self) -> dict[str, object]:
        """Code, message and further facts."""
        return {"code": self.code, "message": self.detail, **self.more}

    @property
    def response(self) -> JSONResponse:
        """The response."""
        return Ascii({"error": self.facts}, self.status_code, self.headers)


class Ascii(JSONResponse):
    """JSON in ASCII, which can repeat whatever was sent, lone surrogates too."""

    def render(self, content: object) -> bytes:  # noqa: D102 - as in starlette
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


class Facts(BaseModel):
    """One problem."""

    model_config = ConfigDict(extra="allow")
    code: str
    message: str


class Error(BaseModel):
    """The body of a response that is an error."""

    error: Facts


def documented(*statuses: int) -> dict[int | str, dict]:
    """The error responses of a route, for the OpenAPI page: those of all routes, and these."""
    return {status: {"model": Error, "description": DESCRIPTIONS[status]} for status in sorted({*COMMON, *statuses})}


def overloaded(message: str) -> Problem:
    """A problem 503: too much is under way."""
    return Problem(503, message, headers={"Retry-After": "1"})


def handle(application: FastAPI) -> None:
    """Let an application answer all errors in that shape."""
    application.exception_handler(RequestValidationError)(_invalid)
    application.exception_handler(HTTPException)(_other)
    application.exception_handler(Exception)(_unexpected)


async def _other(request: Request, error: HTTPException) -> JSONResponse:
    if isinstance(error, Problem):
        return error.response
    messages = {404: f"nothing is at {request.url.path}; /docs lists what is", 405: f"{request.method} is not for this"}
    message = messages.get(error.status_code, str(error.detail))
    code = CODES.get(error.status_code, "error")
    return Problem(error.status_code, message, code=code, headers=error.headers).response


async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return Problem(400, f"expected JSON, got: {first['ctx']['error']}").response
    location = ".".join(str(part) for part in first["loc"])
    return Problem(422, f"{location}: {first['msg']}").response


async def _unexpected(_: Request, __: Exception) -> JSONResponse:
    return Problem(500, "something went wrong here; the log of the service says what").response
