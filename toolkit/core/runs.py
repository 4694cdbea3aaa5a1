"""The folder of a run and its identity: the settings and pictures that make two runs the same.

Work that is asked for again with the same identity goes on where it stopped; a folder of another identity is kept.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.core import paths, records
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


def changes(stored: Mapping[str, Any], identity: Mapping[str, Any]) -> str:
    """What differs between a stored record and an identity, each setting old → new.

    >>> changes({"config": {"seed": 7}, "manifest": "0a"}, {"config": {"seed": 8}, "manifest": "0b"})
    'seed 7 → 8; other pictures, labels or splits'
    """
    words = []
    for name, value in as_stored(identity).items():
        old = stored.get(name)
        if old == value:
            continue
        if isinstance(old, dict) and isinstance(value, dict):
            words.append(changes(old, value) or f"{name} {old} → {value}")  # the new one has fewer entries
        else:
            words.append("other pictures, labels or splits" if name == "manifest" else f"{name} {old} → {value}")
    return "; ".join(words)


def check(file: Path, identity: Mapping[str, Any], *, kind: str, overwrite: bool) -> None:
    """Raise BundleError where `claim` would, before anything is done.

    Args:
        file, identity, kind, overwrite: see `claim`.
    """
    stored = json.loads(file.read_text()) if file.exists() else identity
    if not is_same(stored, identity) and _has_begun(file):
        check_overwrite(file.parent, kind=kind, differs=changes(stored, identity), overwrite=overwrite)


def claim(file: Path, identity: Mapping[str, Any], *, kind: str, overwrite: bool) -> None:
    """Take a folder for a run: write its identity, unless it is there already.

    A record alone, of a run that was refused or failed before it had anything to keep, is in nobody's way.

    Args:
        file: JSON record of the run, in the folder to be taken.
        identity: settings and pictures of the run.
        kind: what to call the run in an error, such as "cross-validation".
        overwrite: remove the folder if it holds a run of another identity.

    Raises:
        BundleError: the folder holds a run of another identity.

    >>> claim(folder / "tune.json", {"seed": 7}, kind="search", overwrite=False)  # doctest: +SKIP
    """
    check(file, identity, kind=kind, overwrite=overwrite)
    if file.exists():
        stored = records.read(file)
        if is_same(stored, identity):
            return
        shutil.rmtree(file.parent)
    paths.write(file, json.dumps(identity, indent=2) + "\n")


def _has_begun(file: Path) -> bool:
    """Whether a folder holds more than the record of its run."""
    return any(other.is_file() and other != file for other in file.parent.rglob("*"))


def check_overwrite(folder: Path, *, kind: str, differs: str, overwrite: bool) -> None:
    """Raise BundleError unless a run of another identity may be overwritten; it says what `differs`."""
    if not overwrite:
        raise BundleError(
            f"expected no {kind} at {folder}, got one with other settings or other pictures ({differs}); replace it "
            "with --overwrite, or keep it and train under another name (train --name)"
        )
