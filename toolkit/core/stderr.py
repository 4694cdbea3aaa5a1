"""Keep what compiled code writes to standard error, past Python, away from people's notebooks and terminals."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def compiled() -> Iterator[None]:
    """Standard error of this process leads nowhere meanwhile; what Python raises is raised all the same.

    >>> with compiled():
    ...     _ = os.write(2, b"INFO: created a delegate")
    """
    sys.stderr.flush()
    try:
        saved = os.dup(2)
    except OSError:  # no standard error to speak of
        yield
        return
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device, not a path
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
