"""Standard error in a terminal: silent where compiled code writes past Python, a passing word where work takes long."""

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


@contextmanager
def notice(text: str) -> Iterator[None]:
    """Sign of life: a line on standard error while something takes long, erased when it is done.

    It shows in a terminal alone, not where TOOLKIT_PROGRESS is 0, and not beside a progress bar, which is a sign of its
    own.

    Args:
        text: shorter than a line.

    >>> with notice("loading TensorFlow …"):
    ...     pass
    """
    bars = getattr(getattr(sys.modules.get("tqdm"), "tqdm", None), "_instances", ())
    if bars or not sys.stderr.isatty() or os.environ.get("TOOLKIT_PROGRESS") == "0":
        yield
        return
    sys.stderr.write(text)
    sys.stderr.flush()
    try:
        yield
    finally:
        sys.stderr.write(f"\r{' ' * len(text)}\r")
        sys.stderr.flush()
