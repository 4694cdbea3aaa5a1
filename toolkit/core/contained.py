"""Containment: the one door to the files of a dataset or run, which may come from a stranger in an archive or a clone.

A link or a name in it could lead to any file of this machine, to be shown, overwritten or removed. So a folder is
looked through before anything in it is opened, and the paths that its tables hold are looked at before they are joined.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from toolkit.errors import DatasetError

OWN = re.compile(r"raw(/(?!\.[^/]*/|\.{1,2}$)[^/\\\0]+)+")  # path of a picture: no hidden folder in it, nothing above
NOT_OWN = re.compile(
    r"(?:^|\0)(?!raw/)|//|/\.{1,2}(?:/|\0|$)|/\.[^/\0]*/|/(?:\0|$)|\\"
)  # the same of many, with \0 between


def folder(place: Path) -> Path:
    """Give back the folder of a dataset or of runs if nothing in it leads out of it, else raise.

    Hidden folders in it are not looked at: nothing of the toolkit lies there. A URL has no links.

    Args:
        place: the folder; it need not be there.

    Raises:
        DatasetError: a link in it leads out, or something is no file and no folder, such as a pipe.

    >>> folder(Path("data/pets"))  # doctest: +SKIP
    PosixPath('data/pets')
    """
    if isinstance(place, Path) and place.is_dir():
        root = os.path.realpath(place)
        for entry in _entries(root):
            if entry.is_symlink():
                _check_link(entry, root)
            elif not entry.is_file(follow_symlinks=False):
                raise DatasetError(
                    f"expected files and folders in {place}, got {os.path.relpath(entry.path, root)}, a pipe or "
                    "device; remove it"
                )
    return place


def inside(place: Path, root: Path) -> Path:
    """Give back a folder within a dataset if it lies in there itself, and nothing in it leads out, else raise.

    For what is read and written long after the dataset was opened.

    Args:
        place: the folder; it need not be there.
        root: of the dataset.

    Raises:
        DatasetError: as `folder`.
    """
    if not isinstance(place, Path):
        return place
    if f"{os.sep}." in os.sep + os.path.relpath(os.path.realpath(place), root.resolve()):
        raise DatasetError(
            f"expected {place} in {root}, got a link that leads out; put a copy in its place, or remove it"
        )
    return folder(place)


def paths(names: Iterable[str], *, of: Path, anywhere: bool = False) -> None:
    """Check the paths of pictures in a dataset, such as raw/cars/1.jpg: relative, below `raw/`, no hidden folder.

    Args:
        names: of any number.
        of: the table that holds them, for the message.
        anywhere: True takes those that are not below `raw/`, too, where they are only compared with such paths.

    Raises:
        DatasetError: one of them could lead elsewhere.
    """
    lines = list(names)
    joined = "\0".join(f"raw/{name}" for name in lines) if anywhere else "\0".join(lines)
    if lines and (NOT_OWN.search(joined) or joined.count("\0") >= len(lines)):
        wrong = next((name for name in lines if not is_own(f"raw/{name}" if anywhere else name)), "")
        raise DatasetError(
            f"expected paths of pictures such as raw/cars/1.jpg in {of}, got {wrong!r}; restore the table, or take "
            "that line out"
        )


def is_own(name: object) -> bool:
    """Whether this is the path of a picture in its own dataset.

    >>> is_own("raw/cars/1.jpg"), is_own("raw/../../thesis.txt"), is_own("/etc/passwd")
    (True, False, False)
    """
    return isinstance(name, str) and bool(OWN.fullmatch(name))


def appendable(file: Path) -> int:
    """Open a file that is written in place, at its end; a new one if there is none.

    Returns:
        The descriptor.

    Raises:
        DatasetError: it is a link, or no file, or has another name, by which something else is known.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    problem = "a link"
    if not file.is_symlink():
        opened = os.open(file, flags | getattr(os, "O_BINARY", 0), 0o644)
        status = os.fstat(opened)
        if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
            return opened
        os.close(opened)
        problem = "a file with a second name (hard link)" if stat.S_ISREG(status.st_mode) else "no file"
    raise DatasetError(f"expected a file of its own at {file}, got {problem}; replace it by a copy, or remove it")


def append(file: Path, text: str) -> None:
    """Append text, as UTF-8, to a file as `appendable` opens it, or at a URL."""
    with os.fdopen(appendable(file), "ab") if isinstance(file, Path) else file.open("ab") as opened:
        opened.write(text.encode())


def _entries(root: str) -> Iterator[os.DirEntry]:
    """All that lies in a folder, but for folders themselves; no link is followed."""
    folders = [root]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    yield entry
                elif not entry.name.startswith("."):
                    folders.append(entry.path)


def _check_link(entry: os.DirEntry, root: str) -> None:
    target = os.path.realpath(entry.path)
    inside = os.path.relpath(target, root)
    if inside != os.curdir and f"{os.sep}." in os.sep + inside:  # above it, or where nobody has looked
        raise DatasetError(
            f"expected all of {root} to lie there, got {os.path.relpath(entry.path, root)}, a link to {target}; put a "
            "copy of that in its place, or remove it"
        )
