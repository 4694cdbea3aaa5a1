"""The files of a place, by one rule whatever it is: a folder, a zip, a tar, or a URL of one of these.

Archives are read member by member and never unpacked, so a member's name cannot lead outside. Names are compared in
one form: parts with `/` between them, without drives, roots and `..`, in Unicode's normal form C.
"""

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from toolkit.core import remote
from toolkit.errors import SourceError
from toolkit.images import files
from toolkit.images.files import Found, Passed
from toolkit.scrape import archives
from toolkit.scrape.archives import Member

BROKEN = (OSError, EOFError, RuntimeError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError)
OTHERS = {b"Rar!": "a RAR archive", b"7z\xbc\xaf": "a 7z archive"}  # by their first bytes
ZIP = b"PK\x03\x04"


@dataclass(frozen=True)
class File:
    """A file that may be a picture.

    Args:
        parts: of its name below the place.
        version: changes when the content does.
        size: bytes, as they are told.
        open: gives its bytes.
    """

    parts: tuple[str, ...]
    version: str
    size: int
    open: Callable[[], IO[bytes]]


def path(argument: str) -> Path:
    """A place by its name: a path, resolved, or a URL."""
    return remote.path(argument) if remote.is_url(argument) else Path(argument).expanduser().resolve()


@contextmanager
def listed(place: Path, *, also: tuple[str, ...] = ()) -> Iterator[tuple[list[File], list[Passed]]]:
    """The pictures of a place, which can be opened within the block, and what is passed over.

    Args:
        place: a folder, zip or tar, here or at a URL.
        also: names of files that are given among the pictures, such as metadata.csv.

    Raises:
        SourceError: there is nothing, or something else, or it cannot be read.
    """
    with ExitStack() as stack:
        try:
            found = list(_found(place, stack, also))
        except BROKEN as error:
            raise SourceError(
                f"expected a whole folder or archive at {place}, got: {error}; fetch or pack it again"
            ) from error
        yield [entry for entry in found if isinstance(entry, File)], [one for one in found if isinstance(one, Passed)]


def _found(place: Path, stack: ExitStack, also: tuple[str, ...]) -> Iterator[File | Passed]:
    if place.is_dir():
        return map(_here, files.below(str(place), also=also)) if isinstance(place, Path) else _there(place, also)
    if not place.exists():
        raise SourceError(f"expected a folder or archive of pictures at {place}, found nothing; check the path")
    stream = stack.enter_context(place.open("rb"))
    size = place.stat().st_size
    if zipfile.is_zipfile(stream):
        members = archives.of_zip(stack.enter_context(zipfile.ZipFile(stream)), place.name, size)
    elif _is_tar(stream):
        members = archives.of_tar(stack.enter_context(_tar(stream)), place.name, size)
    else:
        raise SourceError(_refusal(place, stream))
    return _of_members(members, also)


def _here(found: Found | Passed) -> File | Passed:
    if isinstance(found, Passed):
        return found
    parts, file, status, _ = found
    version = f"{status.st_size}-{status.st_mtime_ns}"
    if not Path(file).as_posix().endswith("/".join(parts)):
        version += archives.AS_WRITTEN
    return File(parts, version, status.st_size, partial(files.opened, Path(file)))


def _there(place: Path, also: tuple[str, ...]) -> Iterator[File | Passed]:
    return _of_members(archives.of_bucket(place), also)


def _of_members(members: list[Member], also: tuple[str, ...]) -> Iterator[File | Passed]:
    found = list(archives.judged(members, also=also))
    yield from (one for one in found if isinstance(one, Passed))
    pictures = [one for one in found if not isinstance(one, Passed)]
    for parts, member in sorted(pictures, key=lambda one: one[1].order):  # a packed tar can only be read onwards
        if member.open:
            yield File(parts, member.version, member.size, member.open)


def _tar(stream: IO[bytes]) -> tarfile.TarFile:
    return tarfile.open(fileobj=stream)  # noqa: SIM115 - it is closed with the place


def _is_tar(stream: IO[bytes]) -> bool:
    stream.seek(0)
    is_tar = tarfile.is_tarfile(stream)
    stream.seek(0)
    return is_tar


def _refusal(place: Path, stream: IO[bytes]) -> str:
    """What is said of a file that is no archive that is read."""
    head = stream.read(8)
    if head.startswith(ZIP):
        return f"expected a whole zip at {place}, got one whose end is missing; fetch it again"
    other = next((f"{name}; unpack it" for start, name in OTHERS.items() if head.startswith(start)), "")
    return f"expected a folder, zip or tar at {place}, got {other or 'another kind of file'}"
