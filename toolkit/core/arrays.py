"""Mapped arrays: named rows of numbers in a folder, written in slices by any number of processes, read by place.

Whoever writes has a pair of files of its own in the folder, which grows, and which NumPy opens as it is:

    <id>.npy          the rows, shape (n, …), of uint8, float16 or float32
    <id>.names.npy    the name of each, as bytes; written after the rows, so that a row with a name is complete

Nothing is ever read as a whole: a file is mapped for as long as it takes to copy the rows that are asked for. At a URL,
where nothing can be added to a file, every slice is a pair of its own. No pickle is read and no header evaluated, and
what a header says is compared with the size of the file before anything is mapped.
"""

import io
import math
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from toolkit.core import paths

ROWS, NAMES = ".npy", ".names.npy"
KINDS = ("|u1", "<f2", "<f4")  # of numbers
LONGEST = 96  # bytes of a name
HEADER = 512  # bytes, at most
MADE = re.compile(  # version 1.0, as NumPy writes it here; it reads more, by evaluating what it finds
    rb"\x93NUMPY\x01\x00(..)\{'descr': '(\|u1|<f2|<f4|\|S\d{1,2})', 'fortran_order': False, "
    rb"'shape': \((\d{1,18},(?: \d{1,18})?(?:, \d{1,18}){0,3})\), \} *\n",
    re.DOTALL,
)
AT_ONCE = 64 << 20  # bytes that are copied from one mapping, which then is given back


class Slice(NamedTuple):
    """The complete rows of one file.

    Args:
        file: the rows.
        offset: bytes before the first.
        dtype: of the numbers.
        shape: rows first.
    """

    file: Path
    offset: int
    dtype: np.dtype
    shape: tuple[int, ...]

    def mapped(self) -> np.ndarray:
        """All of them, in memory only where they are looked at; from a URL they are fetched."""
        if isinstance(self.file, Path):
            return np.memmap(self.file, self.dtype, "r", self.offset, self.shape).view(np.ndarray)
        content = np.frombuffer(self.file.read_bytes(), self.dtype, int(np.prod(self.shape)), self.offset)
        return content.reshape(self.shape)


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a mapped array, which are copied from disk when they are indexed, along the axes of `places`.

    It is indexed by numbers, slices, masks and arrays as a NumPy array is, and `numpy.asarray` copies all of it. Sent
    to another process it is a few names and places, not the rows.

    Args:
        slices: all of the store.
        places: int array of any shape: which row stands where, counted through all slices.
        dtype: of what is given.

    >>> Store(folder).rows(np.array([[4], [0]]))[:, 0].shape  # doctest: +SKIP
    (2, 1280)
    """

    slices: tuple[Slice, ...]
    places: np.ndarray
    dtype: np.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """That of `places`, and then that of a row."""
        return (*self.places.shape, *(self.slices[0].shape[1:] if self.slices else (0,)))

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all of it in memory."""
        return int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, key: Any) -> np.ndarray:
        places = np.asarray(self.places[key])
        flat, row = places.ravel(), self.shape[self.places.ndim :]
        copied = np.empty((len(flat), *row), self.dtype)
        step = max(1, AT_ONCE // max(1, self.dtype.itemsize * int(np.prod(row))))
        for start in range(0, len(flat), step):
            self._copy(flat[start : start + step], copied[start : start + step])
        return copied.reshape(*places.shape, *row)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:] if dtype is None else self[:].astype(dtype, copy=False)

    def _copy(self, places: np.ndarray, into: np.ndarray) -> None:
        first = 0
        for part in self.slices:
            own = (places >= first) & (places < first + part.shape[0])
            if own.all() and into.dtype == part.dtype:
                np.take(part.mapped(), places - first, axis=0, out=into, mode="clip")  # which needs no second copy
            elif own.any():
                into[own] = part.mapped()[places[own] - first]
            first += part.shape[0]


