"""Stratified group split of a dataset into train, val and test, so that the test stays honest.

Stratified: every class has the same shares. By group: near-duplicates are never on both sides. Seeded: the same
pictures and seed give the same split. Stable: pictures that have a split keep it when others are added; only where a
class has nothing for val or test, as when its source came with train and test folders, is that taken from its train.
"""

import os
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from toolkit.core import paths
from toolkit.core.words import counted
from toolkit.dataset import dividing, grouping, lost, schema
from toolkit.dataset.grouping import copies as groups
from toolkit.dataset.manifest import Dataset, Manifest, opened
from toolkit.errors import DatasetError

__all__ = ["PARTS", "assign", "groups", "in_bulk", "in_words", "missing_classes", "write_folders"]

PARTS = ("train", "val", "test")
IN_BULK = ("together", "confirmed")  # how the labels of many pictures came about in one act


def assign(
    manifest: Dataset,
    *,
    val: float = 0.15,
    test: float = 0.15,
    seed: int,
    again: bool = False,
    given: Mapping[str, Collection[str]] | None = None,
    by: str | None = None,
) -> Manifest:
    """Split a dataset: fill the column `split` of all pictures in use.

    Args:
        manifest: with the groups of `dedup.group`, or the name of a dataset.
        val: share of the pictures for validation, 0 to 1, exclusive.
        test: share of the pictures for the test, 0 to 1, exclusive; val + test below 1.
        seed: any integer; another one gives another split.
        again: replace an existing split. Results on the old test set can then not be compared with new ones.
        given: the parts that a source put each picture in, by its path, see `scrape.given.files`; in place of the split
            there is. A picture in several, or whose near-duplicate is in another, is in the first of train, val and
            test alone, so that the test has nothing that was learned from. None keeps the split there is.

    Returns:
        The manifest with "train", "val" or "test" for every picture in use that has a label, and "" for the others.

    Raises:
        DatasetError: nothing is verified yet, a class has no picture in use, or too few to be in all three, or no split
            was given.

    >>> assign(manifest, seed=7).counts("split")  # doctest: +SKIP
    """
    if not (0 < val < 1 and 0 < test < 1 and val + test < 1):
        raise ValueError(f"expected val and test above 0 that leave something to train on, got {val} and {test}")
    manifest = opened(manifest)
    schema.check_verified(manifest.table, dataset=manifest.name, to="split")
    check_labelled(manifest)
    used = (manifest.table["status"] == "ok") & (manifest.table["label"] != "")
    before = manifest.table["split"] if not again else pd.Series("", index=manifest.table.index)
    before = before if given is None else _given(manifest, given)
    if gone := lost.classes(manifest):
        label, why = next(iter(gone.items()))
        raise DatasetError(
            f"expected pictures of {label!r} in use, got none: {why}; look into them with `toolkit show`, or make the "
            "dataset without that class"
        )
    for name, why in lost.splits(manifest).items():
        warnings.warn(
            f"no picture of the split {name} that came with the data is in use: {why}; others take its place",
            stacklevel=2,
        )
    splits = _inherited(before, manifest.table["group"]).where(used, "")
    shares = {"test": test, "val": val}
    if by is not None:
        splits.update(_whole_values(manifest.table[used], splits[used], by, {"train": 1 - val - test, **shares}, seed))
    parts, names = splits.to_numpy(object, copy=True), groups(manifest.table).to_numpy(object)
    for label, rows in zip(manifest.classes, _rows_by_class(manifest.table, used), strict=True):
        if by is None:
            parts[rows] = dividing.parts(dividing.hashed(names[rows], seed), parts[rows], shares=shares)
        missing = [name for name in PARTS if not (parts[rows] == name).any()]
        if missing:
            raise DatasetError(
                f"expected pictures of {label!r} for train, val and test, got {len(rows)}, none for "
                f"{' and '.join(missing)}; add pictures or change the shares{'' if by is None else ', or leave out by'}"
            )
    return manifest.assign(split=pd.Series(parts, splits.index, splits.dtype))


def _rows_by_class(table: pd.DataFrame, used: pd.Series) -> list[np.ndarray]:
    """The rows in use of each class, in the order of the classes."""
    rows = np.flatnonzero(used)
    index = table["class_index"].to_numpy()[rows]
    order = np.argsort(index, kind="stable")
    return np.split(rows[order], np.flatnonzero(np.diff(index[order])) + 1)


