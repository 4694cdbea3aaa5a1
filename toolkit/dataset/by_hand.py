"""What a person says of single pictures: which one is meant, how it is told, taking it out of use and back."""

from collections.abc import Iterable
from contextlib import suppress

import pandas as pd

from toolkit.dataset import cells
from toolkit.errors import DatasetError

Changes = dict[str, dict[str, object]]  # as `Manifest.update` wants them

BEGINNING = 8  # characters of a file's name that are shown, and of 16 hexadecimal digits each: enough to be one's own


def find(table: pd.DataFrame, pictures: Iterable[str]) -> list[str]:
    """The paths of pictures, each named as it came, by the end of its path, or by the beginning of its file's name.

    Args:
        table: of a manifest.
        pictures: `raw/cars/3f9a….jpg`, `3f9a`, or `cars/115.jpg`, as the file was called in its source.

    Raises:
        DatasetError: no picture or several of that name.
    """
    paths, pictures = table["path"], list(pictures)
    with suppress(KeyError):  # whole paths, for which a large table has not to be searched
        cells.rows_of(table, set(pictures))
        return pictures
    names = paths.str.rpartition("/")[2]
    originals = "/" + original(table)
    found = []
    for picture in pictures:
        came = originals.str.endswith(f"/{picture}")  # before the ends of paths: a hash may end like a number
        ways = (paths.eq(picture), came, paths.str.endswith(picture), names.str.startswith(picture))
        matches = next((list(paths[way]) for way in ways if way.any()), [])
        if len(matches) != 1:
            raise DatasetError(f"expected the path of one picture, got {picture!r}, which {len(matches)} have")
        found += matches
    return found


def original(table: pd.DataFrame) -> pd.Series:
    """What the file of each row was called in the folder or archive that it came from; "" where it had no name."""
    is_file = table["source"].isin(("folder", "imagefolder", "inbox"))
    return table["source_id"].str.rpartition("@")[0].str.partition("/")[2].where(is_file, "").astype(str)


def shown(table: pd.DataFrame) -> dict[str, str]:
    """How each picture is shown to people, by its path: as it was called, and the beginning of its file's name.

    >>> shown(manifest.table)["raw/cars/00782d0fa1….jpg"]  # doctest: +SKIP
    'cars/115.jpg (00782d0f)'
    """
    names = table["path"].str.rpartition("/")[2].str[:BEGINNING]
    pairs = zip(table["path"], original(table), names, strict=True)
    return {path: f"{called} ({name})" if called else path for path, called, name in pairs}


def excluded(table: pd.DataFrame, pictures: Iterable[str], reason: str) -> Changes:
    """The changes that take pictures out of use; a reason of "" keeps the words about one that is out already."""
    rows = _rows(table, pictures)
    old = rows["reason"].where(rows["status"] == "excluded", "taken out by hand")
    return {path: {"status": "excluded", "reason": reason or words} for path, words in old.items()}


def included(table: pd.DataFrame, pictures: Iterable[str]) -> Changes:
    """The changes that take excluded pictures back into use.

    Raises:
        DatasetError: one was not excluded.
    """
    rows = _rows(table, pictures)
    for path, status in rows["status"].items():
        if status != "excluded":
            raise DatasetError(f"expected excluded pictures, {path} is {status!r}; leave it out")
    hashes = rows["phash"].items()
    return {path: {"status": "ok" if phash else "new", "reason": "", "reviewed": ""} for path, phash in hashes}


def _rows(table: pd.DataFrame, pictures: Iterable[str]) -> pd.DataFrame:
    """The rows of pictures, by their path."""
    return table.iloc[cells.rows_of(table, set(find(table, pictures)))].set_index("path")
