"""Decoded squares: the pixels of a dataset's squares in a mapped array, so that no training opens a PNG again.

They lie in `data/<name>/squares/<size>/`, see `core.arrays`, with what they are in `squares.json` beside them. New
pictures are added; the folder can be removed at any time.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from toolkit import images
from toolkit.core import arrays, contained, locking, paths
from toolkit.dataset.manifest import Manifest
from toolkit.errors import DatasetError
from toolkit.images.opening import prepare_all

FOLDER, FACTS = "squares", "squares.json"
AT_ONCE = 64 << 20  # bytes of pixels that are written at a time, and so the most that is lost in an interruption


def decoded(files: Sequence[Path], size: int, *, jobs: int = -1, description: str = "") -> Iterator[np.ndarray]:
    """The pixels of squares, in order: uint8 arrays of shape (size, size, 3).

    Args:
        files: the squares, as `resize.write` has made them.
        size: side in pixels.
        jobs: workers that decode, -1 for one per core.
        description: of the progress bar; "" shows none.

    Raises:
        DatasetError: one is damaged; names it.
    """
    read = partial(images.prepare, size=size)
    advice = "remove it and run resize again"
    return prepare_all(read, files, advice=advice, description=description, jobs=jobs)


def mapped(manifest: Manifest, *, size: int, resize_mode: str = "crop", jobs: int = -1) -> arrays.Rows:
    """The pixels of all squares of a manifest on disk, decoded where they are not yet.

    Args:
        manifest: pictures whose squares are there, in any order, on this machine.
        size: side in pixels.
        resize_mode: how the squares were made.
        jobs: workers that decode, -1 for one per core.

    Returns:
        Rows of uint8, shape (pictures, size, size, 3), in the order of the manifest.

    Raises:
        DatasetError: a square is damaged, the dataset is at a URL, or the disk has no room for them.

    >>> mapped(manifest.load("cars_tanks").where(split="train"), size=224).shape  # doctest: +SKIP
    (770, 224, 224, 3)
    """
    root = paths.local(manifest.root, to="train on more pictures than the memory holds")
    files = manifest.sized(size, mode=resize_mode)
    folder = contained.inside(root / FOLDER / files[0].relative_to(root / "sized").parts[0], root)
    names = [_name(sha256, file) for sha256, file in zip(manifest.table["sha256"], files, strict=True)]
    shape = (size, size, 3)
    folder.mkdir(parents=True, exist_ok=True)
    with locking.locked(folder):  # of several trainings that begin at once, one decodes
        missing = np.flatnonzero(arrays.Store(folder, shape=shape).find(names) < 0)
        if len(missing):
            _check_room(root, len(missing) * size * size * 3)
            facts = {"size": size, "resize_mode": resize_mode, "dtype": "uint8", "shape": shape}
            paths.write(folder / FACTS, json.dumps(facts) + "\n")
            _decode(folder, {names[index]: files[index] for index in missing}, size, jobs)
    store = arrays.Store(folder, shape=shape)
    return store.rows(store.find(names), dtype=np.uint8)


def _name(sha256: str, file: Path) -> bytes:
    """What a square is called: a picture is one file, and a square that was made otherwise has other bytes."""
    return b"%s/%d" % (sha256[:64].encode("ascii", "replace"), file.stat().st_size)


def _check_room(root: Path, needed: int) -> None:
    free = shutil.disk_usage(root).free
    if free < needed:
        raise DatasetError(
            f"expected {needed / 1e9:,.1f} GB of free disk for the decoded squares in {root / FOLDER}, found "
            f"{free / 1e9:,.1f}; make room, or train at a smaller size"
        )


def _decode(folder: Path, missing: dict[bytes, Path], size: int, jobs: int) -> None:
    names, step = list(missing), max(1, AT_ONCE // (size * size * 3))
    pictures = decoded(list(missing.values()), size, jobs=jobs, description="decode squares")
    with arrays.Writer(folder) as writer:
        for start in range(0, len(names), step):
            part = names[start : start + step]
            writer.add(part, np.stack([next(pictures) for _ in part]))
