"""The application: every route, and the limits before them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import resources

from fastapi import APIRouter, Depends, FastAPI, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.security import HTTPBearer
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST

import toolkit
from toolkit.model.classifier import Classifier
from toolkit.serve import native, problems, protocols
from toolkit.serve.config import Config
from toolkit.serve.engine import Engine
from toolkit.serve.limits import LimitedApplication
from toolkit.serve.metrics import Metrics

ONLY_HERE = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; connect-src 'self'; "
    "style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}

DARK = (  # where the reader's other pages are
    '<meta name="color-scheme" content="light dark"><script>'
    "document.documentElement.classList.toggle('dark-mode', matchMedia('(prefers-color-scheme: dark)').matches)"
    "</script>"
)


def build(sessions: Sequence[Classifier], config: Config, name: str) -> LimitedApplication:
    """The whole service as an ASGI application.

    Args:
        sessions: copies of one model.
        config: the limits.
        name: of the model.
    """
    model = sessions[0]
    metrics = Metrics({"name": name, "classes": ",".join(model.classes), "size": str(model.size)})
    engine = Engine(sessions, config, metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(engine.warm)
        yield
        engine.close()

    application = FastAPI(
        title=f"toolkit: {name}",
        version=toolkit.__version__,
        description=f"Says which of these is on a picture: {', '.join(model.classes)}.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # to an absolute address, which is another one behind a proxy; see `addresses`
        servers=[{"url": config.root_path}] if config.root_path else None,
        strict_content_type=False,  # JSON need not be said to be that, see `protocols`
    )
    limited = LimitedApplication(application, config, metrics, engine.full)
    problems.handle(application)
    asked_for = [Depends(HTTPBearer(auto_error=False))] if config.token else []  # for the page; the limits check it
    application.include_router(native.routes(engine, model, name), dependencies=asked_for)
    application.include_router(protocols.routes(engine, model, name), dependencies=asked_for)
    application.include_router(_health(limited, metrics))
    _pages(application, config.root_path)
    return limited


def _health(limited: LimitedApplication, metrics: Metrics) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/healthz", summary="Whether the service lives")
    @router.get("/v2/health/live", summary="Whether the service lives")
    async def live() -> dict:
        return {"live": True}

    @router.get("/readyz", responses=problems.documented(), summary="Whether it takes requests")
    @router.get("/v2/health/ready", responses=problems.documented(), summary="Whether it takes requests")
    async def ready() -> dict:
        if limited.stopping:
            raise problems.Problem(503, "it is being stopped", code="stopping")
        return {"ready": True}

    @router.get("/v2", responses=problems.documented(), summary="What serves")
    async def server() -> dict:
        return {"name": "toolkit", "version": toolkit.__version__, "extensions": []}

    @router.get("/metrics", responses=problems.documented(), response_class=Response, summary="Figures for Prometheus")
    async def measured() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return router


def _pages(application: FastAPI, root_path: str) -> None:
    """The page that shows all of it, from files that are installed: no other address is asked for anything."""
    files = resources.files("fastapi_offline") / "static"
    application.mount("/docs/files", StaticFiles(directory=str(files)))

    @application.get("/", include_in_schema=False)
    async def start() -> RedirectResponse:
        return RedirectResponse(f"{root_path}/docs" if root_path else "docs")

    @application.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        page = get_swagger_ui_html(
            openapi_url="openapi.json",
            title=application.title,
            swagger_js_url="docs/files/swagger-ui-bundle.js",
            swagger_css_url="docs/files/swagger-ui.css",
            swagger_favicon_url="docs/files/favicon.png",
            swagger_ui_parameters={"validatorUrl": None, "tryItOutEnabled": True},
        )
        return HTMLResponse(bytes(page.body).decode().replace("</head>", f"{DARK}</head>"), headers=ONLY_HERE)
