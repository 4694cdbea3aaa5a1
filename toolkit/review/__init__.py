"""A page in the browser where a person goes through what is suspicious in a dataset, with the keyboard.

Likely wrong labels, pictures under two labels, confident mistakes, near-duplicates, what is only alike, and then all
pictures, the odd ones first. A mark is on disk before it counts, survives a crash of the page or of the server, and can
be undone. `label` opens a second page, a grid on which pictures without a label get one, many at once. `exclude`,
`relabel` and `undo` make and take back marks without a page:

    review.jsonl       every mark in its order, and what it changed
    manifest.csv       follows within half a second: status, reason, label, reviewed

The files stay where they are: a picture that was given another label keeps its path.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.core import extras, moved, paths
from toolkit.dataset.manifest import Manifest
from toolkit.errors import ToolkitError
from toolkit.review import incoming
from toolkit.review.journal import BY_HAND, Journal

if TYPE_CHECKING:
    from toolkit.review.server import Server

RELABELLED = "relabelled by hand, was"

__all__ = ["exclude", "label", "open", "relabel", "serve", "undo"]


@moved.keywords(told="on_start")
def serve(
    manifest: Manifest,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    queue: str = "",
    on_start: Callable[[str], object] = lambda url: None,
) -> Manifest:
    """Serve the page until interrupted.

    Args:
        manifest: the dataset, saved.
        host: address to listen at: this machine alone, or one of its addresses in the network, for a phone.
        port: None takes 8642, or any that is free.
        queue: what is shown first: "labels", "conflicts", "mistakes", "hesitant", "bulk", "copies", "left-out",
            "all" or "class:NAME"; "" for the first that has pictures.
        on_start: called with the address of the page.

    Returns:
        The manifest with all marks, saved.

    Raises:
        ToolkitError: the packages for it are not installed, or the address is taken.
        DatasetError: the dataset is under review already.

    >>> serve(manifest.load("cars_tanks"), on_start=webbrowser.open)  # doctest: +SKIP
    """
    server = _server()(manifest.root, host=host, port=port, queue=queue)
    on_start(server.url)
    server.run()
    return server.session.manifest


def open(
    manifest: Manifest, *, host: str = "127.0.0.1", port: int | None = None, queue: str = "", label: bool = False
) -> "Server":
    """The same in the background, for a notebook: `url` is its address, `close()` ends it.

    Args:
        manifest, host, port, queue: as in `serve`.
        label: open the page of `label` instead.

    >>> with open(manifest.load("cars_tanks")) as page:  # doctest: +SKIP
    ...     print(page.url)
    """
    if label:
        incoming.bring_in(manifest)
    return _server()(manifest.root, host=host, port=port, queue=queue, label=label).start()


def label(
    manifest: Manifest,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    on_start: Callable[[str], object] = lambda url: None,
) -> tuple[Manifest, bool]:
    """Active learning on a page: serve a grid on which many pictures are labelled at once, until interrupted or done.

    What is new is verified and searched for copies first.

    Args:
        manifest: the dataset, saved.
        host, port, on_start: as in `serve`.

    Returns:
        The manifest with all marks, saved, and whether the person said that all is done.

    Raises:
        ToolkitError, DatasetError: as in `serve`.

    >>> label(manifest.load("pets"), on_start=webbrowser.open)  # doctest: +SKIP
    """
    server = _server()(incoming.bring_in(manifest).root, host=host, port=port, label=True)
    on_start(server.url)
    server.run()
    return server.session.manifest, server.done


def exclude(manifest: Manifest, pictures: Iterable[str], *, reason: str = "") -> Manifest:
    """Take pictures out of use, written down in `review.jsonl`, so that no stage that runs meanwhile undoes it.

    Args:
        manifest, pictures: as in `relabel`.
        reason: in words; "" keeps those about a picture that is out of use already.

    Returns:
        The manifest, saved. The files stay where they are.

    Raises:
        DatasetError: no such picture, or the dataset is under review on a page.

    >>> exclude(manifest.load("cars_tanks"), ["3f9a0c.jpg"], reason="a boat")  # doctest: +SKIP
    """
    if not isinstance(manifest.root, Path):  # at a URL there is no journal
        return manifest.exclude(pictures, reason=reason).save()

    def mark(journal: Journal, path: str) -> dict[str, str]:
        cells = journal.cells[path]
        return {"mark": "exclude", "reason": reason or (cells["reason"] if cells["status"] == "excluded" else BY_HAND)}

    return _marked(manifest, pictures, mark)


def relabel(manifest: Manifest, pictures: Iterable[str], label: str, *, reason: str = "") -> Manifest:
    """Give pictures another label, written down in `review.jsonl` as a mark on the page is, so that it can be undone.

    Args:
        manifest: the dataset, saved.
        pictures: see `Manifest.find`.
        label: a class of the dataset.
        reason: in words.

    Returns:
        The manifest with the labels, saved. The files keep their paths.

    Raises:
        DatasetError: no such picture or class, or the dataset is under review on a page.

    >>> relabel(manifest.load("cars_tanks"), ["3f9a0c.jpg"], "tanks", reason="seen by hand")  # doctest: +SKIP
    """

    def mark(journal: Journal, path: str) -> dict[str, str]:
        change = f"{RELABELLED} {journal.cells[path]['label']}"
        words = f"{change}: {reason}" if reason else change
        return {"mark": "label", "label": label, "words": words, "reason": reason}

    return _marked(manifest, pictures, mark)


def undo(manifest: Manifest, pictures: Iterable[str]) -> Manifest:
    """Take back the last mark of each of these pictures, whether it came from the page or from `relabel`.

    Args:
        manifest, pictures: as in `relabel`.

    Raises:
        DatasetError: there is nothing to undo.
    """
    return _marked(manifest, pictures, lambda journal, path: {"mark": "undo", "of": journal.last_of(path)})


def _marked(manifest: Manifest, pictures: Iterable[str], marking: Callable[[Journal, str], Mapping]) -> Manifest:
    """The manifest with one mark more per picture; all of them are refused if one is.

    A mark that an earlier call wrote down, and could not save any more, is not made twice.
    """
    chosen = manifest.find(pictures)
    journal = Journal(paths.local(manifest.root, to="review"), manifest.table)
    try:
        marks = [{"id": uuid.uuid4().hex, "path": path, **marking(journal, path)} for path in chosen]
        fresh = [mark for mark in marks if not journal.is_made(mark, manifest.table)]
        for mark in fresh:
            journal.check(mark)
        journal.add(fresh)
        return manifest.update(journal.missed(manifest.table)).save()
    finally:
        journal.close()


def _server() -> "type[Server]":
    try:
        from toolkit.review.server import Server
    except ImportError as error:
        raise ToolkitError(
            f"expected the packages of the review page, got: {error}; {extras.remedy(error.name or 'uvicorn')}"
        ) from error
    return Server
