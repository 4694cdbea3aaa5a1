"""Progress of a listing: the pages read so far, so that a killed run need not ask for them again."""

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TypedDict

from toolkit.core import contained, paths
from toolkit.errors import DatasetError
from toolkit.scrape.item import Item

PREFIX = "listing-"
LASTS = 24 * 3600  # seconds; an older listing has moved on, and posts in it may have been deleted


class Position(TypedDict):
    """Where a listing goes on: the number of the listing, and Reddit's cursor in it, "" at its beginning."""

    listing: int
    after: str


class ListingProgress:
    """Progress of a listing: pages of items, a JSON line each, in a file beside the ledger until it is complete.

    Args:
        folder: folder of the dataset; None keeps nothing.
        name: what is listed, from where and in what order; another name is another listing.

    >>> progress = ListingProgress(None, "reddit r/carporn hot")
    >>> list(progress.pages())
    []
    """

    def __init__(self, folder: Path | None, name: str):
        digest = hashlib.sha256(name.encode()).hexdigest()[:12]
        self.path = folder / f"{PREFIX}{digest}.jsonl" if folder else None
        if folder:
            _expire(folder)

    def pages(self) -> Iterator[tuple[list[Item], Position]]:
        """The items of every page that was written whole, and the position after it."""
        if not self.path or not self.path.exists():
            return
        lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        for number, line in enumerate(lines):
            try:
                page = json.loads(line)
                items = [Item(**{**item, "fallbacks": tuple(item["fallbacks"])}) for item in page["items"]]
                position = Position(listing=page["place"]["listing"], after=page["place"]["after"])
            except (
                ValueError,
                KeyError,
                TypeError,
                RecursionError,
                DatasetError,
            ):  # torn by a crash, or damaged: go on from the page before it
                paths.write(self.path, "".join(lines[:number]))
                return
            yield items, position

    def add(self, items: list[Item], position: Position) -> None:
        """Note a page, and the position from which to go on after it."""
        if self.path:
            records = [{name: value for name, value in asdict(item).items() if name != "read"} for item in items]
            contained.append(self.path, json.dumps({"items": records, "place": position}) + "\n")

    def finish(self) -> None:
        """Remove the file: the next listing begins anew."""
        if self.path:
            self.path.unlink(missing_ok=True)


def forget(folder: Path) -> None:
    """Remove the unfinished listings of a dataset, with all addresses in them."""
    for file in folder.glob(f"{PREFIX}*.jsonl"):
        file.unlink(missing_ok=True)


def _expire(folder: Path) -> None:
    for file in folder.glob(f"{PREFIX}*.jsonl"):
        if time.time() - file.stat().st_mtime > LASTS:
            file.unlink(missing_ok=True)
