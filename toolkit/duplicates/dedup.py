"""Near-duplicates: pictures that are the same picture, re-encoded, resized, brightened or slightly cropped.

Two pictures are the same if their perceptual hashes are near each other and a second look at their signatures agrees.
The hash alone is no proof: pictures of one kind of thing on one kind of background have near hashes too.

Being the same is not transitive: of a picture and two crops of it, each crop may be the same as the whole and yet not
as the other. So there are two answers. `group` is for splitting: it is a connected component of pairs, so that no pair
has one picture in train and the other in test. The status "duplicate" is for leaving out: a picture only gets it if it
is itself the same as the one that is kept, and a decisive look at both confirms it, see `confirmation`.
"""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from toolkit.dataset import schema, signatures
from toolkit.dataset.manifest import Dataset, Manifest, opened
from toolkit.dataset.schema import COMPARED
from toolkit.duplicates import brake, difference, hamming, matching
from toolkit.duplicates.confirmation import confirm
from toolkit.duplicates.difference import differences
from toolkit.duplicates.matching import MAX_DIFFERENCE, Pairs, UniqueSignatures, default_max_distance
from toolkit.errors import DatasetError
from toolkit.images import hashes

__all__ = ["curve", "default_max_distance", "differences", "group", "leaks", "pairs"]

JUDGED_BY = ("path", "label", "sha256", "width", "height", "sharpness", "bytes")  # columns
NAMED = 20  # pictures in a reason, at most
SAME = "the same picture as "  # begins the reason of a copy, before the path of the picture that is kept


