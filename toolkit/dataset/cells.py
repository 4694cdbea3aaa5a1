"""Single cells of a table: changed, read and noted by their column and the path of their row."""

from bisect import bisect_left
from collections.abc import Collection, Mapping
from itertools import zip_longest

import numpy as np
import pandas as pd

Cells = dict[str, dict[str, object]]  # by column, then by path

FEW = 100  # rows that are looked for one by one
PIECES, MOST_PIECES = 8, 64  # rows that are put in one by one, and into how many pieces that may have cut a column


def by_column(rows: Mapping[str, Mapping[str, object]]) -> Cells:
    """The cells of `{path: {column: value}}` by column; empty values are left out.

    >>> by_column({"raw/1.jpg": {"status": "ok", "width": None}})
    {'status': {'raw/1.jpg': 'ok'}}
    """
    cells: Cells = {}
    for path, values in rows.items():
        for column, value in values.items():
            if not pd.isna(value):
                cells.setdefault(column, {})[path] = value
    return cells


def rows_of(table: pd.DataFrame, paths: Collection[str]) -> np.ndarray:
    """The row numbers of paths in a table that is sorted by path, in its order.

    Raises:
        KeyError: a path is not there.
    """
    there = table["path"].array
    if len(paths) > FEW:
        rows = np.flatnonzero(table["path"].isin(list(paths)))
    else:
        found = {bisect_left(there, path) for path in paths}
        rows = np.array(sorted(row for row in found if row < len(there) and there[row] in paths), np.int64)
    if len(rows) != len(paths):
        raise KeyError(f"no rows {sorted(set(paths) - set(there[rows]))[:3]}")
    return rows


def taken(table: pd.DataFrame, cells: Cells) -> Cells:
    """The same cells as a table has them.

    Raises:
        KeyError: a path or a column is not there.
    """
    return {
        column: dict(zip(table["path"].iloc[rows].tolist(), table[column].iloc[rows].tolist(), strict=True))
        for column, rows in _rows_of_columns(table, cells).items()
    }


def replaced(table: pd.DataFrame, cells: Cells) -> pd.DataFrame:
    """A new table with these cells, in the types of their columns.

    Raises:
        KeyError: a path or a column is not there.
        ValueError, OverflowError: a value does not fit its column.
    """
    columns = {}
    for column, rows in _rows_of_columns(table, cells).items():
        values = [cells[column][path] for path in table["path"].iloc[rows].tolist()]
        columns[column] = _with(table[column], rows, pd.Series(values, dtype=object).astype(table[column].dtype))
    return table.assign(**columns)


def _with(column: pd.Series, rows: np.ndarray, values: pd.Series) -> pd.Series:
    """A copy of a column with other values in some rows; a few of Arrow's text go between pieces of what was there."""
    if len(rows) > PIECES or not _is_in_pieces(column):
        changed = column.copy()
        changed.iloc[rows] = values.array
        return changed
    starts, ends = [0, *(rows + 1).tolist()], [*rows.tolist(), len(column)]
    around = [column.iloc[start:end] for start, end in zip(starts, ends, strict=True)]
    single = [values.iloc[place : place + 1] for place in range(len(values))]
    parts = [part for pair in zip_longest(around, single) for part in pair if part is not None]
    return pd.concat(parts, ignore_index=True).set_axis(column.index)


def _is_in_pieces(column: pd.Series) -> bool:
    """Whether this is text that Arrow keeps, in not too many pieces yet, each of which makes a search longer."""
    is_arrow = isinstance(column.dtype, pd.StringDtype) and column.dtype.storage == "pyarrow"
    return is_arrow and column.array.__arrow_array__().num_chunks < MOST_PIECES


def _rows_of_columns(table: pd.DataFrame, cells: Cells) -> dict[str, np.ndarray]:
    """The rows of each column; those of several with the same paths are looked for once."""
    found: dict[tuple[str, ...], np.ndarray] = {}
    for values in cells.values():
        paths = tuple(values)
        if paths not in found:
            found[paths] = rows_of(table, values.keys())
    if missing := cells.keys() - set(table):
        raise KeyError(f"no columns {sorted(missing)}")
    return {column: found[tuple(values)] for column, values in cells.items()}
