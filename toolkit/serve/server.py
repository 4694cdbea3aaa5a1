"""A service that runs, and ends without losing a request that it accepted."""

import asyncio
import socket
from functools import partial
from pathlib import Path

import uvicorn

from toolkit.core import workers
from toolkit.core.sockets import Serving, listening, stop_accepting
from toolkit.model import runtime
from toolkit.model.classifier import Classifier
from toolkit.serve import addresses, application
from toolkit.serve.config import Config
from toolkit.serve.connection import Connection
from toolkit.serve.limits import LimitedApplication

QUIET = 0.5  # seconds after the signal to stop in which requests are answered still, each on its last connection
LAST = 0.1  # seconds in which no new connection is accepted, before listening ends


class Service(Serving):
    """A model that is being served.

    Args:
        model: a file that `toolkit export` wrote, a run that has such files, or one that is open already.
        config: see `Config`.

    Raises:
        BundleError: there is no such file.
        ToolkitError: the address is taken.
    """

    def __init__(self, model: str | Path | Classifier, config: Config):
        opened = listening(config.host, [config.port])
        try:
            sessions, name = _opened(model, config)
            self.name, self.classes = config.name or name, sessions[0].classes
            limited = application.build(sessions, config, self.name)
        except BaseException:
            opened.close()
            raise
        super().__init__(_Server(_settings(limited, config), limited, opened), opened, config.host)


class _Server(uvicorn.Server):
    """Says that it will stop a moment before it does, so that nothing is sent to a connection that is closed."""

    def __init__(self, settings: uvicorn.Config, limited: LimitedApplication, listening: socket.socket):
        super().__init__(settings)
        self._limited, self._listening = limited, listening

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._limited.stopping = True
        await asyncio.sleep(QUIET)
        stop_accepting(self._listening)
        await asyncio.sleep(LAST)  # in which the loop accepts whoever is in the queue
        await super().shutdown(sockets)


def _opened(model: str | Path | Classifier, config: Config) -> tuple[list[Classifier], str]:
    """The sessions of a model, and its name."""
    if isinstance(model, Classifier):
        return [model], Path(model.name).stem
    file = runtime.exported(model)
    sessions = config.sessions or workers.cores()
    return [runtime.load(file, threads=config.threads) for _ in range(sessions)], _name(file)


def _name(file: Path) -> str:
    """The name of the run that a file was made from, or its own."""
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
