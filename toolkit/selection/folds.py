"""The folds of a cross-validation: stratified, and near-duplicates stay together."""

import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from toolkit.core import parallel
from toolkit.dataset import dividing, grouping, split, stratified
from toolkit.dataset import manifest as manifests
from toolkit.dataset.manifest import Manifest, class_indices
from toolkit.errors import DatasetError

LARGE = 10_000  # pictures from which folds go by hash; else each picture takes a millisecond, and as ever the same fold
VAL_PARTS = 7  # one of them, of the pictures that a fold does not judge, is for choosing the epoch or C


class Kept(NamedTuple):
    """The pictures of a fold as other machines get them: where their table lies, and the split of each as a number.

    Args:
        root: folder of the dataset.
        table: a folder with the table of these pictures.
        splits: int8 array of shape (pictures,), places in `split.PARTS`.
    """

    root: Path
    table: Path
    splits: np.ndarray

    def opened(self) -> Manifest:
        """The same as it was before it was sent."""
        splits = np.array(split.PARTS, object)[self.splits]
        table = manifests.load(self.table).table.assign(split=splits)
        return Manifest(self.root, table, partial=True, changed=())


def divided(manifest: Manifest, *, folds: int, seed: int, by: str | None = None) -> list[Manifest]:
    """The manifest once per fold, with what the fold judges as "test", and the others as "train" and "val".

    Args:
        manifest: pictures in use.
        folds: at least 2.
        seed: any integer from 0.
        by: a column, such as "source", of which no value is on two sides; of fewer values than folds each is a fold.

    Raises:
        DatasetError: a class has too few pictures, or groups of them, for so many folds.
        ValueError: fewer than 2 folds, or no such column.
    """
    table = manifest.table
    groups, labels = split.groups(table).to_numpy(), table["label"].to_numpy()
    _check_groups(labels, groups, folds)
    kept, folds = (groups, folds) if by is None else _whole_values(table, by, folds)
    parts = []
    for number, (rest, judged) in enumerate(_divisions(labels, kept, folds, seed, by), start=1):
        splits = np.full(len(table), "train", dtype=object)
        splits[judged] = "test"
        splits[rest[_validation_rows(labels[rest], groups[rest], seed)]] = "val"
        missing = sorted(set(labels) - set(labels[splits == "train"]))
        if missing:
            reason = _why(missing[0], labels, groups) if by is None else f"all of them are in one part by {by}"
            raise DatasetError(
                f"expected pictures of every class to learn from in fold {number} of {folds}, got none of "
                f"{missing[0]!r}: {reason}; take another seed or number of folds, or add pictures"
            )
        parts.append(manifest.assign(split=splits))
    return parts


def _whole_values(table: pd.DataFrame, by: str, folds: int) -> tuple[np.ndarray, int]:
    """Groups of pictures that share a value of a column, and how many folds they allow."""
    together = grouping.together(table, by).to_numpy()
    count = len(set(together))
    if count < 2:
        raise DatasetError(f"expected pictures of at least two values of {by}, got one; cross-validate without it")
    return together, min(folds, count)


def _why(label: str, labels: np.ndarray, groups: np.ndarray) -> str:
    """Why a class cannot be divided: most of its pictures stay together, or there are too few."""
    count, apart = int((labels == label).sum()), len(set(groups[labels == label]))
    if apart < count:
        return "too many of them are near-duplicates of one another, which stay together"
    return f"{count} pictures of it are too few"


def _check_groups(labels: np.ndarray, groups: np.ndarray, folds: int) -> None:
    if folds < 2:
        raise ValueError(f"expected at least 2 folds, got {folds}")
    counts = pd.Series(groups).groupby(labels).nunique()
    if not len(counts) or counts.min() <= folds:
        few = f"{counts.min()} of {counts.idxmin()!r}" if len(counts) else "none"
        raise DatasetError(f"expected more than {folds} pictures of every class for {folds} folds, got {few}")


def _validation_rows(labels: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """Which rows are validation pictures: those of the first division that leaves every class on both sides.

    Large groups may allow none: then of the first one with every class in train, or else of the very first.
    """
    fewest = int(pd.Series(groups).groupby(labels).nunique().min())
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # of a class of one picture, which is refused
        divisions = list(_divisions(labels, groups, max(2, min(VAL_PARTS, fewest)), seed))
    classes = len(set(labels))

    def lacks_a_class(division: tuple[np.ndarray, np.ndarray]) -> tuple[bool, bool]:
        train_rows, val_rows = division
        return len(set(labels[train_rows])) < classes, len(set(labels[val_rows])) < classes

    return min(divisions, key=lacks_a_class)[1]  # the first of the best


def are_by_hash(pictures: int, by: str | None) -> bool:
    """Whether so many pictures go into folds by hash; those of large groups, as of a source, are weighed instead."""
    return pictures >= LARGE and by is None


def _divisions(
    labels: np.ndarray, groups: np.ndarray, count: int, seed: int, by: str | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The rows that a fold learns from and those that it judges, for each fold."""
    if are_by_hash(len(labels), by):
        number = dividing.folds(labels, groups, count=count, seed=seed)
        for fold in range(count):
            yield np.flatnonzero(number != fold), np.flatnonzero(number == fold)
        return
    yield from stratified.divide(labels, groups, folds=count, seed=seed)


@contextmanager
def sent(parts: Sequence[Manifest], folder: Path) -> Iterator[Sequence[Manifest | Kept]]:
    """The folds as they are handed on: here as they are, to other machines with the table in a folder they all see.

    Args:
        parts: as `divided` gives them.
        folder: for the table, as long as they run.
    """
    if not parallel.is_distributed():
        yield parts
        return
    folder.mkdir(parents=True, exist_ok=True)
    Manifest(folder, parts[0].table).save()
    splits = [class_indices(part.table["split"], split.PARTS).astype(np.int8) for part in parts]
    try:
        yield [Kept(part.root, folder, numbers) for part, numbers in zip(parts, splits, strict=True)]
    finally:
        shutil.rmtree(folder)
