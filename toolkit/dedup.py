"""Find the pictures that are the same picture: re-encoded, resized, brightened or slightly cropped copies.

Two pictures are the same if their perceptual hashes are near each other and a second look at their signatures agrees.
The hash alone is no proof: pictures of one kind of thing on one kind of background have near hashes too.
"""

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from toolkit import search, signatures
from toolkit.errors import DatasetError
from toolkit.manifest import Manifest

COMPARED = ("ok", "duplicate", "label conflict")
CROPS = (0.025, 0.05, 0.075, 0.1)  # of either side, tried in the second look
KEPT_BLOCKS = 54  # of 64; the 10 that differ most may be a watermark


def group(manifest: Manifest, *, max_distance: int = 12, max_difference: float = 0.03) -> Manifest:
    """Mark near-duplicates: all but the best copy become "duplicate", one picture under two labels "label conflict".

    The best copy is the one with the most pixels, then the sharpest, then the largest file. Every picture gets a
    `group`; near-duplicates share it. Nothing is removed. Running it again starts afresh, but for pictures that a
    person has taken into use on the review page.

    Args:
        manifest: a verified manifest.
        max_distance: bits of the 64-bit perceptual hash that may differ, 0 to 64.
        max_difference: mean squared difference of the normalized signatures that is still the same picture, 0 to 4;
            4 accepts every pair the hashes propose.

    Returns:
        The manifest with `group`, `status` and `reason` filled.

    >>> group(manifest, max_distance=6).counts()  # doctest: +SKIP
    """
    table = manifest.table
    rows = np.flatnonzero(table["status"].isin(COMPARED) & (table["phash"] != ""))
    found = pairs(manifest, max_distance=max_distance, max_difference=max_difference)
    position = pd.Series(np.arange(len(rows)), index=table["path"].iloc[rows])
    first, second = position[found["path"]].to_numpy(), position[found["other"]].to_numpy()
    links = coo_array((np.ones(len(found), bool), (first, second)), shape=(len(rows), len(rows)))
    _, component = connected_components(links, directed=False)
    marks = {}
    for _, members in table.iloc[rows].groupby(component):
        marks |= _judged(members)
    return manifest.update(marks)


def pairs(manifest: Manifest, *, max_distance: int = 12, max_difference: float = 0.03) -> pd.DataFrame:
    """All pairs of pictures that are the same picture.

    Args:
        manifest, max_distance, max_difference: as in `group`.

    Returns:
        A table with `path`, `other`, `distance` (bits) and `difference`, nearest first.

    Raises:
        ValueError: a limit is out of its range.
        DatasetError: the signatures of some pictures are missing.
    """
    if not 0 <= max_distance <= 64 or not 0 <= max_difference <= 4:
        raise ValueError(
            f"expected max_distance from 0 to 64 and max_difference from 0 to 4, got {max_distance}, {max_difference}"
        )
    table = manifest.table[manifest.table["status"].isin(COMPARED) & (manifest.table["phash"] != "")]
    hashes = np.array([int(text, 16) for text in table["phash"]], dtype=np.uint64)
    grey = _signatures(manifest, table["sha256"])
    first, second, distance = search.within(hashes, max_distance)
    difference = differences(grey, first, second)
    same = difference <= max_difference
    columns = {"path": table["path"].to_numpy()[first[same]], "other": table["path"].to_numpy()[second[same]]}
    columns |= {"distance": distance[same], "difference": difference[same].round(4)}
    return pd.DataFrame(columns).sort_values(["distance", "difference", "path", "other"], ignore_index=True)


