"""Mapping a function over many items: in parallel, in order, with a progress bar, and without dying of one bad item."""

import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolkit.errors import ImageError

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
) -> Iterator[Any]:
    """Yield `function(item)` for every item, in the order of the items.

    Args:
        function: takes one item. Picklable if the work is sent to other processes.
        items: what to work on.
        description: text of the progress bar; "" shows no bar.
        jobs: workers; -1 means one per core, 1 means no parallel work. Threads by default, since Pillow and OpenCV
            release the interpreter's lock; `with joblib.parallel_config(backend="dask")` sends the work to a cluster.
        shared: True for a function that holds open files or locks, and can work in threads of this process only.

    Yields:
        The function's result, or a `Failure` where it raised an `Exception`.

    >>> list(map(lambda n: 10 // n, [5, 0, 2], jobs=1))
    [2, Failure(status='failed', reason='ZeroDivisionError: integer division or modulo by zero'), 5]
    """
    if len(items) < 2:  # nothing to share out, and who asks about one picture need not wait for joblib to load
        yield from (_guarded(function, item) for item in items)
        return
    import joblib

    require = "sharedmem" if shared else None
    workers = joblib.Parallel(n_jobs=jobs, prefer="threads", require=require, return_as="generator", batch_size="auto")
    results = workers(joblib.delayed(_guarded)(function, item) for item in items)
    shown = iter(progress(results, total=len(items), description=description))
    try:
        for result in shown:  # noqa: UP028 - `yield from` would close it before the warning can be held back
            yield result
    except GeneratorExit:
        with warnings.catch_warnings(action="ignore"):  # joblib warns of what was begun; who stops early knows
            results.close()
        raise


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


def _guarded(function: Callable[[Any], Any], item: Any) -> Any:
    try:
        return function(item)
    except ImageError as error:
        return Failure(error.status, error.reason)
    except Exception as error:
        return Failure("failed", f"{type(error).__name__}: {error}")
