"""Which signatures are of the same picture: near hashes, and a second look that agrees.

What `dedup` marks in a dataset and `copies` looks for in a folder is decided here. Pictures with one signature are one
kind, and only kinds are compared.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from hashlib import blake2b
from itertools import product
from math import comb
from typing import NamedTuple

import numpy as np

from toolkit.duplicates import difference, hamming
from toolkit.images import hashes

MAX_DISTANCE = 18
BY_CHANCE = 4  # others for each picture that hashes may propose by chance
MAX_DIFFERENCE = 0.04
PER_BIT = 0.001  # of difference that is asked for less with every bit in which the hashes differ
SPARE = 1e-4  # of difference looked at above what is allowed, so that no rounding decides
CROPPED_TO = (0.9, 0.8, 0.7)  # of either side; sizes between are found too
CROP_STEP = 0.05  # of the side, from one window of a picture to the next

_Changes = Iterable[tuple[str, Callable[[np.ndarray], np.ndarray]]]


class Kinds(NamedTuple):
    """Pictures by signature: where one of each kind is, the kind of each picture, and how many each kind has."""

    one_of: np.ndarray
    of: np.ndarray
    counts: np.ndarray


class Links(NamedTuple):
    """Pairs of kinds: `first` and `second`, bits of `distance`, `difference`, and what was done to one, `change`."""

    first: np.ndarray
    second: np.ndarray
    distance: np.ndarray
    difference: np.ndarray
    change: np.ndarray

    def only(self, chosen: np.ndarray) -> "Links":
        """Some of them, by a mask or by their places."""
        return Links(*(column[chosen] for column in self))

    def accepted(self, max_difference: float) -> np.ndarray:
        """Which are the same picture: near hashes and a small difference together, neither alone."""
        return self.difference <= allowed(max_difference, self.distance)


def kinds(signatures: Iterable[np.ndarray]) -> Kinds:
    """Sort pictures by their signature.

    Args:
        signatures: uint8 arrays of shape (32, 32).
    """
    digests = [blake2b(signature.tobytes(), digest_size=16).digest() for signature in signatures]
    found = np.unique(
        np.array(digests, "V16").view("u8,u8"), return_index=True, return_inverse=True, return_counts=True
    )
    return Kinds(*found[1:])


def find(
    grey: np.ndarray,
    phash: np.ndarray,
    *,
    max_distance: int,
    max_difference: float = MAX_DIFFERENCE,
    transformed: bool = False,
    crops: float = 1,
) -> Links:
    """What the hashes propose, with the difference that a second look tells.

    Args:
        grey: uint8 array of shape (n, 32, 32), a signature of every kind.
        phash: uint64 array of shape (n,), their hashes.
        max_distance, max_difference, transformed, crops: as in `dedup.group`.

    Returns:
        The pairs; their difference is infinite where it is above what is allowed for sure.
    """
    links = _linked(grey, *hamming.within(phash, max_distance), max_difference)
    changes = list(_changes(transformed, crops))
    return _with_changes(links, grey, phash, changes, max_distance, max_difference) if changes else links


def check(max_distance: int | None, max_difference: float, crops: float = 1) -> None:
    """Raise ValueError for a limit that is out of its range."""
    if not 0.7 <= crops <= 1:
        raise ValueError(f"expected crops from 0.7 to 1, the share of either side that is left, got {crops}")
    if not 0 <= (max_distance or 0) <= 64 or not 0 <= max_difference <= 4:
        raise ValueError(
            f"expected max_distance from 0 to 64 and max_difference from 0 to 4, got {max_distance}, {max_difference}"
        )


def reach(pictures: int) -> int:
    """How many bits of the hash may differ in a search among so many pictures, if nobody says otherwise.

    Among more pictures more are near by chance, and each of these pairs takes a second look. So it is the distance, 18
    at most, at which chance proposes up to 4 others for each picture.

    >>> reach(10_000), reach(60_000), reach(1_000_000)
    (18, 16, 14)
    """
    near = np.cumsum([comb(64, bits) for bits in range(MAX_DISTANCE + 1)]) / 2**64  # of all pairs
    return max(0, int(np.searchsorted(near * pictures, BY_CHANCE, side="right")) - 1)


def allowed(max_difference: float, distance: np.ndarray) -> np.ndarray:
    """The largest difference for each pair, by the distance of its hashes."""
    return np.where(max_difference == 4, 4.0, max_difference - PER_BIT * distance)


def around(links: Links, counts: np.ndarray) -> dict[int, set[int]]:
    """Of every kind that has several pictures or links: itself, and the kinds it is linked with."""
    near = {kind: {kind} for kind in np.flatnonzero(counts > 1).tolist()}
    for one, other in zip(links.first.tolist(), links.second.tolist(), strict=True):
        near.setdefault(one, {one}).add(other)
        near.setdefault(other, {other}).add(one)
    return near


def originals(kinds: Kinds, near: dict[int, set[int]], best_first: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """What is kept, the best first, each with what is a copy of it; what is left is looked at again.

    Args:
        kinds: of all pictures.
        near: of every kind those around it, see `around`.
        best_first: places of the pictures that take part, in the order of preference.

    Yields:
        The place of a picture, and the places of its copies; each picture once.
    """
    left, pictures = np.zeros(len(kinds.of), bool), by_kind(kinds)
    left[best_first] = np.isin(kinds.of[best_first], list(near))
    for best in best_first[left[best_first]].tolist():
        if left[best]:
            places = np.concatenate([pictures[kind] for kind in near[kinds.of[best]]])
            places = places[left[places] & (places != best)]
            left[best] = left[places] = False
            yield best, places


def order(paths: np.ndarray, pixels: np.ndarray, sharpness: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Places of pictures, the best first: that of the most pixels, then the sharpest, then the largest file."""
    return np.lexsort((paths, -weight, -sharpness, -pixels))


