"""Interrupts that wait for a good moment: Ctrl-C is not lost where Python cannot pass it on, as in a destructor."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_arrived = threading.Event()


@contextmanager
def held() -> Iterator[None]:
    """Hold back Ctrl-C until `check` is called, or the block ends; a second one comes through at once.

    Raises:
        KeyboardInterrupt: at the end, if one was held back.

    >>> with held():
    ...     check()
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):  # ignored, or not ours
        yield
        return

    def note(_number: int, _frame: FrameType | None) -> None:
        _arrived.set()
        signal.signal(signal.SIGINT, before)

    _arrived.clear()
    signal.signal(signal.SIGINT, note)
    try:
        yield
        check()
    finally:
        signal.signal(signal.SIGINT, before)


def check() -> None:
    """Raise the KeyboardInterrupt that `held` has held back, if there is one."""
    if _arrived.is_set():
        _arrived.clear()
        raise KeyboardInterrupt
