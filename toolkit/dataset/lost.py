"""Classes and splits that no picture in use is left of, and why."""

import pandas as pd

from toolkit.core.words import counted
from toolkit.dataset.manifest import Manifest

IN_USE = ("new", "ok")


def classes(manifest: Manifest) -> dict[str, str]:
    """The classes without a picture in use, and what became of theirs, in words.

    >>> classes(manifest)  # doctest: +SKIP
    {'cow': '5 unreadable, 1 duplicate'}
    """
    return _without_any(manifest.table[manifest.table["label"] != ""], "label")


def splits(manifest: Manifest) -> dict[str, str]:
    """The splits that came with the data and have no picture in use, and what became of theirs, in words."""
    return _without_any(manifest.table[manifest.table["split"] != ""], "split")


def _without_any(table: pd.DataFrame, column: str) -> dict[str, str]:
    used = set(table.loc[table["status"].isin(IN_USE), column])
    rows = table[~table[column].isin(used)]
    return {str(name): _in_words(group["status"]) for name, group in rows.groupby(column)}


def _in_words(statuses: pd.Series) -> str:
    return ", ".join(counted(count, status) for status, count in statuses.value_counts().items())
