"""Open every file once, and write down what later stages need to know about it.

    status, reason, width, height, format, phash, sharpness, brightness     in the manifest
    a grey signature of 32×32 pixels per picture                            in signatures.npz beside it

`dedup` and `split` are then arithmetic on columns: they open no picture.
"""

from functools import partial
from pathlib import Path

import cv2
import imagehash
import numpy as np
from PIL import Image

from toolkit import images, parallel, signatures
from toolkit.errors import ImageError
from toolkit.manifest import Manifest

ENOUGH = 256  # pixels; a JPEG is decoded at a fraction of its size as long as the shortest side keeps this many
SAVED_EVERY = 5_000  # pictures


def check(
    manifest: Manifest,
    *,
    min_side: int = 32,
    max_pixels: int = images.MAX_PIXELS,
    again: bool = False,
    jobs: int = -1,
) -> Manifest:
    """Fill the columns of all pictures whose status is "new".

    A file that cannot be used keeps its row, with the status "unreadable" or "too small" and a reason in words. Of many
    pictures what is done is saved now and then, so that a run that is killed does not begin again.

    Args:
        manifest: what to check.
        min_side: shortest side in pixels that is enough, at least 1.
        max_pixels: width times height above which a file is not decoded.
        again: check all pictures again, but for those a person excluded.
        jobs: workers, -1 for one per core.

    Returns:
        The manifest with its columns filled.

    >>> check(manifest, min_side=64).counts()  # doctest: +SKIP
    """
    wanted = manifest.table["status"] != "excluded" if again else manifest.table["status"] == "new"
    todo = list(manifest.table.loc[wanted, "path"])
    work = partial(_facts, manifest.root, min_side=min_side, max_pixels=max_pixels)
    rows, seen = {}, signatures.load(manifest.root)
    checked = zip(todo, parallel.map(work, todo, description="verify", jobs=jobs), strict=True)
    for number, (path, facts) in enumerate(checked, start=1):
        if isinstance(facts, parallel.Failure):
            rows[path] = {"status": facts.status, "reason": facts.reason}
        else:
            seen[Path(path).stem] = facts.pop("signature")
            rows[path] = facts
        if number % SAVED_EVERY == 0 and not again and not manifest.partial:
            signatures.save(manifest.root, seen)
            manifest.update(rows).save()
    if todo:
        signatures.save(manifest.root, seen)
    if again:  # what dedup found still holds for a file that is as good as before
        for path, status, reason in manifest.table[["path", "status", "reason"]].itertuples(index=False):
            if status in ("duplicate", "label conflict") and rows[path]["status"] == "ok":
                rows[path] |= {"status": status, "reason": reason}
    return manifest.update(rows)


def sharpness(grey: np.ndarray) -> float:
    """Variance of the Laplacian of a grey picture (Pech-Pacheco et al., 2000); low means blurred.

    Args:
        grey: uint8 array of shape (height, width).
    """
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())


def _facts(root: Path, path: str, *, min_side: int, max_pixels: int) -> dict:
    picture, facts = images.inspect(root / path, min_side=ENOUGH, max_pixels=max_pixels)
    width, height = facts["width"], facts["height"]
    if min(width, height) < min_side:
        raise ImageError(f"{width}x{height} pixels, the shortest side is below {min_side}", status="too small")
    phash = str(imagehash.phash(picture))
    picture.thumbnail((2 * ENOUGH, 2 * ENOUGH), Image.Resampling.BOX)  # so that sharpness compares across sizes
    grey = picture.convert("L")
    pixels = np.asarray(grey)
    small = grey.resize((signatures.SIDE, signatures.SIDE), Image.Resampling.LANCZOS)
    return {
        "status": "ok",
        "reason": "",
        "phash": phash,
        "width": width,
        "height": height,
        "format": facts["format"],
        "sharpness": round(sharpness(pixels), 1),
        "brightness": round(float(pixels.mean()), 1),
        "signature": np.asarray(small),
    }
