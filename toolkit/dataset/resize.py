"""From `raw/` to `sized/<side>/`: exactly square, the centre of each picture or all of it."""

from functools import partial
from pathlib import Path

import numpy as np

from toolkit import images
from toolkit.core import contained, parallel, paths, remote
from toolkit.dataset.manifest import Dataset, Manifest, opened

FORMATS = ("png", "jpeg")

Task = tuple[str, Path, Path, int]  # path in the table, file, square, and the pixels that verify has allowed it


def write(
    manifest: Dataset,
    *,
    size: int = 224,
    mode: str = "crop",
    format: str = "png",
    quality: int = 95,
    enlarge: bool = True,
    jobs: int = -1,
) -> Manifest:
    """Write a square copy of every picture that is in use; those that are there already are left alone.

    The copies are PNG, so that what a network learns from is to the last bit what `predict` will show it; JPEG is for
    use elsewhere. Those made in another way lie in another folder, see `Manifest.sized`.

    Args:
        manifest: a verified manifest, or the name of a dataset.
        size: side in pixels, at least 1.
        mode: "crop", "letterbox" or "squash", see `images.square`.
        format: "png" or "jpeg".
        quality: of JPEG, 1 to 100.
        enlarge: True enlarges pictures that are smaller than the square, and says by how much in the column
            `enlarged`; False gives them the status "too small".
        jobs: workers, -1 for one per core.

    Returns:
        The manifest; a picture that could not be scaled has the status "unreadable" and a reason.

    >>> write(manifest, size=96).where(status="ok").sized(96)[0]  # doctest: +SKIP
    PosixPath('data/cars_tanks/sized/96/cars/0a7c….png')
    """
    if size < 1:
        raise ValueError(f"expected a size of at least 1 pixel, got {size}")
    for name, value, allowed in (("mode", mode, images.MODES), ("format", format, FORMATS)):
        if value not in allowed:
            raise ValueError(f"expected a {name} of {', '.join(allowed)}, got {value!r}")
    if not 1 <= quality <= 100:
        raise ValueError(f"expected a quality from 1 to 100, got {quality}")
    manifest = opened(manifest)
    contained.inside(manifest.root / "sized", manifest.root)
    manifest = manifest.update(_enlarged(manifest, size, mode, enlarge))
    usable, quality_asked = manifest.where(status="ok"), quality if format == "jpeg" else None
    squares = usable.sized(size, mode=mode, quality=quality_asked)
    limits = (usable.table["width"].astype(int) * usable.table["height"]).clip(lower=images.MAX_PIXELS)
    tasks = list(zip(usable.table["path"], usable.files, squares, limits, strict=True))
    failures = _sharing_a_square(tasks)
    exist = zip(tasks, remote.exist(squares), strict=True)
    todo = [task for task, done in exist if task[0] not in failures and not done]
    work = partial(_one, size=size, mode=mode, quality=quality_asked)
    done = parallel.map(work, todo, description=f"resize to {size}", jobs=jobs)
    written = []
    for (path, _, square, _), result in zip(todo, done, strict=True):
        if isinstance(result, parallel.Failure):
            failures[path] = {"status": result.status, "reason": result.reason}
        else:
            written.append(square)
    paths.fsync_all(written)
    return manifest.update(failures)


def _sharing_a_square(tasks: list[Task]) -> dict[str, dict]:
    """Status and reason of pictures whose name differs from another's by its ending alone: a.jpg and a.png."""
    first: dict[Path, str] = {}
    rows = {}
    for path, _, target, _ in tasks:
        if first.setdefault(target, path) != path:
            rows[path] = {"status": "failed", "reason": f"its square would be that of {first[target]}; rename it"}
    return rows


def _enlarged(manifest: Manifest, size: int, mode: str, enlarge: bool) -> dict[str, dict]:
    """Changes for pictures that are smaller than their square: arithmetic on columns, no file is opened."""
    table, rows = manifest.where(status="ok").table, {}
    for path, width, height, before in table[["path", "width", "height", "enlarged"]].itertuples(index=False):
        factor = images.enlargement(width, height, size, mode) if width and height else 0.0
        if factor > 1 and enlarge:
            rows[path] = {"enlarged": max(round(factor, 2), before)}
        elif factor > 1:
            rows[path] = {"status": "too small", "reason": f"{width}x{height} pixels, too few for a square of {size}"}
    return rows


def _one(task: Task, *, size: int, mode: str, quality: int | None) -> None:
    _, source, target, max_pixels = task
    paths.write(target, _encoded(images.prepare(source, size, mode, max_pixels=max_pixels), quality), flush=False)


def _encoded(pixels: np.ndarray, quality: int | None) -> bytes:
    return images.to_jpeg(pixels, quality=quality) if quality else images.to_png(pixels)
