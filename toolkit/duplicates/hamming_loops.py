"""The inner loops of `hamming`, compiled to machine code that is kept on disk between runs.

Each works on a range of buckets or hashes and lets go of the interpreter's lock, so that plain threads share the work.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit

from toolkit.core import workers

COLUMNS = 2048  # hashes that all others of a range are compared with at a time: they stay in the processor
PARTS = 16  # into which each thread's work is cut, so that none waits long for another


def spread(function: Callable, count: int, *arguments: object) -> None:
    """Run `function(begin, end, *arguments)` for ranges that together are 0 to `count`, on all cores."""
    threads = workers.cores()
    edges = np.linspace(0, count, min(count, threads * PARTS) + 1).astype(np.int64)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda begin, end: function(begin, end, *arguments), edges[:-1], edges[1:]))


@njit(inline="always")
def bits(number):
    """How many bits are set, by halves; the compiler turns the loops around it into vector instructions."""
    number = number - ((number >> np.uint64(1)) & np.uint64(0x5555555555555555))
    number = (number & np.uint64(0x3333333333333333)) + ((number >> np.uint64(2)) & np.uint64(0x3333333333333333))
    number = (number + (number >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (number * np.uint64(0x0101010101010101)) >> np.uint64(56)


@njit(inline="always")
def near_in_earlier_piece(difference, earlier):
    """Whether an earlier piece is near enough, so that the pair was counted there."""
    for piece in range(len(earlier)):
        shift, width, radius = earlier[piece]
        if bits((difference >> shift) & ((np.uint64(1) << width) - np.uint64(1))) <= radius:
            return True
    return False


@njit(inline="always")
def near(hash, hashes, begin, end, max_distance):
    """How many of these hashes are near; a loop without branches, which the processor does eight at a time."""
    hits = 0
    for two in range(begin, end):
        hits += bits(hash ^ hashes[two]) <= max_distance
    return hits


@njit(nogil=True, cache=True)
def count(first, last, hashes, starts, masks, max_distance, earlier, counts):
    """How many pairs each hash has in its own bucket, after itself, and in near buckets of a higher number."""
    for bucket in range(first, last):
        if starts[bucket] == starts[bucket + 1]:
            continue
        for mask in masks:
            other = bucket ^ mask
            if other < bucket:
                continue
            for one in range(starts[bucket], starts[bucket + 1]):
                begin, end = one + 1 if other == bucket else starts[other], starts[other + 1]
                if near(hashes[one], hashes, begin, end, max_distance):
                    for two in range(begin, end):
                        difference = hashes[one] ^ hashes[two]
                        if bits(difference) <= max_distance and not near_in_earlier_piece(difference, earlier):
                            counts[one] += 1


@njit(nogil=True, cache=True)
def fill(first, last, hashes, starts, masks, max_distance, earlier, ends, pairs):
    """Write the pairs that `count` has counted into the rows kept for them; hashes without any are skipped."""
    for bucket in range(first, last):
        for one in range(starts[bucket], starts[bucket + 1]):
            row = ends[one - 1] if one else 0
            if row == ends[one]:
                continue
            for mask in masks:
                other = bucket ^ mask
                if other < bucket:
                    continue
                begin, end = one + 1 if other == bucket else starts[other], starts[other + 1]
                if near(hashes[one], hashes, begin, end, max_distance):
                    for two in range(begin, end):
                        difference = hashes[one] ^ hashes[two]
                        if bits(difference) <= max_distance and not near_in_earlier_piece(difference, earlier):
                            pairs[row, 0], pairs[row, 1] = one, two
                            row += 1


@njit(nogil=True, cache=True)
def count_all(first, last, hashes, others, max_distance, counts):
    """How many of the others are near to each hash; all are compared with all."""
    for begin in range(0, len(others), COLUMNS):
        end = min(len(others), begin + COLUMNS)
        for one in range(first, last):
            counts[one] += near(hashes[one], others, begin, end, max_distance)


@njit(nogil=True, cache=True)
def fill_all(first, last, hashes, others, max_distance, ends, pairs):
    """Write the pairs that `count_all` has counted into the rows kept for them."""
    for one in range(first, last):
        row = ends[one - 1] if one else 0
        if row < ends[one]:
            for two in range(len(others)):
                if bits(hashes[one] ^ others[two]) <= max_distance:
                    pairs[row, 0], pairs[row, 1] = one, two
                    row += 1
