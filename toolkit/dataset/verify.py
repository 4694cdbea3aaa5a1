"""Open every file once, and write down what later stages need to know about it.

    status, reason, width, height, format, phash, sharpness, brightness, entropy, aspect     in the manifest
    a grey signature of 32×32 pixels per picture                                   in signatures.bin beside it

`judge`, `dedup` and `split` are then arithmetic on columns: they open no picture.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from toolkit import images
from toolkit.core import parallel
from toolkit.dataset import signatures
from toolkit.dataset.manifest import Manifest
from toolkit.dataset.schema import COLUMNS
from toolkit.images import measure
from toolkit.images.hashes import perceptual, to_text

FILLED = ("status", "reason", "sha256", "bytes", "phash", "width", "height", "format")
FILLED += ("sharpness", "brightness", "entropy", "aspect")
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


def check(
    manifest: Manifest,
    *,
    max_pixels: int = images.MAX_PIXELS,
    hashes: tuple[str, ...] = (),
    whole: bool = False,
    again: bool = False,
    jobs: int = -1,
    **limits: float,
) -> Manifest:
    """Fill the columns of all pictures whose status is "new".

    A file that cannot be used keeps its row, with the status "unreadable", "too small" or "poor quality" and a reason
    in words. Of many pictures what is done is saved now and then, so that a run that is killed does not begin again.

    The perceptual hash is that of `imagehash.phash` where a picture is decoded whole. A JPEG of more than 512 pixels is
    decoded at 1/2, 1/4 or 1/8 of its size, several times faster; docs/duplicates.md tells how far that moves hashes.

    Args:
        manifest: what to check.
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
    before = manifest.table
    wanted = before["status"] != "excluded" if again else before["status"] == "new"
    todo = np.flatnonzero(wanted)
    columns = {name: before[name].to_numpy(copy=True) for name in FILLED}
    columns |= {name: _column(before, name).to_numpy(copy=True) for name in hashes}
    look = partial(measure.many, manifest.root, max_pixels=max_pixels, whole=whole, hashes=hashes)
    next_save = time.monotonic() + SAVED_EVERY
    for places, found in _looked_at(manifest, todo, look, jobs):
        _fill(columns, places, found, manifest)
        if time.monotonic() > next_save and not again and not manifest.partial:
            begun = time.monotonic()
            _judged(_with(manifest, columns), places=todo[: np.searchsorted(todo, places[-1]) + 1], limits=asked).save()
            next_save = time.monotonic() + max(SAVED_EVERY, (time.monotonic() - begun) / SAVING_SHARE)
    if again and len(todo):
        signatures.save(manifest.root, signatures.load(manifest.root))  # without those that were written anew
    checked = _judged(_with(manifest, columns), places=todo, limits=asked) if len(todo) else manifest
    return _still_marked(checked, before) if again else checked


def judge(manifest: Manifest, **limits: float) -> Manifest:
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
    places = np.flatnonzero(manifest.table["status"].isin(["ok", "too small", "poor quality"]))
    return _judged(manifest, places=places, limits=asked)