def _given(manifest: Manifest, given: Mapping[str, Collection[str]]) -> pd.Series:
    """The given part of each picture: the first of train, val and test that it or one of its group is in."""
    if not any(given.values()):
        raise DatasetError(
            f"expected pictures of {manifest.name} that came in folders such as train, val and test, got none; split "
            "it without that"
        )
    places = {path: [PARTS.index(part) for part in parts] for path, parts in given.items()}
    own = [min(places.get(path, ()), default=len(PARTS)) for path in manifest.table["path"]]
    first = pd.Series(own, index=manifest.table.index).groupby(groups(manifest.table)).transform("min")
    return first.map(lambda place: PARTS[place] if place < len(PARTS) else "")


def write_folders(manifest: Manifest, into: str | Path, *, size: int | None = None) -> Path:
    """Lay out `train|val|test/<label>/` as links, for tools that want folders.

    Args:
        manifest: a split manifest.
        into: a folder that is empty or not there yet.
        size: link the squares of this side; None links the pictures as they came.

    Returns:
        The folder.

    Raises:
        DatasetError: the folder holds something else, or nothing is split yet.
    """
    folder, used = Path(into), manifest.where(split=("train", "val", "test"), status="ok")
    paths.local(manifest.root, to="lay out links to its pictures")
    if not len(used):
        raise DatasetError("expected a split dataset, got none of its pictures split; run split.assign first")
    if folder.exists() and any(folder.iterdir()):
        raise DatasetError(f"expected an empty folder, got {folder} with files in it; choose another")
    files = used.sized(size) if size else used.files
    for file, label, split in zip(files, used.table["label"], used.table["split"], strict=True):
        target = folder / split / label / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        _link(file.resolve(), target)
    return folder


def check_labelled(manifest: Manifest) -> None:
    """Raise DatasetError where no picture has a label."""
    if not manifest.classes:
        name = paths.dataset_name(manifest.root)
        raise DatasetError(f"expected labelled pictures, got none; label them first: toolkit label {name}")


def missing_classes(manifest: Manifest, split: str) -> list[str]:
    """The classes that have no picture in use in a split, in the order of the dataset.

    >>> missing_classes(manifest, "val")  # doctest: +SKIP
    []
    """
    there = set(manifest.where(split=split, status="ok").table["label"])
    return [label for label in manifest.classes if label not in there]


def in_bulk(manifest: Manifest) -> list[str]:
    """Labels given in bulk: paths of the test pictures that got theirs with others, and were not looked at alone since.

    The test is drawn without regard to that: pictures that were looked at alone are often those in doubt, so that a
    test of these would be harder than what comes.

    >>> in_bulk(manifest)  # doctest: +SKIP
    []
    """
    test = manifest.where(split="test", status="ok").table
    return test.loc[test["seen"].isin(IN_BULK), "path"].tolist()


def in_words(manifest: Manifest) -> str:
    """What to know of the labels in the test, in words; "" if none of them was given in bulk."""
    count, test = len(in_bulk(manifest)), len(manifest.where(split="test", status="ok"))
    if not count:
        return ""
    return (
        f"{count:,} of {counted(test, 'test picture')} got their label together with others, at a glance; look at them "
        f"one by one: toolkit review {paths.dataset_name(manifest.root)} --queue bulk"
    )


def _inherited(splits: pd.Series, groups: pd.Series) -> pd.Series:
    """A better copy that arrives later takes the split of the copy it replaces."""
    assigned = splits != ""
    by_group = pd.Series(splits[assigned].to_numpy(), groups[assigned].to_numpy())
    by_group = by_group[(by_group.index != "") & ~by_group.index.duplicated(keep="last")]
    if not len(by_group):
        return splits
    return splits.where(assigned, groups.map(by_group).fillna("").astype(splits.dtype))


def _whole_values(rows: pd.DataFrame, splits: pd.Series, by: str, shares: dict[str, float], seed: int) -> pd.Series:
    """Split of each row, all of one value of a column in one part."""
    parts = grouping.divide(rows["label"], grouping.together(rows, by), splits, shares=shares, seed=seed)
    return pd.Series(parts, index=rows.index)


def _link(file: Path, target: Path) -> None:
    try:
        target.symlink_to(file)
    except OSError:  # Windows without the right to make links
        os.link(file, target)
