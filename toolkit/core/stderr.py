"""Silencing standard error, where compiled code writes past Python: no noise in notebooks and terminals."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silenced() -> Iterator[None]:
    """Redirect this process's standard error to the null device; exceptions still reach the caller.

    >>> with silenced():
    ...     _ = os.write(2, b"INFO: created a delegate")
    """
    sys.stderr.flush()
    try:
        saved = os.dup(2)
    except OSError:  # this process has no standard error
        yield
        return
    with open(os.devnull, "wb") as null:  # noqa: PTH123 - a device, not a path
        os.dup2(null.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
