"""Work with a deadline: processes that do one thing with one item after another, and are ended when one takes too long.

A thread cannot be stopped, and a decoder in C does not look at a clock. What a stranger sent is opened here.
"""

import pickle
import queue
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from toolkit.core import workers
from toolkit.errors import ToolkitError


class TooLate(ToolkitError):
    """An item took longer than it may."""


class _Died(ToolkitError):
    """A process ended before it had answered."""


class Deadline:
    """Processes that compute `function(item)`, each within a deadline. Safe to use from several threads.

    A process is started when it is first needed, and again after one that was ended.

    Args:
        function: takes one item, both picklable; from a module that is quick to load.
        most: processes, and so items at a time; others wait for one, no longer than the deadline.
        seconds: that one item may take.

    >>> pool = Deadline(abs, most=1, seconds=60)
    >>> pool.run(-1), pool.close()
    (1, None)
    """

    def __init__(self, function: Callable[[Any], Any], *, most: int, seconds: float):
        self._function, self.seconds = function, seconds
        self._idle: queue.LifoQueue[workers.Process | None] = queue.LifoQueue()
        self._busy: set[workers.Process] = set()
        self._closed = False
        for _ in range(most):
            self._idle.put(None)

    def begin(self) -> None:
        """Start one process before it is needed, so that the first item does not wait for it."""
        with suppress(queue.Empty, ToolkitError, OSError):  # the first item tells what is wrong
            worker = self._idle.get_nowait()
            try:
                worker = worker or self._started()
                workers.pipes(worker)[0].flush()
            finally:
                self._idle.put(worker)
        if self._closed:  # meanwhile
            self.close()

    def run(self, item: Any) -> Any:
        """What the function makes of an item.

        Raises:
            TooLate: it took too long, or nobody was free in time.
            ToolkitError: the process died of it.
            Exception: what the function raised.
        """
        try:
            worker = self._idle.get(timeout=self.seconds)
        except queue.Empty:
            raise TooLate(f"expected a free process within {self.seconds:g} s, got none; ask again later") from None
        kept, is_fresh = None, worker is None
        try:
            worker = worker or self._started()
            self._busy.add(worker)
            succeeded, answer = self._asked(worker, item)
            kept = worker
        except _Died:
            if is_fresh:
                raise
        finally:
            self._busy.discard(worker)
            if kept is None and worker is not None:
                _end(worker)
            self._idle.put(kept)
        if kept is None:  # it had died before, of something else
            return self.run(item)
        if succeeded:
            return answer
        raise answer

    def close(self) -> None:
        """End all processes, whatever they are doing."""
        self._closed = True
        for worker in [*self._busy]:
            worker.kill()
        idle = []
        with suppress(queue.Empty):
            while True:
                idle.append(self._idle.get_nowait())
        for left in idle:
            if left:
                _end(left)
            self._idle.put(None)  # for whoever waits, and is told

    def _started(self) -> workers.Process:
        if self._closed:
            raise ToolkitError("expected work before the end, got it after; it is being stopped")
        worker = workers.started()
        pickle.dump(Guarded(self._function), workers.pipes(worker)[0])
        return worker

    def _asked(self, worker: workers.Process, item: Any) -> tuple[bool, Any]:
        begun, (requests, answers) = time.monotonic(), workers.pipes(worker)
        timer = threading.Timer(self.seconds, worker.kill)
        timer.daemon = True
        timer.start()
        try:
            pickle.dump(item, requests)
            requests.flush()
            return pickle.load(answers)
        except (OSError, EOFError, ValueError, pickle.UnpicklingError) as error:
            if time.monotonic() - begun >= self.seconds:
                raise TooLate(f"expected it done within {self.seconds:g} s, it was not") from error
            raise _Died("expected an answer from another process, it died") from error
        finally:
            timer.cancel()


class Guarded:
    """A function that returns what it raises: whether it succeeded, and its result or the exception."""

    def __init__(self, function: Callable[[Any], Any]):
        self.function = function

    def __call__(self, item: Any) -> tuple[bool, Any]:
        """The outcome for one item."""
        try:
            return True, self.function(item)
        except Exception as error:
            return False, error


def _end(worker: workers.Process) -> None:
    worker.kill()
    for pipe in workers.pipes(worker):
        with suppress(OSError):
            pipe.close()
    with suppress(subprocess.TimeoutExpired):
        worker.wait(timeout=5)
