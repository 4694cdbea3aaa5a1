"""The pictures that are named on the command line: files, folders, patterns, lists, addresses, standard input."""

import glob
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from toolkit.core import text
from toolkit.errors import ImageError

STANDARD_INPUT = "-"


def named(arguments: Namespace) -> Iterator[str | bytes]:
    """The pictures that were named, as paths in text, which are small, or the bytes of the one that came in."""
    if getattr(arguments, "list", "") == STANDARD_INPUT and STANDARD_INPUT in arguments.pictures:
        raise ValueError("expected standard input once, got it as a picture and as a list")
    if any(map(_is_address, arguments.pictures)):
        _fetch_addresses()
    for name in dict.fromkeys(arguments.pictures):
        yield from [sys.stdin.buffer.read()] if name == STANDARD_INPUT else _matching(name)
    if "list" in arguments:
        yield from _listed(arguments.list)


def _is_address(name: str) -> bool:
    return name.startswith(("http://", "https://"))


def _fetch_addresses(allow: Sequence[str] = ()) -> None:
    """Have pictures at addresses fetched as those of a dataset are: from public places alone, and within limits."""
    from toolkit.core import remote
    from toolkit.scrape import Options
    from toolkit.scrape.fetch import Fetcher, Refused

    fetcher = Fetcher(Options(allow=tuple(allow)))

    def read(address: str) -> bytes:
        try:
            return fetcher.get(address)
        except Refused as refused:
            raise ImageError(refused.reason) from refused

    remote.READERS.update(http=read, https=read)


def _listed(name: str) -> Iterator[str]:
    """The lines of a list; names of files may be bytes that are no text, and stay what they are."""
    content = sys.stdin.buffer.read() if name == STANDARD_INPUT else Path(name).read_bytes()
    yield from text.lines(content, errors="surrogateescape")


def _matching(name: str) -> Iterator[str]:
    """The files in a folder, or of a pattern; any other name as it is."""
    path = Path(name)
    if _is_address(name):  # whose question mark makes no pattern
        yield name
    elif path.is_dir():
        yield from _inside([path])
    elif glob.has_magic(name) and not path.exists():
        yield from _inside(map(Path, sorted(glob.glob(name, recursive=True))))  # noqa: PTH207 - a pattern may be absolute
    else:
        yield name


def _inside(entries: Iterable[Path]) -> Iterator[str]:
    """Files, and what is in folders, but for what is hidden."""
    for path in entries:
        if path.is_dir():
            yield from _inside(sorted(inner for inner in path.iterdir() if not inner.name.startswith(".")))
        elif path.is_file():
            yield str(path)
