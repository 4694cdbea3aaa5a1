"""A trained network behind HTTP: pictures in, names and probabilities out.

    POST /predict                       the bytes of a picture, or several in a form
    POST /v1/models/NAME:predict        as TensorFlow Serving
    POST /v2/models/NAME/infer          as the Open Inference Protocol, which Triton and KServe speak
    GET  /healthz /readyz /metrics      for monitoring
    GET  /docs                          a page that shows and tries all of it

It needs no TensorFlow, fetches nothing, and by default listens on this machine alone. Requests are limited before a
picture is decoded, and every error has the shape {"error": {"code": …, "message": …}}.
"""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.core import extras, moved
from toolkit.errors import ToolkitError
from toolkit.serve.config import TOKEN, Config

if TYPE_CHECKING:
    from toolkit.model.classifier import Classifier
    from toolkit.serve.server import Service

__all__ = ["TOKEN", "Config", "open", "run"]


@moved.keywords(told="on_start")
def run(
    model: "str | Path | Classifier | Mapping[str, str | Path | Classifier]",
    config: Config | None = None,
    *,
    on_start: Callable[["Service"], object] = lambda service: None,
) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Args:
        model: a file that `toolkit export` wrote, a run that has such files, or what `runtime.load` returned, which is
            then used by one thread at a time; or several of these by their names, of which the first answers where
            none is named. A file that is exported anew is opened again, as all are on SIGHUP.
        config: address and limits; None for the defaults.
        on_start: called with the service before it answers: its `url`, `name` and `classes`.

    Raises:
        BundleError: no such file.
        ToolkitError: the packages for it are not installed, or the address is taken.

    >>> run("cars_tanks/xception", Config(max_pixels=10_000_000))  # doctest: +SKIP
    """
    with _deaf_to_hangup():
        service = _service()(model, config or Config())
        on_start(service)
        service.run()


def open(
    model: "str | Path | Classifier | Mapping[str, str | Path | Classifier]", config: Config | None = None
) -> "Service":
    """The same in the background, for a notebook: `url` is its address, `close()` ends it.

    Args:
        model, config: as in `run`.

    >>> with open("cars_tanks/xception", Config(port=0)) as service:  # doctest: +SKIP
    ...     print(service.url)
    """
    return _service()(model, config or Config()).start()


@contextlib.contextmanager
def _deaf_to_hangup() -> Iterator[None]:
    """SIGHUP asks for models to be opened again: one that comes while they are opened at first must not end it."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGHUP"):
        yield
        return
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def _service() -> "type[Service]":
    try:
        from toolkit.serve.server import Service
    except ImportError as error:
        raise ToolkitError(
            f"expected the packages of a service, got: {error}; {extras.remedy(error.name or 'uvicorn')}"
        ) from error
    return Service
