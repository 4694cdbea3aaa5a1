"""What a source gives: one picture to be had, with its label and where it comes from."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

SORTS = ("new", "hot", "top", "rising", "controversial")
TIME_FILTERS = ("hour", "day", "week", "month", "year", "all")


@dataclass(frozen=True)
class Item:
    """One picture to be had.

    Args:
        label: class name.
        source: name of the kind of source, such as "reddit".
        source_id: the source's own name for it, by which the ledger knows whether it is there already.
        url: where to download it; "" if `read` gives the bytes.
        fallbacks: other addresses of the same picture, tried in order if `url` fails for good.
        page_url: where a person finds it.
        license, creator: what may be done with it, and whom to name.
        split: split the source itself puts it in, or "".
        read: for pictures on this machine, a function that gives the bytes.
    """

    label: str
    source: str
    source_id: str
    url: str = ""
    fallbacks: tuple[str, ...] = ()
    page_url: str = ""
    license: str = ""
    creator: str = ""
    split: str = ""
    read: Callable[[], bytes] | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> str:
        """Name of this item in the ledger."""
        text = "\0".join((self.source, self.source_id, self.label))
        return hashlib.sha256(text.encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Options:
    """How sources are asked and pictures are downloaded.

    Args:
        limit: pictures per source and label; None takes all there are.
        sort: order of a Reddit listing, one of `SORTS`.
        time_filter: period for the orders "top" and "controversial", one of `TIME_FILTERS`.
        over_18: also take posts marked as adult.
        reddit: settings for `praw.Reddit`, such as client_id; None takes them from the environment or praw.ini.
        connections: downloads at the same time.
        per_host: downloads at the same time from one host.
        tries: attempts per address, at least 1.
        timeout: seconds to wait for a connection, and for the next bytes.
        deadline: seconds one download may take in all.
        max_bytes: size above which a file is refused.
        backoff: seconds; the wait before attempt n is drawn from 0 to backoff * 2**n (full jitter).
        max_wait: seconds; longest pause a server may ask for.
        retry_failed: try again what failed in an earlier run.
    """

    limit: int | None = None
    sort: str = "hot"
    time_filter: str = "all"
    over_18: bool = False
    reddit: Mapping[str, object] | None = None
    connections: int = 16
    per_host: int = 4
    tries: int = 4
    timeout: float = 15.0
    deadline: float = 60.0
    max_bytes: int = 25 << 20
    backoff: float = 0.5
    max_wait: float = 120.0
    retry_failed: bool = False

    def __post_init__(self) -> None:
        if self.sort not in SORTS:
            raise ValueError(f"expected sort to be one of {', '.join(SORTS)}, got {self.sort!r}")
        if self.time_filter not in TIME_FILTERS:
            raise ValueError(f"expected time_filter to be one of {', '.join(TIME_FILTERS)}, got {self.time_filter!r}")
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"expected a limit of at least 1, or None for all, got {self.limit}")
        if min(self.connections, self.per_host, self.tries) < 1:
            raise ValueError("expected connections, per_host and tries of at least 1")
