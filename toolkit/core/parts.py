"""Work in parts: rows about many names, some names at a time, in several processes, each part kept when it is done.

A part is a file of its own, called after what it was made of. So work that was stopped goes on at the first part that
is not there, whatever the number of processes, and a name whose file has changed since is asked about anew.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from toolkit.core import parallel, paths
from toolkit.errors import ToolkitError

PART = 256  # names

Rows = Callable[[Sequence[str]], Iterable[dict[str, Any]]]


def rows(
    function: Rows,
    names: Sequence[str],
    *,
    folder: Path,
    made_with: Sequence[object],
    size: int = PART,
    jobs: int = 1,
) -> Iterator[dict[str, Any]]:
    """What a function says of all names, in their order.

    Args:
        function: gives rows for some names, whose cells JSON can hold; picklable where there are several jobs.
        names: of files, or of what else it takes.
        folder: where parts are kept; whoever has used all rows removes it.
        made_with: all else that the rows depend on, so that parts made otherwise are left aside.
        size: names in a part, at least 1.
        jobs: processes, -1 for one per core.

    Raises:
        ToolkitError: the function raised.
    """
    lists = [names[start : start + size] for start in range(0, len(names), size)]
    files = [folder / f"{_fingerprint(part, made_with)}.jsonl" for part in lists]
    todo = [pair for pair in zip(lists, files, strict=True) if not pair[1].exists()]
    kind: parallel.Kind = "processes" if parallel.is_distributed() else "trainings"  # which begin at once
    done = parallel.map(partial(_keep, function), todo, jobs=jobs, kind=kind)
    waiting = {file for _, file in todo}
    for file in files:
        if file in waiting:
            result = next(done)
            if isinstance(result, parallel.Failure):
                raise ToolkitError(f"expected answers, a part of the work stopped: {result.reason}")
        with file.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def _keep(function: Rows, task: tuple[Sequence[str], Path]) -> None:
    """Write the rows of a part, whole or not at all."""
    names, file = task
    paths.write(file, "".join(f"{json.dumps(row)}\n" for row in function(names)), flush=False)


def _fingerprint(names: Sequence[str], made_with: Sequence[object]) -> str:
    content = json.dumps([list(map(str, made_with)), [(name, *stamp(Path(name))) for name in names]])
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def stamp(file: Path) -> tuple[int, int]:
    """Size and time of change of a file, as far as there is one: an address has none."""
    try:
        facts = file.stat()
    except (OSError, ValueError):
        return 0, 0
    return facts.st_size, facts.st_mtime_ns
