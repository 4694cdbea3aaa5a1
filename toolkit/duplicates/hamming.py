"""Near hashes by Hamming distance: all pairs, exactly, and without comparing all with all.

A 64-bit hash is cut into p pieces. Two hashes that differ in at most d bits differ in at most d // p in one of the
pieces (the pigeonhole principle; in one of the first d % p + 1 pieces, or in at most d // p - 1 in a later one). So for
every piece the hashes are sorted into buckets by their bits there, and only buckets whose bits are that near to each
other are compared (Norouzi, Punjani and Fleet, 2012, arXiv:1307.2982). Equal hashes are compared once for all.
"""

from itertools import accumulate, combinations
from math import comb
from typing import NamedTuple

import numpy as np

WIDTHS = (16, 16, 16, 16)  # bits of each piece, the lowest first
SMALL = 20_000  # hashes up to which no compiled code is worth loading: it takes a third of a second and 100 MB
CELLS = 1 << 15  # pairs compared at a time where numpy does it: they stay in the processor
PROBE = 4.0  # comparisons of two hashes that take as long as opening a bucket


class Piece(NamedTuple):
    """A piece of a hash: its lowest bit, its width in bits, and in how many of them near hashes may differ there."""

    shift: int
    width: int
    radius: int


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
    different, inverse, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    if len(different) <= SMALL or _cost(len(different), max_distance) > len(different) ** 2 / 2:
        first, second = _all_with_all(different, different, max_distance, later=True)
    else:
        first, second = _near_buckets(different, max_distance)
    if len(different) < len(hashes):
        again = np.flatnonzero(counts > 1)
        first, second, _ = pairs_of_members(inverse, counts, np.append(first, again), np.append(second, again))
    else:
        order = np.argsort(inverse)  # the position each of them came from
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


def pairs_of_members(
    inverse: np.ndarray, counts: np.ndarray, first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """From pairs of unique values to pairs of their members, the positions that hold these values.

    Args:
        inverse: the unique value of each position, as `np.unique` gives it.
        counts: how many members each unique value has.
        first, second: pairs of unique values; a value with itself stands for all pairs of its members.

    Returns:
        Pairs of positions, each once, and the index of the pair of values that each comes from.

    Positions 0 to 3 hold the values b, a, b, c, so a, b and c are the unique values 0, 1 and 2. The pairs b and c, and
    b with itself, become 0 and 3, 2 and 3, and 0 and 2:

    >>> inverse, counts = np.array([1, 0, 1, 2]), np.array([1, 2, 1])
    >>> left, right, pair = pairs_of_members(inverse, counts, np.array([1, 1]), np.array([2, 1]))
    >>> list(zip(left.tolist(), right.tolist(), pair.tolist()))
    [(0, 3, 0), (2, 3, 0), (0, 2, 1)]
    """
    first, second = np.asarray(first), np.asarray(second)
    members = np.argsort(inverse, kind="stable")  # those of value 0, then those of value 1, …
    starts = np.cumsum(counts) - counts
    sizes = counts[first] * counts[second]  # a rectangle of members for each pair of values
    pair = np.repeat(np.arange(len(first)), sizes)
    cell = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)  # within its rectangle, row by row
    row, column = np.divmod(cell, np.maximum(counts[second][pair], 1))
    left = members[starts[first][pair] + row]
    right = members[starts[second][pair] + column]
    once = (left < right) | (first != second)[pair]
    return left[once], right[once], pair[once]


def components(first: np.ndarray, second: np.ndarray, count: int) -> np.ndarray:
    """Connected components of a graph; `scipy.sparse.csgraph` has them too, but takes long to load.

    Args:
        first, second: the nodes that each edge connects.
        count: how many nodes there are.

    Returns:
        For every node the first one of its component, which may be itself.

    >>> components(np.array([3, 1]), np.array([1, 2]), 5)
    array([0, 1, 1, 1, 4])
    """
    root = np.arange(count)
    while True:
        left, right = root[first], root[second]
        if (left == right).all():
            return root
        np.minimum.at(root, np.maximum(left, right), np.minimum(left, right))
        while (root[root] != root).any():
            root = root[root]


def _checked(hashes: np.ndarray, max_distance: int) -> np.ndarray:
    if not 0 <= max_distance <= 64:
        raise ValueError(f"expected a distance from 0 to 64 bits, got {max_distance}")
    return np.ascontiguousarray(hashes, dtype=np.uint64)


def _ordered(
    hashes: np.ndarray, others: np.ndarray, first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    keys = np.sort(first.astype(np.int64) * len(others) + second)  # faster than sorting by two columns
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

    counts = np.zeros(len(hashes), np.int32)
    hamming_loops.spread(hamming_loops.count_all, len(hashes), hashes, others, np.uint64(max_distance), counts)
    ends = np.cumsum(counts, dtype=np.int64)
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


def _pieces(max_distance: int) -> list[Piece]:
    """The pieces of a hash; the radius is -1 where no hashes need be compared."""
    least, remainder = divmod(max_distance, len(WIDTHS))
    starts = accumulate(WIDTHS, initial=0)
    return [
        Piece(shift, width, least if index <= remainder else least - 1)
        for index, (shift, width) in enumerate(zip(starts, WIDTHS, strict=False))
    ]


def _cost(count: int, max_distance: int) -> float:
    """The cost of comparing near buckets, in comparisons of two hashes."""
    cost = 0.0
    for piece in _pieces(max_distance):
        buckets = 1 << piece.width
        near = sum(comb(piece.width, bits) for bits in range(piece.radius + 1))  # buckets that each is compared with
        cost += near * (PROBE * buckets + count**2 / buckets) / 2
    return cost


def _near_buckets(hashes: np.ndarray, max_distance: int) -> tuple[np.ndarray, np.ndarray]:
    pieces = [piece for piece in _pieces(max_distance) if piece.radius >= 0]
    pairs = np.concatenate(
        [_near_in_piece(hashes, max_distance, piece, pieces[:index]) for index, piece in enumerate(pieces)]
    )
    return pairs[:, 0], pairs[:, 1]


def _near_in_piece(hashes: np.ndarray, max_distance: int, piece: Piece, earlier: list[Piece]) -> np.ndarray:
    """The pairs that are near in this piece and in no earlier one; positions, shape (n, 2)."""
    from toolkit.duplicates import hamming_loops

    keys = ((hashes >> np.uint64(piece.shift)) & np.uint64((1 << piece.width) - 1)).astype(np.uint16)
    order = np.argsort(keys, kind="stable").astype(np.int32 if len(hashes) < 2**31 else np.int64)
    starts = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=1 << piece.width))])
    before = np.array(earlier, np.uint64).reshape(-1, len(Piece._fields))
    buckets = (hashes[order], starts, _masks(piece.width, piece.radius), np.uint64(max_distance), before)
    counts = np.zeros(len(hashes), np.int32)
    hamming_loops.spread(hamming_loops.count, len(starts) - 1, *buckets, counts)
    ends = np.cumsum(counts, dtype=np.int64)
    pairs = np.empty((int(ends[-1]), 2), order.dtype)
    hamming_loops.spread(hamming_loops.fill, len(starts) - 1, *buckets, ends, pairs)
    return order[pairs].astype(np.int64)


def _masks(width: int, radius: int) -> np.ndarray:
    """All numbers of `width` bits with at most `radius` of them set."""
    chosen = (bits for size in range(radius + 1) for bits in combinations(range(width), size))
    return np.array([sum(1 << bit for bit in bits) for bits in chosen], dtype=np.int64)
