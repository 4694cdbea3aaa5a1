"""Merging on save: what was changed in a manifest goes into the table as it is on disk by then, and nothing else does.

A stage reads the table at its beginning and writes it at its end, hours later perhaps. Meanwhile a person may have
taken pictures out or given them another label, and another stage may have written its own columns. So a manifest
remembers the columns it has changed as they were before.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

Before = Mapping[str, pd.Series]  # by its name a column that was changed since, as it was, by path; empty if it is new
Stamp = tuple[int, int, int]

MARKED = ("label", "class_index", "status", "reason", "reviewed", "seen", "mark")  # what a mark of a person is made of
WHOLE = ("group", "split")  # columns whose cells hold together: half of one and half of another divide copies


def stamp(file: Path) -> Stamp | None:
    """A value that changes whenever a file is written; None where there is no such file, or it is at a URL."""
    if not isinstance(file, Path) or not file.exists():
        return None
    facts = file.stat()
    return facts.st_ino, facts.st_size, facts.st_mtime_ns


def remembered(before: Before, table: pd.DataFrame, columns: Iterable[str]) -> Before:
    """The columns that are about to change, as they are in a table, beside those that have changed already."""
    fresh = [name for name in columns if name not in before]
    if not fresh:
        return before
    by_path = table.set_index("path", drop=False)
    return {**before, **{name: by_path[name] if name in table else pd.Series(dtype=object) for name in fresh}}


def merged(mine: pd.DataFrame, now: pd.DataFrame, before: Before) -> pd.DataFrame:
    """The table as it is now, with the cells that were changed here, and the rows that were added here.

    Where both have changed one cell, a mark of a person stays; else what is written last does.

    Args:
        mine: the table of the stage.
        now: that on disk.
        before: the columns that the stage has changed, as they were when it read them.
    """
    mine, now = mine.set_index("path", drop=False), now.set_index("path", drop=False)
    shared = now.index.intersection(mine.index)
    marked = _marked_since(mine.loc[shared], now.loc[shared], before)
    for name, old in before.items():
        new = mine.loc[shared, name]
        if name not in now:
            now[name] = "" if new.dtype == object or str(new.dtype).startswith("str") else new.dtype.type(0)
        changed = new.ne(old.reindex(shared)) if len(old) else pd.Series(True, index=shared)
        if name in WHOLE and changed.any():
            changed[:] = True
        if name in MARKED:
            changed &= ~marked
        now.loc[shared[changed], name] = new[changed]
    added = mine.loc[mine.index.difference(now.index)]
    return pd.concat([now, added], ignore_index=True) if len(added) else now.reset_index(drop=True)


def _marked_since(mine: pd.DataFrame, now: pd.DataFrame, before: Before) -> pd.Series:
    """The pictures of which a person has said something since the stage read them."""
    was = before["status"].reindex(now.index) if "status" in before else mine["status"]
    return (now["mark"] > mine["mark"]) | ((now["status"] == "excluded") & (was != "excluded"))
