"""Verification: every file is opened once, and its measures are written into the manifest.

    status, reason, width, height, format, phash, sharpness, brightness, entropy, aspect     in the manifest
    a grey signature of 32×32 pixels per picture                                   in signatures.bin beside it

`judge`, `dedup` and `split` are then arithmetic on columns: they open no picture.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np
import pandas as pd

from toolkit import images
from toolkit.core import contained, locking, parallel
from toolkit.dataset import signatures
from toolkit.dataset.manifest import Dataset, Manifest, opened
from toolkit.dataset.schema import COLUMNS
from toolkit.images import measure
from toolkit.images.hashes import perceptual, to_text

DECIDED = ("status", "reason", "sha256", "bytes", "phash")
MEASURED = ("width", "height", "format", "sharpness", "brightness", "entropy", "aspect")
BATCH = 64  # pictures a worker takes at a time
SAVED_EVERY = 30.0  # seconds, at least
SAVING_SHARE = 0.05  # of the time that may go into saving


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a picture has to be, to be used.

    Args:
        min_side: shortest side in pixels, at least 1.
        min_sharpness: variance of the Laplacian; 0 is off, 20 leaves out what looks blurred.
        min_brightness, max_brightness: mean grey value, 0 to 255; 0 and 255 are off.
        min_entropy: of the grey values in bits, 0 to 8; 0 is off, 2 leaves out what is all but empty.
        max_aspect: longer side over shorter side; infinity is off, 3 leaves out banners.
    """

    min_side: int = 32
    min_sharpness: float = 0
    min_brightness: float = 0
    max_brightness: float = 255
    min_entropy: float = 0
    max_aspect: float = float("inf")

    def __post_init__(self) -> None:
        if self.min_side < 1 or self.max_aspect < 1 or self.min_brightness > self.max_brightness:
            raise ValueError(
                "expected min_side and max_aspect of at least 1 and min_brightness up to max_brightness, got "
                + ", ".join(f"{field.name}={getattr(self, field.name)}" for field in fields(self))
            )


class LimitOptions(TypedDict, total=False):
    """`Limits` as keyword arguments."""

    min_side: int
    min_sharpness: float
    min_brightness: float
    max_brightness: float
    min_entropy: float
    max_aspect: float


def check(
    manifest: Dataset,
    *,
    max_pixels: int = images.MAX_PIXELS,
    hashes: tuple[str, ...] = (),
    whole: bool = False,
    again: bool = False,
    jobs: int = -1,
    **limits: Unpack[LimitOptions],
) -> Manifest:
    """Fill the columns of all pictures whose status is "new".

    A file that cannot be used keeps its row, with the status "unreadable", "too small" or "poor quality" and a reason
    in words. Of many pictures what is done is saved now and then, so that a run that is killed does not begin again.

    The perceptual hash is that of `imagehash.phash` where a picture is decoded whole. A JPEG of more than 512 pixels is
    decoded at 1/2, 1/4 or 1/8 of its size, several times faster; docs/duplicates.md tells how far that moves hashes.

    Args:
        manifest: what to check, or the name of a dataset.
        max_pixels: width times height above which a file is not decoded.
        hashes: further hashes to write down, each in a column of its name: "ahash", "dhash", "whash", "colorhash".
        whole: decode large JPEGs whole, so that all hashes are those of imagehash.
        again: check all pictures again, but for those a person excluded.
        jobs: workers, -1 for one per core.
        limits: what a picture has to be, as in `Limits`: min_side=32, min_sharpness=0, …

    Returns:
        The manifest with its columns filled.

    Raises:
        ValueError: a limit is out of its range, or there is no such hash.

    >>> check(manifest, min_side=64, min_entropy=2).counts()  # doctest: +SKIP
    """
    asked = Limits(**limits)
    if unknown := set(hashes) - set(measure.HASHES):
        raise ValueError(f"expected hashes of {', '.join(measure.HASHES)}, got {', '.join(sorted(unknown))}")
    manifest = opened(manifest)
    contained.inside(manifest.root / "raw", manifest.root)
    with locking.alone(manifest.root / "raw", kind="verification"):
        before = manifest.table
        wanted = before["status"] != "excluded" if again else before["status"] == "new"
        todo = np.flatnonzero(wanted)
        columns = {name: before[name].to_numpy(copy=True) for name in (*DECIDED, *MEASURED)}
        columns |= {name: _column(before, name).to_numpy(copy=True) for name in hashes}
        measured = partial(measure.many, manifest.root, max_pixels=max_pixels, whole=whole, hashes=hashes)
        next_save = time.monotonic() + SAVED_EVERY
        buffer = signatures.Buffer(manifest.root)
        for rows, records in _measured(manifest, todo, measured, jobs):
            _fill(columns, rows, records, buffer)
            if time.monotonic() > next_save and not again and not manifest.partial:
                begun = time.monotonic()
                buffer.flush()
                _judged(_with(manifest, columns), rows=todo[: np.searchsorted(todo, rows[-1]) + 1], limits=asked).save()
                next_save = time.monotonic() + max(SAVED_EVERY, (time.monotonic() - begun) / SAVING_SHARE)
        buffer.flush()
        if again and len(todo):
            signatures.save(manifest.root, signatures.load(manifest.root))  # without those that were written anew
        checked = _judged(_with(manifest, columns), rows=todo, limits=asked) if len(todo) else manifest
        return _still_marked(checked, before) if again else checked


