"""Other processes that share the work of this one, for work in which Python itself is what takes the time.

Threads do not help there, since one interpreter runs at a time. A worker is a plain Python that loads only what the
function needs; it is started when more than a second of work is left, and meanwhile this process goes on. When a
worker dies, what it had in hand is done here.
"""

import math
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from toolkit.errors import ToolkitError

QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a Linux container: microseconds of all its cores in each period
TRIAL = 0.05  # seconds of work from which the rest is estimated
WORTH = 0.5  # seconds of work for each worker that are worth its start


def cores() -> int:
    """Cores that this process may use: those it is bound to, or fewer where a container has a CPU quota."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):  # no container, or no quota: the file says "max"
        quota, period = (int(number) for number in QUOTA.read_text().split())
        bound = min(bound, math.ceil(quota / period))
    return max(1, bound)


def map(function: Callable[[Any], Any], items: Sequence[Any], *, most: int, at_once: bool = False) -> Iterator[Any]:
    """Yield `function(item)` for every item, in the order of the items.

    Args:
        function: takes one item; picklable, and from a module that does no harm when it is loaded again.
        items: what to work on, each worth some milliseconds.
        most: processes, this one among them.
        at_once: start all of them without a trial, for work that is known to be long.

    >>> list(map(abs, [-1, 2], most=2))
    [1, 2]
    """
    share = _Share(function, items)
    begun, done = time.monotonic(), 0
    try:
        share.call(min(most, len(items)) - 1 if at_once else 0)
        for place in range(len(items)):
            while place not in share.results:
                share.work(place)
            yield share.results.pop(place)
            took = time.monotonic() - begun
            if took > TRIAL and not done and not at_once:
                done = place + 1
                share.call(min(most - 1, int(took / done * (len(items) - done) / WORTH)))
    finally:
        share.dismiss()


def apart(function: Callable[[Any], Any], item: Any) -> Any:
    """The result of `function(item)` in another process, which is started for it.

    Args:
        function: as for `map`.
        item: what to work on.

    Raises:
        ToolkitError: the process died.

    >>> apart(abs, -1)
    1
    """
    words = pickle.dumps(function) + pickle.dumps(item)
    done = subprocess.run(
        _command(), input=words, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    if not done.stdout:
        raise ToolkitError(f"expected an answer from another process, it ended with {done.returncode}")
    return pickle.loads(done.stdout)


class _Share:
    """Work that is shared: what is still to do, and the results that came."""

    def __init__(self, function: Callable[[Any], Any], items: Sequence[Any]):
        self.function, self.items, self.results = function, items, {}
        self._todo = list(range(len(items)))[::-1]
        self._changed = threading.Condition()
        self._workers: list[tuple[subprocess.Popen, threading.Thread]] = []

    def work(self, wanted: int) -> None:
        """Do the next item here; if none is left, wait for the wanted one."""
        place = self._next()
        if place is not None:
            self._done(place, self.function(self.items[place]))
            return
        with self._changed:
            self._changed.wait_for(lambda: wanted in self.results or self._todo)

    def call(self, workers: int) -> None:
        """Start workers, and a thread that talks to each."""
        for _ in range(workers if sys.executable else 0):
            worker = subprocess.Popen(
                _command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # what fails there is done again here, and told of
                env=_environment(),
            )
            feeder = threading.Thread(target=self._feed, args=(worker,), daemon=True)
            self._workers.append((worker, feeder))
            feeder.start()

    def dismiss(self) -> None:
        """End all workers, whatever they are at."""
        self._todo.clear()
        for worker, feeder in self._workers:
            worker.kill()
            worker.wait()
            feeder.join()
            worker.stdout.close()
            with suppress(OSError):  # what it was not told any more
                worker.stdin.close()

    def _feed(self, worker: subprocess.Popen) -> None:
        place = None
        try:
            pickle.dump(self.function, worker.stdin)
            while (place := self._next()) is not None:
                pickle.dump(self.items[place], worker.stdin)
                worker.stdin.flush()
                self._done(place, pickle.load(worker.stdout))
            worker.stdin.close()
        except (OSError, EOFError, ValueError, pickle.UnpicklingError):  # it died, or was told to
            if place is not None:
                with self._changed:
                    self._todo.append(place)
                    self._changed.notify_all()

    def _next(self) -> int | None:
        with self._changed:
            return self._todo.pop() if self._todo else None

    def _done(self, place: int, result: Any) -> None:
        with self._changed:
            self.results[place] = result
            self._changed.notify_all()


def _command() -> list[str]:
    return [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; import {__name__} as w; w.serve()"]


def _environment() -> dict[str, str]:
    return os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def serve() -> None:
    """What a worker does: a function comes in, then items; results go out, until nothing more comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who interrupts the run ends its workers
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    try:
        function = pickle.load(sys.stdin.buffer)
        while True:
            pickle.dump(function(pickle.load(sys.stdin.buffer)), answers)
            answers.flush()
    except (EOFError, BrokenPipeError):
        return
