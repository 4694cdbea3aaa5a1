"""What a model is asked about: one picture or many, on a disk or in memory, and what each is called."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from toolkit import images

UNNAMED = "picture"

Sources = images.Picture | Iterable[images.Picture]  # a lone one is one picture


def several(sources: Sources) -> Iterable[images.Picture]:
    """The pictures; a lone one is one, and not its letters, bytes or rows.

    >>> list(several("a.jpg"))
    ['a.jpg']
    """
    if isinstance(sources, str | Path | bytes | Image.Image):
        return [sources]
    return [sources] if isinstance(sources, np.ndarray) and sources.ndim < 4 else sources


def full_name(source: images.Picture) -> str:
    """The path of a file; a picture in memory has none, unless Pillow opened it from a file."""
    return str(source) if isinstance(source, str | Path) else getattr(source, "filename", "") or UNNAMED


def short_name(source: images.Picture) -> str:
    """The name of a file, without its folder."""
    return Path(full_name(source)).name
