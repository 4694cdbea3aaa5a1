"""The grey signatures of a dataset's pictures, 32×32 pixels each, in an array beside the manifest."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from toolkit import paths

FILE = "signatures.npz"
SIDE = 32  # pixels


def load(root: Path) -> dict[str, np.ndarray]:
    """The signatures known so far: sha256 of the file to uint8 array of shape (32, 32)."""
    file = root / FILE
    if not file.exists():
        return {}
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
        return dict(zip(stored["sha256"].astype(str).tolist(), stored["grey"], strict=True))


def save(root: Path, known: Mapping[str, np.ndarray]) -> None:
    """Write them all, whole or not at all."""
    names = sorted(known)
    grey = np.stack([known[name] for name in names]) if names else np.zeros((0, SIDE, SIDE), np.uint8)
    with paths.whole(root / FILE) as temporary:
        np.savez(temporary, sha256=np.array(names, dtype="S64"), grey=grey)
