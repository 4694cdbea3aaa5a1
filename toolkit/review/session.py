"""A dataset under review: its queues, its marks, and a manifest that follows the marks within half a second."""

import hashlib
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from toolkit.core import paths, workers
from toolkit.core.caching import BoundedCache
from toolkit.core.deadline import Deadline
from toolkit.dataset import manifest
from toolkit.dataset.manifest import Manifest
from toolkit.errors import ToolkitError
from toolkit.images import opening
from toolkit.review import queues
from toolkit.review.journal import RENAME, Journal

SAVED_AFTER = 0.4  # seconds; what is marked in between is saved together
OPENED_IN = 10.0  # seconds, or else a picture is not shown
SIDES = (160, 320, 640, 1280)  # pixels, in which pictures are shown
CACHED = 64 << 20  # bytes of pictures that were shown
UNSAVED = "the manifest could not be saved: "
SHOWN = ("path", "width", "height", "source", "title", "page_url")


class Session:
    """One dataset under review. Rows are named by a hash of their path, which no address can lead outside of.

    Args:
        root: folder of the dataset.

    Raises:
        DatasetError: no dataset there, or it is under review already.

    >>> with Session(Path("data/pets")) as session:  # doctest: +SKIP
    ...     session.mark([{"id": "1", "row": row_id("raw/cat/1.jpg"), "mark": "keep"}])
    """

    def __init__(self, root: Path):
        self.manifest = manifest.load(paths.local(root, to="review"))
        self.root = self.manifest.root
        self.journal = Journal(self.root, self.manifest.table)
        self.on_mark: Callable[[], object] = lambda: None  # called after marks, by whom they concern
        self.problem = ""  # why the manifest could not be saved, in words
        self._saving, self._marked, self._ended = threading.Lock(), threading.Event(), threading.Event()
        self.save()
        self._read()
        self._pictures = BoundedCache[bytes](CACHED)
        self._openers = Deadline(opening.shown, most=workers.cores(), seconds=OPENED_IN)
        self._saver = threading.Thread(target=self._follow, name="review", daemon=True)
        self._saver.start()

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> Manifest:
        """Save what is not saved yet, and unlock the dataset."""
        if not self._ended.is_set():
            self._ended.set()
            self._marked.set()
            self._saver.join()
            self._openers.close()
            try:
                self.save()
            except (OSError, ToolkitError) as error:
                warnings.warn(f"{UNSAVED}{error}; the marks are kept, and the next of them saves all", stacklevel=2)
            self.journal.close()
        return self.manifest

    def mark(self, marks: Iterable[Mapping[str, Any]]) -> dict[str, str]:
        """Add marks, which are on disk when this returns; why some were refused, by their id.

        Args:
            marks: as `Journal.add` wants them, with a `row` in place of a `path`, or `rows`, or neither.
        """
        refused = self.journal.add(map(self._located, marks))
        self._marked.set()
        self.on_mark()
        return refused

    def _located(self, mark: Mapping[str, Any]) -> dict[str, Any]:
        rows = mark.get("rows")
        if rows is not None:
            return {**mark, "paths": [self.path(row) for row in rows]}
        is_of_all = not mark.get("row") and mark["mark"] in ("undo", RENAME)
        return dict(mark) if is_of_all else {**mark, "path": self.path(mark["row"])}

    def save(self) -> None:
        """Write the marks into the manifest; what another stage has written there meanwhile is kept."""
        with self._saving:
            if manifest.stamp(self.root) != self.manifest.stamp:
                self.manifest = manifest.load(self.root)
                self.journal.adopt(self.manifest.table)
            rows = self.journal.missed(self.manifest.table)
            if rows:
                marked = self.manifest.update(rows)
                self.manifest = marked.save()
                if self.manifest.table is not marked.table:  # a stage has written in that moment
                    self.journal.adopt(self.manifest.table)

    def refresh(self) -> None:
        """Take in the pictures that another stage has added since."""
        self.save()
        self._read()

    def _read(self) -> None:
        self.queues = {queue.name: queue for queue in queues.build(self.manifest)}
        facts = self.manifest.table[list(SHOWN)].to_numpy(object)
        self._facts = {row_id(path): dict(zip(SHOWN, (path, *rest), strict=True)) for path, *rest in facts}

    def path(self, row: str) -> str:
        """Path of a row, or "" if there is none."""
        return self._facts[row]["path"] if row in self._facts else ""

    def state(self, row: str) -> dict[str, object]:
        """The facts and cells of a row as they are now."""
        cells = self.journal.cells.get(self.path(row), {})
        current = {name: cells.get(name, "") for name in ("label", "status", "reason", "reviewed", "seen")}
        return {"row": row, **self._facts[row], **current}

    def _follow(self) -> None:
        """Save soon after a mark, once for all that came until then."""
        while self._marked.wait() and not self._ended.wait(SAVED_AFTER):
            self._marked.clear()
            try:
                self.save()
                self.problem = ""
            except (OSError, ToolkitError) as error:  # the marks are safe in the journal; it is tried again
                self.problem = f"{UNSAVED}{error}"
                self._marked.set()

    def begin(self) -> None:
        """A page is opened, and will ask for pictures soon."""
        self._openers.begin()

    def picture(self, row: str, side: int) -> bytes:
        """The JPEG bytes of a picture, made to fit a square of `side` pixels and never enlarged."""
        file = self.root / self._facts[row]["path"]
        return self._pictures.get((row, side), lambda: self._openers.run((str(file), side)), size=len)


def row_id(path: str) -> str:
    """The id of a row in addresses: a hash of its path."""
    return hashlib.blake2s(path.encode(), digest_size=8).hexdigest()