class Store:
    """A folder of named rows, as it is when it is opened.

    Files that are damaged, or whose rows have another shape than most, are passed over.

    Args:
        folder: of this machine or at a URL; one that is not there, or None, holds nothing.
        shape: of a row; None takes that of most.

    >>> store = Store(Path("data/pets/features/mobilenet-224-0a…"))  # doctest: +SKIP
    >>> store.rows(store.find([b"3f…/0"])).shape  # doctest: +SKIP
    (1, 1024)
    """

    def __init__(self, folder: Path | None, *, shape: tuple[int, ...] | None = None):
        files = sorted(folder.glob(f"[!.]*{NAMES}")) if folder else []
        found = [pair for pair in map(_pair, files) if pair]
        if found and shape is None:
            shape = max(found, key=lambda pair: len(pair[0]))[1].shape[1:]
        found = [pair for pair in found if pair[1].shape[1:] == shape]
        self.slices = tuple(part for _, part in found)
        self._names = np.concatenate([names for names, _ in found]) if found else np.empty(0, "S1")
        self._order = np.argsort(self._names, kind="stable")

    def __len__(self) -> int:
        return len(self._names)

    def find(self, names: Sequence[bytes]) -> np.ndarray:
        """The place of each named row, -1 where there is none."""
        wanted = np.array(names, dtype="S")
        if not len(self) or not len(wanted):
            return np.full(len(wanted), -1)
        positions = np.searchsorted(self._names, wanted, sorter=self._order)
        places = self._order[np.minimum(positions, len(self) - 1)]
        return np.where(self._names[places] == wanted, places, -1)

    def rows(self, places: np.ndarray, *, dtype: Any = None) -> Rows:
        """The rows at these places, none of which is -1.

        Args:
            places: see `Rows`.
            dtype: of the numbers that are given; None takes that of the file.
        """
        stored = self.slices[0].dtype if self.slices else np.dtype(np.float32)
        return Rows(self.slices, places, np.dtype(dtype or stored))


class Writer:
    """Adds slices of rows to a folder, in a pair of files of its own.

    Args:
        folder: made if it is not there.

    >>> with Writer(folder) as writer:  # doctest: +SKIP
    ...     writer.add([b"3f…/0"], np.zeros((1, 1280), np.float32))
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._id = f"{time.time_ns():020d}-{os.urandom(4).hex()}"
        self._files: list[_Growing] = []
        self._slices = 0

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for growing in self._files:
            growing.file.close()

    def add(self, names: Sequence[bytes], rows: np.ndarray) -> None:
        """Add rows and their names, on disk when it returns: all of them, or, where it is killed, none or the first."""
        given = np.array(names, dtype=f"S{LONGEST}")
        kept = np.ascontiguousarray(rows)
        if kept.dtype.str not in KINDS or any(len(name) > LONGEST for name in names):
            raise ValueError(f"expected rows of {', '.join(KINDS)} and names of {LONGEST} bytes, got {kept.dtype}")
        if not isinstance(self.folder, Path):
            self._put(kept, given)
            return
        if not self._files:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._files = [_Growing(self.folder / f"{self._id}{ending}") for ending in (ROWS, NAMES)]
        for growing, content in zip(self._files, (kept, given), strict=True):
            growing.add(content)

    def _put(self, rows: np.ndarray, names: np.ndarray) -> None:
        for ending, content in ((ROWS, rows), (NAMES, names)):
            packed = io.BytesIO()
            np.save(packed, content, allow_pickle=False)
            paths.write(self.folder / f"{self._id}-{self._slices:06d}{ending}", packed.getvalue())
        self._slices += 1


class _Growing:
    """A `.npy` file that grows by rows; its header, which NumPy pads for this, says how many are complete."""

    def __init__(self, path: Path):
        self.file: BinaryIO = path.open("xb")
        self.count = 0

    def add(self, rows: np.ndarray) -> None:
        if not self.count:
            self._write_header(rows, 0)
        self.file.seek(0, os.SEEK_END)
        self.file.write(rows.data)
        self.count += len(rows)
        self._write_header(rows, self.count)
        self.file.flush()
        os.fsync(self.file.fileno())

    def _write_header(self, rows: np.ndarray, count: int) -> None:
        self.file.seek(0)
        described = {"descr": rows.dtype.str, "fortran_order": False, "shape": (count, *rows.shape[1:])}
        np.lib.format.write_array_header_1_0(self.file, described)


def _pair(file: Path) -> tuple[np.ndarray, Slice] | None:
    """The names in a file and the rows that they name; None where either is not as it should be."""
    names, rows = _complete(file), _complete(file.with_name(file.name.removesuffix(NAMES) + ROWS))
    if not names or not rows or names.dtype.kind != "S" or len(names.shape) != 1 or len(rows.shape) == 1:
        return None
    count = min(names.shape[0], rows.shape[0])
    return (names.mapped()[:count].copy(), rows._replace(shape=(count, *rows.shape[1:]))) if count else None


def _complete(file: Path) -> Slice | None:
    """The rows that the header of a file promises and its size holds; None where there are none, or it is another."""
    try:
        with file.open("rb") as opened:
            begin, size = opened.read(HEADER), opened.seek(0, os.SEEK_END)
    except OSError:
        return None
    header = MADE.match(begin)
    if not header:
        return None
    dtype, shape = np.dtype(header[2].decode()), tuple(map(int, re.findall(rb"\d+", header[3])))
    row, offset = dtype.itemsize * math.prod(shape[1:]), 10 + int.from_bytes(header[1], "little")
    count = min(shape[0], (size - offset) // row) if row else 0
    return Slice(file, offset, dtype, (count, *shape[1:])) if count > 0 else None
