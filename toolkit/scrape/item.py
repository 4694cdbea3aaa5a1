"""An item of a source: one picture to download, with its label and its metadata."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypedDict

from toolkit import images
from toolkit.core.paths import check_label

SORTS = ("new", "hot", "top", "rising", "controversial", "all")
TIME_FILTERS = ("hour", "day", "week", "month", "year", "all")


class Metadata(TypedDict, total=False):
    """Metadata of a picture, as keyword arguments of `Item`."""

    page_url: str
    title: str
    license: str
    license_url: str
    creator: str
    attribution: str
    resolution: str


def mended(text: str) -> str:
    """A text with halves of characters, as cut titles end in, put together or replaced: it can be written as UTF-8.

    >>> mended("nice \\ud83d")
    'nice \ufffd'
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@dataclass(frozen=True)
class Item:
    """One picture to download; half characters in its texts are mended.

    Args:
        label: class name.
        source: name of the kind of source, such as "reddit".
        source_id: the source's own name for it, by which the ledger finds it again.
        url: where to download it; "" if `read` gives the bytes.
        fallbacks: other addresses of the same picture, tried in order if `url` fails for good.
        page_url: where a person finds it.
        title: what its page calls it.
        license, license_url: what may be done with it, as a name and as an address.
        creator, attribution: whom to name, and the line to name them with.
        resolution: "" for the picture itself, "thumbnail" for a small copy of it.
        split: split the source itself puts it in, or "".
        read: for pictures on this machine, a function that gives the bytes.
    """

    label: str
    source: str
    source_id: str
    url: str = ""
    fallbacks: tuple[str, ...] = ()
    page_url: str = ""
    title: str = ""
    license: str = ""
    license_url: str = ""
    creator: str = ""
    attribution: str = ""
    resolution: str = ""
    split: str = ""
    read: Callable[[], bytes] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, str) and not value.isascii():
                object.__setattr__(self, entry.name, mended(value))
        if self.label:  # it is given one later, where it has none
            check_label(self.label)  # which names a folder, wherever it came from

    @property
    def key(self) -> str:
        """Name of this item in the ledger."""
        text = "\0".join((self.source, self.source_id, self.label))
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    def record(self) -> dict[str, str]:
        """Its record in the ledger: the key, and all fields that are text."""
        texts = {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.type is str}
        return {"key": self.key, **texts}


@dataclass(frozen=True)
class Options:
    """Options of a collection: how sources are asked and pictures are downloaded.

    Args:
        limit: pictures per source and label; None takes all there are.
        sort: order of a Reddit listing, one of `SORTS`; "all" takes the union of all orders and periods, which goes
            beyond the thousand posts that one listing shows.
        time_filter: period for the orders "top" and "controversial", one of `TIME_FILTERS`.
        over_18: also take posts marked as adult.
        reddit: settings for `praw.Reddit`, such as client_id; None takes them from the environment or praw.ini.
        permission: True says that you may use pictures from Reddit for what you are about to do.
        connections: downloads at the same time.
        per_host: downloads at the same time from one host.
        tries: attempts per address, at least 1.
        timeout: seconds to wait for a connection, and for the next bytes.
        deadline: seconds one download may take in all.
        max_bytes: size above which a file is refused; None takes 25 MB for a download and 1 GB for a file that is here.
        max_pixels: width times height above which a download is refused, as its header tells them.
        backoff: seconds; the wait before attempt n is drawn from 0 to backoff * 2**n (full jitter).
        max_wait: seconds; longest pause a server may ask for.
        retry_failed: try again what failed in an earlier run.
        licenses: licences to take where a source tells them, such as ("cc0", "by"); () takes all it calls free.
        allow: networks that may be reached although they are not public, such as ("127.0.0.1/32",).
        follow_links: take what links in a folder of pictures lead to, wherever that is; False refuses such a folder.
        endpoints: address of a source's service by its kind, in place of the public one.
        browser, driver: paths of Chromium and ChromeDriver for pages; None looks for them on the search path.
    """

    limit: int | None = None
    sort: str = "hot"
    time_filter: str = "all"
    over_18: bool = False
    reddit: Mapping[str, Any] | None = None
    permission: bool = False
    connections: int = 16
    per_host: int = 4
    tries: int = 4
    timeout: float = 15.0
    deadline: float = 60.0
    max_bytes: int | None = None
    max_pixels: int = images.MAX_PIXELS
    backoff: float = 0.5
    max_wait: float = 120.0
    retry_failed: bool = False
    licenses: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    follow_links: bool = False
    endpoints: Mapping[str, str] = field(default_factory=dict)
    browser: str | None = None
    driver: str | None = None

    @property
    def download_bytes(self) -> int:
        """Size above which a download is refused."""
        return 25 << 20 if self.max_bytes is None else self.max_bytes

    @property
    def file_bytes(self) -> int:
        """Size above which a file that is here is refused."""
        return 1 << 30 if self.max_bytes is None else self.max_bytes

    def __post_init__(self) -> None:
        if self.sort not in SORTS:
            raise ValueError(f"expected sort to be one of {', '.join(SORTS)}, got {self.sort!r}")
        if self.time_filter not in TIME_FILTERS:
            raise ValueError(f"expected time_filter to be one of {', '.join(TIME_FILTERS)}, got {self.time_filter!r}")
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"expected a limit of at least 1, or None for all, got {self.limit}")
        if min(self.connections, self.per_host, self.tries) < 1:
            raise ValueError("expected connections, per_host and tries of at least 1")
