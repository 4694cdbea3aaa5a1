"""Labelled pictures from somewhere into `raw/<label>/`, with a ledger and a manifest of where each came from.

A source is written `kind:what=label`:

    folder:PICTURES                              class folders on this machine, or a zip or tar of them
    imagefolder:PICTURES                         the same, labelled by metadata.csv or metadata.jsonl
    inbox:PICTURES                               pictures without a label: all of a folder, or a zip or tar of them
    video:drive.mp4                              frames of a video without those nearly equal to one before, or
                                                 video:drive.mp4=cars
    camera:0=cars                                what a camera sees for a minute, or until --limit
    urls:list.csv                                addresses and labels
    wikimedia:Category:Main_battle_tanks=tanks   a category of Wikimedia Commons, or a search
    openverse:pizza=pizza                        openly licensed pictures from many collections
    flickr:"thumbs up"=up                        openly licensed photographs, with a key of your own
    kaggle:OWNER/NAME                            an image dataset
    reddit:carporn=cars                          a subreddit
    reddit:carporn/flair:Spotted=cars            posts of it with a flair, or reddit:carporn/search:red car=cars
    page:PROFILE:"pizza"=pizza                   a result page, seen with a browser
    practice:300                                 300 drawn pictures per class, served on this machine
    page:practice:cars=cars                      the same pictures on a result page of this machine

Files are named by the hash of their content. What was downloaded once is not asked for again.
"""

import shutil
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from toolkit.core import contained, paths, remote
from toolkit.dataset import manifest
from toolkit.dataset.manifest import Manifest
from toolkit.errors import DatasetError, SourceError
from toolkit.images.files import Passed
from toolkit.scrape import given, links, listing_progress, moved, passed
from toolkit.scrape.downloads import Downloads
from toolkit.scrape.failed import failures, in_words
from toolkit.scrape.fetch import Fetcher
from toolkit.scrape.item import SORTS, TIME_FILTERS, Item, Options
from toolkit.scrape.ledger import Ledger
from toolkit.scrape.manifest_rows import manifest_rows
from toolkit.scrape.page_profile import INSTEAD, OFF
from toolkit.scrape.passed import in_numbers, passed_over

Reader = Callable[[str, str, Options], Iterator[Item | Passed]]  # of an argument, a label and options
OF_FOLDERS = ("folder", "zip", "imagefolder", "inbox", "urls", "kaggle")  # sources that have a label for each picture
DEEPER = 10  # times the limit that Flickr is asked for: it divides a longer listing by dates before it begins

__all__ = [
    "SORTS",
    "TIME_FILTERS",
    "Item",
    "Options",
    "check",
    "collect",
    "failures",
    "given",
    "in_words",
    "passed_over",
    "repeated",
    "sources",
]

LOCAL = ("folder", "zip", "imagefolder", "inbox", "video", "urls")  # sources that are files on this machine


def sources(*, root: Path | None = None, sleep: Callable[[float], None] = time.sleep) -> dict[str, Reader]:
    """The kinds of sources by name; each takes what follows the colon, a label, and options.

    `root` is the folder of the dataset, where a source keeps its progress.
    """
    # here, so that pictures from a folder need no PRAW
    from toolkit.scrape import (
        flickr,
        folder,
        imagefolder,
        inbox,
        kaggle,
        openverse,
        reddit,
        result_page,
        urls,
        video,
        wikimedia,
    )

    return {
        "folder": folder.items,
        "zip": folder.items,
        "imagefolder": imagefolder.items,
        "inbox": inbox.items,
        "video": video.items,
        "camera": video.of_camera,
        "urls": urls.items,
        "wikimedia": partial(wikimedia.items, sleep=sleep),
        "openverse": partial(openverse.items, sleep=sleep),
        "flickr": partial(flickr.items, sleep=sleep),
        "kaggle": partial(kaggle.items, sleep=sleep, into=root),
        "reddit": partial(reddit.items, folder=root, sleep=sleep),
        "page": result_page.items,
    }


