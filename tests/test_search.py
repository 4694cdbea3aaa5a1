import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit import search


def brute_force(hashes, limit):
    numbers = [int(value) for value in hashes]
    pairs = [(i, j) for i in range(len(numbers)) for j in range(i + 1, len(numbers))]
    distances = {(i, j): (numbers[i] ^ numbers[j]).bit_count() for i, j in pairs}
    return {pair: distance for pair, distance in distances.items() if distance <= limit}


def planted(seed, count):
    """Random hashes, every second one near to an earlier one."""
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, count, dtype=np.uint64)
    for place in range(1, count, 2):
        flips = rng.choice(64, size=rng.integers(0, 20), replace=False).astype(np.uint64)
        hashes[place] = np.bitwise_xor.reduce(np.uint64(1) << flips, initial=hashes[rng.integers(0, place)])
    return hashes


def as_dict(found):
    first, second, distance = found
    pairs = dict(zip(zip(first.tolist(), second.tolist(), strict=True), distance.tolist(), strict=True))
    assert len(pairs) == len(first), "a pair was given twice"
    return pairs


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), count=st.integers(0, 40), limit=st.integers(0, 64), cells=st.integers(1, 3000))
def test_comparing_in_blocks_finds_what_comparing_one_by_one_finds(seed, count, limit, cells):
    hashes = planted(seed, count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "CELLS", cells)
        assert as_dict(search.within(hashes, limit)) == brute_force(hashes, limit)


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 40), limit=st.integers(0, 12))
def test_comparing_near_buckets_finds_what_comparing_one_by_one_finds(seed, count, limit):
    hashes = planted(seed, count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "SMALL", 0)
        assert as_dict(search.within(hashes, limit)) == brute_force(hashes, limit)


@pytest.mark.parametrize("limit", [0, 3, 10, 16])
def test_both_ways_agree_on_many_hashes(limit):
    hashes = planted(1, search.SMALL + 1000)
    many = as_dict(search.within(hashes, limit))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "SMALL", len(hashes))
        assert as_dict(search.within(hashes, limit)) == many


def test_the_same_hash_many_times_is_every_pair_of_them():
    assert len(search.within(np.full(300, 7, np.uint64), 0)[0]) == 300 * 299 // 2


def test_pairs_come_in_the_order_of_their_positions():
    first, second, _ = search.within(planted(3, 500), 20)
    assert list(zip(first, second, strict=True)) == sorted(zip(first, second, strict=True))


def test_a_distance_out_of_range_is_refused():
    with pytest.raises(ValueError, match="0 to 64"):
        search.within(np.zeros(3, np.uint64), 65)
