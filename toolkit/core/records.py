"""Records: a JSON object in a file of a run or dataset, perhaps a stranger's, or of a disk that was full."""

import json
from pathlib import Path
from typing import Any

from toolkit.errors import BundleError

MOST = 64 << 20  # bytes


def read(file: Path, *, advice: str = "restore or remove it") -> dict[str, Any]:
    """The object in a JSON file.

    Args:
        file: its path.
        advice: what to do if it is damaged, for the message.

    Raises:
        BundleError: it holds something else, is nested beyond reason, or is too large.

    >>> read(Path("models/pets/vgg/metrics.json"))["accuracy"]  # doctest: +SKIP
    0.93
    """
    try:
        if file.stat().st_size > MOST:
            raise ValueError(f"more than {MOST:,} bytes")
        content = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError(f"a {type(content).__name__} in place of an object")
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{file} is damaged ({error}); {advice}") from error
    return content