def differences(grey: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """How unlike two signatures are: 0 for the same picture, about 2 for unrelated ones.

    Both are blurred, brought to mean 0 and variance 1, and compared as they are and with either slightly cropped; the
    squared differences are averaged over 4×4 blocks and the most different blocks, perhaps a watermark, left out.

    Args:
        grey: uint8 array of shape (n, 32, 32).
        first, second: positions of the pairs.

    Returns:
        float array, one value per pair.
    """
    used, places = np.unique(np.stack([first, second]), return_inverse=True)  # most pictures are in no pair at all
    first, second = places.reshape(2, -1)
    blurred = _blurred(grey[used].astype(np.float32))
    whole = _normalized(blurred)
    cropped = [_normalized(_cropped(blurred, share)) for share in CROPS]
    result = np.empty(len(first), np.float32)
    for start in range(0, len(first), 4096):
        part = slice(start, start + 4096)
        one, other = first[part], second[part]
        least = _trimmed(whole[one], whole[other])
        for crop in cropped:
            least = np.minimum(least, _trimmed(crop[one], whole[other]))
            least = np.minimum(least, _trimmed(whole[one], crop[other]))
        result[part] = least
    return result


def _signatures(manifest: Manifest, wanted: pd.Series) -> np.ndarray:
    known = signatures.load(manifest.root)
    missing = sum(sha256 not in known for sha256 in wanted)
    if missing:
        raise DatasetError(
            f"expected a signature of every picture in {manifest.root / signatures.FILE}, {missing} are missing; "
            "verify all pictures again"
        )
    return np.array([known[sha256] for sha256 in wanted], np.uint8).reshape(-1, signatures.SIDE, signatures.SIDE)


def _judged(members: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Group, status and reason of the pictures that are one picture."""
    name = members["sha256"].min()[:12]
    labels = sorted(set(members["label"]))
    marks = {path: {"group": name, "status": "ok", "reason": ""} for path in members["path"]}
    if len(labels) > 1:
        for path, label in zip(members["path"], members["label"], strict=True):
            others = ", ".join(members.loc[members["label"] != label, "path"])
            marks[path] |= {"status": "label conflict", "reason": f"the same picture as {others}"}
        return marks | _used_anyway(members, name)
    pixels = members["width"] * members["height"]
    ranked = members.assign(pixels=pixels).sort_values(
        ["pixels", "sharpness", "bytes", "path"], ascending=[False, False, False, True]
    )
    best, *others = ranked["path"]
    for path in others:
        marks[path] |= {"status": "duplicate", "reason": f"the same picture as {best}"}
    return marks | _used_anyway(members, name)


def _used_anyway(members: pd.DataFrame, name: str) -> dict[str, dict[str, str]]:
    """Those that a person has looked at and wants to use; they stay in their group, on one side of the split."""
    wanted = members.loc[members["reviewed"] == "use", "path"]
    return {path: {"group": name, "status": "ok", "reason": ""} for path in wanted}


def _blurred(pixels: np.ndarray) -> np.ndarray:
    for axis in (1, 2):
        padded = np.pad(pixels, [(1, 1) if axis == a else (0, 0) for a in range(3)], mode="edge")
        before, middle, after = (np.take(padded, range(i, i + pixels.shape[axis]), axis) for i in range(3))
        pixels = (before + 2 * middle + after) / 4
    return pixels


def _cropped(pixels: np.ndarray, share: float) -> np.ndarray:
    """The centre without `share` of every side, scaled back to the full size, bilinear."""
    side = pixels.shape[1]
    where = (np.arange(side) + 0.5) * (1 - 2 * share) + side * share - 0.5
    low = np.floor(where).astype(int).clip(0, side - 2)
    weight = (where - low).astype(np.float32)
    rows = pixels[:, low] * (1 - weight)[:, None] + pixels[:, low + 1] * weight[:, None]
    return rows[:, :, low] * (1 - weight) + rows[:, :, low + 1] * weight


def _normalized(pixels: np.ndarray) -> np.ndarray:
    """Mean 0 and variance 1; a nearly flat picture keeps its grey value instead, or all flat ones would be the same."""
    mean = pixels.mean(axis=(1, 2), keepdims=True)
    spread = pixels.std(axis=(1, 2), keepdims=True)
    return np.where(spread < 2, pixels / 16, (pixels - mean) / np.maximum(spread, 2))


def _trimmed(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    blocks = ((one - other) ** 2).reshape(len(one), 8, 4, 8, 4).mean(axis=(2, 4)).reshape(len(one), 64)
    return np.partition(blocks, KEPT_BLOCKS, axis=1)[:, :KEPT_BLOCKS].mean(axis=1)
