"""The files of a folder on this machine: what may be a picture, and what is passed over, with the reason.

One rule for all that reads folders, archives and buckets: `judged` by name, hidden files and those of systems aside.
"""

import os
import stat
import unicodedata
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

from toolkit.errors import ImageError
from toolkit.images import kinds

SYSTEM = {"__macosx", "@eadir", "@recycle", "#recycle", "#snapshot", "$recycle.bin", "lost+found"}  # of macOS, NAS, …
SYSTEM |= {"system volume information", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"}
TO_NOTHING, AGAIN = "link to nothing", "link to a folder that is read anyway"
EMPTY = "empty folder"


class Passed(NamedTuple):
    """What is passed over.

    Args:
        reason: in words, in the singular.
        name: of the file or folder below the place, as an example.
        path: of a file on this machine whose name is that of a picture, but that cannot be opened; "" of all others.
    """

    reason: str
    name: str
    path: str = ""


class Found(NamedTuple):
    """What may be a picture: where it is below the place, its path, its status, and whether it is a link."""

    parts: tuple[str, ...]
    path: str
    status: os.stat_result
    link: bool


def below(place: str, *, also: tuple[str, ...] = ()) -> Iterator[Found | Passed]:
    """The files of a folder and of all below it: first those of a folder, by name, then its folders.

    Links to folders are followed, but to none that was read already.

    Args:
        place: path of a folder.
        also: names of files that are given, too, such as metadata.csv.

    Raises:
        OSError: it cannot be read.

    >>> [found.path for found in below("holiday")]  # doctest: +SKIP
    ['holiday/1.jpg', 'holiday/2.jpg']
    """
    status = Path(place).stat()
    visited = {(status.st_dev, status.st_ino)}
    folders: list[tuple[str, tuple[str, ...]]] = [(place, ())]
    while folders:
        folder, parts = folders.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            if not parts:
                raise
            yield Passed(f"folder that cannot be read: {error.strerror}", "/".join(parts), folder)
            continue
        if not entries:
            yield Passed(EMPTY, "/".join(parts))
        inner = []
        for entry in entries:
            name = (*parts, in_one_form(entry.name))
            if said := of_system(entry.name):
                yield Passed(said, "/".join(name))
            elif not _is_folder(entry):
                yield _judged(entry, name, also)
            elif _is_new(entry, visited):
                inner.append((entry.path, name))
            else:
                yield Passed(AGAIN, "/".join(name))
        folders += reversed(inner)


def in_one_form(name: str) -> str:
    """A name in Unicode's normal form C: macOS writes an é as an e and an accent, others as one letter."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def of_system(name: str) -> str:
    """Why a file or folder of this name is never a person's: "hidden", or that it is of a system; "" if it may be."""
    if name.startswith(".") and name not in (".", ".."):
        return "hidden"
    return "of the system" if name.lower() in SYSTEM else ""


def judged(name: str, head: Callable[[], IO[bytes]]) -> str:
    """Why a file is not taken for a picture; "" if it is.

    Args:
        name: the last part of it.
        head: opens it; asked only where its name has no ending.
    """
    if kinds.is_named(name):
        return ""
    ending = Path(name).suffix.lower()
    if ending in kinds.HEIC_ENDINGS:
        return kinds.heic_missing()
    if ending:
        return f"ending {ending[:12]}"
    try:
        with head() as stream:
            return kinds.refusal(stream.read(kinds.HEAD)) and "no ending, and no picture"
    except (OSError, EOFError, RuntimeError, ValueError, ImageError):
        return "no ending, and cannot be read"


def opened(file: Path) -> IO[bytes]:
    """The bytes of a file, to be closed by whoever reads them."""
    return file.open("rb")


def _judged(entry: os.DirEntry, parts: tuple[str, ...], also: tuple[str, ...]) -> Found | Passed:
    name = "/".join(parts)
    try:
        status = entry.stat()
    except OSError:
        return Passed(TO_NOTHING, name, entry.path if kinds.is_named(entry.name) else "")
    if not stat.S_ISREG(status.st_mode):
        return Passed("pipe or device", name, entry.path if kinds.is_named(entry.name) else "")
    said = "" if entry.name in also else judged(entry.name, partial(opened, Path(entry)))
    return Passed(said, name) if said else Found(parts, entry.path, status, entry.is_symlink())


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False


def _is_new(folder: os.DirEntry, visited: set[tuple[int, int]]) -> bool:
    """False if it was visited already: links may form a loop."""
    status = Path(folder).stat()  # where Windows tells the identity, too
    identity = status.st_dev, status.st_ino
    new = identity not in visited
    visited.add(identity)
    return new
