"""From `raw/` to `sized/<side>/`: shortest side scaled, centre cropped, exactly square."""

from functools import partial
from pathlib import Path

from toolkit import images, parallel, paths, remote
from toolkit.manifest import Manifest


def write(manifest: Manifest, *, size: int = 224, jobs: int = -1) -> Manifest:
    """Write a square copy of every picture that is in use; those that are there already are left alone.

    The copies are PNG, so that what a network learns from is to the last bit what `predict` will show it.

    Args:
        manifest: a verified manifest.
        size: side in pixels, at least 1.
        jobs: workers, -1 for one per core.

    Returns:
        The manifest; a picture that could not be scaled has the status "unreadable" and a reason.

    >>> write(manifest, size=96).where(status="ok").sized(96)[0]  # doctest: +SKIP
    PosixPath('data/cars_tanks/sized/96/cars/0a7c….png')
    """
    if size < 1:
        raise ValueError(f"expected a size of at least 1 pixel, got {size}")
    usable = manifest.where(status="ok")
    targets = usable.sized(size)
    there = remote.there(manifest.root / "sized" / str(size), targets)
    sized = zip(usable.table["path"], usable.files, targets, there, strict=True)
    todo = [(path, source, target) for path, source, target, done in sized if not done]
    done = parallel.map(partial(_one, size=size), todo, description=f"resize to {size}", jobs=jobs)
    failures = {
        path: {"status": result.status, "reason": result.reason}
        for (path, *_), result in zip(todo, done, strict=True)
        if isinstance(result, parallel.Failure)
    }
    return manifest.update(failures)


def _one(task: tuple[str, Path, Path], *, size: int) -> None:
    _, source, target = task
    paths.write(target, images.to_png(images.prepare(source, size)))
