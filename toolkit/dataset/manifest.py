"""The manifest, the table of a dataset: one row per image, with its label, source, measures, status and split.

A dataset is a folder. `manifest.csv` in it, or `manifest.parquet` where there are many rows, is read into a pandas
table with a checked set of columns. Stages take a manifest and give a new one; nothing is ever removed from it.
"""

import hashlib
import html
from collections.abc import Collection, Iterable, Mapping
from dataclasses import InitVar, dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from toolkit.core import contained, headings, locking, paths, remote
from toolkit.dataset import by_hand, cells, merging, schema, storage
from toolkit.dataset.counting import by_label, in_general, tally
from toolkit.dataset.merging import Changes
from toolkit.dataset.schema import COLUMNS, class_indices
from toolkit.dataset.storage import base, datasets, stamp
from toolkit.errors import DatasetError

__all__ = [
    "COLUMNS",
    "FILE",
    "Dataset",
    "Manifest",
    "base",
    "class_indices",
    "datasets",
    "from_rows",
    "load",
    "merge",
    "opened",
    "stamp",
    "tally",
]

FILE = storage.CSV


@dataclass(frozen=True, eq=False, repr=False)
class Manifest:
    """Manifest of a dataset: a row for each image, with its label, status and split.

    Args:
        root: folder of the dataset, a path or a URL.
        table: one row per image with the columns of `COLUMNS` (more are kept), sorted by path.
        partial: True for a selection of rows, which cannot be saved over the whole.
        changes: what was changed since the table was read.
        stamp: of what is stored, when it was read; None for a table that was not, and is saved as it is.
        changed: the columns in which the table differs from one that was checked; None checks all.
    """

    root: Path
    table: pd.DataFrame
    partial: bool = False
    changes: Changes = field(default=merging.NONE, repr=False)
    stamp: storage.Stamp | None = field(default=None, repr=False)
    changed: InitVar[Collection[str] | None] = None

    def __post_init__(self, changed: Collection[str] | None) -> None:
        object.__setattr__(self, "root", remote.path(self.root))
        object.__setattr__(self, "table", schema.check(self.table, changed=changed))

    def __len__(self) -> int:
        return len(self.table)

    @property
    def name(self) -> str:
        """Name of the dataset: that of its folder."""
        return self.root.name

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the one order that all models of this dataset use."""
        pairs = self.table[["class_index", "label"]].drop_duplicates().sort_values("class_index")
        return tuple(pairs["label"][pairs["label"] != ""])

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, and "" at their end where pictures have no label."""
        return (*self.classes, "") if (self.table["label"] == "").any() else self.classes

    @property
    def labelled(self) -> "Manifest":
        """The pictures in use that have a label: those that networks learn from, and are judged by."""
        return self.where(status="ok", label=self.classes)

    @property
    def files(self) -> list[Path]:
        """Full path of every image, in the order of the table."""
        return [self.root / path for path in self.table["path"]]

    def class_indices(self, labels: Iterable[str]) -> np.ndarray:
        """The index of each label in `classes`, see the function of this name."""
        return class_indices(labels, self.classes)

    def sized(self, size: int, *, mode: str = "crop", quality: int | None = None) -> list[Path]:
        """Paths of the square copies of `size` pixels, in the order of the table.

        Args:
            size: side in pixels.
            mode: how they were made square, see `images.square`.
            quality: of JPEG copies; None for the PNG ones, which are what networks learn from.
        """
        name = f"{size}" + (f"-{mode}" if mode != "crop" else "") + (f"-jpeg{quality}" if quality else "")
        folder, ending = self.root / "sized" / name, ".jpg" if quality else ".png"
        return [folder / Path(path).relative_to("raw").with_suffix(ending).as_posix() for path in self.table["path"]]

    def where(self, **equals: str | Iterable[str]) -> "Manifest":
        """The rows whose columns have the given values (or one of several).

        Raises:
            ValueError: there is no such column.

        >>> manifest.where(split="train", status="ok")  # doctest: +SKIP
        """
        keep = pd.Series(True, index=self.table.index)
        for column, value in equals.items():
            if column not in self.table:
                raise ValueError(f"expected one of the columns {', '.join(self.table)}, got {column!r}")
            keep &= self.table[column].isin([value] if isinstance(value, str) else list(value))
        return Manifest(self.root, self.table[keep], partial=True, changed=())

    def assign(self, **columns: Iterable) -> "Manifest":
        """A new manifest with these columns replaced: `manifest.assign(split=["train"] * len(manifest))`."""
        changes = self.changes.of_columns(self.table, columns) if self._is_noted else self.changes
        return replace(self, table=self.table.assign(**columns), changes=changes, changed=columns)

    def update(self, rows: Mapping[str, Mapping[str, object]]) -> "Manifest":
        """A new manifest with single cells replaced: `{path: {column: value}}`."""
        if not rows:
            return self
        new = cells.by_column(rows)
        changes = self.changes.of_cells(self.table, new) if self._is_noted else self.changes
        return replace(self, table=cells.replaced(self.table, new), changes=changes, changed=new)

    @property
    def _is_noted(self) -> bool:
        """Whether what is changed has to be known when this is saved."""
        return self.stamp is not None and not self.partial

    def exclude(self, pictures: Iterable[str], *, reason: str = "") -> "Manifest":
        """A new manifest in which these pictures are not used; the files stay where they are.

        This is how a person settles a label conflict: exclude the row under the wrong label, then run dedup again.

        Args:
            pictures: see `find`.
            reason: in words; "" keeps the words about a picture that is excluded already.

        Raises:
            DatasetError: no picture or several of that name.
        """
        return self.update(by_hand.excluded(self.table, pictures, reason))

    def include(self, pictures: Iterable[str]) -> "Manifest":
        """A new manifest in which excluded pictures are used again; run dedup after it, which may find copies of them.

        Args:
            pictures: see `find`.

        Raises:
            DatasetError: no picture or several of that name, or one that was not excluded.
        """
        return self.update(by_hand.included(self.table, pictures))

    def find(self, pictures: Iterable[str]) -> list[str]:
        """The paths of pictures, each named as it came, or by a part of its path, see `by_hand.find`.

        Raises:
            DatasetError: no picture or several of that name.
        """
        return by_hand.find(self.table, pictures)

    def counts(self, by: str = "status") -> pd.DataFrame:
        """How many images: a row per class, a column per value of `by`, and totals.

        Images without a split are counted as "not used". Those without a label have a row too, where there are any.
        """
        return by_label(self.table, by, self.labels)

    def left_out(self) -> pd.DataFrame:
        """The images that are not used: path, status and reason."""
        unused = ~self.table["status"].isin(["new", "ok"])
        return self.table.loc[unused, ["path", "status", "reason"]].reset_index(drop=True)

    def left_out_reasons(self) -> pd.DataFrame:
        """How many images are not used, for which status and reason; the most frequent first."""
        unused = self.left_out()
        return tally(unused.assign(reason=unused["reason"].map(in_general))[["status", "reason"]])

    def notes(self) -> pd.DataFrame:
        """How many images in use have a note, such as that a range of deep grey values was chosen; numbers left out."""
        used = self.table[(self.table["status"] == "ok") & (self.table["reason"] != "")]
        return tally(pd.DataFrame({"note": used["reason"].str.replace(r"-?\d[\d.,e+-]*", "…", regex=True)}))

    def provenance(self) -> pd.DataFrame:
        """How many images came from which source under which licence, and how many of them are thumbnails.

        >>> manifest.provenance()  # doctest: +SKIP
              source       license  pictures  thumbnails
        0  wikimedia  CC BY-SA 4.0       120           0
        1       page       unknown        80          12
        """
        origin = self.table[["source", "license"]].replace({"license": {"": "unknown"}})
        thumbnails = (self.table["resolution"] == "thumbnail").groupby([origin["source"], origin["license"]]).sum()
        counted = tally(origin)
        return counted.assign(thumbnails=[int(thumbnails[row.source, row.license]) for row in counted.itertuples()])

    def fingerprint(self) -> str:
        """Hash of what a training run depends on: classes, files, labels, statuses and splits."""
        lines = self.table[["sha256", "label", "class_index", "status", "split"]].to_csv(index=False)
        return hashlib.sha256(lines.encode()).hexdigest()

    def save(self) -> "Manifest":
        """Store it, whole or not at all, and give back what is stored now.

        If it was stored since this one was read, only the cells that this one has changed go into it; a mark that a
        person made meanwhile stays. In a large dataset a change of a few rows is a line in a journal, see `storage`.

        Raises:
            ValueError: this is a selection; saving it would lose the other rows.
        """
        if self.partial:
            raise ValueError("expected a whole manifest, got a selection; save the one it was taken from")
        with locking.locked(self.root):
            now = storage.stamp(self.root) if self.stamp else None
            table, entry = self.table, None
            if now and now != self.stamp:
                others, now = storage.read(self.root)
                table = schema.check(merging.merged(self.table, others, self.changes.before(self.table)))
            if now:
                entry = self.changes.entry(table, is_merged=table is not self.table)
            stored = storage.save(self.root, table, entry, now)
        return replace(self, table=table, changes=merging.NONE, stamp=stored, changed=())

    def __repr__(self) -> str:
        return f"{self.name}: {len(self)} images\n{self.counts()}"

    def _repr_html_(self) -> str:
        return f"<b>{html.escape(self.name)}</b>: {len(self)} images{headings.styled(self.counts()).to_html()}"


