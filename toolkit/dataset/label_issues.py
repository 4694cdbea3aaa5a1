"""Pictures whose label is likely wrong, in a table beside the manifest: what a check found, for a person to look at.

Whatever finds wrong labels writes it; `review` shows it. Nothing is changed by it.
"""

from pathlib import Path

import pandas as pd

from toolkit.core import paths
from toolkit.errors import DatasetError

FILE = "suspects.csv"
COLUMNS = ("path", "label", "suggested", "score", "reason")


def load(root: Path) -> pd.DataFrame:
    """The pictures found so far, the most suspicious first; no rows if nobody has looked.

    Args:
        root: folder of the dataset.

    Returns:
        A table of `path` and `label` as in the manifest, `suggested` (the label it more likely has, "" if unknown),
        `score` (0 to 1, the higher the more likely wrong) and `reason` in words.

    Raises:
        DatasetError: a damaged table.
    """
    file = root / FILE
    if not file.exists():
        return pd.DataFrame({name: pd.Series(dtype=float if name == "score" else str) for name in COLUMNS})
    try:
        types = {name: float if name == "score" else str for name in COLUMNS}
        table = pd.read_csv(file, dtype=types, keep_default_na=False)
    except (ValueError, UnicodeDecodeError) as error:
        raise DatasetError(f"expected a readable table in {file}, got: {error}; check the labels again") from error
    return _checked(table)


def save(root: Path, table: pd.DataFrame) -> Path:
    """Write the table, whole or not at all, in place of an earlier one.

    Args:
        root: folder of the dataset.
        table: with the columns that `load` gives.

    Raises:
        DatasetError: a column is missing.

    >>> found = {"path": ["raw/cars/1.jpg"], "label": ["cars"], "suggested": ["tanks"], "score": [0.9], "reason": [""]}
    >>> save(Path("data/pets"), pd.DataFrame(found))  # doctest: +SKIP
    """
    return paths.write(root / FILE, _checked(table).to_csv(index=False, lineterminator="\n"))


def _checked(table: pd.DataFrame) -> pd.DataFrame:
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise DatasetError(f"expected the columns {', '.join(COLUMNS)} in {FILE}, missing {', '.join(missing)}")
    return table[list(COLUMNS)].sort_values(["score", "path"], ascending=[False, True], ignore_index=True)
