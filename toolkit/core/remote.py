"""Remote datasets: s3://bucket/pets and whatever else fsspec reaches, as paths like those of local files.

A name with `://` in it becomes a `UPath` of universal_pathlib, which joins, reads and writes as a `pathlib.Path` does;
file:// and all other names stay plain paths, so local work costs nothing here.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote, urlsplit

from toolkit.core import extras
from toolkit.errors import DatasetError, ImageError

if TYPE_CHECKING:
    from upath import UPath


READERS: dict[str, Callable[[str], bytes]] = {}
"""What reads a file at a URL in place of fsspec, by the scheme of the URL; raises ImageError where it cannot."""


def is_url(name: object) -> bool:
    """Whether a name is a URL, which fsspec reaches.

    >>> is_url("s3://bucket/pets"), is_url("data/pets"), is_url(Path("pets"))
    (True, False, False)
    """
    return not isinstance(name, Path | bytes) and "://" in str(name)


def path(name: str | Path) -> Path:
    """A path, local or remote: it joins, reads and writes as a `pathlib.Path` does.

    Args:
        name: a path, or a URL such as s3://bucket/pets, gs://bucket/pets, sftp://host/pets or file:///data/pets.

    Raises:
        DatasetError: the library for this kind of URL is missing, or there is none.

    >>> path("file:///data/pets")
    PosixPath('/data/pets')
    """
    if not is_url(name):
        return Path(name)
    if str(name).startswith("file://"):
        return Path(unquote(urlsplit(str(name)).path))
    try:
        from upath import UPath

        remote = UPath(name)
        remote.fs  # noqa: B018 - connects, so that a missing library is reported here
    except ImportError as error:
        missing = extras.remedy("upath") if error.name == "upath" else str(error)
        raise DatasetError(f"expected the libraries that reach {name}, found them missing: {missing}") from error
    except ValueError as error:
        raise DatasetError(f"expected a path or a URL that fsspec knows, got {name}: {error}") from error
    return cast(Path, remote)  # not a subclass, but with its methods


def content(source: str | Path | bytes) -> str | Path | bytes:
    """The bytes of a remote file; anything else is given back as it is.

    Raises:
        ImageError: no file there, or it cannot be read.
    """
    if isinstance(source, bytes) or not is_url(source):
        return source
    scheme = str(source).partition("://")[0]
    if scheme in READERS:
        return READERS[scheme](str(source))
    try:
        return path(source).read_bytes()
    except FileNotFoundError as error:
        raise ImageError(f"no file at {source}") from error
    except OSError as error:
        raise ImageError(f"cannot be read: {error}") from error


def exist(files: Sequence[Path]) -> list[bool]:
    """Which of these files exist and are not empty: remote folders are listed once, since each request takes long."""
    listings: dict[UPath, set[str]] = {}
    return [_is_filled(file) if isinstance(file, Path) else _is_listed(file, listings) for file in files]


def _is_filled(file: Path) -> bool:
    try:
        return file.stat().st_size > 0  # one that a loss of power left empty has to be written again
    except OSError:  # no such file, or a name that is too long, which writing will report
        return False


def _is_listed(file: "UPath", listings: dict["UPath", set[str]]) -> bool:
    if file.parent not in listings:
        file.fs.invalidate_cache()
        listings[file.parent] = set(file.fs.find(file.parent.path))
    return file.path in listings[file.parent]


def glob(folder: Path, pattern: str) -> list[Path]:
    """The files in a folder that fit a pattern, sorted by name; a remote folder is listed as it is now."""
    if not isinstance(folder, Path):
        folder.fs.invalidate_cache()
    return sorted(folder.glob(pattern), key=str) if folder.exists() else []


def exists(file: Path) -> bool:
    """Whether a file exists.

    Raises:
        DatasetError: its server cannot be reached.
    """
    if isinstance(file, Path):
        return file.exists()
    try:
        return file.exists()
    except Exception as error:  # every kind of server has errors of its own
        raise DatasetError(f"expected to reach {file}, got {type(error).__name__}: {error}") from error


@contextmanager
def atomic_write(target: "UPath") -> Iterator[Path]:
    """Atomic write: give a temporary file on this machine; on leaving, put it to `target` in one piece."""
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder, target.name)
        yield temporary
        target.parent.mkdir(parents=True, exist_ok=True)
        target.fs.put_file(str(temporary), target.path)


def bytes_by_folder(folder: Path) -> dict[str, list[int]]:
    """The size in bytes of every file in each folder of this one, at any depth; folders sorted by number, then name."""
    sizes: dict[str, list[int]] = {}
    if isinstance(folder, Path):
        files = [(file.relative_to(folder), file.stat().st_size) for file in folder.rglob("*") if file.is_file()]
    else:
        details = folder.fs.find(folder.path, detail=True) if folder.exists() else {}
        files = [(PurePosixPath(name).relative_to(folder.path), entry["size"]) for name, entry in details.items()]
    for name, size in files:
        if len(name.parts) > 1:
            sizes.setdefault(name.parts[0], []).append(size)
    return dict(sorted(sizes.items(), key=lambda item: (not item[0].isdigit(), item[0].zfill(9))))
