"""Opening pictures: many for a network, all of them or an error that names the damaged one; and one in another process.

The latter are functions of one item that `core.deadline` can run, for pictures that strangers send or show.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from toolkit import images
from toolkit.core import parallel
from toolkit.errors import DatasetError, ImageError

TOO_MANY_PIXELS = "too many pixels"  # status of a picture above the limit
SHOWN_QUALITY = 88  # of the JPEG that is shown to a person


def prepare_all(
    prepare: Callable[[Any], np.ndarray],
    items: Sequence[Any],
    *,
    files: Sequence[Path] | None = None,
    advice: str = "run verify again",
    description: str = "",
    jobs: int = -1,
) -> Iterator[np.ndarray]:
    """Prepared pictures, several opened at the same time, in the order of the items.

    Args:
        prepare: makes an array of an item, such as `Classifier.prepare` of a file.
        items: files, or what else `prepare` takes.
        files: the file of each item; None if they are the items.
        advice: what to do about a damaged file, for the message.
        description: text of the progress bar; "" shows none.
        jobs: workers, -1 for one per core.

    Raises:
        DatasetError: a picture is damaged; names its file.

    >>> np.stack(list(prepare_all(trained.prepare, manifest.files)))  # doctest: +SKIP
    """
    pictures = parallel.map(prepare, items, description=description, jobs=jobs)
    for file, picture in zip(items if files is None else files, pictures, strict=True):
        if isinstance(picture, parallel.Failure):
            raise DatasetError(f"expected a picture that can be opened, {file} is damaged ({picture.reason}); {advice}")
        yield picture


def prepared(task: tuple[bytes, int, str, int]) -> np.ndarray:
    """A picture as a network takes it, see `images.prepare`.

    Args:
        task: the bytes of a file, side and mode of the square, and the pixels that it may have.

    Raises:
        ImageError: it cannot be opened, or has more pixels.
    """
    content, size, mode, max_pixels = task
    pixels = images.pixels(content)
    if pixels > max_pixels:
        raise ImageError(f"expected at most {max_pixels:,} pixels, got {pixels:,}", status=TOO_MANY_PIXELS)
    return images.prepare(content, size, mode)


def shown(task: tuple[str, int]) -> bytes:
    """A picture as a page shows it: the bytes of a JPEG that fits a square and was never enlarged.

    Args:
        task: path of a file, and side of the square in pixels.

    Raises:
        ImageError: it cannot be opened.
    """
    file, side = task
    picture = images.read(file, min_side=side)
    picture.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=SHOWN_QUALITY)
    return buffer.getvalue()
