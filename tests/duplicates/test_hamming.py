import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.duplicates import hamming


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
        patch.setattr(hamming, "CELLS", cells)
        assert as_dict(hamming.within(hashes, limit)) == brute_force(hashes, limit)


@pytest.mark.slow
@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 40), limit=st.integers(0, 12))
def test_comparing_near_buckets_finds_what_comparing_one_by_one_finds(seed, count, limit):
    hashes = planted(seed, count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hamming, "SMALL", 0)
        patch.setattr(hamming, "_cost", lambda count, distance: 0)
        assert as_dict(hamming.within(hashes, limit)) == brute_force(hashes, limit)


@pytest.mark.parametrize("limit", [0, 3, 10, 16])
def test_all_ways_agree_on_many_hashes(limit):
    hashes, found = planted(1, 4000), []
    for small, cost in ((4000, 0), (0, 0), (0, np.inf)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(hamming, "SMALL", small)
            patch.setattr(hamming, "_cost", lambda count, distance, cost=cost: cost)
            found.append(as_dict(hamming.within(hashes, limit)))
    assert found[0] == found[1] == found[2]


def test_the_same_hash_many_times_is_every_pair_of_them():
    assert len(hamming.within(np.full(300, 7, np.uint64), 0)[0]) == 300 * 299 // 2


@pytest.mark.slow
@settings(max_examples=60)
@given(
    numbers=st.lists(st.sampled_from([0, 1, 3, 2**63, 2**64 - 1, 2**40 + 5]), max_size=25),
    limit=st.integers(0, 64),
    buckets=st.booleans(),
)
def test_many_equal_hashes_are_found_like_all_others(numbers, limit, buckets):
    hashes = np.array(numbers, dtype=np.uint64)
    with pytest.MonkeyPatch.context() as patch:
        if buckets:
            patch.setattr(hamming, "SMALL", 0)
            patch.setattr(hamming, "_cost", lambda count, distance: 0)
        assert as_dict(hamming.within(hashes, limit)) == brute_force(hashes, limit)


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), cut=st.integers(0, 30), limit=st.integers(0, 64), small=st.sampled_from([0, 3000]))
def test_pairs_between_two_lists_are_those_of_all_in_one(seed, cut, limit, small):
    hashes = planted(seed, 30)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hamming, "SMALL", small)
        found = as_dict(hamming.between(hashes[:cut], hashes[cut:], limit))
    crossing = {pair: far for pair, far in brute_force(hashes, limit).items() if pair[0] < cut <= pair[1]}
    assert {(one, other + cut): far for (one, other), far in found.items()} == crossing


@pytest.mark.slow
def test_a_crowd_of_equal_hashes_does_not_slow_the_search_for_others():
    hashes = np.concatenate([planted(2, 2000), np.full(3000, 5, np.uint64)])
    assert len(hamming.within(hashes, 2)[0]) >= 3000 * 2999 // 2


def test_pairs_come_in_the_order_of_their_positions():
    first, second, _ = hamming.within(planted(3, 500), 20)
    assert list(zip(first, second, strict=True)) == sorted(zip(first, second, strict=True))


def test_a_distance_out_of_range_is_refused():
    with pytest.raises(ValueError, match="0 to 64"):
        hamming.within(np.zeros(3, np.uint64), 65)
