"""Addresses as clients write them: HEAD for GET, a slash at the end, the prefix of a proxy, other origins."""

from starlette.middleware.cors import CORSMiddleware
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from toolkit.serve.config import Config

DOCS = "/docs"  # the links of this page are relative, so it has one address


def tolerant(application: ASGIApp, config: Config) -> ASGIApp:
    """An application that takes addresses as clients write them, and pages of the origins that are allowed.

    Args:
        application: ASGI.
        config: `root_path` and `allow_origins` of it.
    """
    addresses = Addresses(application, root_path=config.root_path)
    if not config.allow_origins:
        return addresses
    methods, headers = ["GET", "HEAD", "POST"], ["*"]
    return CORSMiddleware(addresses, allow_origins=config.allow_origins, allow_methods=methods, allow_headers=headers)


class Addresses:
    """An application whose every address is asked for in one way.

    Args:
        application: ASGI.
        root_path: prefix under which a proxy offers it, which it may have taken off; "" for none.
    """

    def __init__(self, application: ASGIApp, *, root_path: str = ""):
        self._application, self._root_path = application, root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI has it."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        path = self._path(scope["path"])
        if path != DOCS and path.rstrip("/") == DOCS:
            await RedirectResponse("../docs")(scope, receive, send)
            return
        plain = {**scope, "path": path.rstrip("/") or "/"}
        if scope["method"] == "HEAD":
            plain, send = {**plain, "method": "GET"}, _without_body(send)
        await self._application(plain, receive, send)

    def _path(self, path: str) -> str:
        """A path without the prefix."""
        root = self._root_path
        return path[len(root) :] or "/" if root and (path == root or path.startswith(f"{root}/")) else path


def _without_body(send: Send) -> Send:
    async def sent(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return sent
