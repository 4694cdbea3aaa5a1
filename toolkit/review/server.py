"""A review that is served over HTTP on this machine."""

import hashlib
import html
import os
import secrets
from pathlib import Path

import uvicorn

from toolkit.core import paths, sockets
from toolkit.review.application import build
from toolkit.review.learner import Learner
from toolkit.review.session import Session

LENGTH = 43  # of the secret in the address
PORT = 8642  # if it is free


class Server(sockets.Serving):
    """A review that is being served; all marks are saved when it ends.

    Args:
        root: folder of the dataset.
        host: address to listen at; any but that of this machine itself lets others on the network in, if they have the
            token.
        port: None takes 8642, or any that is free.
        queue: name of the queue that is shown first; "" for the first.
        label: whether it is the page on which pictures are labelled; `done` says then whether the person was done.

    Raises:
        DatasetError: no dataset there, or it is under review already.
        ToolkitError: the address is taken.
        ValueError: no queue of that name.
    """

    def __init__(
        self, root: Path, *, host: str = "127.0.0.1", port: int | None = None, queue: str = "", label: bool = False
    ):
        self._closed = self.done = False
        listening = sockets.listening(host, [PORT, 0] if port is None else [port])
        try:
            self.session = Session(root)
        except BaseException:
            listening.close()
            raise
        self._token = _token(self.session.root)
        token = self._token.read_text()
        page = build(
            self.session,
            token,
            host=host,
            queue=queue,
            on_stop=self._end,
            learner=Learner(self.session) if label else None,
            on_done=self._finish,
        )
        self._state = page.state
        settings = uvicorn.Config(
            page,
            log_config=None,  # uvicorn's closes all handlers there are, and absl's closes stderr then
            log_level="warning",
            access_log=False,
            ws="none",
            timeout_graceful_shutdown=2,
        )
        super().__init__(uvicorn.Server(settings), listening, host)
        self.url += f"/{token}/" + ("label" if label else "")
        if queue and queue not in self.session.queues:
            self._end()
            raise ValueError(f"expected a queue of {', '.join(self.session.queues)}, got {queue!r}")

    @property
    def learner(self) -> Learner | None:
        """What learns beside the page on which pictures are labelled; another one after pictures were added."""
        return self._state.learner

    def _finish(self) -> None:
        self.done = self._server.should_exit = True

    def _end(self) -> None:
        if not self._closed:
            self._closed = True
            if self.learner:
                self.learner.close()
            self.session.close()
            self._token.unlink(missing_ok=True)
            super()._end()

    def _repr_html_(self) -> str:
        verb = "label" if self.learner else "review"
        return f'<a href="{self.url}" target="_blank" rel="noreferrer">{verb} {html.escape(self.session.root.name)}</a>'


def _token(root: Path) -> Path:
    """The file of the secret in the address; with the user, since one in the dataset might be known to who packed it.

    A crash leaves it behind, so that an open page goes on where it was.
    """
    file = paths.cache() / "review" / hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:24]
    if not file.exists() or len(file.read_text()) != LENGTH:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(secrets.token_urlsafe(32))
    return file