def group(
    manifest: Dataset,
    *,
    max_distance: int | None = None,
    max_difference: float = MAX_DIFFERENCE,
    transformed: bool = False,
    crops: float = 1,
    max_share: float = brake.MAX_SHARE,
    jobs: int = -1,
) -> Manifest:
    """Mark near-duplicates: all but the best copy become "duplicate", one picture under two labels "label conflict".

    The best copy is the one with the most pixels, then the sharpest, then the largest file. What is the same as the
    best copy is a duplicate of it; the remaining pictures are compared again, with their own best copy. Every picture
    gets a `group`; pictures that are paired, if only through others, share it. Only what a decisive look confirms
    leaves use. Nothing is removed. Running it again starts afresh, but for pictures that a person has taken into use on
    the review page.

    Args:
        manifest: a verified manifest, or the name of a dataset.
        max_distance: bits of the 64-bit perceptual hash that may differ, 0 to 64; None takes `default_max_distance`.
        max_difference: mean squared difference of the normalized signatures that is still the same picture where the
            hashes are equal, 0 to 4; with every bit in which they differ, 0.001 less. 4 accepts every pair the hashes
            propose.
        transformed: also find mirrored pictures and pictures turned by 90, 180 or 270 degrees.
        crops: also find larger crops, down to this share of either side, 0.7 to 1; 1 is off. They share a group, and
            stay in use.
        max_share: of all pictures, that looks may take out of use, 0 to 1; beyond it, and beyond half of a class, only
            those with the same bytes or pixels leave, and a warning says why. 1 is off.
        jobs: processes that share the decisive looks, -1 for one per core; within `parallel.cluster` its workers do.

    Returns:
        The manifest with `group`, `status` and `reason` filled.

    >>> group(manifest, max_distance=6).counts()  # doctest: +SKIP
    """
    manifest = opened(manifest)
    matches = _matches(manifest, max_distance, max_difference, transformed, crops)
    accepted = matches.pairs.select(matches.pairs.accepted(max_difference))
    component = hamming.components(accepted.first, accepted.second, len(matches.unique.counts))
    table, rows = manifest.table, matches.rows
    marks = {name: table[name].to_numpy(copy=True) for name in ("group", "status", "reason")}
    marks["group"][rows] = _names(table["sha256"].to_numpy()[rows], component[matches.unique.inverse])
    marks["status"][rows], marks["reason"][rows] = _judged(
        table[list(JUDGED_BY)].iloc[rows], manifest.root, matches.unique, accepted, max_share=max_share, jobs=jobs
    )
    kept = (table["reviewed"] == "use").to_numpy() & np.isin(np.arange(len(table)), rows)  # by a person
    marks["status"][kept], marks["reason"][kept] = "ok", ""
    still = (marks["status"] == "ok") & (table["status"] == "ok").to_numpy()
    marks["reason"][still] = table["reason"].to_numpy()[still]  # a person's words about a picture in use
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
        DatasetError: nothing is verified yet, or the signatures of some pictures are missing.
    """
    matches = _matches(manifest, max_distance, max_difference, transformed, crops)
    accepted = matches.pairs.select(matches.pairs.accepted(max_difference))
    left, right, accepted = matching.expand_pairs(matches.unique, accepted)
    paths = manifest.table["path"].to_numpy()[matches.rows]
    cells = {"path": paths[left], "other": paths[right], "distance": accepted.distance.astype(int)}
    cells |= {"difference": accepted.difference.astype(float)}
    cells |= {"change": accepted.change.astype(str)} if transformed or crops < 1 else {}
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
    """Leaks: pairs that are the same picture and on two sides of a split, as in datasets that came with train and test.

    Args:
        manifest, max_distance, max_difference, transformed, crops: as in `group`.

    Returns:
        The table of `pairs`, with `split` and `other_split`, `label` and `other_label`.

    >>> leaks(manifest)[["path", "split", "other", "other_split"]]  # doctest: +SKIP
    """
    rows = manifest.table.set_index("path")[["split", "label"]]
    table = pairs(
        manifest, max_distance=max_distance, max_difference=max_difference, transformed=transformed, crops=crops
    )
    for column in rows:
        table[column] = rows[column].reindex(table["path"]).to_numpy()
        table[f"other_{column}"] = rows[column].reindex(table["other"]).to_numpy()
    split = (table["split"] != "") & (table["other_split"] != "")
    return table[split & (table["split"] != table["other_split"])].reset_index(drop=True)


def curve(manifest: Manifest, *, max_distance: int = 20, max_difference: float = MAX_DIFFERENCE) -> pd.DataFrame:
    """Pairs by threshold, for a person to choose one: where copies end and mere likeness begins.

    Where pairs by the hash alone begin to rise steeply, or pairs under two labels appear among them, the hash no longer
    distinguishes copies from pictures that are only alike; the accepted pairs should stay level there.

    Args:
        manifest: a verified manifest.
        max_distance: bits, up to which the curve is drawn, 0 to 64.
        max_difference: as in `group`.

    Returns:
        A row per distance, all counts up to and with it: `distance`, `by_hash` (pairs whose hashes are that near),
        `accepted` (those with a small difference, too), `labels_differ` (pairs by hash under two labels),
        `accepted_labels_differ`.
    """
    matches = _matches(manifest, max_distance, max_difference)
    near, counts = matches.pairs, matches.unique.counts
    by_label = pd.crosstab(matches.unique.inverse, manifest.table["label"].to_numpy()[matches.rows])
    labels = by_label.to_numpy().reshape(len(counts), -1)
    first, second = near.first, near.second
    all_pairs = counts[first] * counts[second]
    differ = all_pairs - (labels[first] * labels[second]).sum(axis=1)
    accepted = near.accepted(max_difference)
    weights = {"by_hash": all_pairs, "accepted": all_pairs * accepted}
    weights |= {"labels_differ": differ, "accepted_labels_differ": differ * accepted}
    equal = {
        "by_hash": (counts * (counts - 1) // 2).sum(),
        "labels_differ": (counts**2 - (labels**2).sum(1)).sum() // 2,
    }
    equal |= {"accepted": equal["by_hash"], "accepted_labels_differ": equal["labels_differ"]}
    table = pd.DataFrame({"distance": np.arange(max_distance + 1)})
    for name, weight in weights.items():
        pairs_at = np.bincount(near.distance, weight, minlength=max_distance + 1).astype(int)
        table[name] = pairs_at.cumsum() + equal[name]
    return table


@dataclass(frozen=True, eq=False)
class _Matches:
    """The rows of the manifest that were compared, their unique signatures, and pairs of these with near hashes."""

    rows: np.ndarray
    unique: UniqueSignatures
    pairs: Pairs


def _matches(
    manifest: Manifest, max_distance: int | None, max_difference: float, transformed: bool = False, crops: float = 1
) -> _Matches:
    matching.check(max_distance, max_difference, crops)
    schema.check_verified(manifest.table, dataset=manifest.name, to="look for copies")
    table = manifest.table
    rows = np.flatnonzero(table["status"].isin(COMPARED) & (table["phash"] != ""))
    stored, indices = signatures.find(manifest.root, table["sha256"].iloc[rows])
    stored = np.asarray(stored)  # of which a row is taken faster than of a file mapped into memory
    if missing := int((indices < 0).sum()):
        raise DatasetError(
            f"expected a signature of every picture in {manifest.root / signatures.FILE}, {missing} are missing; "
            "verify all pictures again"
        )
    unique = matching.unique_signatures(stored[index] for index in indices)
    near = matching.find(
        difference.Chosen(stored, indices[unique.first]),
        hashes.from_text(table["phash"].to_numpy()[rows[unique.first]]),
        max_distance=default_max_distance(len(rows)) if max_distance is None else max_distance,
        max_difference=max_difference,
        transformed=transformed,
        crops=crops,
    )
    return _Matches(rows, unique, near)


class _Files(Sequence[Path]):
    """The files of pictures, as paths only when they are asked for: a million of them are half a gigabyte."""

    def __init__(self, root: Path, paths: np.ndarray):
        self._root, self._paths = root, paths

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: Any) -> Any:
        return self._root / self._paths[index]


def _names(sha256: np.ndarray, component: np.ndarray) -> np.ndarray:
    """The name of each picture's group: the first of the hashes of its files, shortened."""
    order = np.lexsort((sha256.astype("S64"), component))
    _, first, inverse = np.unique(component[order], return_index=True, return_inverse=True)
    names = np.empty(len(sha256), object)
    names[order] = np.array([digest[:12] for digest in sha256[order][first]], object)[inverse]
    return names


