"""Mapping a function over many items: in parallel, in order, with a progress bar, and without dying of one bad item."""

import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import toolkit
from toolkit.core import workers
from toolkit.errors import ImageError, ToolkitError

PATIENCE = 5  # seconds to wait for a cluster to answer
BATCH = 128  # items sent to another process at a time, at most: enough to forget what sending costs, little to lose

if TYPE_CHECKING:
    from tqdm import tqdm


@dataclass(frozen=True)
class Failure:
    """What became of an item whose function raised: a status and a reason in words."""

    status: str
    reason: str


def map(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    *,
    description: str = "",
    jobs: int = -1,
    shared: bool = False,
    processes: bool = False,
    at_once: bool = False,
) -> Iterator[Any]:
    """Yield `function(item)` for every item, in the order of the items.

    Args:
        function: takes one item. Picklable if the work is sent to other processes.
        items: what to work on.
        description: text of the progress bar; "" shows no bar.
        jobs: workers; -1 means one per core, 1 means no parallel work. Threads by default, since Pillow and OpenCV
            release the interpreter's lock; `cluster`, or `with joblib.parallel_config(backend="dask")`, sends the work
            to other processes or machines, up to `BATCH` items at a time; what an item asks `map` for in its turn stays
            on the worker that has it.
        shared: True for a function that holds open files or locks, and can work in threads of this process only.
        processes: True for a function that spends its time in Python itself: other processes then share the work with
            this one, see `workers`, unless joblib is told to use something else.
        at_once: True for items that take long, such as trainings: those processes begin without a trial, and where
            joblib uses something else each item has one, since threads share what a seed is set for.

    Yields:
        The function's result, or a `Failure` where it raised an `Exception`.

    >>> list(map(lambda n: 10 // n, [5, 0, 2], jobs=1))
    [2, Failure(status='failed', reason='ZeroDivisionError: integer division or modulo by zero'), 5]
    """
    if len(items) < 2:  # nothing to share out, and who asks about one picture need not wait for joblib to load
        yield from (_guarded(function, item) for item in items)
        return
    import joblib
    from joblib.parallel import LokyBackend, get_active_backend

    hints = {"prefer": "threads", "require": "sharedmem" if shared else None}
    backend, _ = get_active_backend(**hints)
    if processes and isinstance(get_active_backend()[0], LokyBackend):  # joblib's choice if nobody made another
        most = joblib.effective_n_jobs(jobs)
        results = workers.map(partial(_guarded, function), items, most=most, at_once=at_once)
    else:
        here = getattr(backend, "uses_threads", False)
        how = {} if here else _batches(len(items), backend.effective_n_jobs(jobs))
        lazily = "generator" if backend.supports_return_generator else "list"
        crew = joblib.Parallel(n_jobs=jobs, return_as=lazily, **hints, **how)
        one = joblib.delayed(_apart if at_once else _guarded if here else _away)
        results = crew(one(function, item) for item in items)
    shown = iter(progress(results, total=len(items), description=description))
    try:
        for result in shown:  # noqa: UP028 - `yield from` would close it before the warning can be held back
            yield result
    except GeneratorExit:
        with warnings.catch_warnings(action="ignore"):  # joblib warns of what was begun; who stops early knows
            getattr(results, "close", list)()  # some backends give a list
        raise


def away() -> bool:
    """Whether `map` sends its work to other processes or machines whatever it is, as within `cluster`."""
    from joblib.parallel import get_active_backend

    return not getattr(get_active_backend(prefer="threads")[0], "uses_threads", False)


def at_a_time(jobs: int) -> int:
    """How many items `map` has under way with so many jobs; a cluster has as many as its workers have threads.

    >>> at_a_time(1)
    1
    """
    import joblib

    return joblib.effective_n_jobs(jobs)


