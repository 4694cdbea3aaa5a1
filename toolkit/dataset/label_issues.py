"""Label issues: pictures whose label is likely wrong, in a table beside the manifest, for a person to look at.

`labels.find` writes it, `review` shows it. No label is changed by it.
"""

from pathlib import Path

import pandas as pd

from toolkit.core import contained, paths
from toolkit.errors import DatasetError

FILE = "suspects.csv"
COLUMNS = ("path", "label", "suggested", "score", "reason")


def load(root: Path) -> pd.DataFrame:
    """The label issues of a dataset, the most suspicious first; no rows if they were not looked for.

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
    contained.paths(table.get("path", ()), of=file)
    return _checked(table)


def save(root: Path, table: pd.DataFrame) -> Path:
    """Write the label issues, whole or not at all, in place of earlier ones.

    Args:
        root: folder of the dataset.
        table: with the columns that `load` gives.

    Raises:
        DatasetError: a column is missing.

    >>> issues = {"path": ["raw/cars/1.jpg"], "label": ["cars"], "suggested": ["tanks"], "score": [0.9], "reason": [""]}
    >>> save(Path("data/pets"), pd.DataFrame(issues))  # doctest: +SKIP
    """
    return paths.write(root / FILE, _checked(table).to_csv(index=False, lineterminator="\n"))


def _checked(table: pd.DataFrame) -> pd.DataFrame:
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise DatasetError(f"expected the columns {', '.join(COLUMNS)} in {FILE}, missing {', '.join(missing)}")
    return table[list(COLUMNS)].sort_values(["score", "path"], ascending=[False, True], ignore_index=True)
