"""The difference of two pictures, from their signatures: a second look at pairs whose hashes are near.

Both signatures are blurred, brought to mean 0 and variance 1, and compared as they are and with either slightly
cropped; the squared differences are averaged over 4×4 blocks, and the most different blocks, perhaps a watermark, left
out. The smallest result of all alignments counts.

The mean of squares is never below the square of the mean, so the means of the blocks give a lower bound. In order:

1. `_block_means` of every picture and crop, and the same as bytes, coarse.
2. `_coarse_filter`: pairs in which too many coarse means differ too much are above the limit.
3. `_lower_bounds` of the other pairs, for every alignment; pairs whose bounds are all above the limit go.
4. `_order_by_component`, so that a batch of pairs needs the pixels of few pictures.
5. `_exact_difference` of the rest from the pixels, the alignment with the lowest bound first (`_best_alignment`).
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
OVER_LIMIT = (8, 20, 3, 36)  # numbers of blocks, besides the left-out ones, that are tried as a proof of a difference
ROUNDING = 1.001  # times a bound, so that no rounding makes it wrong
PICTURES, PAIRS, NEAR_PAIRS = 128, 16384, 256  # worked on at a time: little enough to stay in the processor
MOST_PAIRS = 1 << 16  # whose pictures are held in memory with all their means, 4 KB each


class Chosen:
    """Some of the signatures in a file, each read when it is asked for, by a slice, a mask or positions.

    Args:
        stored: uint8 array of shape (n, 32, 32), perhaps on disk.
        index: those that were chosen.
    """

    def __init__(self, stored: np.ndarray, index: np.ndarray):
        self._stored, self._index = stored, index

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, chosen: np.ndarray | slice) -> np.ndarray:
        return np.asarray(self._stored[self._index[chosen]])


def differences(
    grey: np.ndarray | Chosen, first: np.ndarray, second: np.ndarray, *, limit: float | np.ndarray = np.inf
) -> np.ndarray:
    """Mean squared differences of normalized signatures: 0 for the same picture, about 2 for unrelated ones.

    Args:
        grey: uint8 array of shape (n, 32, 32), or some of one.
        first, second: positions of the pairs.
        limit: differences above it may be returned as infinity, which is many times faster; one number for all pairs or
            one for each, infinity for exact differences of all.

    Returns:
        float32 array, one value per pair.

    >>> differences(grey, np.array([0]), np.array([1]))  # doctest: +SKIP
    """
    result = np.full(len(first), np.inf, np.float32)
    limits = np.broadcast_to(np.float32(limit), len(first))
    todo = np.arange(len(first)) if len(first) <= MOST_PAIRS else _may_be_near(grey, first, second, limits)
    for start in range(0, len(todo), MOST_PAIRS):
        rows = todo[start : start + MOST_PAIRS]
        result[rows] = _differences(grey, first[rows], second[rows], limits[rows])
    return result


def _used(
    grey: np.ndarray | Chosen, first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which pictures are in a pair, most are in none at all, and the positions of the pairs among these."""
    used = np.zeros(len(grey), bool)
    used[first] = used[second] = True
    index = (np.cumsum(used) - 1).astype(np.int32)
    return np.flatnonzero(used), index[first], index[second]


