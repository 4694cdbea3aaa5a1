"""The second look: it gives what the formula gives, written plainly."""

from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.duplicates import difference, matching


def blurred(pixels):
    for axis in (1, 2):
        padded = np.pad(pixels, [(1, 1) if axis == a else (0, 0) for a in range(3)], mode="edge")
        before, middle, after = (np.take(padded, range(i, i + 32), axis) for i in range(3))
        pixels = (before + 2 * middle + after) / 4
    return pixels


def cropped(pixels, share):
    where = (np.arange(32) + 0.5) * (1 - 2 * share) + 32 * share - 0.5
    low = np.floor(where).astype(int).clip(0, 30)
    weight = where - low
    rows = pixels[:, low] * (1 - weight)[:, None] + pixels[:, low + 1] * weight[:, None]
    return rows[:, :, low] * (1 - weight) + rows[:, :, low + 1] * weight


def normalized(pixels):
    mean, spread = pixels.mean(axis=(1, 2), keepdims=True), pixels.std(axis=(1, 2), keepdims=True)
    return np.where(spread < 2, pixels / 16, (pixels - mean) / np.maximum(spread, 2))


def trimmed(one, other):
    blocks = ((one - other) ** 2).reshape(len(one), 8, 4, 8, 4).mean(axis=(2, 4)).reshape(len(one), 64)
    return np.sort(blocks, axis=1)[:, :54].mean(axis=1)


def formula(grey, first, second):
    soft = blurred(grey.astype(np.float64))
    crops = [normalized(cropped(soft, share)) for share in difference.CROPS]
    tried = [trimmed(crop[first], crops[0][second]) for crop in crops]
    tried += [trimmed(crops[0][first], crop[second]) for crop in crops]
    return np.min(tried, axis=0)


def signatures_and_pairs(seed):
    """Coarse noise, copies of it that are softer, noisier or marked, flat greys, and pairs of all these."""
    rng = np.random.default_rng(seed)
    grey = rng.integers(0, 256, (12, 8, 8), dtype=np.uint8).repeat(4, 1).repeat(4, 2)
    copies = np.clip(grey * 0.8 + rng.normal(0, 9, grey.shape), 0, 255).astype(np.uint8)
    copies[:4, 24:30, 20:] = 255
    flat = np.stack([np.full((32, 32), value, np.uint8) for value in (0, 3, 130, 255)])
    return np.concatenate([grey, copies, flat]), rng.integers(0, 28, 60), rng.integers(0, 28, 60)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_it_gives_what_the_formula_gives(seed):
    grey, first, second = signatures_and_pairs(seed)
    found = difference.differences(grey, first, second)
    assert np.allclose(found, formula(grey, first, second), rtol=1e-4, atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), limit=st.floats(0.001, 2))
def test_a_limit_changes_nothing_below_it_and_lets_nothing_through(seed, limit):
    grey, first, second = signatures_and_pairs(seed)
    whole = difference.differences(grey, first, second)
    quick = difference.differences(grey, first, second, limit=limit)
    below = whole < limit * 0.9999
    assert np.allclose(quick[below], whole[below], rtol=1e-4)
    assert (quick[whole > limit * 1.0001] > limit).all()


def test_which_picture_comes_first_does_not_matter():
    grey, first, second = signatures_and_pairs(5)
    there, back = difference.differences(grey, first, second), difference.differences(grey, second, first)
    assert np.allclose(there, back, rtol=1e-4)


@pytest.mark.parametrize("count", [0, 1])
def test_few_pairs_are_answered_too(count):
    grey, first, second = signatures_and_pairs(5)
    assert difference.differences(grey, first[:count], second[:count]).shape == (count,)


@pytest.mark.parametrize("limit", [0.02, 0.5, np.inf])
@pytest.mark.parametrize("most", [1, 7, 59])
def test_pairs_in_slices_have_the_differences_of_all_at_once(most, limit, monkeypatch):
    grey, first, second = signatures_and_pairs(9)
    limits = np.linspace(limit, limit / 2, len(first)) if limit < 1 else limit
    whole = difference.differences(grey, first, second, limit=limits)
    monkeypatch.setattr(difference, "MOST_PAIRS", most)
    chosen = difference.Chosen(grey[::-1], np.arange(len(grey))[::-1])  # read one by one, from where they lie
    sliced = difference.differences(chosen, first, second, limit=limits)
    near = whole <= limits
    assert near.sum() >= 3 and np.allclose(sliced[near], whole[near], rtol=1e-5)
    assert (sliced[~near] > np.broadcast_to(limits, len(first))[~near]).all()


@pytest.mark.parametrize("seed", range(4))
def test_unique_signatures_are_those_of_numpy(seed):
    rng = np.random.default_rng(seed)
    grey = rng.integers(0, 256, (9, 32, 32), dtype=np.uint8)[rng.integers(0, 9, 9 * seed)]
    digests = np.array([blake2b(one.tobytes(), digest_size=16).digest() for one in grey], "V16").view("u8,u8")
    wanted = np.unique(digests, return_index=True, return_inverse=True, return_counts=True)[1:]
    for found, expected in zip(matching.unique_signatures(grey), wanted, strict=True):
        assert np.array_equal(found, expected)
