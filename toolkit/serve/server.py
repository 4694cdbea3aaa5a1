"""A service that runs, and ends without losing what it took on."""

import asyncio
import json
import socket
import threading
from functools import partial
from pathlib import Path

import uvicorn

from toolkit.core import paths, workers
from toolkit.core.sockets import listening, stop_accepting, url
from toolkit.errors import BundleError
from toolkit.model import runtime
from toolkit.model.classifier import Classifier
from toolkit.serve import application
from toolkit.serve.config import Config
from toolkit.serve.connection import Connection
from toolkit.serve.limits import Guard

ORDER = ("float32.tflite", "model.onnx", "float16.tflite", "dynamic.tflite", "int8.tflite")  # of what a run exported
QUIET = 0.5  # seconds after the wish to stop in which all is as before, but that every answer ends its connection
LAST = 0.1  # seconds in which no new connection is let in, before listening ends


class Service:
    """A model that is being served.

    Args:
        model: a file that `toolkit export` wrote, a run that has such files, or what was opened already.
        config: see `Config`.

    Raises:
        BundleError: there is no such file.
        ToolkitError: the address is taken.
    """

    def __init__(self, model: str | Path | Classifier, config: Config):
        self._socket = listening(config.host, [config.port])
        try:
            sessions, name = _opened(model, config)
            self.name, self.classes = config.name or name, sessions[0].classes
            self._guard = application.build(sessions, config, self.name)
        except BaseException:
            self._socket.close()
            raise
        self._server = _Server(_settings(self._guard, config), self._guard, self._socket)
        self.url = url(self._socket, config.host)

    def run(self) -> None:
        """Answer until SIGTERM or Ctrl-C; requests under way are answered then."""
        try:
            self._server.run(sockets=[self._socket])
        except KeyboardInterrupt:  # the way to end it
            pass
        finally:
            self._socket.close()

    def start(self) -> "Service":
        """Answer in a thread of its own, until `close`."""
        self._thread = threading.Thread(target=self.run, name="service", daemon=True)
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            self._thread.join(0.01)
        return self

    def close(self) -> None:
        """Answer what is under way, and stop."""
        self._server.should_exit = True
        self._thread.join()

    def __enter__(self) -> "Service":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Server(uvicorn.Server):
    """Tells that it will stop a moment before it does, so that nothing is sent to an end that is closed."""

    def __init__(self, settings: uvicorn.Config, guard: Guard, listening: socket.socket):
        super().__init__(settings)
        self._guard, self._listening = guard, listening

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._guard.stopping = True
        await asyncio.sleep(QUIET)
        stop_accepting(self._listening)
        await asyncio.sleep(LAST)  # in which the loop accepts whoever is in the queue
        await super().shutdown(sockets)


def exported(model: str | Path) -> Path:
    """The file that answers: itself, or the best of those that a run has.

    Raises:
        BundleError: there is none, or it is from another time than the run.
    """
    path = paths.run(model)
    folder = path / "export"
    if path.suffix in runtime.OPENERS or not path.is_dir():
        return path
    found = [folder / name for name in ORDER if (folder / name).is_file()]
    if not found:
        raise BundleError(f"expected exported files in {folder}, found none; run `toolkit export {model}`")
    made_from, now = json.loads((folder / "export.json").read_text()), json.loads((path / "bundle.json").read_text())
    if made_from.get("model") != now.get("sha256"):
        raise BundleError(f"expected {folder} from {path.name} as it is now; run `toolkit export {model}` again")
    return found[0]


def _opened(model: str | Path | Classifier, config: Config) -> tuple[list[Classifier], str]:
    """The model, as often as it is to work side by side, and its name."""
    if isinstance(model, Classifier):
        return [model], Path(model.name).stem
    file = exported(model)
    sessions = config.sessions or workers.cores()
    return [runtime.load(file, threads=config.threads) for _ in range(sessions)], _name(file)


def _name(file: Path) -> str:
    """The name of the run that a file was made from, or its own."""
    return file.parents[1].name if file.parent.name == "export" else file.stem


def _settings(guard: Guard, config: Config) -> uvicorn.Config:
    return uvicorn.Config(
        guard,
        http=partial(Connection, most=config.max_connections, seconds=config.receive_seconds),
        ws="none",
        log_config=None,  # what goes wrong is told as by any library, on standard error if nobody says otherwise
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=bool(config.proxy),
        forwarded_allow_ips=config.proxy or None,
        timeout_graceful_shutdown=config.stop_seconds,
    )
