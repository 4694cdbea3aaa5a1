"""The inner loops of `search`, compiled to machine code that is kept on disk between runs."""

import numpy as np
from numba import njit, prange


@njit(inline="always")
def bits(number):
    """How many bits are set, by halves; the compiler turns the loops around it into vector instructions."""
    number = number - ((number >> np.uint64(1)) & np.uint64(0x5555555555555555))
    number = (number & np.uint64(0x3333333333333333)) + ((number >> np.uint64(2)) & np.uint64(0x3333333333333333))
    number = (number + (number >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (number * np.uint64(0x0101010101010101)) >> np.uint64(56)


@njit(inline="always")
def found_before(difference, earlier):
    """An earlier piece was near enough, so the pair was found there."""
    for piece in range(len(earlier)):
        shift, width, radius = earlier[piece]
        if bits((difference >> shift) & ((np.uint64(1) << width) - np.uint64(1))) <= radius:
            return True
    return False


@njit(inline="always")
def near(hashes, one, begin, end, max_distance):
    """How many of a bucket are near; a loop without branches, which the processor does eight at a time."""
    hits = 0
    for two in range(begin, end):
        hits += bits(hashes[one] ^ hashes[two]) <= max_distance
    return hits


@njit(parallel=True, cache=True)
def count(hashes, starts, masks, max_distance, earlier):
    """How many pairs each bucket of a piece has with itself and with near buckets of a higher number."""
    found = np.zeros(len(starts) - 1, np.int64)
    for bucket in prange(len(starts) - 1):
        if starts[bucket] == starts[bucket + 1]:
            continue
        for mask in masks:
            other = bucket ^ mask
            if other < bucket:
                continue
            for one in range(starts[bucket], starts[bucket + 1]):
                begin, end = one + 1 if other == bucket else starts[other], starts[other + 1]
                if near(hashes, one, begin, end, max_distance):
                    for two in range(begin, end):
                        difference = hashes[one] ^ hashes[two]
                        if bits(difference) <= max_distance and not found_before(difference, earlier):
                            found[bucket] += 1
    return found


@njit(parallel=True, cache=True)
def fill(hashes, starts, masks, max_distance, earlier, begins, ends, pairs):
    """Write the pairs that `count` has counted into the places kept for them."""
    for bucket in prange(len(starts) - 1):
        place = begins[bucket]
        if place == ends[bucket]:
            continue
        for mask in masks:
            other = bucket ^ mask
            if other < bucket:
                continue
            for one in range(starts[bucket], starts[bucket + 1]):
                begin, end = one + 1 if other == bucket else starts[other], starts[other + 1]
                if near(hashes, one, begin, end, max_distance):
                    for two in range(begin, end):
                        difference = hashes[one] ^ hashes[two]
                        if bits(difference) <= max_distance and not found_before(difference, earlier):
                            pairs[place, 0], pairs[place, 1] = one, two
                            place += 1
