"""Find all pairs of near hashes: exactly, and without comparing all with all.

A 64-bit hash is cut into p pieces. Two hashes that differ in at most d bits differ in at most d // p in one of the
pieces (the pigeonhole principle; in one of the first d % p + 1 pieces, or in at most d // p - 1 in a later one). So for
every piece the hashes are sorted into buckets by their bits there, and only buckets whose numbers are that near to each
other are compared (Norouzi, Punjani and Fleet, 2012, arXiv:1307.2982).
"""

from itertools import combinations

import numpy as np

WIDTHS = (16, 16, 16, 16)  # bits of each piece, the lowest first
SMALL = 6_000  # hashes up to which comparing all with all is quicker
CELLS = 1 << 22  # pairs compared at a time when all are compared with all: bounds the memory
REACH = 20  # bits; beyond, buckets are near to most others and nothing is gained


def within(hashes: np.ndarray, max_distance: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs of hashes that differ in at most `max_distance` bits: none missed, none invented.

    Args:
        hashes: uint64 array of shape (n,).
        max_distance: bits, 0 to 64.

    Returns:
        Positions of the first and the second of each pair (first < second), and their distance, in the order of the
        positions.

    >>> within(np.array([0, 1, 255], dtype=np.uint64), 1)
    (array([0]), array([1]), array([1], dtype=uint8))
    """
    if not 0 <= max_distance <= 64:
        raise ValueError(f"expected a distance from 0 to 64 bits, got {max_distance}")
    hashes = np.ascontiguousarray(hashes, dtype=np.uint64)
    small = len(hashes) <= SMALL or max_distance > REACH
    first, second = _all_with_all(hashes, max_distance) if small else _near_buckets(hashes, max_distance)
    order = np.lexsort((second, first))
    first, second = first[order], second[order]
    return first, second, np.bitwise_count(hashes[first] ^ hashes[second])


def _all_with_all(hashes: np.ndarray, max_distance: int) -> tuple[np.ndarray, np.ndarray]:
    rows = max(1, CELLS // max(1, len(hashes)))
    parts = [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
    for start in range(0, len(hashes), rows):
        distances = np.bitwise_count(hashes[start : start + rows, None] ^ hashes[None, start:])
        row, column = np.nonzero(distances <= max_distance)
        later = column > row
        parts.append((row[later] + start, column[later] + start))
    first, second = (np.concatenate(side) for side in zip(*parts, strict=True))
    return first, second


def _near_buckets(hashes: np.ndarray, max_distance: int) -> tuple[np.ndarray, np.ndarray]:
    radii = [max_distance // len(WIDTHS) - (piece > max_distance % len(WIDTHS)) for piece in range(len(WIDTHS))]
    shifts = np.cumsum((0, *WIDTHS[:-1]))
    pieces = np.array([shifts, WIDTHS, radii]).T[np.array(radii) >= 0].astype(np.uint64)
    parts = [_one_piece(hashes, max_distance, *piece.tolist(), pieces[:n]) for n, piece in enumerate(pieces)]
    pairs = np.concatenate(parts)
    return pairs.min(axis=1), pairs.max(axis=1)


def _one_piece(
    hashes: np.ndarray, max_distance: int, shift: int, width: int, radius: int, earlier: np.ndarray
) -> np.ndarray:
    """The pairs that are near in this piece and in none before it; positions, shape (n, 2)."""
    from toolkit import buckets  # here, since it loads a compiler and most datasets are small

    keys = ((hashes >> np.uint64(shift)) & np.uint64((1 << width) - 1)).astype(np.uint32)
    order = np.argsort(keys, kind="stable").astype(np.int32 if len(hashes) < 2**31 else np.int64)
    starts = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=1 << width))])
    where = (hashes[order], starts, _masks(width, radius), np.uint64(max_distance), earlier)
    found = buckets.count(*where)
    ends = np.cumsum(found)
    pairs = np.empty((int(ends[-1]), 2), order.dtype)
    buckets.fill(*where, ends - found, ends, pairs)
    return order[pairs].astype(np.int64)


def _masks(width: int, radius: int) -> np.ndarray:
    """All numbers of `width` bits with at most `radius` of them set."""
    chosen = (bits for size in range(radius + 1) for bits in combinations(range(width), size))
    return np.array([sum(1 << bit for bit in bits) for bits in chosen], dtype=np.int64)
