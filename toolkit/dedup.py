"""Find the pictures that are the same picture: re-encoded, resized, brightened or slightly cropped copies.

Two pictures are the same if their perceptual hashes are near each other and a second look at their signatures agrees.
The hash alone is no proof: pictures of one kind of thing on one kind of background have near hashes too.

Being the same does not carry over: of a picture and two crops of it, each crop may be the same as the whole and yet
not as the other. So there are two answers. `group` is for splitting: whatever hangs together by links has one, so that
no link leads from train to test. The status "duplicate" is for leaving out: a picture only gets it if it is itself the
same as the one that is kept.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from itertools import product
from math import comb

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from toolkit import hashes, likeness, search, signatures
from toolkit.errors import DatasetError
from toolkit.manifest import Manifest

COMPARED = ("ok", "duplicate", "label conflict")
MAX_DISTANCE = 18
BY_CHANCE = 4  # others for each picture that hashes may propose by chance
MAX_DIFFERENCE = 0.04
PER_BIT = 0.001  # of difference that is asked for less with every bit in which the hashes differ
SPARE = 1e-4  # of difference looked at above what is allowed, so that no rounding decides
CROPPED_TO = (0.9, 0.8, 0.7)  # of either side; sizes between are found too
CROP_STEP = 0.05  # of the side, from one window of a picture to the next
NAMED = 20  # pictures in a reason, at most

_Changes = Iterable[tuple[str, Callable[[np.ndarray], np.ndarray]]]


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
    links = found.links[found.accepted(max_difference)]
    graph = coo_array((np.ones(len(links), bool), (links["first"], links["second"])), (len(found.counts),) * 2)
    _, component = connected_components(graph, directed=False)
    table, rows = manifest.table, found.rows
    marks = {name: table[name].to_numpy(copy=True) for name in ("group", "status", "reason")}
    marks["group"][rows] = _names(table["sha256"].to_numpy()[rows], component[found.kinds])
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
    links = found.links[found.accepted(max_difference)]
    again = np.flatnonzero(found.counts > 1)  # pictures with one signature are pairs too
    same = pd.DataFrame({"first": again, "second": again, "distance": 0, "difference": 0.0, "change": ""})
    links = pd.concat([links, same[list(links)]], ignore_index=True).astype({"distance": int, "difference": float})
    one, other, link = search.expanded(found.kinds, found.counts, links["first"], links["second"])
    paths = manifest.table["path"].to_numpy()[found.rows]
    cells = {"path": paths[np.minimum(one, other)], "other": paths[np.maximum(one, other)]}
    cells |= {name: links[name].to_numpy()[link] for name in links.columns.drop(["first", "second"])}
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


def reach(pictures: int) -> int:
    """How many bits of the hash may differ in a search among so many pictures, if nobody says otherwise.

    Among more pictures more are near by chance, and each of these pairs takes a second look. So it is the distance, 18
    at most, at which chance proposes up to 4 others for each picture.

    >>> reach(10_000), reach(60_000), reach(1_000_000)
    (18, 16, 14)
    """
    near = np.cumsum([comb(64, bits) for bits in range(MAX_DISTANCE + 1)]) / 2**64  # of all pairs
    return max(0, int(np.searchsorted(near * pictures, BY_CHANCE, side="right")) - 1)


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
    links, counts = found.links, found.counts
    labels = (
        pd.crosstab(found.kinds, manifest.table["label"].to_numpy()[found.rows]).to_numpy().reshape(len(counts), -1)
    )
    first, second = links["first"].to_numpy(), links["second"].to_numpy()
    all_pairs = counts[first] * counts[second]
    differ = all_pairs - (labels[first] * labels[second]).sum(axis=1)
    accepted = found.accepted(max_difference)
    weights = {"by_hash": all_pairs, "accepted": all_pairs * accepted}
    weights |= {"labels_differ": differ, "accepted_labels_differ": differ * accepted}
    equal = {
        "by_hash": (counts * (counts - 1) // 2).sum(),
        "labels_differ": (counts**2 - (labels**2).sum(1)).sum() // 2,
    }
    equal |= {"accepted": equal["by_hash"], "accepted_labels_differ": equal["labels_differ"]}
    table = pd.DataFrame({"distance": np.arange(max_distance + 1)})
    for name, weight in weights.items():
        at = np.bincount(links["distance"], weight, minlength=max_distance + 1).astype(int)
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
    return likeness.differences(grey, first, second)


@dataclass(frozen=True, eq=False)
class _Found:
    """What the hashes propose. Pictures with one signature are one kind, and only kinds are compared.

    Args:
        rows: places in the manifest of the pictures that were compared.
        kinds: the kind of each of them.
        counts: pictures of each kind.
        links: pairs of kinds with `distance`, `difference` and, if it was asked for, `change`.
    """

    rows: np.ndarray
    kinds: np.ndarray
    counts: np.ndarray
    links: pd.DataFrame

    def accepted(self, max_difference: float) -> np.ndarray:
        """Which links are the same picture: near hashes and a small difference together, neither alone."""
        return self.links["difference"].to_numpy() <= _allowed(max_difference, self.links["distance"].to_numpy())


def _found(
    manifest: Manifest, max_distance: int | None, max_difference: float, transformed: bool = False, crops: float = 1
) -> _Found:
    if not 0.7 <= crops <= 1:
        raise ValueError(f"expected crops from 0.7 to 1, the share of either side that is left, got {crops}")
    if not 0 <= (max_distance or 0) <= 64 or not 0 <= max_difference <= 4:
        raise ValueError(
            f"expected max_distance from 0 to 64 and max_difference from 0 to 4, got {max_distance}, {max_difference}"
        )
    table = manifest.table
    rows = np.flatnonzero(table["status"].isin(COMPARED) & (table["phash"] != ""))
    max_distance = reach(len(rows)) if max_distance is None else max_distance
    stored, places = signatures.find(manifest.root, table["sha256"].iloc[rows])
    if missing := int((places < 0).sum()):
        raise DatasetError(
            f"expected a signature of every picture in {manifest.root / signatures.FILE}, {missing} are missing; "
            "verify all pictures again"
        )
    digests = [blake2b(stored[place].tobytes(), digest_size=16).digest() for place in places]
    _, one_of, kinds, counts = np.unique(
        np.array(digests, "V16").view("u8,u8"), return_index=True, return_inverse=True, return_counts=True
    )
    grey, phash = stored[places[one_of]], hashes.from_text(table["phash"].to_numpy()[rows[one_of]])
    links = _linked(grey, *search.within(phash, max_distance), max_difference)
    if transformed or crops < 1:
        changes = _changes(transformed, crops)
        links = _with_changes(links.assign(change=""), grey, phash, changes, max_distance, max_difference)
    return _Found(rows, kinds, counts, links)


def _allowed(max_difference: float, distance: np.ndarray) -> np.ndarray:
    """The largest difference for each pair, by the distance of its hashes."""
    return np.where(max_difference == 4, 4.0, max_difference - PER_BIT * distance)


def _linked(
    grey: np.ndarray, first: np.ndarray, second: np.ndarray, distance: np.ndarray, limit: float
) -> pd.DataFrame:
    """Pairs with their difference, which is infinite where it is above the limit for sure."""
    allowed = _allowed(limit, distance.astype(np.float32)) + SPARE
    difference = likeness.differences(grey, first, second, limit=allowed)
    columns = {"first": first.astype(np.int32), "second": second.astype(np.int32)}
    return pd.DataFrame({**columns, "distance": distance.astype(np.int16), "difference": difference})


def _with_changes(
    links: pd.DataFrame, grey: np.ndarray, phash: np.ndarray, changes: _Changes, max_distance: int, limit: float
) -> pd.DataFrame:
    """The same, and those of which one picture was changed first; of each pair the least different."""
    for change, changed in changes:
        first, second, distance = search.between(phash, hashes.perceptual(changed(grey)), max_distance)
        apart = first != second
        first, second, distance = first[apart], second[apart], distance[apart]
        used, place = np.unique(second, return_inverse=True)
        both = np.concatenate([grey, changed(grey[used])])
        more = _linked(both, first, place + len(grey), distance, limit).assign(change=change)
        more = more.assign(first=np.minimum(first, second), second=np.maximum(first, second))
        more = more[more["difference"] <= limit]
        links = pd.concat([links, more], ignore_index=True)
    return links.sort_values("difference", kind="stable").drop_duplicates(["first", "second"], ignore_index=True)


def _changes(transformed: bool, crops: float) -> _Changes:
    """What was perhaps done to a picture, in words and as a function of signatures."""
    for orientation, change in enumerate(hashes.ORIENTATIONS[1:], start=1):
        if transformed:
            yield change, partial(hashes.orient, orientation=orientation)
    for share in CROPPED_TO:
        steps = np.linspace(0, 1 - share, round((1 - share) / CROP_STEP) + 1)
        for top, left in product(steps, steps) if share >= crops - 1e-9 else ():
            yield f"cropped to {share:.0%}", partial(hashes.window, top=top, left=left, share=share)


def _names(sha256: np.ndarray, component: np.ndarray) -> np.ndarray:
    """What each picture's group is called: by the first of the hashes of its files."""
    order = np.lexsort((sha256.astype("S64"), component))
    _, first, place = np.unique(component[order], return_index=True, return_inverse=True)
    names = np.empty(len(sha256), object)
    names[order] = np.array([name[:12] for name in sha256[order][first]], object)[place]
    return names


