"""Signatures: every picture of a dataset in grey at 32×32 pixels, in one file beside the manifest.

Perceptual hashes are computed from them, and near-duplicates compared by them. A record is the sha256 of a file and its
signature. New ones are added at the end, so that writing costs as much for the last thousand pictures as for the first;
of several with one sha256 the last counts. The file is mapped into memory, not read as a whole. At most URLs nothing
can be added to a file: there new ones are an object of their own, and all are put together once these are many.
"""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from toolkit.core import contained, paths, remote
from toolkit.images.measure import SIDE

FILE = "signatures.bin"
CHUNK, MOST_CHUNKS = "signatures-{}.bin", 64  # objects at a URL that come after that file, in the order of their names
WAITING = 65_536  # signatures, at most, that are held back to become one object, 71 MB
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
    """Append signatures; half a record that a killed run left behind is cut off. At a URL they are a new object.

    Args:
        root: folder of the dataset.
        names: sha256 of the files.
        grey: uint8 array of shape (n, 32, 32).
    """
    file = root / FILE
    if not isinstance(file, Path):
        paths.write(root / CHUNK.format(f"{time.time_ns():020d}"), _packed(names, grey).tobytes())
        if len(_chunks(root)) > MOST_CHUNKS:
            save(root, load(root))
        return
    with os.fdopen(contained.appendable(file), "r+b") as stored:
        end = stored.seek(0, 2)
        stored.truncate(end - end % RECORD.itemsize)
        stored.write(_packed(names, grey).tobytes())


class Buffer:
    """Signatures on their way to a dataset: on this machine they are added at once, at a URL many become one object.

    Args:
        root: folder of the dataset.
    """

    def __init__(self, root: Path):
        self._root = root
        self._names: list[str] = []
        self._grey: list[np.ndarray] = []

    def add(self, names: Sequence[str], grey: np.ndarray) -> None:
        """See `add`; what waits is lost with this process until `flush`."""
        self._names += names
        self._grey.append(grey)
        if isinstance(self._root, Path) or len(self._names) >= WAITING:
            self.flush()

    def flush(self) -> None:
        """Add what waits."""
        if self._names:
            add(self._root, self._names, np.concatenate(self._grey))
            self._names, self._grey = [], []


def save(root: Path, known: Mapping[str, np.ndarray]) -> None:
    """Write these and no others, whole or not at all."""
    names = sorted(known)
    grey = np.stack([known[name] for name in names]) if names else np.zeros((0, SIDE, SIDE), np.uint8)
    chunks = _chunks(root)
    paths.write(root / FILE, _packed(names, grey).tobytes())
    for chunk in chunks:
        chunk.unlink()


def _packed(names: Sequence[str], grey: np.ndarray) -> np.ndarray:
    records = np.empty(len(names), RECORD)
    records["sha256"], records["grey"] = np.array(names, dtype="S64"), grey
    return records


def _records(root: Path) -> np.ndarray:
    file = root / FILE
    if not isinstance(file, Path):
        whole = [file] if file.exists() else []
        return np.concatenate([np.empty(0, RECORD), *(_complete(part.read_bytes()) for part in whole + _chunks(root))])
    count = file.stat().st_size // RECORD.itemsize if file.exists() else 0
    return np.memmap(file, RECORD, "r", shape=count) if count else np.empty(0, RECORD)


def _complete(content: bytes) -> np.ndarray:
    return np.frombuffer(content[: len(content) // RECORD.itemsize * RECORD.itemsize], RECORD)


def _chunks(root: Path) -> list[Path]:
    """The objects at a URL that were added since all were put together, the oldest first; none on this machine."""
    return [] if isinstance(root, Path) else remote.glob(root, CHUNK.format("*"))
