"""Parallel map: a function over many items, in order, with a progress bar, and without dying of one bad item."""

import io
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import toolkit
from toolkit.core import extras, workers
from toolkit.errors import ImageError, ToolkitError, is_of_the_machine

PATIENCE = 5  # seconds to wait for a cluster to answer
QUIET = 30  # seconds from one line of progress in a log to the next
BATCH = 128  # items sent to another process at a time, at most: sending costs little then, and so does a lost worker

Function = Callable[[Any], Any]
Kind = Literal["threads", "processes", "trainings"]

if TYPE_CHECKING:
    from tqdm import tqdm


@dataclass(frozen=True)
class Failure:
    """A failed item, whose function raised: its status, and the reason in words."""

    status: str
    reason: str


def map(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    *,
    description: str = "",
    jobs: int = -1,
    kind: Kind = "threads",
) -> Iterator[Any]:
    """Parallel map: yield `function(item)` for every item, in the order of the items.

    Within `cluster` the work goes to its machines, up to `BATCH` items at a time. Without one, `kind` decides:

        "threads"      threads of this process: for pictures, since Pillow and OpenCV release the interpreter's lock
        "processes"    this process, and others that share the work if it takes long: for work in Python itself
        "trainings"    the same, but they all begin at once; on a cluster each item has a process of its own

    A single item is worked on here. What an item asks `map` for in its turn stays where the item is worked on.

    Args:
        function: takes one item. Picklable if the work is sent to other processes.
        items: what to work on.
        description: text of the progress bar; "" shows no bar.
        jobs: workers; -1 means one per core, 1 means no parallel work.
        kind: of work, "threads", "processes" or "trainings".

    Yields:
        The function's result, or a `Failure` where it raised an `Exception`.

    Raises:
        OSError: of the machine, such as a full disk, which is no fault of the item.

    >>> list(map(lambda n: 10 // n, [5, 0, 2], jobs=1))
    [2, Failure(status='failed', reason='ZeroDivisionError: integer division or modulo by zero'), 5]
    """
    if len(items) < 2:  # nothing to share out, and a single picture need not wait for joblib to load
        run = _guarded_on_worker if is_distributed() else _guarded
        yield from (run(function, item) for item in items)
        return
    results = _on_cluster(kind, function, items, jobs) if is_distributed() else RUNNERS[kind](function, items, jobs)
    shown = iter(progress(results, total=len(items), description=description))
    try:
        for result in shown:  # noqa: UP028 - `yield from` would close it before the warning can be held back
            yield result
    except GeneratorExit:
        with warnings.catch_warnings(action="ignore"):  # joblib warns of work that was begun in vain
            getattr(results, "close", list)()  # some backends give a list
        raise


def is_distributed() -> bool:
    """Whether `map` sends its work to other processes or machines whatever its kind, as within `cluster`."""
    if "joblib" not in sys.modules:  # then nobody can have said so, and what needs it for nothing else starts sooner
        return False
    return not getattr(_backend(), "uses_threads", False)


def n_parallel(jobs: int) -> int:
    """How many items `map` works on at the same time; on a cluster, as many as its workers have threads.

    >>> n_parallel(1)
    1
    """
    if jobs == -1 and not is_distributed():
        return workers.cores()
    import joblib

    return joblib.effective_n_jobs(jobs)


@contextmanager
def cluster(address: str | None, *, needs: Path | None = None) -> Iterator[None]:
    """Dask cluster: within it, `map` sends its work there. Items of a lost worker are done again by another.

    Args:
        address: of the scheduler, tcp://host:port; None stays on this machine.
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
    items: Iterable[Any] | None,
    *,
    total: int | None = None,
    description: str = "",
    unit: str = " files",
    form: str | None = None,
) -> "tqdm":
    """Progress bar around `items`; with None it is moved by hand, with its `update` and `set_postfix`.

    In a log instead of on a screen it is a line every half minute. It is hidden for an empty description, and where
    TOOLKIT_PROGRESS is 0. A `form` is tqdm's `bar_format`.
    """
    from tqdm.auto import tqdm

    settings: dict[str, Any] = {"total": total, "desc": description, "unit": unit, "leave": False, "bar_format": form}
    settings["disable"] = not description or os.environ.get("TOOLKIT_PROGRESS") == "0"
    if sys.stderr.isatty() or _in_notebook():
        return tqdm(items, dynamic_ncols=True, **settings)
    return tqdm(items, file=_Lines(), ascii=True, mininterval=QUIET, maxinterval=QUIET, delay=QUIET, **settings)


class _Lines(io.TextIOBase):
    """Standard error as a log: what would be drawn over the line before becomes a line of its own."""

    def write(self, text: str) -> int:
        line = text.strip("\r\n ")
        if line:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
        return len(text)


def _in_notebook() -> bool:
    """Whether a notebook's kernel runs this code; that its library was imported says nothing."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


