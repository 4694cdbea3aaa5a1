"""Matching of signatures: pairs that are the same picture, by near hashes and a small difference.

`dedup` marks them in a dataset, `copies` lists them in a folder. Pictures with equal signatures are compared once: a
pair is one of unique signatures, in the words of `np.unique`.
"""

from collections.abc import Callable, Iterable
from functools import partial
from hashlib import blake2b
from itertools import product
from math import comb
from typing import NamedTuple

import numpy as np

from toolkit.duplicates import difference, hamming
from toolkit.images import hashes

MAX_DISTANCE = 18
BY_CHANCE = 4  # other pictures, for each, whose hashes may be near by chance
MAX_DIFFERENCE = 0.04
PER_BIT = 0.001  # by which the allowed difference falls with every bit in which the hashes differ
ROUNDING = 1e-4  # difference above the allowed one that is still computed, so that no rounding decides
CROPPED_TO = (0.9, 0.8, 0.7)  # of either side; sizes between are found too
CROP_STEP = 0.05  # of the side, from one window of a picture to the next

_Changes = Iterable[tuple[str, Callable[[np.ndarray], np.ndarray]]]


class UniqueSignatures(NamedTuple):
    """Unique signatures: the first picture that has each, the signature of each picture, and how many have it."""

    first: np.ndarray
    inverse: np.ndarray
    counts: np.ndarray


class Pairs(NamedTuple):
    """Pairs of signatures: `first` and `second`, bits of `distance`, `difference`, and the `change` of one of them."""

    first: np.ndarray
    second: np.ndarray
    distance: np.ndarray
    difference: np.ndarray
    change: np.ndarray

    def select(self, chosen: np.ndarray) -> "Pairs":
        """A subset, by a mask or by indices."""
        return Pairs(*(column[chosen] for column in self))

    def accepted(self, max_difference: float) -> np.ndarray:
        """Mask of the pairs that are the same picture: near hashes and a small difference together, neither alone."""
        return self.difference <= allowed(max_difference, self.distance)


def unique_signatures(signatures: Iterable[np.ndarray]) -> UniqueSignatures:
    """The unique signatures of pictures.

    Args:
        signatures: uint8 arrays of shape (32, 32).
    """
    digests = b"".join(blake2b(signature.tobytes(), digest_size=16).digest() for signature in signatures)
    words = np.frombuffer(digests, "u8").reshape(-1, 2)
    order = np.lexsort(words.T[::-1])  # of equal ones the first comes first
    starts = np.append(True, (words[order[1:]] != words[order[:-1]]).any(axis=1))[: len(order)]
    inverse = np.empty(len(order), np.int64)
    inverse[order] = np.cumsum(starts) - 1
    return UniqueSignatures(order[starts], inverse, np.bincount(inverse))


def find(
    grey: np.ndarray | difference.Chosen,
    phash: np.ndarray,
    *,
    max_distance: int,
    max_difference: float = MAX_DIFFERENCE,
    transformed: bool = False,
    crops: float = 1,
) -> Pairs:
    """Pairs with near hashes, and their difference.

    Args:
        grey: uint8 array of shape (n, 32, 32), the unique signatures.
        phash: uint64 array of shape (n,), their hashes.
        max_distance, max_difference, transformed, crops: as in `dedup.group`.

    Returns:
        The pairs; their difference may be infinite where it is above the allowed one.
    """
    first, second, distance = hamming.within(phash, max_distance)
    pairs = _compared(grey, first, second, distance, max_difference)
    changes = list(_changes(transformed, crops))
    if not changes:
        return pairs
    return _with_changes(pairs, grey[:], phash, changes, max_distance, max_difference)


def check(max_distance: int | None, max_difference: float, crops: float = 1) -> None:
    """Raise ValueError for a limit that is out of its range."""
    if not 0.7 <= crops <= 1:
        raise ValueError(f"expected crops from 0.7 to 1, the share of either side that is left, got {crops}")
    if not 0 <= (max_distance or 0) <= 64 or not 0 <= max_difference <= 4:
        raise ValueError(
            f"expected max_distance from 0 to 64 and max_difference from 0 to 4, got {max_distance}, {max_difference}"
        )


