"""File locks: who writes a file waits for whoever writes it now, or is told of them.

Advisory locks of the system (flock); where it has none, as on Windows and some network file systems, nobody waits.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from toolkit.errors import ToolkitError

if sys.platform != "win32":
    import fcntl


def is_free(opened: int) -> bool:
    """Lock an open file if nobody has, until it is closed; False if somebody has.

    Args:
        opened: its descriptor.
    """
    if sys.platform != "win32":
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # no locks on this file system
            return True
    return True


@contextmanager
def alone(folder: Path, *, kind: str) -> Iterator[None]:
    """Work in a folder in which nobody else may do the same meanwhile.

    Args:
        folder: one that is not there, or at a URL, is everybody's.
        kind: what is done there, for the message, such as "training".

    Raises:
        ToolkitError: somebody else does.
    """
    if not _can_be_held(folder):
        yield
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        if not is_free(opened):
            raise ToolkitError(f"expected one {kind} in {folder} at a time, found another; wait until it is done")
        yield
    finally:
        os.close(opened)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Wait until nobody else holds a folder, and hold it; a file in it can then be read, changed and replaced.

    Args:
        folder: one that is not there, or at a URL, cannot be held.
    """
    if not _can_be_held(folder):
        yield
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # no locks on this file system
            fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def _can_be_held(folder: Path) -> bool:
    return isinstance(folder, Path) and folder.is_dir() and sys.platform != "win32"  # where no folder can be opened
