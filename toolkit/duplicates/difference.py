"""The second look: how unlike two pictures are, from their signatures.

Both signatures are blurred, brought to mean 0 and variance 1, and compared as they are and with either slightly
cropped; the squared differences are averaged over 4×4 blocks, and the most different blocks, perhaps a watermark, left
out.

The mean of squares is never below the square of the mean. So what the means of the blocks alone tell apart needs no
look at the pixels, and of nine alignments only those are looked at that can still be the best.
"""

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial

import cv2
import numpy as np

from toolkit.core import workers
from toolkit.duplicates import hamming

SIDE, BLOCKS, INNER = 32, 64, 16  # pixels of a signature's side, blocks in it, pixels in a block
CROPS = (0.0, 0.025, 0.05, 0.075, 0.1)  # of every side, tried in the second look
KEPT_BLOCKS = 54  # of 64; the 10 that differ most may be a watermark
FLAT = 2.0  # standard deviation in grey values below which a picture is nearly flat
ALIGNED = np.array([*((crop, 0) for crop in range(len(CROPS))), *((0, crop) for crop in range(1, len(CROPS)))])
STEPS = 24  # of a coarse mean, per standard deviation
SPARES = (8, 20, 3, 36)  # blocks over the left-out ones that it takes to be sure of a difference, the surest first
ROUNDING = 1.001  # times a bound, so that no rounding makes it wrong
PICTURES, PAIRS, NEAR_PAIRS = 128, 16384, 256  # worked on at a time: little enough to stay in the processor


def differences(
    grey: np.ndarray, first: np.ndarray, second: np.ndarray, *, limit: float | np.ndarray = np.inf
) -> np.ndarray:
    """How unlike two signatures are: 0 for the same picture, about 2 for unrelated ones.

    Args:
        grey: uint8 array of shape (n, 32, 32).
        first, second: positions of the pairs.
        limit: what is above it may be given as infinite, which is many times faster; one for all pairs or one for each,
            infinity for all there is.

    Returns:
        float32 array, one value per pair.

    >>> differences(grey, np.array([0]), np.array([1]))  # doctest: +SKIP
    """
    if not len(first):
        return np.empty(0, np.float32)
    used = np.zeros(len(grey), bool)  # most pictures are in no pair at all
    used[first] = used[second] = True
    place = (np.cumsum(used) - 1).astype(np.int32)
    grey, first, second = grey[used], place[first], place[second]
    result = np.full(len(first), np.inf, np.float32)
    limits = np.broadcast_to(np.float32(limit), len(first))
    with ThreadPoolExecutor(workers.cores()) as pool:
        means = np.concatenate(_each(pool, PICTURES, _block_means, grey), axis=1)
        coarse = (np.rint(means * STEPS).clip(-127, 127) + 128).astype(np.uint8)
        told = _each(pool, PAIRS, partial(_bounds, means, coarse), first, second, limits)
        near, bounds = (np.concatenate(some) for some in zip(*told, strict=True))
        near = np.flatnonzero(near)
        order = _together(first[near], second[near], len(grey))
        near, bounds = near[order], bounds[order]
        least = _each(pool, NEAR_PAIRS, partial(_least, grey), first[near], second[near], limits[near], bounds)
    result[near] = np.concatenate([np.empty(0, np.float32), *least])
    return result


def _each(pool: Executor, size: int, function: Callable, *arrays: np.ndarray) -> list:
    """What a function gives for so many rows of these arrays at a time."""
    starts = range(0, len(arrays[0]), size)
    return list(pool.map(lambda start: function(*(some[start : start + size] for some in arrays)), starts))


def _together(first: np.ndarray, second: np.ndarray, count: int) -> np.ndarray:
    """An order of pairs in which those of one group of pictures are near each other."""
    return np.argsort(hamming.components(first, second, count)[first], kind="stable")


def _least(
    grey: np.ndarray, first: np.ndarray, second: np.ndarray, limits: np.ndarray, bounds: np.ndarray
) -> np.ndarray:
    """The smallest difference of each pair, from the pixels."""
    members, places = np.unique(np.stack([first, second]), return_inverse=True)
    return _best(_pixels(grey[members]), *places.reshape(2, -1), limits, bounds)


def _best(
    pictures: np.ndarray, first: np.ndarray, second: np.ndarray, limits: np.ndarray, bounds: np.ndarray
) -> np.ndarray:
    """The smallest difference of each pair, the most promising alignments first."""
    order, rows = np.argsort(bounds, axis=1), np.arange(len(bounds))
    least = np.full(len(bounds), np.inf, np.float32)
    for aligned in order.T:
        rows = rows[bounds[rows, aligned[rows]] <= np.minimum(least, limits)[rows]]
        if not len(rows):
            break
        crop, other_crop = ALIGNED[aligned[rows]].T
        gap = pictures[crop, first[rows]] - pictures[other_crop, second[rows]]
        least[rows] = np.minimum(least[rows], _trimmed(np.einsum("nib,nib->nb", gap, gap) / np.float32(INNER)))
    return least