def check(wanted: str | Iterable[str]) -> list[str]:
    """Sources as they are written: checked, before anything else is done, and each path as the folder source it means.

    Args:
        wanted: as in `collect`.

    Raises:
        SourceError: a kind that there is not, or no file where one is named.

    >>> check("page:PROFILE:pizza=pizza")
    ['page:PROFILE:pizza=pizza']
    """
    kinds = sources()
    names = [_with_kind(name, kinds) for name in ([wanted] if isinstance(wanted, str) else wanted)]
    for name in names:
        if not name.startswith("practice:"):
            _check(kinds, name)
    return names


def collect(
    wanted: str | Iterable[str],
    *,
    into: str | Path,
    options: Options | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Manifest:
    """Bring labelled pictures into a dataset.

    Run it again after an interruption, or later: what the dataset has is kept, and only what is new is fetched.

    Args:
        wanted: one or more sources, such as "reddit:carporn=cars"; the path of a folder or archive is one, too.
        into: name of a dataset in `data/`, or the path of its folder.
        options: limits and settings; None takes the defaults of `Options`.
        sleep: waits between attempts, given a number of seconds.

    Returns:
        The manifest of the dataset, saved, new pictures with status "new"; perhaps of one class so far.

    Raises:
        SourceError: a source is unknown, or none could be read.
        DatasetError: no picture could be had.

    >>> collect(["reddit:carporn=cars", "reddit:tankporn=tanks"], into="cars_tanks")  # doctest: +SKIP
    """
    root = contained.folder(paths.local(paths.dataset(into), to="scrape into"))
    names = check(wanted)
    with _practising(names, options or Options()) as (names, options):
        kinds, is_new = sources(root=root, sleep=sleep), not root.exists()
        readers = [_reader(kinds, name, options) for name in names]
        fetcher = Fetcher(options, sleep=sleep)
        with Ledger(root) as ledger:
            with Downloads(root, ledger, fetcher) as downloads:
                listings = [downloads.fetch(reader, several=several) for reader, several in readers]
            rows = list(manifest_rows(ledger.records, root))
            is_empty = not ledger.records
    passed.keep(root, [(_shown(name), listing.passed) for name, listing in zip(names, listings, strict=True)])
    reasons = [listing.problem for listing in listings if listing.problem]
    if not reasons:
        listing_progress.forget(root)  # of listings that were left where there was enough
    if reasons and (len(reasons) == len(names) or not rows):
        if is_new and is_empty:
            shutil.rmtree(root)  # or a name that was mistyped would leave an empty dataset
        raise SourceError("; ".join(dict.fromkeys(reasons)))
    for reason in reasons:
        warnings.warn(f"left out a source: {reason}", stacklevel=2)
    table = _manifest(root, rows, _in_vain(ledger.records, {row["label"] for row in rows}))
    return moved.follow(table, ledger.records, set().union(*(listing.keys for listing in listings))).save()


def repeated(table: Manifest) -> list[str]:
    """What to know of files that are there several times, in words: how many, and how much of a given test they are."""
    files = given.files(table.root)
    return [words for words in (given.in_words(files), str(given.twins(files, table))) if words]


@contextmanager
def _practising(names: list[str], options: Options) -> Iterator[tuple[list[str], Options]]:
    """Keep the practice world running while its pictures are fetched; other sources pass through."""
    if not any(name.startswith("practice:") for name in names):
        with _practice_page(names, options) as options:
            yield names, options
        return
    pictures = names[0].removeprefix("practice:") or "300"
    if len(names) > 1 or not pictures.isdecimal() or int(pictures) < 10:
        raise SourceError(f"expected practice: or practice:N alone, N at least 10, got {' '.join(names)}")
    from toolkit import practice

    with practice.world(pictures=int(pictures)) as world:
        here = (*options.allow, "127.0.0.1/32")
        yield list(world.sources), replace(options, reddit=world.reddit, allow=here)


@contextmanager
def _practice_page(names: list[str], options: Options) -> Iterator[Options]:
    """Likewise for its result page, unless the options say that one is running."""
    pages = [name for name in names if name.startswith("page:")]
    if "page" in options.endpoints or not any(name.startswith("page:practice:") for name in pages):
        yield options
        return
    if not all(name.startswith("page:practice:") for name in pages):
        raise SourceError("expected page:practice: without other pages; collect from them one after the other")
    from toolkit import practice

    with practice.world(pictures=100) as world:
        here = {**options.endpoints, "page": world.server.url}
        yield replace(options, endpoints=here, allow=(*options.allow, "127.0.0.1/32"))


def _with_kind(name: str, kinds: Mapping[str, Reader]) -> str:
    """A path as a folder source; a source as it is."""
    return name if name.partition(":")[0] in kinds or not Path(name).expanduser().exists() else f"folder:{name}"


def _check(kinds: Mapping[str, Reader], name: str) -> None:
    kind, colon, argument = name.partition(":")
    if kind in OFF:
        raise SourceError(f"expected another source than {name!r}: {OFF[kind]}; {INSTEAD}")
    if not colon or kind not in kinds or not argument.partition("=")[0]:
        raise SourceError(
            f"expected a source such as folder:PICTURES or reddit:carporn=cars, got {name!r}; the kinds are "
            f"{', '.join((*kinds, 'practice'))}"
        )
    _, what, _ = _parts(name)
    if kind in LOCAL and not remote.is_url(what) and not Path(what).expanduser().exists():
        raise SourceError(f"expected pictures at {what}, found nothing; check the path")


def _reader(kinds: Mapping[str, Reader], name: str, options: Options) -> tuple[Callable, bool]:
    """What lists a source, and whether it may have several labels. Limits count what came, so more is listed."""
    kind, what, label = _parts(name)
    ahead = options.limit and DEEPER * options.limit if kind == "flickr" else None
    label = paths.check_label(label) if label else ""
    if kind in LOCAL and "://" not in what:
        links.check(Path(what).expanduser(), options)
    return partial(kinds[kind], what, label, replace(options, limit=ahead)), kind in OF_FOLDERS and not label


def _parts(name: str) -> tuple[str, str, str]:
    """Kind, argument and label of a source."""
    kind, _, argument = name.partition(":")
    what, equals, label = argument.rpartition("=")
    if not equals or "/" in label or (kind != "reddit" and Path(argument).exists()):  # an equals sign in a path
        return kind, argument, ""
    return kind, what, label


def _shown(name: str) -> str:
    """The name of a source, without where it lies on this machine."""
    kind, what, label = _parts(name)
    what = what if remote.is_url(what) or not Path(what).expanduser().exists() else Path(what).resolve().name
    return f"{kind}:{what}" + (f"={label}" if label else "")


def _in_vain(records: Mapping[str, dict], had: Collection[str]) -> list[str]:
    """The labels of which nothing could be had, each with the reasons."""
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records.values():
        if record["status"] == "failed" and record["label"] not in had:
            reasons[record["label"]][record["reason"]] += 1
    of = {label: f"of {label!r}" if label else "without a label" for label in reasons}
    return [f"nothing {of[label]} could be had ({in_numbers(counts)})" for label, counts in sorted(reasons.items())]


def _manifest(root: Path, rows: list[dict], in_vain: list[str]) -> Manifest:
    exists = manifest.base(root).exists()
    if not rows and not exists:
        raise DatasetError(f"expected pictures, got none; see the reasons in {root / 'ledger.jsonl'}")
    table = manifest.merge(manifest.load(root), rows) if exists else manifest.from_rows(root, rows)
    # A placeholder is known as one only at its third address, perhaps in a later run; unless a person knows better.
    wanted = set(table.where(reviewed="use").table["path"])
    placeholders = [row for row in rows if row["status"] == "excluded" and row["path"] not in wanted]
    for said in in_vain:
        warnings.warn(said, stacklevel=3)
    return table.update({row["path"]: {"status": "excluded", "reason": row["reason"]} for row in placeholders})
