"""Merging on save: what was changed in a manifest goes into the table as it is on disk by then, and nothing else does.

A stage reads the table at its beginning and writes it at its end, hours later perhaps. Meanwhile a person may have
taken pictures out or given them another label, and another stage may have written its own columns. So a manifest
remembers what it has changed as it was before: whole columns, single cells and the rows that came.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import pandas as pd

from toolkit.dataset import cells
from toolkit.dataset.cells import Cells

MARKED = ("label", "class_index", "status", "reason", "reviewed", "seen", "mark")  # what a mark of a person is made of
WHOLE = ("group", "split")  # columns whose cells hold together: half of one and half of another divide copies
FEW = 10_000  # cells and rows that are noted one by one; a table is written whole for more


@dataclass(frozen=True, eq=False)
class Changes:
    """What was changed in a table since it was read, as it was before.

    Args:
        columns: by its name a column that was changed, as it was, by path; empty if it is new.
        cells: single cells of other columns, as they were.
        added: the paths of rows that came.
    """

    columns: Mapping[str, pd.Series] = field(default_factory=dict)
    cells: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    added: tuple[str, ...] = ()

    def of_columns(self, table: pd.DataFrame, names: Iterable[str]) -> "Changes":
        """The same and some columns that are about to change in a table."""
        fresh = [name for name in names if name not in self.columns]
        if not fresh:
            return self
        kept = {name: values for name, values in self.cells.items() if name not in fresh}
        return replace(self, columns={**self.columns, **self._before(table, fresh)}, cells=kept)

    def of_cells(self, table: pd.DataFrame, changed: Cells) -> "Changes":
        """The same and some cells that are about to change in a table."""
        single = {name: values for name, values in changed.items() if name not in self.columns}
        old = cells.taken(table, single)
        return replace(self, cells={**self.cells, **{name: {**old[name], **self.cells.get(name, {})} for name in old}})

    def of_rows(self, table: pd.DataFrame, rows: pd.DataFrame) -> "Changes":
        """The same and some rows that are about to come into a table, perhaps with columns that it has not."""
        changes = self.of_columns(table, [name for name in rows if name not in table])
        return replace(changes, added=(*self.added, *rows["path"]))

    def before(self, table: pd.DataFrame) -> dict[str, pd.Series]:
        """All columns in which something was changed, as they were before, by path.

        Args:
            table: as it is now.
        """
        return {**self.columns, **self._before(table, self.cells)}

    def entry(self, table: pd.DataFrame, *, is_merged: bool) -> dict[str, object] | None:
        """What was changed as it is in a table now, for its journal; None if the table has to be written whole.

        Args:
            table: as it will be stored.
            is_merged: with what others have changed.
        """
        if self.columns or (is_merged and set(WHOLE) & set(self.cells)):
            return None
        if len(self.added) + sum(map(len, self.cells.values())) > FEW:
            return None  # that is as dear as the table, and replayed each time
        added = set(self.added)
        changed: dict[str, dict[str, object]] = {}
        for name, old in self.cells.items():
            values = {path: value for path, value in old.items() if path not in added}
            for path, value in cells.taken(table, {name: values})[name].items():
                changed.setdefault(path, {})[name] = value
        return {"set": changed, "add": table.iloc[cells.rows_of(table, added)].to_dict(orient="records")}

    def _before(self, table: pd.DataFrame, names: Iterable[str]) -> dict[str, pd.Series]:
        by_path = table.set_index("path", drop=False)
        columns = {}
        for name in names:
            columns[name] = by_path[name].copy() if name in table else pd.Series(dtype=object)
            if old := self.cells.get(name):
                columns[name].loc[list(old)] = list(old.values())
        return columns


NONE = Changes()


def merged(mine: pd.DataFrame, now: pd.DataFrame, before: Mapping[str, pd.Series]) -> pd.DataFrame:
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


def _marked_since(mine: pd.DataFrame, now: pd.DataFrame, before: Mapping[str, pd.Series]) -> pd.Series:
    """The pictures of which a person has said something since the stage read them."""
    was = before["status"].reindex(now.index) if "status" in before else mine["status"]
    return (now["mark"] > mine["mark"]) | ((now["status"] == "excluded") & (was != "excluded"))