@contextmanager
def cluster(address: str | None, *, needs: Path | None = None) -> Iterator[None]:
    """Send what `map` does meanwhile to a Dask cluster.

    What a lost worker had in hand is done again by another.

    Args:
        address: of the scheduler, tcp://host:port; None works on this machine.
        needs: a file or folder every worker must be able to see, by path or URL.

    Raises:
        ToolkitError: nothing answers there, no worker is connected, or one lacks the file or this version.

    >>> with cluster("tcp://10.0.0.1:8786"):  # doctest: +SKIP
    ...     verify.check(manifest)
    """
    if not address:
        yield
        return
    import joblib

    with _client(address) as client:
        _check(client, address, needs)
        with joblib.parallel_config(backend="dask", client=client):
            yield


def progress(
    items: Iterable[Any] | None, *, total: int | None = None, description: str = "", unit: str = "it"
) -> "tqdm":
    """Wrap `items` in a progress bar; with None it is moved by hand, with its `update` and `set_postfix`.

    None is shown for an empty description, in a log instead of on a screen, and where TOOLKIT_PROGRESS is 0.
    """
    from tqdm.auto import tqdm

    watched = sys.stderr.isatty() or "ipykernel" in sys.modules
    hidden = not description or not watched or os.environ.get("TOOLKIT_PROGRESS") == "0"
    return tqdm(items, total=total, desc=description, disable=hidden, leave=False, dynamic_ncols=True, unit=unit)


def _batches(items: int, workers: int) -> dict[str, object]:
    """How many items go to a process at a time, and how many are under way: at least 8 batches for every worker."""
    size = min(BATCH, max(1, items // (8 * workers)))
    return {"batch_size": size, "pre_dispatch": 3 * size * workers}


def _guarded(function: Callable[[Any], Any], item: Any) -> Any:
    try:
        return function(item)
    except ImageError as error:
        return Failure(error.status, error.reason)
    except Exception as error:
        return Failure("failed", f"{type(error).__name__}: {error}")


def _away(function: Callable[[Any], Any], item: Any) -> Any:
    """The same on a worker. A cluster whose workers wait for one another would wait forever."""
    import joblib

    with joblib.parallel_config(backend="threading"):
        return _guarded(function, item)


def _apart(function: Callable[[Any], Any], item: Any) -> Any:
    """The same in a process of its own; that it died is a failure like any other."""
    return _guarded(partial(workers.apart, partial(_guarded, function)), item)


def _client(address: str) -> Any:
    """A connection to the scheduler of a cluster."""
    try:
        from distributed import Client
    except ImportError as error:
        raise ToolkitError(
            'expected the library of clusters, found none; run `pip install "image-classifier-toolkit[cluster]"`'
        ) from error
    try:
        return Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:  # nobody there, or no address at all
        raise ToolkitError(
            f"expected a Dask scheduler at {address}, got no answer in {PATIENCE} s; start one with `dask scheduler`, "
            "and give its address as tcp://host:port"
        ) from error


def _check(client: Any, address: str, needs: Path | None) -> None:
    """See that there are workers, and that each can do what it will be asked."""
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
        found = client.run(_able, needs)
    except OSError as error:
        raise ToolkitError(
            f"expected workers at {address}, found none in {PATIENCE} s; start some with `dask worker {address}`"
        ) from error
    except ModuleNotFoundError as error:
        raise ToolkitError(f"expected the toolkit on every worker, got: {error}; install it there too") from error
    for worker, (version, seen) in found.items():
        if version != toolkit.__version__:
            raise ToolkitError(f"expected toolkit {toolkit.__version__} on every worker, got {version} on {worker}")
        if not seen:
            raise ToolkitError(
                f"expected every worker to see {needs}, {worker} does not; share the folder or use a URL such as s3://…"
            )


def _able(needs: Path | None) -> tuple[str, bool]:
    """What a worker says of itself: its version, and whether it sees a file."""
    return toolkit.__version__, needs is None or needs.exists()
