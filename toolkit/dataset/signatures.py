"""Signatures: every picture of a dataset in grey at 32×32 pixels, in one file beside the manifest.

Perceptual hashes are computed from them, and near-duplicates compared by them. A record is the sha256 of a file and its
signature. New ones are added at the end, so that writing costs as much for the last thousand pictures as for the first;
of several with one sha256 the last counts. The file is mapped into memory, not read as a whole.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from toolkit.core import contained, paths
from toolkit.images.measure import SIDE

FILE = "signatures.bin"
RECORD = np.dtype([("sha256", "S64"), ("grey", np.uint8, (SIDE, SIDE))])


def load(root: Path) -> dict[str, np.ndarray]:
    """All signatures by the sha256 of their file: uint8 arrays of shape (32, 32)."""
    records = _records(root)
    return dict(zip(records["sha256"].astype(str).tolist(), np.array(records["grey"]), strict=True))


def find(root: Path, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Find the signatures of files.

    Args:
        root: folder of the dataset.
        names: sha256 of files.

    Returns:
        uint8 array of shape (n, 32, 32), read from disk where it is indexed, and for every name its index in it, -1 if
        there is none.
    """
    records = _records(root)
    stored = np.array(records["sha256"])
    order = np.argsort(stored, kind="stable")
    wanted = np.array(names, dtype="S64")
    after = np.searchsorted(stored, wanted, side="right", sorter=order)  # the last of several comes just before
    if not len(stored):
        return records["grey"], np.full(len(wanted), -1)
    positions = order[after - 1]
    return records["grey"], np.where(stored[positions] == wanted, positions, -1)


def add(root: Path, names: Sequence[str], grey: np.ndarray) -> None:
    """Append signatures; half a record that a killed run left behind is cut off.

    Where nothing can be added to a file, as at most URLs, it is written anew.

    Args:
        root: folder of the dataset.
        names: sha256 of the files.
        grey: uint8 array of shape (n, 32, 32).
    """
    file = root / FILE
    if not isinstance(file, Path):
        paths.write(file, _records(root).tobytes() + _packed(names, grey).tobytes())
        return
    with os.fdopen(contained.appendable(file), "r+b") as stored:
        end = stored.seek(0, 2)
        stored.truncate(end - end % RECORD.itemsize)
        stored.write(_packed(names, grey).tobytes())


def save(root: Path, known: Mapping[str, np.ndarray]) -> None:
    """Write these and no others, whole or not at all."""
    names = sorted(known)
    grey = np.stack([known[name] for name in names]) if names else np.zeros((0, SIDE, SIDE), np.uint8)
    paths.write(root / FILE, _packed(names, grey).tobytes())


def _packed(names: Sequence[str], grey: np.ndarray) -> np.ndarray:
    records = np.empty(len(names), RECORD)
    records["sha256"], records["grey"] = np.array(names, dtype="S64"), grey
    return records


def _records(root: Path) -> np.ndarray:
    file = root / FILE
    if not isinstance(file, Path):
        content = file.read_bytes() if file.exists() else b""
        return np.frombuffer(content[: len(content) // RECORD.itemsize * RECORD.itemsize], RECORD)
    count = file.stat().st_size // RECORD.itemsize if file.exists() else 0
    return np.memmap(file, RECORD, "r", shape=count) if count else np.empty(0, RECORD)
