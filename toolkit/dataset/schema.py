"""The schema of a manifest: its columns, what they may hold, and an empty cell of each."""

import csv
from collections.abc import Collection, Iterable, Sequence

import numpy as np
import pandas as pd

from toolkit.core.paths import check_label
from toolkit.errors import DatasetError

STATUSES = ("new", "ok", "unreadable", "too small", "poor quality", "duplicate", "label conflict", "excluded", "failed")
COMPARED = ("ok", "duplicate", "label conflict")  # the statuses among which copies are looked for
SPLITS = ("", "train", "val", "test")
UNLABELLED = "(no label)"  # what pages and counts call pictures whose label is ""
ESSENTIAL = ("path", "label", "class_index", "status", "sha256")
COLUMNS: dict[str, object] = {  # name: what an empty cell means
    "path": "",  # POSIX, relative to the dataset: raw/cars/3f9a….jpg
    "label": "",  # class name; none yet where it is empty
    "class_index": -1,  # order of the classes; given once, never derived again; -1 without a label
    "status": "new",  # `ok`, or why the picture is not used; `new` until it is verified
    "reason": "",  # the same in words
    "reviewed": "",  # a person's decision on a page: keep, use, exclude, label or doubt
    "seen": "",  # how a person saw it then: alone, together (with others, as one act) or confirmed (a page as proposed)
    "mark": 0,  # number of the last line of review.jsonl that is in this row
    "group": "",  # near-duplicates share one; never divided by a split
    "split": "",  # "", train, val or test
    "sha256": "",  # of the file's bytes
    "phash": "",  # 64-bit perceptual hash, 16 hexadecimal digits
    "width": 0,  # pixels, upright
    "height": 0,
    "bytes": 0,
    "format": "",  # JPEG, PNG, …
    "sharpness": 0.0,  # variance of the Laplacian; below about 20 looks blurred
    "brightness": 0.0,  # mean grey value, 0 to 255
    "entropy": 0.0,  # of the grey values, 0 to 8 bits; below about 2 the picture is all but empty
    "aspect": 0.0,  # width over height
    "enlarged": 0.0,  # by which factor for the largest square made of it; 0 if none had to be
    "source": "",  # folder, reddit, …
    "source_id": "",  # the source's own name for it
    "page_url": "",  # where a person finds it
    "url": "",  # what was downloaded
    "title": "",
    "license": "",
    "license_url": "",
    "creator": "",  # only where the licence asks for it
    "attribution": "",  # the line to name them with
    "resolution": "",  # "thumbnail" for a small copy of the picture
}


def check_verified(table: pd.DataFrame, *, dataset: str, to: str) -> None:
    """Raise DatasetError where no picture was verified yet, which what `to` says needs."""
    if len(table) and (table["status"] == "new").all():
        raise DatasetError(f"expected verified pictures to {to}, got none; run `toolkit verify {dataset}` first")


def complete(table: pd.DataFrame) -> pd.DataFrame:
    """The table with all of `COLUMNS`, empty cells where it had none."""
    for column, empty in COLUMNS.items():
        if column not in table:
            table[column] = empty
        if table[column].hasnans:
            table[column] = table[column].where(table[column].notna(), empty)
        if isinstance(empty, int) and table[column].dtype.kind == "f" and not (table[column].abs() < 2**53).all():
            raise ValueError(f"expected whole numbers in the column {column}, got {table[column].abs().max():g}")
        table[column] = table[column].astype(type(empty))
    return table[[*COLUMNS, *(column for column in table if column not in COLUMNS)]]


def number_classes(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a class_index for every label: known labels keep theirs, new ones follow in alphabetical order."""
    numbered = table.loc[table["class_index"] >= 0].drop_duplicates("label")
    index = {"": -1} | numbered.set_index("label")["class_index"].to_dict()
    for label in sorted(set(table["label"]) - set(index)):
        index[label] = max(index.values()) + 1  # not their number: a class may have been taken out
    return table.assign(class_index=table["label"].map(index).astype(int))


def check(table: pd.DataFrame, *, changed: Collection[str] | None = None) -> pd.DataFrame:
    """The table sorted by path, in which every label can name a folder; a picture without one is in no split.

    Args:
        table: of a manifest.
        changed: the columns in which it differs from a table that was checked, or from rows of one; None checks all.

    Raises:
        DatasetError: a column is missing, or holds what it may not.
    """
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise DatasetError(
            f"expected the columns {', '.join(COLUMNS)}, missing {', '.join(missing)}; delete manifest.csv "
            "and scrape again"
        )
    new = set(COLUMNS) if changed is None else set(changed)
    for column, allowed in (("status", STATUSES), ("split", SPLITS)):
        unknown = sorted(set(table[column].unique()) - set(allowed)) if column in new else []
        if unknown:
            raise DatasetError(f"expected {column} to be one of {', '.join(map(repr, allowed))}, got {unknown[0]!r}")
    if new & {"label", "class_index"}:
        _check_classes(table)
    if new & {"label", "split"}:
        unlabelled = (table["label"] == "") & (table["split"] != "")
        if unlabelled.any():  # as where a person has taken a label back
            table = table.assign(split=table["split"].mask(unlabelled, ""))
    return _sorted(table, is_sorted="path" not in new)


def _check_classes(table: pd.DataFrame) -> None:
    """Raise DatasetError where labels and their indices do not go together, or a label cannot name a folder."""
    pairs = table[["class_index", "label"]].drop_duplicates()
    if pairs["class_index"].duplicated().any() or pairs["label"].duplicated().any():
        raise DatasetError("expected one class_index per label, got two; restore the column class_index")
    for label in set(pairs["label"]) - {""}:
        check_label(label)
    if (pairs["class_index"] < 0).ne(pairs["label"] == "").any():
        raise DatasetError("expected a class_index for every label, and -1 without one; restore the column class_index")


def _sorted(table: pd.DataFrame, *, is_sorted: bool) -> pd.DataFrame:
    """The table sorted by path and numbered from 0; itself if it is that already.

    Raises:
        DatasetError: a path is there twice.
    """
    paths = table["path"].array
    if is_sorted or (paths[1:] > paths[:-1]).all():  # in a pass, where no path can be there twice
        is_numbered = isinstance(table.index, pd.RangeIndex) and table.index.equals(pd.RangeIndex(len(table)))
        return table if is_numbered else table.reset_index(drop=True)
    repeated = table["path"][table["path"].duplicated()]
    if len(repeated):
        raise DatasetError(f"expected every path once, got {repeated.iloc[0]!r} again; remove one of the rows")
    return table.reset_index(drop=True).sort_values("path", ignore_index=True)


def class_indices(labels: Iterable[str], classes: Sequence[str]) -> np.ndarray:
    """Class indices: the position of each label in the class order, which is that of a network's outputs.

    Args:
        labels: class names, one per picture.
        classes: all class names in their order.

    Returns:
        int64 array of shape (labels,).

    Raises:
        DatasetError: a label is not among the classes.

    >>> class_indices(["tanks", "cars", "tanks"], ["cars", "tanks"])
    array([1, 0, 1])
    """
    order = {name: index for index, name in enumerate(classes)}
    try:
        return np.array([order[label] for label in labels], np.int64)
    except KeyError as error:
        raise DatasetError(f"expected labels among {', '.join(classes)}, got {error}; take the picture out") from error


def as_csv(table: pd.DataFrame) -> str:
    """A table as it is stored, in text that is read back to the letter."""
    text = table.to_csv(index=False, lineterminator="\n")
    if "\r" in text:  # which is left bare before Python 3.13, and read as the end of the line
        text = table.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    return text
