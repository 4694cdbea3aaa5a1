"""What changed between two states of a dataset: pictures added, taken out, and given another label, in batches.

A batch is what was done at a time: the marks of one sitting, or what came from one source. The state before is a
manifest, or what a run noted of the pictures it was made with.
"""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd

from toolkit.dataset.counting import in_general
from toolkit.dataset.manifest import Manifest
from toolkit.errors import DatasetError

NOTED = ("path", "sha256", "label", "split")  # what a run notes of each picture in use
MARKS = "review.jsonl"
PAUSE = timedelta(minutes=30)  # that ends a sitting
COLUMNS = ("path", "change", "was", "label", "batch")


def noted(manifest: Manifest) -> pd.DataFrame:
    """What a run notes of a dataset: path, hash, label and split of each picture in use that has a label.

    Args:
        manifest: the dataset.
    """
    return manifest.labelled.table[list(NOTED)].reset_index(drop=True)


def earlier(file: Path) -> pd.DataFrame:
    """An earlier state of a dataset, from a copy of its `manifest.csv` or what a run noted in `pictures.csv`.

    Args:
        file: the table.

    Raises:
        DatasetError: no table, or one without the columns that are needed.
    """
    try:
        table = pd.read_csv(file, keep_default_na=False, dtype=str)
    except (OSError, ValueError) as error:
        raise DatasetError(f"expected a manifest.csv or a pictures.csv at {file}, got: {error}") from error
    missing = [name for name in NOTED if name not in table]
    if missing:
        raise DatasetError(f"expected the columns {', '.join(NOTED)} in {file}, missing {', '.join(missing)}")
    used = table[(table["label"] != "") & (table["status"] == "ok" if "status" in table else True)]
    return used[list(NOTED)].reset_index(drop=True)


def between(before: pd.DataFrame, manifest: Manifest, *, by: str | None = None) -> pd.DataFrame:
    """What changed since an earlier state (diff): a row per picture.

    Args:
        before: as `noted` gives it.
        manifest: the dataset as it is now.
        by: a column of it whose values are the batches; None takes sittings of marks, and sources.

    Returns:
        A table of `path`, `change` ("added", "taken out", "relabelled", or "moved" to another split), `was` and `label`
        (what it was called then and is called now, "" where it was not in use; of "moved" the splits) and `batch`.

    Raises:
        ValueError: there is no such column.

    >>> between(noted(old), manifest.load("pets"))["change"].value_counts()  # doctest: +SKIP
    """
    if by is not None and by not in manifest.table:
        raise ValueError(f"expected one of the columns {', '.join(manifest.table)}, got {by!r}")
    then = before.drop_duplicates("path").set_index("path")
    now = manifest.labelled.table.set_index("path")
    rows = [(path, "added", "", now.at[path, "label"]) for path in now.index.difference(then.index)]
    rows += [(path, "taken out", then.at[path, "label"], "") for path in then.index.difference(now.index)]
    for path in now.index.intersection(then.index):
        was, label = then.at[path, "label"], now.at[path, "label"]
        if was != label:
            rows.append((path, "relabelled", was, label))
        elif then.at[path, "split"] != now.at[path, "split"]:
            rows.append((path, "moved", then.at[path, "split"], now.at[path, "split"]))
    table = pd.DataFrame(rows, columns=list(COLUMNS[:-1]), dtype=str)
    return table.assign(batch=_batches(table, manifest, by)).sort_values("path", ignore_index=True)


def counts(changes: pd.DataFrame) -> pd.DataFrame:
    """How many pictures of each batch changed how: `batch`, a column per kind of change, and `pictures` in all."""
    kinds = ["added", "taken out", "relabelled", "moved"]
    table = pd.crosstab(changes["batch"], changes["change"]).reindex(columns=kinds, fill_value=0)
    table = table.assign(pictures=table.sum(axis=1)).rename_axis(columns=None)
    return table.sort_values("pictures", ascending=False, kind="stable").reset_index()


def _batches(changes: pd.DataFrame, manifest: Manifest, by: str | None) -> list[str]:
    """The batch of each change."""
    table = manifest.table.set_index("path")
    if by is not None:
        return [f"{by} {table[by].get(path, '') or 'not known'}" for path in changes["path"]]
    sitting = sittings(manifest.root)
    return [
        sitting[row.path]
        if row.path in sitting and row.change != "moved"
        else _of_row(row.change, table.loc[row.path] if row.path in table.index else None)
        for row in changes.itertuples()
    ]


def _of_row(change: str, row: pd.Series | None) -> str:
    """The batch of a change that was not marked on the review page."""
    if change == "moved":
        return "moved to another split"
    if row is None:
        return "no longer in the manifest"
    if change == "added":
        folder = row["source_id"].partition("/")[0] if row["source"] in ("folder", "imagefolder") else ""
        return f"added from {row['source'] or 'an unknown source'} {folder}".strip()
    if change == "relabelled":
        return "relabelled by hand"
    without = "its label was taken back" if row["label"] == "" else row["status"]
    return f"taken out: {in_general(row['reason']) or without}"


def sittings(root: Path) -> dict[str, str]:
    """The sitting in which each picture was marked last, by its path; a pause of 30 minutes ends one.

    Args:
        root: folder of a dataset.
    """
    file = root / MARKS
    lines = file.read_bytes().splitlines() if file.exists() else []
    named, begun, last = {}, "", datetime.min
    for line in lines:
        try:
            entry = json.loads(line)
            at = datetime.fromisoformat(entry["at"]).replace(tzinfo=None)
            marked = [str(row["path"]) for row in entry.get("rows", [entry])]  # a mark of many is one line
        except (ValueError, KeyError, TypeError, AttributeError):  # torn by a crash, or of another kind
            continue
        begun = begun if begun and at - last <= PAUSE else f"marked on {at:%d %b %Y at %H:%M}"
        named.update(dict.fromkeys(marked, begun))
        last = at
    return named
