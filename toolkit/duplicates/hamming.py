"""Find all pairs of near hashes: exactly, and without comparing all with all.

A 64-bit hash is cut into p pieces. Two hashes that differ in at most d bits differ in at most d // p in one of the
pieces (the pigeonhole principle; in one of the first d % p + 1 pieces, or in at most d // p - 1 in a later one). So for
every piece the hashes are sorted into buckets by their bits there, and only buckets whose numbers are that near to each
other are compared (Norouzi, Punjani and Fleet, 2012, arXiv:1307.2982). Equal hashes are compared once for all.
"""

from itertools import combinations
from math import comb

import numpy as np

WIDTHS = (16, 16, 16, 16)  # bits of each piece, the lowest first
SMALL = 20_000  # hashes up to which no compiled code is worth loading: it takes a third of a second and 100 MB
CELLS = 1 << 15  # pairs compared at a time where numpy does it: they stay in the processor
PROBE = 4.0  # what looking into a bucket costs, in comparisons of two hashes


def within(hashes: np.ndarray, max_distance: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs of hashes that differ in at most `max_distance` bits: none missed, none invented.

    Time grows with the square of the number of hashes, very slowly at first: at 10 bits, 0.65 % of all pairs are
    compared. Memory grows with the number of hashes and of the pairs found.

    Args:
        hashes: uint64 array of shape (n,).
        max_distance: bits, 0 to 64.

    Returns:
        Positions of the first and the second of each pair (first < second), and their distance, in the order of the
        positions.

    >>> within(np.array([0, 1, 255], dtype=np.uint64), 1)
    (array([0]), array([1]), array([1], dtype=uint8))
    """
    hashes = _checked(hashes, max_distance)
    different, places, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    if len(different) <= SMALL or _cost(len(different), max_distance) > len(different) ** 2 / 2:
        first, second = _all_with_all(different, different, max_distance, later=True)
    else:
        first, second = _near_buckets(different, max_distance)
    if len(different) < len(hashes):
        again = np.flatnonzero(counts > 1)
        first, second, _ = expanded(places, counts, np.append(first, again), np.append(second, again))
    else:
        order = np.argsort(places)  # the position each of them came from
        first, second = order[first], order[second]
    return _ordered(hashes, hashes, np.minimum(first, second), np.maximum(first, second))


def between(hashes: np.ndarray, others: np.ndarray, max_distance: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs of one of the hashes and one of the others that differ in at most `max_distance` bits.

    All are compared with all, at about a nanosecond a pair.

    Args:
        hashes: uint64 array of shape (n,).
        others: uint64 array of shape (m,).
        max_distance: bits, 0 to 64.

    Returns:
        Positions in `hashes`, positions in `others`, and the distance of each pair, in the order of the positions.
    """
    hashes, others = _checked(hashes, max_distance), _checked(others, max_distance)
    return _ordered(hashes, others, *_all_with_all(hashes, others, max_distance))


def expanded(
    kinds: np.ndarray, counts: np.ndarray, first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """From pairs of kinds of things to pairs of things.

    Args:
        kinds: the kind of every thing.
        counts: how many things there are of each kind.
        first, second: pairs of kinds; one with itself stands for all pairs within it.

    Returns:
        Pairs of things, each once, and which pair of kinds it came from.
    """
    first, second = np.asarray(first), np.asarray(second)
    order, starts = np.argsort(kinds, kind="stable"), np.cumsum(counts) - counts
    many = counts[first] * counts[second]
    number = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)  # of a pair among those of its kinds
    wide = np.repeat(counts[second], many)
    one = order[np.repeat(starts[first], many) + number // np.maximum(wide, 1)]
    other = order[np.repeat(starts[second], many) + number % np.maximum(wide, 1)]
    link = np.repeat(np.arange(len(first)), many)
    once = (one < other) | (first != second)[link]
    return one[once], other[once], link[once]


def components(first: np.ndarray, second: np.ndarray, count: int) -> np.ndarray:
    """What hangs together by links, if only through others.

    Args:
        first, second: the things that each link connects.
        count: how many things there are.

    Returns:
        For every thing the first one that it hangs together with, itself if none comes before it.

    >>> components(np.array([3, 1]), np.array([1, 2]), 5)
    array([0, 1, 1, 1, 4])
    """
    root = np.arange(count)
    while True:
        one, other = root[first], root[second]
        if (one == other).all():
            return root
        np.minimum.at(root, np.maximum(one, other), np.minimum(one, other))
        while (root[root] != root).any():
            root = root[root]


def _checked(hashes: np.ndarray, max_distance: int) -> np.ndarray:
    if not 0 <= max_distance <= 64:
        raise ValueError(f"expected a distance from 0 to 64 bits, got {max_distance}")
    return np.ascontiguousarray(hashes, dtype=np.uint64)


def _ordered(
    hashes: np.ndarray, others: np.ndarray, first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    keys = np.sort(first.astype(np.int64) * len(others) + second)  # sooner done than sorting by two columns
    first, second = np.divmod(keys, max(1, len(others)))
    return first, second, np.bitwise_count(hashes[first] ^ others[second])


def _all_with_all(
    hashes: np.ndarray, others: np.ndarray, max_distance: int, *, later: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of positions; `later` takes only those where the second is the larger, for hashes among themselves."""
    if len(hashes) * len(others) > SMALL**2:
        first, second = _compiled(hashes, others, max_distance)
    else:
        first, second = _by_numpy(hashes, others, max_distance, later)
    return (first[first < second], second[first < second]) if later else (first, second)


def _compiled(hashes: np.ndarray, others: np.ndarray, max_distance: int) -> tuple[np.ndarray, np.ndarray]:
    from toolkit.duplicates import hamming_loops  # here, since it loads a compiler and most datasets are small

    found = np.zeros(len(hashes), np.int32)
    hamming_loops.spread(hamming_loops.count_all, len(hashes), hashes, others, np.uint64(max_distance), found)
    ends = np.cumsum(found, dtype=np.int64)
    pairs = np.empty((int(ends[-1]), 2), np.int64)
    hamming_loops.spread(hamming_loops.fill_all, len(hashes), hashes, others, np.uint64(max_distance), ends, pairs)
    return pairs[:, 0], pairs[:, 1]


def _by_numpy(hashes: np.ndarray, others: np.ndarray, max_distance: int, later: bool) -> tuple[np.ndarray, np.ndarray]:
    parts, start = [(np.zeros(0, np.int64), np.zeros(0, np.int64))], 0
    while start < len(hashes):
        skipped = start if later else 0
        rows = max(1, CELLS // max(1, len(others) - skipped))
        distances = np.bitwise_count(hashes[start : start + rows, None] ^ others[None, skipped:])
        row, column = np.divmod(np.flatnonzero(distances <= max_distance), max(1, len(others) - skipped))
        parts.append((row + start, column + skipped))
        start += rows
    first, second = (np.concatenate(side) for side in zip(*parts, strict=True))
    return first, second


def _radii(max_distance: int) -> list[int]:
    """In how many bits of each piece hashes may differ to be compared; -1 where they need not be."""
    return [max_distance // len(WIDTHS) - (piece > max_distance % len(WIDTHS)) for piece in range(len(WIDTHS))]


def _cost(count: int, max_distance: int) -> float:
    """What comparing near buckets costs, in comparisons of two hashes."""
    buckets = [1 << width for width in WIDTHS]
    near = [
        sum(comb(width, bits) for bits in range(radius + 1))
        for width, radius in zip(WIDTHS, _radii(max_distance), strict=True)
    ]
    return sum(many * (PROBE * size + count**2 / size) / 2 for size, many in zip(buckets, near, strict=True))


def _near_buckets(hashes: np.ndarray, max_distance: int) -> tuple[np.ndarray, np.ndarray]:
    radii = _radii(max_distance)
    shifts = np.cumsum((0, *WIDTHS[:-1]))
    pieces = np.array([shifts, WIDTHS, radii]).T[np.array(radii) >= 0].astype(np.uint64)
    parts = [_one_piece(hashes, max_distance, *piece.tolist(), pieces[:n]) for n, piece in enumerate(pieces)]
    pairs = np.concatenate(parts)
    return pairs[:, 0], pairs[:, 1]


def _one_piece(
    hashes: np.ndarray, max_distance: int, shift: int, width: int, radius: int, earlier: np.ndarray
) -> np.ndarray:
    """The pairs that are near in this piece and in none before it; positions, shape (n, 2)."""
    from toolkit.duplicates import hamming_loops

    keys = ((hashes >> np.uint64(shift)) & np.uint64((1 << width) - 1)).astype(np.uint16)
    order = np.argsort(keys, kind="stable").astype(np.int32 if len(hashes) < 2**31 else np.int64)
    starts = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=1 << width))])
    where = (hashes[order], starts, _masks(width, radius), np.uint64(max_distance), earlier)
    found = np.zeros(len(hashes), np.int32)
    hamming_loops.spread(hamming_loops.count, len(starts) - 1, *where, found)
    ends = np.cumsum(found, dtype=np.int64)
    pairs = np.empty((int(ends[-1]), 2), order.dtype)
    hamming_loops.spread(hamming_loops.fill, len(starts) - 1, *where, ends, pairs)
    return order[pairs].astype(np.int64)


def _masks(width: int, radius: int) -> np.ndarray:
    """All numbers of `width` bits with at most `radius` of them set."""
    chosen = (bits for size in range(radius + 1) for bits in combinations(range(width), size))
    return np.array([sum(1 << bit for bit in bits) for bits in chosen], dtype=np.int64)
