"""The server of the app: Streamlit, kept to this machine."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import uvicorn
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import config
from streamlit.starlette import App

from toolkit.app import camera, review_page, state
from toolkit.core import sockets

SCRIPT = Path(__file__).with_name("main.py")
PORT = 8501  # if it is free
POLICY = (
    b"default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self' ws: wss: data: blob:; "
    b"form-action 'self'; frame-ancestors 'self'"
)
MEGABYTES = 25  # of a picture that is put in
LIGHT = {"backgroundColor": "#f6f8fa", "secondaryBackgroundColor": "#ffffff", "textColor": "#24292f"}
LIGHT |= {"borderColor": "#d8dee4", "primaryColor": "#2f6db3"}
DARK = {"backgroundColor": "#0d1117", "secondaryBackgroundColor": "#151b23", "textColor": "#e6edf3"}
DARK |= {"borderColor": "#3d444d", "primaryColor": "#4585cf", "linkColor": "#6ea8e8"}
OPTIONS = {
    "browser.gatherUsageStats": False,
    "client.showErrorDetails": "none",
    "client.showErrorLinks": False,
    "client.toolbarMode": "minimal",
    "global.developmentMode": False,
    "runner.magicEnabled": False,
    "server.fileWatcherType": "none",
    "server.headless": True,
    "server.maxUploadSize": MEGABYTES,
    "theme.font": "system-ui, sans-serif",
    "theme.baseRadius": "10px",
    "theme.headingFontSizes": ["1.9rem", "1.6rem", "1.3rem", "1.1rem", "1rem", "1rem"],
    "theme.paddingTop": "1rem",
    "theme.showWidgetBorder": True,
    **{f"theme.light.{name}": value for name, value in LIGHT.items()},
    **{f"theme.dark.{name}": value for name, value in DARK.items()},
}


class OriginCheck:
    """Refuses what a page from elsewhere asks for, before Streamlit looks up its own address on the network."""

    def __init__(self, app: ASGIApp, *, private: bool):
        self.app, self.private = app, private

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] == "lifespan" or (self._is_ours(scope) and not _is_too_large(scope)):
            await self.app(scope, receive, _kept_here(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif self._is_ours(scope):
            words = f"expected a file of at most {MEGABYTES} MB"
            await PlainTextResponse(words, 413, {"Connection": "close"})(scope, receive, send)
        else:
            await PlainTextResponse("expected the address that `toolkit app` printed", 403)(scope, receive, send)

    def _is_ours(self, scope: Scope) -> bool:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host, origin = headers.get("host", ""), headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host:
            return False
        return not self.private or sockets.is_loopback(sockets.host_name(host))


def _kept_here(send: Send) -> Send:
    """A `send` that tells the browser to fetch nothing from anywhere else, whatever a page shows."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), (b"content-security-policy", POLICY)]
        await send(message)

    return sent


def _is_too_large(scope: Scope) -> bool:
    """Whether a body is longer than a file that may be put in, or does not say how long it is."""
    headers = dict(scope["headers"])
    length = headers.get(b"content-length", b"0")
    unknown = b"transfer-encoding" in headers or not length.isdigit()
    return scope["type"] == "http" and (unknown or int(length) > (MEGABYTES + 1) << 20)


def run(settings: state.Settings, *, host: str, port: int | None, on_start: Callable[[str], object]) -> None:
    """Answer until interrupted; see `app.serve`."""
    state.use(settings)
    camera.prepare()
    with sockets.listening(host, [PORT, 0] if port is None else [port]) as listening:
        own = {"server.address": host, "server.port": listening.getsockname()[1]}
        for name, value in (OPTIONS | own).items():
            config.set_option(name, value)
        checked = Middleware(OriginCheck, private=settings.private)
        application = App(SCRIPT, middleware=[checked], lifespan=_lifespan)
        serving = uvicorn.Config(
            application,
            log_config=None,  # as for the review page
            log_level="warning",
            access_log=False,
            ws="websockets-sansio",
            timeout_graceful_shutdown=2,
        )
        on_start(sockets.url(listening, host))
        with suppress(KeyboardInterrupt):  # the way to end it
            uvicorn.Server(serving).run(sockets=[listening])


@asynccontextmanager
async def _lifespan(_: App) -> AsyncIterator[None]:
    yield
    review_page.reviews.close()  # here, since a signal ends the process before whoever started it can
