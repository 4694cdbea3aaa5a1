"""Files and folders alike: written whole or not at all, measured, removed."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolkit.model import bundle


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Like `paths.atomic_write`, for a file or a folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.making{path.suffix}")
    remove(temporary)  # of a process that was killed
    try:
        yield temporary
        temporary.replace(path)
    finally:
        remove(temporary)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it; nothing if nothing is there."""
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


def _inside(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in _inside(path))


def fingerprint(path: Path) -> str:
    """SHA-256 of a file, or of all files in a folder one after the other."""
    return bundle.fingerprint(*_inside(path))
