"""Worker processes that share the work of this one, for functions that spend their time in Python itself.

Threads do not help there, since one interpreter runs at a time. joblib's processes would, but take a second to start
and load this program again; a worker here is a plain Python that loads only what the function needs. It is started when
more than a second of work is left, and meanwhile this process goes on. When a worker dies, its item is done here.
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
from typing import IO, Any

from toolkit.errors import ToolkitError

QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a Linux container: microseconds of all its cores in each period
TRIAL = 0.05  # seconds of work from which the rest is estimated
WORTH = 0.5  # seconds of work for each worker that are worth its start

Process = subprocess.Popen[bytes]


def cores() -> int:
    """Cores that this process may use: those it is bound to, or fewer where a container has a CPU quota."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):  # no container, or no quota: the file says "max"
        quota, period = map(int, QUOTA.read_text().split())
        bound = min(bound, math.ceil(quota / period))
    return max(1, bound)


def map_in_processes(
    function: Callable[[Any], Any], items: Sequence[Any], *, most: int, at_once: bool = False
) -> Iterator[Any]:
    """Yield `function(item)` for every item, in the order of the items.

    Args:
        function: takes one item; picklable, and from a module that does no harm when it is loaded again.
        items: what to work on, each worth some milliseconds.
        most: processes, this one among them.
        at_once: start all of them without a trial, for work that is known to be long.

    >>> list(map_in_processes(abs, [-1, 2], most=2))
    [1, 2]
    """
    work = _SharedWork(function, items)
    begun = time.monotonic()
    tried = at_once
    try:
        if at_once:
            work.start_workers(min(most, len(items)) - 1)
        for index in range(len(items)):
            while index not in work.results:
                work.do_next(awaited=index)
            yield work.results.pop(index)
            seconds = time.monotonic() - begun
            if seconds > TRIAL and not tried:
                tried = True
                seconds_left = seconds / (index + 1) * (len(items) - index - 1)
                work.start_workers(min(most - 1, int(seconds_left / WORTH)))
    finally:
        work.stop()


def in_new_process(function: Callable[[Any], Any], item: Any) -> Any:
    """The result of `function(item)` in another process, which is started for it.

    Args:
        function: as for `map_in_processes`.
        item: what to work on.

    Raises:
        ToolkitError: the process died.

    >>> in_new_process(abs, -1)
    1
    """
    request = pickle.dumps(function) + pickle.dumps(item)
    done = subprocess.run(
        _command(), input=request, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    if not done.stdout:
        raise ToolkitError(f"expected an answer from another process, it ended with {done.returncode}")
    return pickle.loads(done.stdout)


class _SharedWork:
    """Items that several processes work on: those still to do, and the results by index."""

    def __init__(self, function: Callable[[Any], Any], items: Sequence[Any]):
        self.function, self.items = function, items
        self.results: dict[int, Any] = {}
        self._todo = list(range(len(items)))[::-1]
        self._changed = threading.Condition()
        self._workers: list[tuple[Process, threading.Thread]] = []

    def do_next(self, *, awaited: int) -> None:
        """Do the next item in this process; if none is left, wait for the awaited result."""
        index = self._next()
        if index is not None:
            self._finish(index, self.function(self.items[index]))
            return
        with self._changed:
            self._changed.wait_for(lambda: awaited in self.results or self._todo)

    def start_workers(self, count: int) -> None:
        """Start workers, and a thread that talks to each."""
        for _ in range(count if sys.executable else 0):
            worker = started()
            feeder = threading.Thread(target=self._feed, args=(worker,), daemon=True)
            self._workers.append((worker, feeder))
            feeder.start()

    def stop(self) -> None:
        """End all workers, whatever they are doing."""
        self._todo.clear()
        for worker, feeder in self._workers:
            worker.kill()
            worker.wait()
            feeder.join()
            requests, answers = pipes(worker)
            answers.close()
            with suppress(OSError):  # an item that was not sent yet
                requests.close()

    def _feed(self, worker: Process) -> None:
        """Send a worker one item after another, and take its results."""
        index = None
        requests, answers = pipes(worker)
        try:
            pickle.dump(self.function, requests)
            while (index := self._next()) is not None:
                pickle.dump(self.items[index], requests)
                requests.flush()
                self._finish(index, pickle.load(answers))
            requests.close()
        except (OSError, EOFError, ValueError, pickle.UnpicklingError):  # the worker died, or was ended
            if index is not None:
                with self._changed:
                    self._todo.append(index)
                    self._changed.notify_all()

    def _next(self) -> int | None:
        with self._changed:
            return self._todo.pop() if self._todo else None

    def _finish(self, index: int, result: Any) -> None:
        with self._changed:
            self.results[index] = result
            self._changed.notify_all()


def started() -> Process:
    """A worker: it reads a function and then items from its standard input, and writes the results, all pickled."""
    return subprocess.Popen(
        _command(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # an item that fails there is done again here, where its error is reported
        env=_environment(),
    )


def pipes(worker: Process) -> tuple[IO[bytes], IO[bytes]]:
    """Standard input and output of a worker."""
    if worker.stdin is None or worker.stdout is None:
        raise ToolkitError("expected a worker with pipes, got none")
    return worker.stdin, worker.stdout


def _command() -> list[str]:
    return [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; import {__name__} as w; w.serve()"]


def _environment() -> dict[str, str]:
    return os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def serve() -> None:
    """A worker's main loop: a function comes in, then items; results go out, until nothing more comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupted run ends its workers itself
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library's print must not mix with the answers
    try:
        function = pickle.load(sys.stdin.buffer)
        while True:
            pickle.dump(function(pickle.load(sys.stdin.buffer)), answers)
            answers.flush()
    except (EOFError, BrokenPipeError):
        return
