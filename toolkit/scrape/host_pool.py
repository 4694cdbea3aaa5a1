"""A thread pool with a limit per host: work for many hosts at a time, and little at a time for each of them."""

import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

AHEAD = 1000  # pieces of work that may wait: enough for every host to have some, few enough to hold in memory


class HostPool:
    """Thread pool with a limit per host, so that no thread waits for a busy host while another host has time.

    Leaving the `with` block waits for all that was added; an error in it drops what was not begun.

    Args:
        size: pieces of work at the same time.
        per_host: of these, for one host.

    Raises, on leaving or on `add`, whatever a piece of work raised first.

    >>> with HostPool(4, per_host=2) as pool:
    ...     pool.add("example.org", lambda: None)
    """

    def __init__(self, size: int, *, per_host: int):
        self._pool, self._per_host = ThreadPoolExecutor(size), per_host
        self._room, self._lock = threading.Semaphore(AHEAD), threading.Lock()
        self._busy: Counter[str] = Counter()
        self._waiting: dict[str, deque[Callable[[], None]]] = defaultdict(deque)
        self._problem: BaseException | None = None
        self._stopped = False

    def __enter__(self) -> "HostPool":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind:
            self._drop()
        self._pool.shutdown(wait=True)
        if self._problem and not kind:
            raise self._problem

    @property
    def failed(self) -> bool:
        """Whether a piece of work has failed, and nothing more is begun."""
        return self._problem is not None

    def add(self, host: str, work: Callable[[], None]) -> None:
        """Have `work` done when the host has a free slot; blocks while too much is waiting."""
        self._room.acquire()
        if self._problem:
            raise self._problem
        with self._lock:
            if self._busy[host] == self._per_host:
                self._waiting[host].append(work)
                return
            self._busy[host] += 1
        self._pool.submit(self._serve, host, work)

    def _serve(self, host: str, work: Callable[[], None] | None) -> None:
        """Do this work, and then what waits for the same host."""
        while work:
            try:
                if not self._stopped:
                    work()
            except BaseException as problem:
                self._problem = self._problem or problem
                self._drop()
            self._room.release()
            with self._lock:
                work = self._waiting[host].popleft() if self._waiting[host] else None
                self._busy[host] -= work is None

    def _drop(self) -> None:
        """Begin nothing more, and release the threads that wait to add something."""
        self._stopped = True
        with self._lock:
            dropped = sum(map(len, self._waiting.values()))
            self._waiting.clear()
        self._room.release(dropped + 1)