Dataset = Manifest | str | Path


def opened(dataset: Dataset) -> Manifest:
    """A dataset opened: a manifest as it is, and that of a name or a folder, see `load`."""
    return dataset if isinstance(dataset, Manifest) else load(dataset)


def load(root: str | Path) -> Manifest:
    """Read the manifest of a dataset.

    Args:
        root: name of a dataset in `data/`, the path of its folder, or a URL such as s3://bucket/pets.

    Raises:
        DatasetError: no manifest there, or one with damaged or missing columns.

    >>> load("cars_tanks").classes  # doctest: +SKIP
    ('cars', 'tanks')
    """
    folder = contained.folder(paths.dataset(root))
    if not remote.exists(base(folder)):
        there = ", ".join(folder.name for folder in datasets()) or "none yet"
        raise DatasetError(
            f"expected a dataset at {folder}, found no {FILE}; there are: {there}; make one with `toolkit scrape`"
        )
    table, stored = storage.read(folder)
    return Manifest(folder, table, stamp=stored)


def from_rows(root: Path, rows: Iterable[Mapping[str, object]]) -> Manifest:
    """A manifest from dicts with at least `path` and `label`; new labels are numbered in alphabetical order.

    >>> from_rows(Path("pets"), [{"path": "raw/cat/1.jpg", "label": "cat"}]).classes
    ('cat',)
    """
    table = pd.DataFrame(list(rows))
    return Manifest(root, schema.number_classes(schema.complete(table)))


def merge(manifest: Manifest, rows: Iterable[Mapping[str, object]]) -> Manifest:
    """Add rows whose path is not there yet; rows that are keep all that later stages wrote.

    Known classes keep their place in the class order; new ones come after them.
    """
    existing = set(manifest.table["path"])
    added = [row for row in rows if row["path"] not in existing]
    if not added:
        return manifest
    fresh = schema.complete(pd.DataFrame(added))
    table = schema.number_classes(pd.concat([manifest.table, fresh], ignore_index=True))
    changes = manifest.changes.of_rows(manifest.table, fresh) if manifest.stamp else manifest.changes
    return replace(manifest, table=table, changes=changes)
