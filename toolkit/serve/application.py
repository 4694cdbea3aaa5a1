"""The application: every route, and the limits before them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
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
from toolkit.serve.generation import Generation, Generations
from toolkit.serve.keeping import Keeper
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


Models = Mapping[str, Sequence[Classifier]]  # copies of each model, by its name


class Application:
    """The whole service as an ASGI application, whose models can be replaced while it answers.

    Args:
        models: the first is the one that answers where none is named.
        config: the limits.

    Its `limited` is what a server is given.
    """

    def __init__(self, models: Models, config: Config):
        self._config, self._metrics = config, Metrics(self._facts)
        self._keeper = Keeper(config, self._metrics) if config.keep else None
        self._generations = Generations(self._made(models))
        waiting = "Pictures taken and not answered yet"
        self._metrics.gauge("waiting_pictures", waiting, lambda: self._generations.waiting)
        self.limited = LimitedApplication(self._generations, config, self._metrics, self._generations.full)

    async def replace(self, models: Models) -> None:
        """Let other models answer, as soon as they are ready; no request is lost.

        Args:
            models: as at first.
        """
        await self._generations.replace(self._made(models))

    def close(self) -> None:
        """Write the pictures that wait to be kept."""
        if self._keeper:
            self._keeper.close()

    def _facts(self) -> Iterator[dict[str, str]]:
        """Labels of the models that answer, for monitoring."""
        for name, engine in self._generations.current.engines.items():
            yield {"name": name, "classes": ",".join(engine.model.classes), "size": str(engine.model.size)}

    def _made(self, models: Models) -> Generation:
        """The routes of these models."""
        engines = {
            name: Engine(sessions, self._config, self._metrics, self._keeper) for name, sessions in models.items()
        }
        application = _described(engines, self._config)
        asked_for = [Depends(HTTPBearer(auto_error=False))] if self._config.token else []  # for the page
        application.include_router(native.routes(engines), dependencies=asked_for)
        application.include_router(protocols.routes(engines), dependencies=asked_for)
        application.include_router(_health(lambda: self.limited.stopping, self._metrics))
        _pages(application, self._config.root_path)
        return Generation(engines, application)


def _described(engines: Mapping[str, Engine], config: Config) -> FastAPI:
    """An application without routes, with a title and a description."""
    told = {name: ", ".join(engine.model.classes) for name, engine in engines.items()}
    alone, *others = told.values()
    by_name = "; ".join(f"{name}: {classes}" for name, classes in told.items())
    application = FastAPI(
        title=f"toolkit: {', '.join(told)}",
        version=toolkit.__version__,
        description=f"Says which of these is on a picture: {by_name if others else alone}.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # to an absolute address, which is another one behind a proxy; see `addresses`
        servers=[{"url": config.root_path}] if config.root_path else None,
        strict_content_type=False,  # JSON need not be said to be that, see `protocols`
    )
    problems.handle(application)
    return application


def _health(stopping: Callable[[], bool], metrics: Metrics) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/healthz", summary="Whether the service lives")
    @router.get("/v2/health/live", summary="Whether the service lives")
    async def live() -> dict:
        return {"live": True}

    @router.get("/readyz", responses=problems.documented(), summary="Whether it takes requests")
    @router.get("/v2/health/ready", responses=problems.documented(), summary="Whether it takes requests")
    async def ready() -> dict:
        if stopping():
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
