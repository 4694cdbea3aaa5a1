"""Storage of the manifest: a base, and beside a large one a journal of what has changed since it was written.

The base of a small dataset is `manifest.csv`, which anyone can read and edit. That of a large one is
`manifest.parquet`, and a change of a few cells or rows is a line at the end of `manifest.jsonl`, whatever the size of
the table. The lines are replayed when the table is read, and gone when a stage writes it whole. A `manifest.csv` that
is newer than the Parquet file is read in its place.
"""

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from toolkit.core import contained, extras, locking, paths, remote, text
from toolkit.dataset import parquet, replay
from toolkit.dataset.schema import COLUMNS, ESSENTIAL, as_csv, complete
from toolkit.errors import DatasetError

CSV, PARQUET, JOURNAL = "manifest.csv", "manifest.parquet", "manifest.jsonl"
LARGE = 50_000  # rows from which the base is Parquet; docs/scale.md says why
PLAIN = r"raw(/[^./\\\x00][^/\\\x00]*)+"  # a path without anything hidden in it
LONGEST = 16 << 20  # bytes of a journal, from which the next change writes the table whole


class Stamp(NamedTuple):
    """What changes whenever a table is written: name, inode, size and time of its base, and bytes of its journal."""

    base: tuple[str, int, int, int]
    journal: int


def base(root: Path) -> Path:
    """The file that holds the table of a dataset; `manifest.csv` if there is none.

    >>> base(Path("data/pets")).name  # doctest: +SKIP
    'manifest.csv'
    """
    csv, packed = root / CSV, root / PARQUET
    if isinstance(root, Path):
        return packed if _changed_at(packed) >= max(0, _changed_at(csv)) else csv
    return csv if remote.exists(csv) or not remote.exists(packed) else packed


def stamp(root: Path) -> Stamp | None:
    """The stamp of a table as it is now; None where there is none, or it is at a URL."""
    file, journal = base(root), root / JOURNAL
    if not isinstance(file, Path) or not file.exists():
        return None
    return Stamp(_facts(file), journal.stat().st_size if file.name == PARQUET and journal.exists() else 0)


def datasets() -> list[Path]:
    """The folders in `data/` that hold a dataset, by name."""
    files = (file for name in (CSV, PARQUET) for file in paths.home().glob(f"data/*/{name}"))
    return sorted({file.parent for file in files if file.is_file()})


def read(root: Path) -> tuple[pd.DataFrame, Stamp | None]:
    """Read the table of a dataset, with the changes in its journal.

    Raises:
        DatasetError: it is damaged, or pyarrow is needed and missing.
    """
    while True:
        file = base(root)
        try:
            facts = _facts(file) if isinstance(file, Path) else None
            table, identity = _base(file)
        except FileNotFoundError:
            if base(root) == file:
                raise
            continue
        table, journal = replay.onto(table, root / JOURNAL, identity) if facts and identity else (table, 0)
        if set(ESSENTIAL) <= set(table):
            _check_paths(table["path"], file)
        if facts is None or (base(root) == file and _facts(file) == facts):  # else the journal may be of a newer base
            return table, Stamp(facts, journal) if facts else None


def save(root: Path, table: pd.DataFrame, entry: Mapping[str, object] | None, now: Stamp | None) -> Stamp | None:
    """Store a table, whole or not at all, and give its stamp. The folder is locked by whoever calls.

    Args:
        root: folder of the dataset.
        table: with all that was changed.
        entry: the difference to the table in storage, see `Changes.entry`; None writes all.
        now: the stamp of the table in storage; None writes all.
    """
    takes_lines = now is not None and now.base[0] == PARQUET and now.journal < LONGEST
    if entry and now and takes_lines and (identity := parquet.identity(root / PARQUET)):  # "": of somebody else
        if not (entry["set"] or entry["add"]):
            return now
        end = replay.append(root / JOURNAL, entry, identity=identity, end=now.journal)
        (root / CSV).unlink(missing_ok=True)  # an export, which no longer says what the table does
        return now._replace(journal=end)
    is_large = extras.is_installed("pyarrow") and (len(table) >= LARGE or remote.exists(root / PARQUET))
    if is_large:
        parquet.write(root / PARQUET, table)
    else:
        paths.write(root / CSV, as_csv(table))
    for name in (CSV if is_large else PARQUET, JOURNAL):
        if remote.exists(root / name):
            (root / name).unlink()
    return stamp(root)


def export(root: Path) -> Path:
    """Write the table as `manifest.csv`, for people: it is read again once it is edited, and gone when it is outdated.

    Args:
        root: folder of the dataset.

    Returns:
        The file.
    """
    file = root / CSV
    with locking.locked(root):
        if base(root).name == PARQUET:
            table, _ = read(root)
            with paths.atomic_write(file) as temporary:
                temporary.write_bytes(as_csv(table).encode())
                if isinstance(file, Path):  # as old as the table, so that an edited one is newer
                    os.utime(temporary, ns=(time := (root / PARQUET).stat().st_mtime_ns, time))
    return file


def _changed_at(file: Path) -> int:
    """When a file was written, in nanoseconds; -1 where there is none that can be looked at."""
    try:
        return file.stat().st_mtime_ns
    except (OSError, ValueError):  # its folder may be a file, or no name at all
        return -1


def _facts(file: Path) -> tuple[str, int, int, int]:
    status = file.stat()
    return file.name, status.st_ino, status.st_size, status.st_mtime_ns


def _base(file: Path) -> tuple[pd.DataFrame, str]:
    """The table in a file, in the types of a manifest, and the identity of a Parquet file."""
    try:
        table, identity = parquet.read(file) if file.name == PARQUET else (_csv(file), "")
        # an older table lacks what nobody wrote down then
        return (complete(table) if set(ESSENTIAL) <= set(table) else table), identity
    except ImportError as error:
        raise DatasetError(f"expected pyarrow to read {file}, found none; {extras.remedy('pyarrow')}") from error
    except (ValueError, TypeError, NotImplementedError, LookupError, OverflowError) as error:
        raise _damaged(file, error) from error
    except OSError as error:
        if error.errno:  # of the machine
            raise
        raise _damaged(file, error) from error


def _csv(file: Path) -> pd.DataFrame:
    types = {name: type(empty) if not isinstance(empty, str) else str for name, empty in COLUMNS.items()}
    content = file.read_bytes()
    return pd.read_csv(io.BytesIO(content), encoding=text.encoding(content), dtype=types, keep_default_na=False)


def _damaged(file: Path, error: Exception) -> DatasetError:
    return DatasetError(f"expected a readable table in {file}, got: {error}; restore it, or delete it and scrape again")


def _check_paths(names: pd.Series, file: Path) -> None:
    """Raise DatasetError where a path could lead elsewhere; that it is a plain one is seen faster in a column."""
    contained.paths(names[~names.str.fullmatch(PLAIN)], of=file)