def _in_threads(function: Function, items: Sequence[Any], jobs: int) -> Iterable[Any]:
    return _by_joblib(_guarded, function, items, jobs)


def _in_processes(function: Function, items: Sequence[Any], jobs: int) -> Iterable[Any]:
    return workers.map_in_processes(partial(_guarded, function), items, most=n_parallel(jobs))


def _trainings(function: Function, items: Sequence[Any], jobs: int) -> Iterable[Any]:
    return workers.map_in_processes(partial(_guarded, function), items, most=n_parallel(jobs), at_once=True)


RUNNERS: dict[Kind, Callable[[Function, Sequence[Any], int], Iterable[Any]]] = {
    "threads": _in_threads,
    "processes": _in_processes,
    "trainings": _trainings,
}


def _on_cluster(kind: Kind, function: Function, items: Sequence[Any], jobs: int) -> Iterable[Any]:
    run = _guarded_in_new_process if kind == "trainings" else _guarded_on_worker
    return _by_joblib(run, function, items, jobs, **_batches(len(items), _backend().effective_n_jobs(jobs)))


def _by_joblib(
    run: Callable[[Function, Any], Any], function: Function, items: Sequence[Any], jobs: int, **sizes: int
) -> Iterable[Any]:
    """What joblib's backend, threads if nobody chose another, makes of `run(function, item)` for every item."""
    import joblib

    lazily = "generator" if _backend().supports_return_generator else "list"
    pool = joblib.Parallel(n_jobs=jobs, return_as=lazily, prefer="threads", **sizes)
    return pool(joblib.delayed(run)(function, item) for item in items)


def _backend() -> Any:
    """joblib's backend that is in force: threads, or what `joblib.parallel_config` says."""
    from joblib.parallel import get_active_backend

    return get_active_backend(prefer="threads")[0]


def _batches(items: int, workers: int) -> dict[str, int]:
    """How many items go to a process at a time, and how many are under way: at least 8 batches for every worker."""
    size = min(BATCH, max(1, items // (8 * workers)))
    return {"batch_size": size, "pre_dispatch": 3 * size * workers}


def _guarded(function: Function, item: Any) -> Any:
    """The function's result, or a `Failure`."""
    try:
        return function(item)
    except ImageError as error:
        return Failure(error.status, error.reason)
    except Exception as error:
        if is_of_the_machine(error):
            raise
        return Failure("failed", f"{type(error).__name__}: {error}")


def _guarded_on_worker(function: Function, item: Any) -> Any:
    """The same for an item whose own calls of `map` take threads: workers of a cluster would wait for one another."""
    import joblib

    with joblib.parallel_config(backend="threading"):
        return _guarded(function, item)


def _guarded_in_new_process(function: Function, item: Any) -> Any:
    """The same in a process of its own; its death is a failure like any other."""
    return _guarded(partial(workers.in_new_process, partial(_guarded, function)), item)


def _client(address: str) -> Any:
    """A connection to the scheduler of a cluster."""
    try:
        from distributed import Client
    except ImportError as error:
        raise ToolkitError(f"expected the library of clusters, found none; {extras.remedy('distributed')}") from error
    try:
        return Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:  # nobody there, or no address at all
        raise ToolkitError(
            f"expected a Dask scheduler at {address}, got no answer in {PATIENCE} s; start one with `dask scheduler`, "
            "and give its address as tcp://host:port"
        ) from error


def _check(client: Any, address: str, needs: Path | None) -> None:
    """Raise unless there are workers, each with this version and access to the file."""
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
        answers = client.run(_version_and_access, needs)
    except OSError as error:
        raise ToolkitError(
            f"expected workers at {address}, found none in {PATIENCE} s; start some with `dask worker {address}`"
        ) from error
    except ModuleNotFoundError as error:
        raise ToolkitError(f"expected the toolkit on every worker, got: {error}; install it there too") from error
    for worker, (version, has_access) in answers.items():
        if version != toolkit.__version__:
            raise ToolkitError(f"expected toolkit {toolkit.__version__} on every worker, got {version} on {worker}")
        if not has_access:
            raise ToolkitError(
                f"expected every worker to see {needs}, {worker} does not; share the folder or use a URL such as s3://…"
            )


def _version_and_access(needs: Path | None) -> tuple[str, bool]:
    """Of a worker: the version of its toolkit, and whether it sees a file."""
    return toolkit.__version__, needs is None or needs.exists()
