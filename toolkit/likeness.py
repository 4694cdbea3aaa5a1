"""The second look: how unlike two pictures are, from their signatures. Compiled to machine code that is kept on disk.

Both signatures are blurred, brought to mean 0 and variance 1, and compared as they are and with either slightly
cropped; the squared differences are averaged over 4×4 blocks, and the most different blocks, perhaps a watermark, left
out.
"""

import numpy as np
from numba import njit

from toolkit import buckets

SIDE, BLOCKS, INNER = 32, 64, 16  # pixels of a signature's side, blocks in it, pixels in a block
CROPS = (0.0, 0.025, 0.05, 0.075, 0.1)  # of every side, tried in the second look
KEPT_BLOCKS = 54  # of 64; the 10 that differ most may be a watermark
FLAT = 2.0  # standard deviation in grey values below which a picture is nearly flat
SPARE = 4  # blocks over the left-out ones that it takes to be sure of a difference without sorting


def differences(grey: np.ndarray, first: np.ndarray, second: np.ndarray, *, limit: float = np.inf) -> np.ndarray:
    """How unlike two signatures are: 0 for the same picture, about 2 for unrelated ones.

    Args:
        grey: uint8 array of shape (n, 32, 32).
        first, second: positions of the pairs.
        limit: what is above it may be given as infinite, which is many times faster; infinity gives all.

    Returns:
        float32 array, one value per pair.

    >>> differences(grey, np.array([0]), np.array([1]))  # doctest: +SKIP
    """
    if not len(first):
        return np.empty(0, np.float32)
    used, places = np.unique(np.stack([first, second]), return_inverse=True)  # most pictures are in no pair at all
    first, second = np.ascontiguousarray(places.reshape(2, -1), dtype=np.int32)
    whole = np.empty((len(used), INNER, BLOCKS), np.uint16)
    scale, shift = np.empty((2, len(used)), np.float32)
    for part in (slice(start, start + 2048) for start in range(0, len(used), 2048)):  # so that little lies about
        blurred = _blurred(grey[used[part]])
        whole[part], (scale[part], shift[part]) = _by_block(blurred), _normal(blurred)
    least = np.full(len(first), np.inf, np.float32)
    for one, other in ((first, second), (second, first)):
        order = np.argsort(one, kind="stable").astype(np.int64)
        starts = np.searchsorted(one[order], np.arange(len(used) + 1))
        pictures = (whole, scale, shift, other, order, starts, _steps(), np.float32(limit), least)
        buckets.spread(_compare, len(used), *pictures)
    return least


def _steps() -> np.ndarray:
    """Of every crop, where the places of the result lie in the picture: lower neighbour, and weight of the next."""
    crops = np.array(CROPS)[:, None]
    where = (np.arange(SIDE) + 0.5) * (1 - 2 * crops) + SIDE * crops - 0.5
    low = np.floor(where).clip(0, SIDE - 2)
    return np.stack([low, where - low], axis=-1).astype(np.float32)


def _blurred(grey: np.ndarray) -> np.ndarray:
    """The signatures under weights of 1, 2, 1 down and across: 16 times the grey value, which 16 bits hold exactly."""
    for axis in (1, 2):
        edges = [(1, 1) if axis == this else (0, 0) for this in range(3)]
        padded = np.pad(grey, edges, mode="edge").astype(np.uint16)
        before, middle, after = (np.take(padded, range(i, i + SIDE), axis) for i in range(3))
        grey = before + 2 * middle + after
    return grey


def _by_block(blurred: np.ndarray) -> np.ndarray:
    """The same pixels, those at one place in their blocks side by side: shape (n, 16, 64)."""
    return blurred.reshape(-1, 8, 4, 8, 4).transpose(0, 2, 4, 1, 3).reshape(-1, INNER, BLOCKS)


def _normal(blurred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What to multiply by and then to subtract, for mean 0 and variance 1.

    A nearly flat picture keeps its grey value instead, or all flat ones would be the same.
    """
    mean, spread = blurred.mean(axis=(1, 2)) / 16, blurred.std(axis=(1, 2)) / 16
    scale = np.where(spread < FLAT, 1 / 16, 1 / np.maximum(spread, FLAT))
    return (scale / 16).astype(np.float32), np.where(spread < FLAT, 0, mean * scale).astype(np.float32)


@njit(inline="always")
def _pixel(whole, row, column):
    return whole[row % 4 * 4 + column % 4, row // 4 * 8 + column // 4]


@njit(cache=True)
def _cropped(whole, step, result):
    """One picture cropped and normalized, its pixels by block."""
    total = squares = 0.0
    for row in range(SIDE):
        top, down = int(step[row, 0]), step[row, 1]
        for column in range(SIDE):
            left, right = int(step[column, 0]), step[column, 1]
            upper = _pixel(whole, top, left) * (1 - right) + _pixel(whole, top, left + 1) * right
            lower = _pixel(whole, top + 1, left) * (1 - right) + _pixel(whole, top + 1, left + 1) * right
            value = (upper * (1 - down) + lower * down) / 16
            result[row % 4 * 4 + column % 4, row // 4 * 8 + column // 4] = value
            total += value
            squares += value * value
    mean = total / (SIDE * SIDE)
    spread = np.sqrt(max(0.0, squares / (SIDE * SIDE) - mean * mean))
    scale = np.float32(1 / 16 if spread < FLAT else 1 / spread)
    shift = np.float32(0.0 if spread < FLAT else mean * scale)
    for inner in range(INNER):
        for block in range(BLOCKS):
            result[inner, block] = result[inner, block] * scale - shift


@njit(cache=True, fastmath=True)
def _trimmed(one, other, limit, blocks):
    """The mean of the least different blocks; infinite if that is above the limit for sure."""
    blocks[:] = 0
    for inner in range(INNER):
        for block in range(BLOCKS):
            gap = one[inner, block] - other[inner, block]
            blocks[block] += gap * gap
    large = 0
    for block in range(BLOCKS):
        large += blocks[block] > limit * (INNER * KEPT_BLOCKS / SPARE)
    if large >= BLOCKS - KEPT_BLOCKS + SPARE:
        return np.float32(np.inf)
    return np.sort(blocks)[:KEPT_BLOCKS].sum() / np.float32(INNER * KEPT_BLOCKS)


@njit(nogil=True, cache=True)
def _compare(first, last, whole, scale, shift, others, order, starts, steps, limit, least):
    """Every picture in all its crops with the whole of each of its others; the smallest difference is kept."""
    for picture in range(first, last):
        if starts[picture] == starts[picture + 1]:
            continue
        crops = np.empty((len(steps), INNER, BLOCKS), np.float32)
        for crop in range(len(steps)):
            _cropped(whole[picture], steps[crop], crops[crop])
        normal, blocks = np.empty((INNER, BLOCKS), np.float32), np.empty(BLOCKS, np.float32)
        for place in range(starts[picture], starts[picture + 1]):
            pair = order[place]
            other = others[pair]
            for inner in range(INNER):
                for block in range(BLOCKS):
                    normal[inner, block] = np.float32(whole[other, inner, block]) * scale[other] - shift[other]
            for crop in range(len(steps)):
                least[pair] = min(least[pair], _trimmed(crops[crop], normal, limit, blocks))