def _may_be_near(grey: np.ndarray | Chosen, first: np.ndarray, second: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """The pairs that the coarse means, 320 bytes a picture, do not prove to be different."""
    used, first, second = _used(grey, first, second)
    coarse = np.empty((len(CROPS), len(used), BLOCKS), np.uint8)

    def fill(start: int) -> None:
        part = slice(start, start + PICTURES)
        coarse[:, part] = _coarse(_block_means(grey[used[part]]))

    with ThreadPoolExecutor(workers.cores()) as pool:
        list(pool.map(fill, range(0, len(used), PICTURES)))
        near = _each(pool, PAIRS, partial(_coarsely_near, coarse), first, second, limits)
    return np.flatnonzero(np.concatenate(near))


def _coarsely_near(coarse: np.ndarray, first: np.ndarray, second: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Mask of the pairs that may be within the limit in some alignment."""
    near, coarse_limits = np.zeros(len(first), bool), [_coarse_limit(limits, blocks) for blocks in OVER_LIMIT]
    for crop, other_crop in ALIGNED.tolist():
        left, right = coarse[crop].take(first, axis=0), coarse[other_crop].take(second, axis=0)
        near[_coarse_filter(left, right, coarse_limits)] = True
    return near


def _coarse(means: np.ndarray) -> np.ndarray:
    return (np.rint(means * STEPS).clip(-127, 127) + 128).astype(np.uint8)


def _differences(grey: np.ndarray | Chosen, first: np.ndarray, second: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """The differences of so few pairs that all means of their pictures fit into memory."""
    if not len(first):
        return np.empty(0, np.float32)
    used, first, second = _used(grey, first, second)
    pixels, result = grey[used], np.full(len(first), np.inf, np.float32)
    with ThreadPoolExecutor(workers.cores()) as pool:
        means = np.concatenate(_each(pool, PICTURES, _block_means, pixels), axis=1)
        coarse = _coarse(means)
        parts = _each(pool, PAIRS, partial(_lower_bounds, means, coarse), first, second, limits)
        is_near, bounds = (np.concatenate(part) for part in zip(*parts, strict=True))
        near = np.flatnonzero(is_near)
        order = _order_by_component(first[near], second[near], len(pixels))
        near, bounds = near[order], bounds[order]
        exact = _each(
            pool, NEAR_PAIRS, partial(_exact_difference, pixels), first[near], second[near], limits[near], bounds
        )
    result[near] = np.concatenate([np.empty(0, np.float32), *exact])
    return result


def _each(pool: Executor, size: int, function: Callable, *arrays: np.ndarray) -> list:
    """The results of a function for `size` rows of these arrays at a time."""
    starts = range(0, len(arrays[0]), size)
    return list(pool.map(lambda start: function(*(array[start : start + size] for array in arrays)), starts))


def _order_by_component(first: np.ndarray, second: np.ndarray, count: int) -> np.ndarray:
    """An order of pairs in which those of one connected component are beside each other."""
    return np.argsort(hamming.components(first, second, count)[first], kind="stable")


def _exact_difference(
    grey: np.ndarray, first: np.ndarray, second: np.ndarray, limits: np.ndarray, bounds: np.ndarray
) -> np.ndarray:
    """The smallest difference of each pair, from the pixels."""
    members, indices = np.unique(np.stack([first, second]), return_inverse=True)
    first, second = indices.reshape(2, -1)
    return _best_alignment(_pixels(grey[members]), first, second, limits, bounds)


def _best_alignment(
    pictures: np.ndarray, first: np.ndarray, second: np.ndarray, limits: np.ndarray, bounds: np.ndarray
) -> np.ndarray:
    """The smallest difference of each pair over all alignments, those with the lowest bounds first."""
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


def _lower_bounds(
    means: np.ndarray, coarse: np.ndarray, first: np.ndarray, second: np.ndarray, limits: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which pairs can be within the limit, and for each of these the lower bound of every alignment."""
    bounds = np.full((len(first), len(ALIGNED)), np.inf, np.float32)
    coarse_limits = [_coarse_limit(limits, blocks) for blocks in OVER_LIMIT]
    for column, (crop, other_crop) in enumerate(ALIGNED.tolist()):
        left, right = coarse[crop].take(first, axis=0), coarse[other_crop].take(second, axis=0)
        rows = _coarse_filter(left, right, coarse_limits)
        gap = means[crop].take(first[rows], axis=0) - means[other_crop].take(second[rows], axis=0)
        bounds[rows, column] = _trimmed(gap * gap) / ROUNDING
    near = np.any(bounds <= limits[:, None], axis=1)
    return near, bounds[near]


def _coarse_limit(limits: np.ndarray, blocks: int) -> np.ndarray:
    """The coarse gap which, exceeded in so many of the kept blocks, puts the mean above the limit: shape (n, 1)."""
    gap = STEPS * np.sqrt(np.maximum(limits, 0) * np.float32(KEPT_BLOCKS / blocks)) + 1
    return np.minimum(np.ceil(gap), 255).astype(np.uint8)[:, None]


def _coarse_filter(left: np.ndarray, right: np.ndarray, limits: list[np.ndarray]) -> np.ndarray:
    """The rows that may be within the limit: no number of blocks differs by more than its coarse limit."""
    gap, rows = cv2.absdiff(left, right), np.arange(len(left))
    for blocks, limit in zip(OVER_LIMIT, limits, strict=True):
        large = np.packbits(gap > limit[rows]).view(np.uint64)  # a bit for each of the 64 blocks
        kept = np.flatnonzero(np.bitwise_count(large) < BLOCKS - KEPT_BLOCKS + blocks)
        gap, rows = gap.take(kept, axis=0), rows[kept]
    return rows


def _trimmed(blocks: np.ndarray) -> np.ndarray:
    """The mean of the least different blocks."""
    return np.partition(blocks, KEPT_BLOCKS - 1, axis=1)[:, :KEPT_BLOCKS].mean(axis=1)


def _block_means(grey: np.ndarray) -> np.ndarray:
    """The means of all blocks, for every crop: shape (crops, n, 64)."""
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
    """Matrices that blur, crop and scale one side of a picture, one for every crop: shape (crops, 32, 32)."""
    around = np.arange(SIDE)[:, None] + [-1, 0, 1]
    blur = np.zeros((SIDE, SIDE))
    np.add.at(blur, (np.arange(SIDE)[:, None], around.clip(0, SIDE - 1)), [0.25, 0.5, 0.25])
    matrices = []
    for crop in CROPS:
        where = (np.arange(SIDE) + 0.5) * (1 - 2 * crop) + SIDE * crop - 0.5
        low = np.floor(where).clip(0, SIDE - 2).astype(int)
        bilinear = np.zeros((SIDE, SIDE))
        bilinear[np.arange(SIDE), low], bilinear[np.arange(SIDE), low + 1] = 1 - (where - low), where - low
        matrices.append(bilinear @ blur)
    return np.array(matrices, np.float32)


WEIGHTS = _weights()