def _judged(table: pd.DataFrame, kinds: np.ndarray, links: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Status and reason of every picture."""
    near = {kind: {kind} for kind in np.flatnonzero(np.bincount(kinds) > 1)}
    for one, other in zip(links["first"].tolist(), links["second"].tolist(), strict=True):
        near.setdefault(one, {one}).add(other)
        near.setdefault(other, {other}).add(one)
    order = np.argsort(kinds, kind="stable")
    pictures = np.split(order, np.cumsum(np.bincount(kinds))[:-1])
    labels, paths = table["label"].to_numpy(), table["path"].to_numpy()
    status, reason = np.full(len(table), "ok", object), np.full(len(table), "", object)
    for kind, around in near.items():
        places = np.concatenate([pictures[other] for other in sorted(around)])
        if len(set(labels[places])) > 1:
            for place in pictures[kind]:
                others = sorted(paths[places[labels[places] != labels[place]]])
                if others:
                    status[place], reason[place] = "label conflict", f"the same picture as {_some(others)}"
    size, sharpness, weight = ((-table[name]).to_numpy() for name in ("width", "sharpness", "bytes"))
    size = size * table["height"].to_numpy()
    best_first = np.lexsort((paths.astype(str), weight, sharpness, size))
    open_ones = (status == "ok") & np.isin(kinds, list(near))
    for best in best_first[open_ones[best_first]]:
        if open_ones[best]:
            places = np.concatenate([pictures[other] for other in near[kinds[best]]])
            places = places[open_ones[places] & (places != best)]
            open_ones[best] = open_ones[places] = False
            status[places], reason[places] = "duplicate", f"the same picture as {paths[best]}"
    return status, reason


def _some(paths: list[str]) -> str:
    more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    return ", ".join(paths[:NAMED]) + more