def _judged(
    table: pd.DataFrame, root: Path, unique: UniqueSignatures, accepted: Pairs, *, max_share: float, jobs: int
) -> tuple[np.ndarray, np.ndarray]:
    """Status and reason of every picture."""
    labels, paths = table["label"].to_numpy(), table["path"].to_numpy()
    size, sharpness, weight = (table[name].to_numpy() for name in ("width", "sharpness", "bytes"))
    order = np.arange(len(paths))  # in which they are sorted
    ranking = matching.best_first(order, size * table["height"].to_numpy(), sharpness, weight)
    confirmed = confirm(
        unique,
        accepted,
        ranking,
        _Files(root, paths),
        table["sha256"].to_numpy(object),
        names=paths,
        labels=labels,
        max_share=max_share,
        jobs=jobs,
    )
    if confirmed.warning:
        warnings.warn(confirmed.warning, stacklevel=3)
    status, reason = np.full(len(table), "ok", object), np.full(len(table), "", object)
    for index, evidence in confirmed.conflicts.items():
        others = sorted(paths[[other for other, _ in evidence]])
        status[index], reason[index] = "label conflict", SAME + _listed(others)
    for index, (kept, look) in confirmed.copies.items():
        detail = f" ({look.words})" if look.words else ""
        status[index], reason[index] = "duplicate", f"{SAME}{paths[kept]}{detail}"
    return status, reason


def original_of(reason: str) -> str:
    """The path of the picture that is kept, from the reason of a copy.

    >>> original_of("the same picture as raw/cars/1.jpg (differs by 0.31 of 1 at 40% across and 60% down)")
    'raw/cars/1.jpg'
    """
    return re.sub(r" \(differs by [^()]*\)$", "", reason.removeprefix(SAME))


def _listed(paths: list[str]) -> str:
    more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    return ", ".join(paths[:NAMED]) + more
