"""Pictures that are on this machine already: class folders, or a zip or tar of them.

    PICTURES/cars/1.jpg            PICTURES/train/cars/1.jpg
    PICTURES/tanks/2.jpg           PICTURES/test/tanks/2.jpg

Archives are read member by member and never unpacked, so a member's name cannot lead outside the dataset. A picture
must be read before the next one is asked for.
"""

import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any

from toolkit import images
from toolkit.core.paths import check_label
from toolkit.errors import SourceError
from toolkit.scrape.item import Item, Options

SPLIT_NAMES = {"train": "train", "training": "train", "test": "test", "testing": "test"}
SPLIT_NAMES |= dict.fromkeys(("val", "valid", "validation", "dev"), "val")
MAX_MEMBERS = 2_000_000
BROKEN = (OSError, EOFError, RuntimeError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError)
MAX_RATIO = 200  # unpacked to packed size of an archive; pictures hardly compress, bombs do


@dataclass(frozen=True)
class _File:
    parts: tuple[str, ...]  # below the folder or archive
    version: str  # changes when the content does
    open: Callable[[], IO[bytes]]


def items(argument: str, label: str, options: Options) -> Iterator[Item]:
    """The pictures of a folder or archive.

    Args:
        argument: path of a folder, .zip, .tar, .tar.gz, .tgz, .tar.bz2 or .tar.xz.
        label: class of all pictures in it; "" takes the names of the class folders.
        options: `limit` counts per class; `max_bytes` bounds a file.

    Raises:
        SourceError: nothing there, no pictures, or labels that cannot be told.
    """
    place = Path(argument).expanduser().resolve()
    taken: dict[str, int] = {}
    files: Iterable[_File] = _whole(place)
    if place.is_dir():  # list all of it before anything is kept; an archive would have to be read twice
        listed = list(files)
        _check_level(listed, label, place)
        files = listed
    for file in files:
        split, name = _split_and_label(file, label, place)
        taken[name] = taken.get(name, 0) + 1
        if options.limit is None or taken[name] <= options.limit:
            source_id = _as_text("/".join((place.name, *file.parts)))
            read = partial(_bounded, file, options.max_bytes)
            yield Item(name, "folder", f"{source_id}@{file.version}", split=split, read=read)
    if not taken:
        raise SourceError(f"expected pictures ({', '.join(images.ENDINGS[:4])}, …) in {place}, found none")


def name_within(item: Item) -> str:
    """Path of a picture that `items` gave, below its folder or archive."""
    return item.source_id.rpartition("@")[0].partition("/")[2]


def _split_and_label(file: _File, label: str, place: Path) -> tuple[str, str]:
    """The two folders above a picture: its class, and above that perhaps its split."""
    folders = file.parts[:-1]
    split = next((SPLIT_NAMES[name.lower()] for name in folders if name.lower() in SPLIT_NAMES), "")
    if label:
        return split, label
    classes = [name for name in folders if name.lower() not in SPLIT_NAMES]
    if not classes:
        raise SourceError(
            f"expected pictures in class folders such as {place.name}/cars/1.jpg, got {'/'.join(file.parts)}; move it "
            f"into one, or give all of them one label with folder:{place.name}=LABEL"
        )
    return split, check_label(classes[-1])


def _check_level(files: list[_File], label: str, place: Path) -> None:
    """Refuse classes on different levels: `cars/red/1.jpg` beside `tanks/2.jpg` says two things."""
    levels: dict[int, str] = {}
    for file in files:
        levels.setdefault(sum(name.lower() not in SPLIT_NAMES for name in file.parts[:-1]), "/".join(file.parts))
    if len(levels) > 1 and not label:
        examples = " and ".join(levels.values())
        raise SourceError(f"expected class folders on one level in {place}, got {examples}; move one of them")


def _as_text(name: str) -> str:
    """A file's name, with bytes that are no text written as \\udcXX, so that it can be stored."""
    return name.encode(errors="backslashreplace").decode()


def _whole(place: Path) -> Iterator[_File]:
    try:
        yield from _files(place)
    except BROKEN as error:
        raise SourceError(
            f"expected a whole folder or archive at {place}, got: {error}; fetch or pack it again"
        ) from error