def _bounds(
    means: np.ndarray, coarse: np.ndarray, first: np.ndarray, second: np.ndarray, limits: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which pairs can be within the limit, and for each of these what the difference is at least, per alignment."""
    bounds = np.full((len(first), len(ALIGNED)), np.inf, np.float32)
    most = [_most(limits, spare) for spare in SPARES]
    for column, (crop, other_crop) in enumerate(ALIGNED.tolist()):
        rows = _perhaps(coarse[crop].take(first, axis=0), coarse[other_crop].take(second, axis=0), most)
        gap = means[crop].take(first[rows], axis=0) - means[other_crop].take(second[rows], axis=0)
        bounds[rows, column] = _trimmed(gap * gap) / ROUNDING
    near = (bounds <= limits[:, None]).any(axis=1)
    return near, bounds[near]


def _most(limits: np.ndarray, spare: int) -> np.ndarray:
    """The coarse gap above which a block counts where so many spare ones are to be sure: shape (n, 1)."""
    most = STEPS * np.sqrt(np.maximum(limits, 0) * np.float32(KEPT_BLOCKS / spare)) + 1
    return np.minimum(np.ceil(most), 255).astype(np.uint8)[:, None]


def _perhaps(one: np.ndarray, other: np.ndarray, most: list[np.ndarray]) -> np.ndarray:
    """The rows in which not so many blocks differ by so much that the rest cannot make up for it."""
    gap, rows = cv2.absdiff(one, other), np.arange(len(one))
    for spare, limit in zip(SPARES, most, strict=True):
        large = np.packbits(gap > limit[rows]).view(np.uint64)  # a bit for each of the 64 blocks
        left = np.flatnonzero(np.bitwise_count(large) < BLOCKS - KEPT_BLOCKS + spare)
        gap, rows = gap.take(left, axis=0), rows[left]
    return rows


def _trimmed(blocks: np.ndarray) -> np.ndarray:
    """The mean of the least different blocks."""
    return np.partition(blocks, KEPT_BLOCKS - 1, axis=1)[:, :KEPT_BLOCKS].mean(axis=1)


def _block_means(grey: np.ndarray) -> np.ndarray:
    """Of every crop the means of its blocks: shape (crops, n, 64)."""
    pixels, scale, shift = _cropped(grey)
    across = pixels.reshape(len(CROPS), -1, SIDE * SIDE // 4, 4) @ np.full(4, 0.25, np.float32)
    means = across.reshape(len(CROPS), -1, 8, 4, 8).mean(axis=3).reshape(len(CROPS), -1, BLOCKS)
    return means * scale[..., None] - shift[..., None]


def _pixels(grey: np.ndarray) -> np.ndarray:
    """All crops, the pixels at one place in their blocks side by side: shape (crops, n, 16, 64)."""
    pixels, scale, shift = _cropped(grey)
    by_block = pixels.reshape(len(CROPS), -1, 8, 4, 8, 4).transpose(0, 1, 3, 5, 2, 4)
    by_block = by_block.reshape(len(CROPS), -1, INNER, BLOCKS)
    return by_block * scale[..., None, None] - shift[..., None, None]


def _cropped(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Signatures blurred, in all crops: shape (crops, n, 32, 32), and what to multiply by and then to subtract.

    A nearly flat picture keeps its grey value, or all flat ones would be the same.
    """
    pixels = WEIGHTS[:, None] @ grey.astype(np.float32) @ WEIGHTS[:, None].transpose(0, 1, 3, 2)
    flat_pixels = pixels.reshape(len(CROPS), -1, SIDE * SIDE)
    mean = flat_pixels @ np.full(SIDE * SIDE, 1 / SIDE**2, np.float32)
    spread = np.sqrt(np.maximum(np.einsum("cnp,cnp->cn", flat_pixels, flat_pixels) / SIDE**2 - mean**2, 0))
    scale = 1 / np.where(spread < FLAT, 16, np.maximum(spread, FLAT))
    return pixels, scale, np.where(spread < FLAT, 0, mean * scale)


def _weights() -> np.ndarray:
    """Of every crop, how each pixel of the result is mixed from the blurred picture's: shape (crops, 32, 32)."""
    around = np.arange(SIDE)[:, None] + [-1, 0, 1]
    blur = np.zeros((SIDE, SIDE))
    np.add.at(blur, (np.arange(SIDE)[:, None], around.clip(0, SIDE - 1)), [0.25, 0.5, 0.25])
    mixed = []
    for crop in CROPS:
        where = (np.arange(SIDE) + 0.5) * (1 - 2 * crop) + SIDE * crop - 0.5
        low = np.floor(where).clip(0, SIDE - 2).astype(int)
        bilinear = np.zeros((SIDE, SIDE))
        bilinear[np.arange(SIDE), low], bilinear[np.arange(SIDE), low + 1] = 1 - (where - low), where - low
        mixed.append(bilinear @ blur)
    return np.array(mixed, np.float32)


WEIGHTS = _weights()
