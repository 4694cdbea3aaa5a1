"""Datasets that lie elsewhere: s3://bucket/pets and whatever else fsspec reaches, as paths like those of local files.

A name with `://` in it becomes a `UPath` of universal_pathlib, which joins, reads and writes as a `pathlib.Path` does;
file:// and all other names stay plain paths, so nothing here costs local work anything.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from toolkit.errors import DatasetError, ImageError


def is_url(place: object) -> bool:
    """Whether this names something that is reached through fsspec.

    >>> is_url("s3://bucket/pets"), is_url("data/pets"), is_url(Path("pets"))
    (True, False, False)
    """
    return not isinstance(place, Path | bytes) and "://" in str(place)


def path(place: str | Path) -> Path:
    """A path that joins, reads and writes, whether it is here or elsewhere.

    Args:
        place: a path, or a URL such as s3://bucket/pets, gs://bucket/pets, sftp://host/pets or file:///data/pets.

    Raises:
        DatasetError: the library that reaches such places is missing, or none does.

    >>> path("file:///data/pets")
    PosixPath('/data/pets')
    """
    if not is_url(place):
        return Path(place)
    if str(place).startswith("file://"):
        return Path(unquote(urlsplit(str(place)).path))
    try:
        from upath import UPath

        found = UPath(place)
        found.fs  # noqa: B018 - connects, so that a missing library is told of here
    except ImportError as error:
        missing = "run `pip install universal-pathlib`" if error.name == "upath" else str(error)
        raise DatasetError(f"expected the libraries that reach {place}, found them missing: {missing}") from error
    except ValueError as error:
        raise DatasetError(f"expected a path or a URL that fsspec knows, got {place}: {error}") from error
    return found


def content(source: object) -> object:
    """The bytes of a file that lies elsewhere; anything else is given back as it is.

    Raises:
        ImageError: no file there, or it cannot be read.
    """
    if not is_url(source):
        return source
    try:
        return path(source).read_bytes()
    except FileNotFoundError as error:
        raise ImageError(f"no file at {source}") from error
    except OSError as error:
        raise ImageError(f"cannot be read: {error}") from error


def there(files: Sequence[Path]) -> list[bool]:
    """Which of these files exist and hold something: elsewhere by one listing per folder, since asking is a journey."""
    known: dict[Path, set[str]] = {}
    return [_is_file(file) if isinstance(file, Path) else file.path in _listed(file, known) for file in files]


def _is_file(file: Path) -> bool:
    try:
        return file.stat().st_size > 0  # one that a loss of power left empty has to be written again
    except OSError:  # none there, or a name that is too long, which writing will say
        return False


def _listed(file: Path, known: dict[Path, set[str]]) -> set[str]:
    if file.parent not in known:
        file.fs.invalidate_cache()
        known[file.parent] = set(file.fs.find(file.parent.path))
    return known[file.parent]


def exists(file: Path) -> bool:
    """Whether a file is there.

    Raises:
        DatasetError: the place it would be at cannot be reached.
    """
    if isinstance(file, Path):
        return file.exists()
    try:
        return file.exists()
    except Exception as error:  # every kind of place has errors of its own
        raise DatasetError(f"expected to reach {file}, got {type(error).__name__}: {error}") from error


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """Give a temporary file on this machine; on leaving, put it to `target` in one piece, as object stores do."""
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
        found = folder.fs.find(folder.path, detail=True).items() if folder.exists() else ()
        files = [(PurePosixPath(name).relative_to(folder.path), facts["size"]) for name, facts in found]
    for name, size in files:
        if len(name.parts) > 1:
            sizes.setdefault(name.parts[0], []).append(size)
    return dict(sorted(sizes.items(), key=lambda item: (not item[0].isdigit(), item[0].zfill(9))))