def default_max_distance(pictures: int) -> int:
    """The default of `max_distance`: how many bits of the hashes may differ in a search among so many pictures.

    Among more pictures more hashes are near by chance, and each of these pairs takes a second look. So it is the
    largest distance, up to 18, at which chance brings at most 4 others near each picture.

    >>> default_max_distance(10_000), default_max_distance(60_000), default_max_distance(1_000_000)
    (18, 16, 14)
    """
    near = np.cumsum([comb(64, bits) for bits in range(MAX_DISTANCE + 1)]) / 2**64  # of all pairs
    return max(0, int(np.searchsorted(near * pictures, BY_CHANCE, side="right")) - 1)


def allowed(max_difference: float, distance: np.ndarray) -> np.ndarray:
    """The largest difference for each pair, by the distance of its hashes."""
    return np.where(max_difference == 4, 4.0, max_difference - PER_BIT * distance)


def best_first(paths: np.ndarray, pixels: np.ndarray, sharpness: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Indices of pictures, the best first: that of the most pixels, then the sharpest, then the largest file."""
    return np.lexsort((paths, -size, -sharpness, -pixels))


def expand_pairs(unique: UniqueSignatures, pairs: Pairs) -> tuple[np.ndarray, np.ndarray, Pairs]:
    """From pairs of signatures to pairs of pictures, also those with equal signatures.

    Returns:
        The index of either picture, the smaller first, and the pair of signatures that each comes from.
    """
    shared = np.flatnonzero(unique.counts > 1)
    unchanged = np.full(len(shared), "", object)
    equal = Pairs(shared, shared, np.zeros(len(shared), int), np.zeros(len(shared)), unchanged)
    pairs = _concatenated(pairs, equal)
    left, right, index = hamming.pairs_of_members(unique.inverse, unique.counts, pairs.first, pairs.second)
    return np.minimum(left, right), np.maximum(left, right), pairs.select(index)


def _compared(
    grey: np.ndarray | difference.Chosen, first: np.ndarray, second: np.ndarray, distance: np.ndarray, limit: float
) -> Pairs:
    """Pairs with their difference, which may be infinite where it is above the limit."""
    limits = allowed(limit, distance.astype(np.float32)) + ROUNDING
    differences = difference.differences(grey, first, second, limit=limits)
    unchanged = np.full(len(first), "", object)
    return Pairs(first.astype(np.int32), second.astype(np.int32), distance.astype(np.int16), differences, unchanged)


def _concatenated(pairs: Pairs, more: Pairs) -> Pairs:
    return Pairs(*(np.concatenate(columns) for columns in zip(pairs, more, strict=True)))


def _with_changes(
    pairs: Pairs, grey: np.ndarray, phash: np.ndarray, changes: _Changes, max_distance: int, limit: float
) -> Pairs:
    """The same, and pairs of which one picture was changed first; of each pair the least different."""
    for change, changed in changes:
        first, second, distance = hamming.between(phash, hashes.perceptual(changed(grey)), max_distance)
        differ = first != second
        first, second, distance = first[differ], second[differ], distance[differ]
        used, index = np.unique(second, return_inverse=True)
        both = np.concatenate([grey, changed(grey[used])])
        more = _compared(both, first, index + len(grey), distance, limit)
        more = more._replace(
            first=np.minimum(first, second),
            second=np.maximum(first, second),
            change=np.full(len(first), change, object),
        )
        pairs = _concatenated(pairs, more.select(more.difference <= limit))
    pairs = pairs.select(np.argsort(pairs.difference, kind="stable"))
    _, least = np.unique(pairs.first.astype(np.int64) * len(grey) + pairs.second, return_index=True)
    return pairs.select(np.sort(least))


def _changes(transformed: bool, crops: float) -> _Changes:
    """The changes that are looked for, in words and as a function of signatures."""
    for orientation, change in enumerate(hashes.ORIENTATIONS[1:], start=1):
        if transformed:
            yield change, partial(hashes.orient, orientation=orientation)
    for share in CROPPED_TO:
        steps = np.linspace(0, 1 - share, round((1 - share) / CROP_STEP) + 1)
        for top, left in product(steps, steps) if share >= crops - 1e-9 else ():
            yield f"cropped to {share:.0%}", partial(hashes.window, top=top, left=left, share=share)