def _looked_at(
    manifest: Manifest, todo: np.ndarray, look: partial, jobs: int
) -> Iterator[tuple[np.ndarray, list[dict]]]:
    """The facts of the pictures at these places, some at a time."""
    table, root = manifest.table, manifest.root
    paths, known = table["path"].to_numpy(), table["sha256"].to_numpy()
    size = min(BATCH, max(1, len(todo) // (4 * parallel.n_parallel(jobs))))
    batches = [todo[start : start + size] for start in range(0, len(todo), size)]
    kind: parallel.Kind = "processes" if isinstance(root, Path) else "threads"  # a remote file is waited for
    rows = [list(zip(paths[places], known[places], strict=True)) for places in batches]
    found = parallel.map(look, rows, jobs=jobs, kind=kind)
    with parallel.progress(None, total=len(todo), description="verify") as shown:
        for places, some in zip(batches, found, strict=True):
            if isinstance(some, parallel.Failure):  # a worker that died, and took all of them with it
                some = [{"status": some.status, "reason": some.reason} for _ in places]
            yield places, some
            shown.update(len(places))


def _fill(columns: dict[str, np.ndarray], places: np.ndarray, found: list[dict], manifest: Manifest) -> None:
    """Write facts into columns, and signatures into their file."""
    seen = [place for place, told in zip(places, found, strict=True) if "signature" in told]
    for place, told in zip(places, found, strict=True):
        for name, values in columns.items():
            if name in told or name not in ("sha256", "bytes"):  # what is known of a file holds if it cannot be opened
                values[place] = told.get(name, "ok" if name == "status" else COLUMNS.get(name, ""))
    if seen:
        grey = np.stack([told["signature"] for told in found if "signature" in told])
        columns["phash"][seen] = to_text(perceptual(grey))
        signatures.add(manifest.root, list(columns["sha256"][seen]), grey)


def _with(manifest: Manifest, columns: dict[str, np.ndarray]) -> Manifest:
    table = manifest.table
    return manifest.assign(
        **{name: pd.Series(values, table.index, _column(table, name).dtype) for name, values in columns.items()}
    )


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    """A column, empty where the table has none of that name."""
    return table[name] if name in table else pd.Series("", table.index, dtype=str)


def _judged(manifest: Manifest, *, places: np.ndarray, limits: Limits) -> Manifest:
    """The manifest with the status and reason of those of these pictures that could be opened."""
    table = manifest.table
    places = places[(table["width"] > 0).to_numpy()[places]]
    status, reason = table["status"].to_numpy(copy=True), table["reason"].to_numpy(copy=True)
    said = np.where(status[places] == "ok", reason[places], "")  # by a person, of a picture in use
    status[places], reason[places] = "ok", said
    good_enough = (table["reviewed"] == "use").to_numpy()[places]  # for a person who has looked at it
    for name, wrong, words in reversed(_rules(table.iloc[places], limits)):  # so that the first has the last word
        wrong = wrong.to_numpy() & ~(good_enough & (name == "poor quality"))
        status[places[wrong]] = name
        reason[places[wrong]] = words[wrong].to_numpy()
    return _with(manifest, {"status": status, "reason": reason})


def _rules(some: pd.DataFrame, limits: Limits) -> list[tuple[str, pd.Series, pd.Series]]:
    """Of each rule the status it gives, the pictures that break it, and the reason in words for each."""
    text, long = some.astype(str), some["aspect"].where(some["aspect"] >= 1, 1 / some["aspect"])
    size = text["width"] + "x" + text["height"] + " pixels, "
    rules = [
        (
            "too small",
            some[["width", "height"]].min(axis=1) < limits.min_side,
            size + f"the shortest side is below {limits.min_side}",
        ),
        ("poor quality", long > limits.max_aspect, size + f"more than {limits.max_aspect:g} times as long as wide"),
    ]
    for name, lowest in (
        ("brightness", limits.min_brightness),
        ("entropy", limits.min_entropy),
        ("sharpness", limits.min_sharpness),
    ):
        rules.append(("poor quality", some[name] < lowest, f"{name} " + text[name] + f", below {lowest:g}"))
    bright = f"brightness {{}}, above {limits.max_brightness:g}"
    rules.append(("poor quality", some["brightness"] > limits.max_brightness, text["brightness"].map(bright.format)))
    return rules


def _still_marked(checked: Manifest, before: pd.DataFrame) -> Manifest:
    """What dedup found still holds for a file that is as good as before."""
    marked = before["status"].isin(["duplicate", "label conflict"]) & (checked.table["status"] == "ok")
    old = {name: checked.table[name].where(~marked, before[name]) for name in ("status", "reason")}
    return checked.assign(**old)