def _files(place: Path) -> Iterator[_File]:
    if place.is_dir():
        return _in_folder(place)
    if not place.exists():
        raise SourceError(f"expected a folder or archive of pictures at {place}, found nothing; check the path")
    if zipfile.is_zipfile(place):
        return _in_zip(place)
    if tarfile.is_tarfile(place):
        return _in_tar(place)
    raise SourceError(f"expected a folder, zip or tar at {place}, got another kind of file")


def _is_picture(parts: tuple[str, ...]) -> bool:
    hidden = any(part.startswith((".", "__MACOSX")) for part in parts if part != "..")
    return not hidden and parts[-1].lower().endswith(images.ENDINGS)


def _in_folder(place: Path) -> Iterator[_File]:
    visited = {_identity(place)}
    for folder, below, names in os.walk(place, onerror=_unreadable, followlinks=True):
        below[:] = sorted(name for name in below if not name.startswith((".", "__MACOSX")))
        below[:] = [name for name in below if _first_visit(Path(folder, name), visited)]
        paths = [path for path in (Path(folder, name) for name in sorted(names)) if _is_picture((path.name,))]
        if not paths and not below:
            raise SourceError(f"expected pictures in {folder}, found none; fill the class or remove its folder")
        for path in paths:
            if path.is_file():  # not a dangling link
                status = path.stat()
                version = f"{status.st_size}-{status.st_mtime_ns}"
                yield _File(path.relative_to(place).parts, version, partial(_opened, path))


def _opened(path: Path) -> IO[bytes]:
    return path.open("rb")


def _unreadable(error: OSError) -> None:
    raise SourceError(f"expected a readable folder, got {error}; change its permissions or leave it out") from error


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _first_visit(folder: Path, visited: set[tuple[int, int]]) -> bool:
    """False if a link leads back to a folder that was visited: links may form a loop."""
    identity = _identity(folder)
    first = identity not in visited
    visited.add(identity)
    return first


def _in_zip(place: Path) -> Iterator[_File]:
    with zipfile.ZipFile(place) as archive:
        members = (info for info in archive.infolist() if not info.is_dir())
        for info in _bomb_checked(place, members, size=lambda info: info.file_size):
            parts = PurePosixPath(info.filename).parts
            if parts and _is_picture(parts):
                yield _File(parts, f"{info.file_size}-{info.CRC:08x}", partial(archive.open, info))


def _in_tar(place: Path) -> Iterator[_File]:
    with tarfile.open(place) as archive:
        members = (member for member in archive if member.isfile())  # no links, no devices
        for member in _bomb_checked(place, members, size=lambda member: member.size):
            parts = PurePosixPath(member.name).parts
            if parts and _is_picture(parts):
                yield _File(
                    parts,
                    f"{member.size}-{int(member.mtime)}-{member.offset_data}",
                    partial(_extracted, archive, member),
                )


def _extracted(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    stream = archive.extractfile(member)
    if stream is None:
        raise tarfile.TarError(f"expected a file, got another kind of member: {member.name}")
    return stream


def _bomb_checked(place: Path, members: Iterator[Any], *, size: Callable[[Any], int]) -> Iterator[Any]:
    """The members, until they are more or larger than any honest archive of pictures."""
    total, most = 0, MAX_RATIO * place.stat().st_size
    for count, member in enumerate(members, start=1):
        total += size(member)
        if count > MAX_MEMBERS or total > most:
            raise SourceError(
                f"expected an archive of at most {MAX_MEMBERS:,} files that grows at most {MAX_RATIO} times, got more "
                f"in {place.name}; unpack it yourself if you trust it"
            )
        yield member


def _bounded(file: _File, max_bytes: int) -> bytes:
    try:
        with file.open() as stream:
            content = stream.read(max_bytes + 1)  # a declared size may lie
    except BROKEN as error:
        raise SourceError(f"cannot be read: {error}") from error
    if len(content) > max_bytes:
        raise SourceError(f"more than the limit of {max_bytes:,} bytes")
    return content
