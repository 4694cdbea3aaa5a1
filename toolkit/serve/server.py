"""A service that runs, opens newer models, and ends without losing a request that it accepted."""

import asyncio
import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import uvicorn

from toolkit.core import workers
from toolkit.core.sockets import Serving, listening, stop_accepting
from toolkit.errors import ToolkitError
from toolkit.model import runtime
from toolkit.model.classifier import Classifier
from toolkit.serve import addresses, application
from toolkit.serve.config import Config
from toolkit.serve.connection import Connection
from toolkit.serve.limits import LimitedApplication

QUIET = 0.5  # seconds after the signal to stop in which requests are answered still, each on its last connection
LOOK = 2.0  # seconds between looks whether a model was exported anew
LAST = 0.1  # seconds in which no new connection is accepted, before listening ends

Model = str | Path | Classifier
log = logging.getLogger(__name__)


class Service(Serving):
    """Models that are being served.

    Args:
        model: a file that `toolkit export` wrote, a run that has such files, or one that is open already; or several of
            them, by their names.
        config: see `Config`.

    Raises:
        BundleError: there is no such file.
        ToolkitError: the address is taken.
    """

    def __init__(self, model: Model | Mapping[str, Model], config: Config):
        opened = listening(config.host, [config.port])
        try:
            sources = dict(model) if isinstance(model, Mapping) else {config.name or _name(model): model}
            models = _opened(sources, config)
            self._application = application.Application(models, config)
        except BaseException:
            opened.close()
            raise
        self.models = {name: sessions[0].classes for name, sessions in models.items()}
        self.name, self.classes = next(iter(self.models.items()))
        newer = _Newer(sources, config, self._application)
        limited = self._application.limited
        super().__init__(_Server(_settings(limited, config), limited, opened, newer), opened, config.host)

    def _end(self) -> None:
        super()._end()
        self._application.close()


class _Newer:
    """Opens models again when they are exported anew, or when it is told to.

    Args:
        sources: of the models, by their names; what is open already is never opened again.
        config: of the service.
        application: which answers with them.
    """

    def __init__(self, sources: Mapping[str, Model], config: Config, application: application.Application):
        self._sources, self._config, self._application = sources, config, application
        self._answering = self._seen = self._stamps()
        self.asked = asyncio.Event()

    async def follow(self) -> None:
        """Look every few seconds, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.asked.wait(), LOOK)
            stamps = await asyncio.to_thread(self._stamps)
            settled, self._seen = stamps == self._seen, stamps  # or an export is under way
            if self.asked.is_set() or (settled and stamps and stamps != self._answering):
                self.asked.clear()
                await self._replace(stamps)

    async def _replace(self, stamps: object) -> None:
        self._answering = stamps
        try:
            models = await asyncio.to_thread(_opened, self._sources, self._config)
            await self._application.replace(models)
        except (ToolkitError, OSError, ValueError) as error:
            log.warning("the models were not opened again: %s; those there were answer on", error)
        else:
            log.warning("answering with %s, opened anew", ", ".join(models))

    def _stamps(self) -> object:
        """What tells files of another export apart; None where there is none that could be opened."""
        try:
            files = [runtime.exported(model) for model in self._sources.values() if not isinstance(model, Classifier)]
            return [(str(file), (stat := file.stat()).st_mtime_ns, stat.st_size, stat.st_ino) for file in files]
        except (ToolkitError, OSError):
            return None


class _Server(uvicorn.Server):
    """Says that it will stop a moment before it does, so that nothing is sent to a connection that is closed."""

    def __init__(self, settings: uvicorn.Config, limited: LimitedApplication, listening: socket.socket, newer: _Newer):
        super().__init__(settings)
        self._limited, self._listening, self._newer = limited, listening, newer

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.started:
            return
        self._following = asyncio.create_task(self._newer.follow())
        if threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGHUP"):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._newer.asked.set)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._following.cancel()
        self._limited.stopping = True
        await asyncio.sleep(QUIET)
        stop_accepting(self._listening)
        await asyncio.sleep(LAST)  # in which the loop accepts whoever is in the queue
        await super().shutdown(sockets)


def _opened(sources: Mapping[str, Model], config: Config) -> dict[str, list[Classifier]]:
    """The sessions of each model."""
    models = {}
    for name, model in sources.items():
        if isinstance(model, Classifier):
            models[name] = [model]
        else:
            file = runtime.exported(model)
            sessions = config.sessions or workers.cores()
            models[name] = [runtime.load(file, threads=config.threads) for _ in range(sessions)]
    return models


def _name(model: Model) -> str:
    """The name of the run that a file was made from, or its own."""
    if isinstance(model, Classifier):
        return Path(model.name).stem
    file = runtime.exported(model)
    return file.parents[1].name if file.parent.name == "export" else file.stem


def _settings(limited: LimitedApplication, config: Config) -> uvicorn.Config:
    connection = partial(Connection, most=config.max_connections, seconds=config.receive_seconds)
    return uvicorn.Config(
        addresses.tolerant(limited, config),
        http=connection,  # type: ignore[arg-type] # uvicorn calls it as it does the class
        ws="none",
        log_config=None,  # errors are logged as by any library, on standard error if logging is not configured
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=bool(config.proxy),
        forwarded_allow_ips=config.proxy or None,
        timeout_graceful_shutdown=config.stop_seconds,  # type: ignore[arg-type] # it waits for fractions, too
    )
