"""Opening many pictures for a network: all of them, or an error that names the damaged one."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import parallel
from toolkit.errors import DatasetError


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