def by_kind(kinds: Kinds) -> list[np.ndarray]:
    """The places of each kind's pictures."""
    places, ends = np.argsort(kinds.of, kind="stable"), np.cumsum(kinds.counts).tolist()
    return [places[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def expanded(kinds: Kinds, links: Links) -> tuple[np.ndarray, np.ndarray, Links]:
    """From pairs of kinds to pairs of pictures, those of one kind among them: places, the smaller first, and links."""
    again = np.flatnonzero(kinds.counts > 1)
    equal = Links(again, again, np.zeros(len(again), int), np.zeros(len(again)), np.full(len(again), "", object))
    links = Links(*(np.concatenate(columns) for columns in zip(links, equal, strict=True)))
    one, other, link = hamming.expanded(kinds.of, kinds.counts, links.first, links.second)
    return np.minimum(one, other), np.maximum(one, other), links.only(link)


def _linked(grey: np.ndarray, first: np.ndarray, second: np.ndarray, distance: np.ndarray, limit: float) -> Links:
    """Pairs with their difference, which is infinite where it is above the limit for sure."""
    most = allowed(limit, distance.astype(np.float32)) + SPARE
    differences = difference.differences(grey, first, second, limit=most)
    unchanged = np.full(len(first), "", object)
    return Links(first.astype(np.int32), second.astype(np.int32), distance.astype(np.int16), differences, unchanged)


def _with_changes(
    links: Links, grey: np.ndarray, phash: np.ndarray, changes: _Changes, max_distance: int, limit: float
) -> Links:
    """The same, and those of which one picture was changed first; of each pair the least different."""
    for change, changed in changes:
        first, second, distance = hamming.between(phash, hashes.perceptual(changed(grey)), max_distance)
        apart = first != second
        first, second, distance = first[apart], second[apart], distance[apart]
        used, place = np.unique(second, return_inverse=True)
        both = np.concatenate([grey, changed(grey[used])])
        more = _linked(both, first, place + len(grey), distance, limit)
        sides = {"first": np.minimum(first, second), "second": np.maximum(first, second)}
        more = more._replace(**sides, change=np.full(len(first), change, object))
        more = more.only(more.difference <= limit)
        links = Links(*(np.concatenate(columns) for columns in zip(links, more, strict=True)))
    links = links.only(np.argsort(links.difference, kind="stable"))
    _, least = np.unique(links.first.astype(np.int64) * len(grey) + links.second, return_index=True)
    return links.only(np.sort(least))


def _changes(transformed: bool, crops: float) -> _Changes:
    """What was perhaps done to a picture, in words and as a function of signatures."""
    for orientation, change in enumerate(hashes.ORIENTATIONS[1:], start=1):
        if transformed:
            yield change, partial(hashes.orient, orientation=orientation)
    for share in CROPPED_TO:
        steps = np.linspace(0, 1 - share, round((1 - share) / CROP_STEP) + 1)
        for top, left in product(steps, steps) if share >= crops - 1e-9 else ():
            yield f"cropped to {share:.0%}", partial(hashes.window, top=top, left=left, share=share)
