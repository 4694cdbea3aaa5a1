"""The folder of a run and its identity: the settings and pictures that make two runs the same.

Work that is asked for again with the same identity goes on where it stopped; a folder of another identity is kept.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.core import paths
from toolkit.errors import BundleError


def as_stored(value: Any) -> Any:
    """The value as it comes back from a JSON file, where tuples are lists and keys are strings.

    What was stored can only be compared with this.

    >>> as_stored({15: (1, 2)})
    {'15': [1, 2]}
    """
    return json.loads(json.dumps(value))


def is_same(stored: Mapping[str, Any], identity: Mapping[str, Any]) -> bool:
    """Whether a stored record has every entry of an identity; what else it holds does not count.

    >>> is_same({"seed": 7, "accuracy": 0.9}, {"seed": 7})
    True
    """
    return all(stored.get(name) == value for name, value in as_stored(identity).items())


def claim(file: Path, identity: Mapping[str, Any], *, kind: str, overwrite: bool) -> None:
    """Take a folder for a run: write its identity, unless it is there already.

    Args:
        file: JSON record of the run, in the folder to be taken.
        identity: settings and pictures of the run.
        kind: what to call the run in an error, such as "cross-validation".
        overwrite: remove the folder if it holds a run of another identity.

    Raises:
        BundleError: the folder holds a run of another identity.

    >>> claim(folder / "tune.json", {"seed": 7}, kind="search", overwrite=False)  # doctest: +SKIP
    """
    if file.exists():
        if is_same(json.loads(file.read_text()), identity):
            return
        check_overwrite(file.parent, kind=kind, overwrite=overwrite)
        shutil.rmtree(file.parent)
    paths.write(file, json.dumps(identity, indent=2) + "\n")


def check_overwrite(folder: Path, *, kind: str, overwrite: bool) -> None:
    """Raise BundleError unless a run of another identity may be overwritten."""
    if not overwrite:
        raise BundleError(
            f"expected no {kind} at {folder}, got one with other settings or other pictures; give this one another "
            "name (--name), or allow it to be replaced (--overwrite)"
        )