def judge(manifest: Manifest, **limits: Unpack[LimitOptions]) -> Manifest:
    """Decide anew which pictures are too small or of poor quality, from the columns alone: no file is opened.

    Args:
        manifest: a manifest that `check` has seen.
        limits: what a picture has to be, as in `Limits`: min_side=32, min_sharpness=0, min_brightness=0,
            max_brightness=255, min_entropy=0, max_aspect=infinity.

    Returns:
        The manifest with the status and reason of pictures that were "ok", "too small" or "poor quality".

    >>> judge(manifest, min_sharpness=20, max_aspect=3).left_out_reasons()  # doctest: +SKIP
    """
    asked = Limits(**limits)
    rows = np.flatnonzero(manifest.table["status"].isin(["ok", "too small", "poor quality"]))
    return _judged(manifest, rows=rows, limits=asked)


def _measured(
    manifest: Manifest, todo: np.ndarray, measured: partial, jobs: int
) -> Iterator[tuple[np.ndarray, list[dict[str, Any]]]]:
    """Rows of the manifest, some at a time, and the measures of their pictures."""
    table, root = manifest.table, manifest.root
    paths, sha256 = table["path"].to_numpy(), table["sha256"].to_numpy()
    size = min(BATCH, max(1, len(todo) // (4 * parallel.n_parallel(jobs))))
    batches = [todo[start : start + size] for start in range(0, len(todo), size)]
    work = [list(zip(paths[rows], sha256[rows], strict=True)) for rows in batches]
    kind: parallel.Kind = "processes" if isinstance(root, Path) else "threads"  # a remote file is waited for
    results = parallel.map(measured, work, jobs=jobs, kind=kind)
    with parallel.progress(None, total=len(todo), description="verify") as bar:
        for rows, records in zip(batches, results, strict=True):
            if isinstance(records, parallel.Failure):  # a worker died, and its whole batch is lost
                records = [{"status": records.status, "reason": records.reason} for _ in rows]
            yield rows, records
            bar.update(len(rows))


def _fill(
    columns: dict[str, np.ndarray], rows: np.ndarray, records: list[dict[str, Any]], buffer: signatures.Buffer
) -> None:
    """Write measures into columns, and signatures to where they are kept."""
    for row, record in zip(rows, records, strict=True):
        for name, values in columns.items():
            if name in record or name not in ("sha256", "bytes"):  # those two hold for a file that cannot be opened
                values[row] = record.get(name, "ok" if name == "status" else COLUMNS.get(name, ""))
    opened = [row for row, record in zip(rows, records, strict=True) if "signature" in record]
    if opened:
        grey = np.stack([record["signature"] for record in records if "signature" in record])
        columns["phash"][opened] = to_text(perceptual(grey))
        buffer.add(list(columns["sha256"][opened]), grey)


def _with(manifest: Manifest, columns: dict[str, np.ndarray]) -> Manifest:
    table = manifest.table
    return manifest.assign(
        **{name: pd.Series(values, table.index, _column(table, name).dtype) for name, values in columns.items()}
    )


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    """A column, empty where the table has none of that name."""
    return table[name] if name in table else pd.Series("", table.index, dtype=str)


def _judged(manifest: Manifest, *, rows: np.ndarray, limits: Limits) -> Manifest:
    """The manifest with the status and reason of these rows, of those whose pictures could be opened."""
    table = manifest.table
    rows = rows[(table["width"] > 0).to_numpy()[rows]]
    status, reason = table["status"].to_numpy(copy=True), table["reason"].to_numpy(copy=True)
    reason[rows] = np.where(status[rows] == "ok", reason[rows], "")  # a person's words about a picture in use stay
    status[rows] = "ok"
    approved = (table["reviewed"] == "use").to_numpy()[rows]  # by a person, whatever its quality
    for name, broken, words in reversed(_rules(table.iloc[rows], limits)):  # so that the first rule counts
        failed = broken.to_numpy() & ~(approved & (name == "poor quality"))
        status[rows[failed]] = name
        reason[rows[failed]] = words[failed].to_numpy()
    return _with(manifest, {"status": status, "reason": reason})


def _rules(table: pd.DataFrame, limits: Limits) -> list[tuple[str, pd.Series, pd.Series]]:
    """Of each rule the status it gives, a mask of the pictures that break it, and the reason for each in words."""
    text, ratio = table.astype(str), table["aspect"].where(table["aspect"] >= 1, 1 / table["aspect"])
    size = text["width"] + "x" + text["height"] + " pixels, "
    small = table[["width", "height"]].min(axis=1) < limits.min_side
    rules = [
        ("too small", small, size + f"the shortest side is below {limits.min_side}"),
        ("poor quality", ratio > limits.max_aspect, size + f"more than {limits.max_aspect:g} times as long as wide"),
    ]
    for name in ("brightness", "entropy", "sharpness"):
        lowest = getattr(limits, f"min_{name}")
        rules.append(("poor quality", table[name] < lowest, f"{name} " + text[name] + f", below {lowest:g}"))
    bright = f"brightness {{}}, above {limits.max_brightness:g}"
    rules.append(("poor quality", table["brightness"] > limits.max_brightness, text["brightness"].map(bright.format)))
    return rules


def _still_marked(checked: Manifest, before: pd.DataFrame) -> Manifest:
    """What dedup found still holds for a file that is as good as before."""
    marked = before["status"].isin(["duplicate", "label conflict"]) & (checked.table["status"] == "ok")
    old = {name: checked.table[name].where(~marked, before[name]) for name in ("status", "reason")}
    return checked.assign(**old)
