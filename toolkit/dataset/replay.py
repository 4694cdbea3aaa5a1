"""The journal of a manifest: lines of what has changed since its base was written, replayed when that is read.

The first line names the base that the others belong to; those of another base were folded into this one by a stage
that was killed before it removed them. A last line without an end was torn by a crash, and is cut off.
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from toolkit.core import contained, paths
from toolkit.dataset import cells
from toolkit.dataset.cells import Cells
from toolkit.dataset.schema import complete
from toolkit.errors import DatasetError


def append(file: Path, entry: Mapping[str, object], *, identity: str, end: int) -> int:
    """Append a line, and give the bytes of the journal when it is on disk.

    Args:
        file: the journal.
        entry: what was changed, see `Changes.entry`.
        identity: of the base.
        end: of the last line that counts; 0 begins the journal.
    """
    line = (json.dumps(entry, default=str) + "\n").encode()
    if not end:
        content = (json.dumps({"base": identity}) + "\n").encode() + line
        paths.write(file, content)
        return len(content)
    with os.fdopen(contained.appendable(file), "r+b") as opened:
        opened.truncate(end)
        opened.write(line)
        opened.flush()
        os.fsync(opened.fileno())
    return end + len(line)


def onto(table: pd.DataFrame, file: Path, identity: str) -> tuple[pd.DataFrame, int]:
    """The table with all that its journal says, and the bytes of the journal that count.

    Args:
        table: the base, sorted by path.
        file: the journal; it need not be there.
        identity: of the base.

    Raises:
        DatasetError: a line is none of a journal, or names what the table has not.
    """
    content = file.read_bytes() if file.exists() else b""
    end = content.rfind(b"\n") + 1
    try:
        first, *lines = map(json.loads, content[:end].splitlines() or [b"{}"])
        if first.get("base") != identity:
            return table, 0
        changed, added = _gathered(lines)
        table = cells.replaced(table, changed)
        if added:
            table = pd.concat([table, complete(pd.DataFrame(list(added.values())))], ignore_index=True)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise DatasetError(
            f"expected changes of the table in {file}, got: {error!r}; mend that line, or take it out"
        ) from error
    return table, end


def _gathered(lines: Iterable[Mapping]) -> tuple[Cells, dict[str, dict[str, object]]]:
    """All cells that were changed, by column, and all rows that came, by path."""
    changed: Cells = {}
    added: dict[str, dict[str, object]] = {}
    for line in lines:
        added.update({str(_checked(row)["path"]): dict(row) for row in line["add"]})
        for path, values in line["set"].items():
            if path in added:
                added[path].update(_checked(values))
                continue
            for column, value in _checked(values).items():
                changed.setdefault(column, {})[path] = value
    return changed, added


def _checked(values: Mapping[str, object]) -> Mapping[str, object]:
    """The cells of a row, if they are text, numbers, or yes and no."""
    if odd := [value for value in values.values() if not isinstance(value, str | int | float | bool)]:
        raise ValueError(f"a cell that is no text or number: {str(odd[0])[:80]}")
    return values
