"""A page in the browser where a person goes through what is suspicious in a dataset, with the keyboard.

Likely wrong labels, pictures under two labels, confident mistakes, near-duplicates, and then all pictures, the odd ones
first. A mark is on disk before it counts, survives a crash of the page or of the server, and can be undone:

    review.jsonl       every mark in its order, and what it changed
    manifest.csv       follows within half a second: status, reason, label, reviewed

The files stay where they are: a picture that was given another label keeps its path.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from toolkit.errors import ToolkitError
from toolkit.manifest import Manifest

if TYPE_CHECKING:
    from toolkit.review.server import Server

__all__ = ["open", "serve"]


def serve(
    manifest: Manifest,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    queue: str = "",
    told: Callable[[str], object] = lambda url: None,
) -> Manifest:
    """Serve the page until interrupted.

    Args:
        manifest: the dataset, saved.
        host: address to listen at: this machine alone, or one of its addresses in the network, for a phone.
        port: None takes 8642, or any that is free.
        queue: what is shown first: "labels", "conflicts", "mistakes", "hesitant", "copies", "left-out", "all" or
            "class:NAME"; "" for the first that has pictures.
        told: is given the address of the page as soon as it answers.

    Returns:
        The manifest with all marks, saved.

    Raises:
        ToolkitError: the packages for it are not installed, or the address is taken.
        DatasetError: the dataset is under review already.

    >>> serve(manifest.load("cars_tanks"), told=webbrowser.open)  # doctest: +SKIP
    """
    server = _server()(manifest.root, host=host, port=port, queue=queue)
    told(server.url)
    server.run()
    return server.session.manifest


def open(manifest: Manifest, *, host: str = "127.0.0.1", port: int | None = None, queue: str = "") -> "Server":
    """The same in the background, for a notebook: `url` is its address, `close()` ends it.

    Args:
        manifest, host, port, queue: as in `serve`.

    >>> with open(manifest.load("cars_tanks")) as page:  # doctest: +SKIP
    ...     print(page.url)
    """
    return _server()(manifest.root, host=host, port=port, queue=queue).start()


def _server() -> "type[Server]":
    try:
        from toolkit.review.server import Server
    except ImportError as error:
        raise ToolkitError(
            f"expected FastAPI and uvicorn, got: {error}; install them with `pip install fastapi uvicorn`"
        ) from error
    return Server
