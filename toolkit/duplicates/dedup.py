"""Find the pictures that are the same picture: re-encoded, resized, brightened or slightly cropped copies.

Two pictures are the same if their perceptual hashes are near each other and a second look at their signatures agrees.
The hash alone is no proof: pictures of one kind of thing on one kind of background have near hashes too.

Being the same does not carry over: of a picture and two crops of it, each crop may be the same as the whole and yet
not as the other. So there are two answers. `group` is for splitting: whatever hangs together by links has one, so that
no link leads from train to test. The status "duplicate" is for leaving out: a picture only gets it if it is itself the
same as the one that is kept.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from toolkit.dataset import signatures
from toolkit.dataset.manifest import Manifest
from toolkit.dataset.schema import COMPARED
from toolkit.duplicates import difference, hamming
from toolkit.duplicates.matching import (
    MAX_DIFFERENCE,
    Kinds,
    Links,
    around,
    by_kind,
    check,
    expanded,
    find,
    kinds,
    order,
    originals,
    reach,
)
from toolkit.errors import DatasetError
from toolkit.images import hashes

NAMED = 20  # pictures in a reason, at most


def group(
    manifest: Manifest,
    *,
    max_distance: int | None = None,
    max_difference: float = MAX_DIFFERENCE,
    transformed: bool = False,
    crops: float = 1,
) -> Manifest:
    """Mark near-duplicates: all but the best copy become "duplicate", one picture under two labels "label conflict".

    The best copy is the one with the most pixels, then the sharpest, then the largest file. What is the same as the
    best copy is a duplicate of it; what is left is looked at again, with its own best copy. Every picture gets a
    `group`; pictures that are linked, if only through others, share it. Nothing is removed. Running it again starts
    afresh, but for pictures that a person has taken into use on the review page.

    Args:
        manifest: a verified manifest.
        max_distance: bits of the 64-bit perceptual hash that may differ, 0 to 64; None takes what `reach` says.
        max_difference: mean squared difference of the normalized signatures that is still the same picture where the
            hashes are equal, 0 to 4; with every bit in which they differ, 0.001 less. 4 accepts every pair the hashes
            propose.
        transformed: also find mirrored pictures and pictures turned by 90, 180 or 270 degrees.
        crops: also find larger crops, down to this share of either side, 0.7 to 1; 1 is off.

    Returns:
        The manifest with `group`, `status` and `reason` filled.

    >>> group(manifest, max_distance=6).counts()  # doctest: +SKIP
    """
    found = _found(manifest, max_distance, max_difference, transformed, crops)
    links = found.links.only(found.links.accepted(max_difference))
    component = hamming.components(links.first, links.second, len(found.kinds.counts))
    table, rows = manifest.table, found.rows
    marks = {name: table[name].to_numpy(copy=True) for name in ("group", "status", "reason")}
    marks["group"][rows] = _names(table["sha256"].to_numpy()[rows], component[found.kinds.of])
    marks["status"][rows], marks["reason"][rows] = _judged(table.iloc[rows], found.kinds, links)
    wanted = (table["reviewed"] == "use").to_numpy() & np.isin(np.arange(len(table)), rows)  # a person has looked
    marks["status"][wanted], marks["reason"][wanted] = "ok", ""
    still = (marks["status"] == "ok") & (table["status"] == "ok").to_numpy()
    marks["reason"][still] = table["reason"].to_numpy()[still]  # what a person said of a picture in use
    return manifest.assign(**{name: pd.Series(cells, table.index, table[name].dtype) for name, cells in marks.items()})


def pairs(
    manifest: Manifest,
    *,
    max_distance: int | None = None,
    max_difference: float = MAX_DIFFERENCE,
    transformed: bool = False,
    crops: float = 1,
) -> pd.DataFrame:
    """All pairs of pictures that are the same picture.

    Args:
        manifest, max_distance, max_difference, transformed, crops: as in `group`.

    Returns:
        A table with `path`, `other`, `distance` (bits) and `difference`, nearest first; with `transformed` or
        `crops`, also what was done to one of them, `change`: "", "mirrored", "turned by 90°", …

    Raises:
        ValueError: a limit is out of its range.
        DatasetError: the signatures of some pictures are missing.
    """
    found = _found(manifest, max_distance, max_difference, transformed, crops)
    links = found.links.only(found.links.accepted(max_difference))
    one, other, links = expanded(found.kinds, links)
    paths = manifest.table["path"].to_numpy()[found.rows]
    cells = {"path": paths[one], "other": paths[other], "distance": links.distance.astype(int)}
    cells |= {"difference": links.difference.astype(float)}
    cells |= {"change": links.change.astype(str)} if transformed or crops < 1 else {}
    table = pd.DataFrame(cells).round({"difference": 4})
    return table.sort_values(["distance", "difference", "path", "other"], ignore_index=True)


def leaks(
    manifest: Manifest,
    *,
    max_distance: int | None = None,
    max_difference: float = MAX_DIFFERENCE,
    transformed: bool = False,
    crops: float = 1,
) -> pd.DataFrame:
    """The pairs that are the same picture and on two sides of a split, as in datasets that came with train and test.

    Args:
        manifest, max_distance, max_difference, transformed, crops: as in `group`.

    Returns:
        The table of `pairs`, with `split` and `other_split`, `label` and `other_label`.

    >>> leaks(manifest)[["path", "split", "other", "other_split"]]  # doctest: +SKIP
    """
    rows = manifest.table.set_index("path")[["split", "label"]]
    found = pairs(
        manifest, max_distance=max_distance, max_difference=max_difference, transformed=transformed, crops=crops
    )
    for column in rows:
        found[column] = rows[column].reindex(found["path"]).to_numpy()
        found[f"other_{column}"] = rows[column].reindex(found["other"]).to_numpy()
    given = (found["split"] != "") & (found["other_split"] != "")
    return found[given & (found["split"] != found["other_split"])].reset_index(drop=True)


def curve(manifest: Manifest, *, max_distance: int = 20, max_difference: float = MAX_DIFFERENCE) -> pd.DataFrame:
    """What each threshold would find, for a person to choose one: where copies end and mere likeness begins.

    Where pairs by the hash alone begin to rise steeply, or pairs under two labels appear among them, the hash no longer
    tells copies from pictures that are only alike; what the second look accepts should stay level there.

    Args:
        manifest: a verified manifest.
        max_distance: bits, up to which the curve is drawn, 0 to 64.
        max_difference: as in `group`.

    Returns:
        A row per distance, all counts up to and with it: `distance`, `by_hash` (pairs whose hashes are that near),
        `accepted` (those that the second look accepts), `labels_differ` (pairs by hash under two labels),
        `accepted_labels_differ`.
    """
    found = _found(manifest, max_distance, max_difference)
    links, counts = found.links, found.kinds.counts
    labels = (
        pd.crosstab(found.kinds.of, manifest.table["label"].to_numpy()[found.rows]).to_numpy().reshape(len(counts), -1)
    )
    first, second = links.first, links.second
    all_pairs = counts[first] * counts[second]
    differ = all_pairs - (labels[first] * labels[second]).sum(axis=1)
    accepted = links.accepted(max_difference)
    weights = {"by_hash": all_pairs, "accepted": all_pairs * accepted}
    weights |= {"labels_differ": differ, "accepted_labels_differ": differ * accepted}
    equal = {
        "by_hash": (counts * (counts - 1) // 2).sum(),
        "labels_differ": (counts**2 - (labels**2).sum(1)).sum() // 2,
    }
    equal |= {"accepted": equal["by_hash"], "accepted_labels_differ": equal["labels_differ"]}
    table = pd.DataFrame({"distance": np.arange(max_distance + 1)})
    for name, weight in weights.items():
        at = np.bincount(links.distance, weight, minlength=max_distance + 1).astype(int)
        table[name] = at.cumsum() + equal[name]
    return table


def differences(grey: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """How unlike two signatures are: 0 for the same picture, about 2 for unrelated ones.

    Args:
        grey: uint8 array of shape (n, 32, 32).
        first, second: positions of the pairs.

    Returns:
        float32 array, one value per pair.
    """
    return difference.differences(grey, first, second)


@dataclass(frozen=True, eq=False)
class _Found:
    """What the hashes propose: the places in the manifest of what was compared, its kinds, and pairs of kinds."""

    rows: np.ndarray
    kinds: Kinds
    links: Links


def _found(
    manifest: Manifest, max_distance: int | None, max_difference: float, transformed: bool = False, crops: float = 1
) -> _Found:
    check(max_distance, max_difference, crops)
    table = manifest.table
    rows = np.flatnonzero(table["status"].isin(COMPARED) & (table["phash"] != ""))
    stored, places = signatures.find(manifest.root, table["sha256"].iloc[rows])
    if missing := int((places < 0).sum()):
        raise DatasetError(
            f"expected a signature of every picture in {manifest.root / signatures.FILE}, {missing} are missing; "
            "verify all pictures again"
        )
    alike = kinds(stored[place] for place in places)
    links = find(
        stored[places[alike.one_of]],
        hashes.from_text(table["phash"].to_numpy()[rows[alike.one_of]]),
        max_distance=reach(len(rows)) if max_distance is None else max_distance,
        max_difference=max_difference,
        transformed=transformed,
        crops=crops,
    )
    return _Found(rows, alike, links)


def _names(sha256: np.ndarray, component: np.ndarray) -> np.ndarray:
    """What each picture's group is called: by the first of the hashes of its files."""
    order = np.lexsort((sha256.astype("S64"), component))
    _, first, place = np.unique(component[order], return_index=True, return_inverse=True)
    names = np.empty(len(sha256), object)
    names[order] = np.array([name[:12] for name in sha256[order][first]], object)[place]
    return names


def _judged(table: pd.DataFrame, kinds: Kinds, links: Links) -> tuple[np.ndarray, np.ndarray]:
    """Status and reason of every picture."""
    near, pictures = around(links, kinds.counts), by_kind(kinds)
    labels, paths = table["label"].to_numpy(), table["path"].to_numpy()
    status, reason = np.full(len(table), "ok", object), np.full(len(table), "", object)
    for kind, others in near.items():
        places = np.concatenate([pictures[other] for other in sorted(others)])
        if len(set(labels[places])) > 1:
            for place in pictures[kind]:
                claimed = sorted(paths[places[labels[places] != labels[place]]])
                if claimed:
                    status[place], reason[place] = "label conflict", f"the same picture as {_some(claimed)}"
    size, sharpness, weight = (table[name].to_numpy() for name in ("width", "sharpness", "bytes"))
    best_first = order(paths.astype(str), size * table["height"].to_numpy(), sharpness, weight)
    for best, copies in originals(kinds, near, best_first[(status == "ok")[best_first]]):
        status[copies], reason[copies] = "duplicate", f"the same picture as {paths[best]}"
    return status, reason


def _some(paths: list[str]) -> str:
    more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    return ", ".join(paths[:NAMED]) + more
