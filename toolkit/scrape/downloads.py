"""Downloading what a source lists: files in `raw/`, and lines in the ledger."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from toolkit import images
from toolkit.core import parallel, paths
from toolkit.errors import DatasetError, SourceError, is_of_the_machine
from toolkit.images.files import Passed
from toolkit.scrape.fetch import Fetcher, Refused
from toolkit.scrape.host_pool import HostPool
from toolkit.scrape.item import Item
from toolkit.scrape.ledger import Ledger, is_whole
from toolkit.scrape.passed import PassedOver
from toolkit.scrape.quota import Quota

ABANDONED = 3600  # seconds after which a temporary file is one that a killed run left behind


class Listing(NamedTuple):
    """What came of a source.

    Args:
        problem: why its listing broke off; "" if it did not.
        passed: what it had and was passed over.
        keys: of the pictures on this machine that it listed.
    """

    problem: str
    passed: PassedOver
    keys: set[str]


class Downloads:
    """Downloads of pictures into a dataset, many at a time, while their source is still being listed.

    Leaving the `with` block waits for the last of them.

    Args:
        root: folder of the dataset.
        ledger: its ledger, open.
        fetcher: downloads; its options say how many at a time.

    Raises, on leaving or on `fetch`, DatasetError if the disk takes no more.
    """

    def __init__(self, root: Path, ledger: Ledger, fetcher: Fetcher):
        self.root, self.ledger, self.fetcher = root, ledger, fetcher
        self._pool = HostPool(fetcher.options.connections, per_host=fetcher.options.per_host)
        self._begun: set[str] = set()
        self._written: list[Path] = []
        self._tally = _Tally()

    def __enter__(self) -> "Downloads":
        _sweep(self.root / "raw")
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        try:
            self._pool.__exit__(kind, *rest)
            with self._room():
                paths.fsync_all(self._written)
        finally:
            self._tally.bar.close()

    def fetch(self, list_items: Callable[[], Iterable[Item | Passed]], *, several: bool = False) -> "Listing":
        """Fetch what a source lists, up to the limit of each label that came. What came before an error is kept.

        Args:
            list_items: gives the items, and what is passed over.
            several: whether it has several labels, so that it goes on where one has enough.
        """
        limit, passed = self.fetcher.options.limit, PassedOver()
        quota = Quota(limit, broken=lambda: self._pool.failed)
        keys: set[str] = set()
        try:
            for item in list_items():
                if isinstance(item, Passed):
                    passed.add(item)
                    continue
                self._tally.listed(item)
                if item.read:
                    keys.add(item.key)
                if item.key in self._begun:
                    continue
                if quota.wants(item.label):
                    self._begin(item, quota)
                elif several:
                    passed.add(Passed(f"beyond the limit of {limit}", item.source_id))
                else:
                    break
        except SourceError as error:
            return Listing(str(error), passed, keys)
        return Listing("", passed, keys)

    def _has(self, item: Item) -> bool:
        again = self.fetcher.options.retry_failed or item.read is not None  # a file here costs nothing to try again
        return self.ledger.has(item.key, root=self.root, retry_failed=again)

    def _begin(self, item: Item, quota: Quota) -> None:
        quota.begin(item.label)
        if self._has(item):
            quota.end(item.label, came=self.ledger.records[item.key]["status"] == "ok")
            return
        self._begun.add(item.key)
        if item.read:  # now: an archive gives its pictures in their order only
            self._keep(item, quota)
        else:
            self._pool.add(_host(item.url), partial(self._keep, item, quota))

    def _keep(self, item: Item, quota: Quota) -> None:
        """Get one picture, write it, then its ledger line; a failure is a line too."""
        record = item.record()
        try:
            content = item.read() if item.read else self._download(item)
        except (Refused, SourceError, OSError, EOFError, ValueError, RuntimeError) as error:
            if is_of_the_machine(error):
                raise
            record |= {"status": "failed", "reason": str(error) or type(error).__name__}
            content = b""
        with self._room():
            self.ledger.add(record if "status" in record else record | self._write(item, content))
        self._tally.done(len(content), failed="status" in record)
        quota.end(item.label, came="status" not in record)

    @contextmanager
    def _room(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DatasetError(
                f"expected to write pictures to {self.root}, got {error}; make room and go on"
            ) from error

    def _download(self, item: Item) -> bytes:
        """The bytes at the item's address, or at the first fallback that answers."""
        reasons = []
        for url in (item.url, *item.fallbacks):
            try:
                return self.fetcher.get(url)
            except Refused as refused:
                reasons.append(refused.reason)
        raise Refused(reasons[0])

    def _write(self, item: Item, content: bytes) -> dict[str, object]:
        sha256 = hashlib.sha256(content).hexdigest()
        path = Path("raw", item.label, f"{sha256}.{images.sniff(content) or 'bin'}")
        if not is_whole(self.root / path, len(content)):
            self._written.append(paths.write(self.root / path, content, flush=False))
        return {"status": "ok", "reason": "", "path": path.as_posix(), "sha256": sha256, "bytes": len(content)}


class _Tally:
    """The bar: pictures that came, and beside it posts, bytes and failures."""

    def __init__(self):
        self.bar = parallel.progress(None, description="collect", unit=" pictures")
        self._lock, self._page = threading.Lock(), ""
        self._posts = self._bytes = self._failed = 0

    def listed(self, item: Item) -> None:
        self._posts += bool(item.page_url) and item.page_url != self._page
        self._page = item.page_url

    def done(self, size: int, *, failed: bool) -> None:
        with self._lock:
            self._bytes += size
            self._failed += failed
            counts = {"posts": self._posts, "MB": round(self._bytes / 1e6, 1), "failed": self._failed}
            self.bar.set_postfix(counts, refresh=False)
            self.bar.update(not failed)


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""  # the download will say what is wrong with it


def _sweep(folder: Path) -> None:
    """Remove the temporary files of runs that were killed."""
    for file in (*folder.glob(".*"), *folder.glob("*/.*")):
        if time.time() - file.stat().st_mtime > ABANDONED:
            file.unlink(missing_ok=True)
