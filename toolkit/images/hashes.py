"""Perceptual hashes of many pictures at once: the bits of `imagehash.phash`, from signatures of 32×32 pixels.

A perceptual hash hardly changes when a picture is scaled, compressed or brightened (Zauner, 2010). Each of its 64 bits
says whether one of the lowest frequencies of the picture is above the median of them all.
"""

from collections.abc import Sequence

import numpy as np

SIDE = 8  # frequencies in either direction
BATCH = 256  # pictures hashed at a time: they stay in the processor
CLOSE = 1e-6  # of the median, in frequencies that reach 1e6 and of which rounding moves 1e-9
ORIENTATIONS = (  # what `orient` does, by number
    "",
    "mirrored",
    "turned by 180°",
    "upside down",
    "mirrored along the diagonal",
    "turned by 90°",
    "mirrored along the other diagonal",
    "turned by 270°",
)


def perceptual(grey: np.ndarray) -> np.ndarray:
    """Perceptual hashes of signatures, equal to `imagehash.phash` bit for bit.

    Args:
        grey: uint8 array of shape (n, 32, 32), made as imagehash makes it: `convert("L")`, then Lanczos.

    Returns:
        uint64 array of shape (n,).

    >>> perceptual(np.arange(1024, dtype=np.uint8).reshape(1, 32, 32))  # doctest: +SKIP
    """
    if not len(grey):
        return np.empty(0, np.uint64)
    return np.concatenate([_hashed(grey[start : start + BATCH]) for start in range(0, len(grey), BATCH)])


def orient(grey: np.ndarray, orientation: int) -> np.ndarray:
    """Orientation: signatures mirrored or turned.

    Args:
        grey: array of shape (n, side, side).
        orientation: 0 to 7, an index of `ORIENTATIONS`; turns are against the clock.
    """
    down, across = ((1, 1), (1, -1), (-1, -1), (-1, 1))[orientation % 4]
    changed = grey[:, ::down, ::across]
    return changed.transpose(0, 2, 1) if orientation >= 4 else changed


def window(grey: np.ndarray, *, top: float, left: float, share: float) -> np.ndarray:
    """A part of signatures, scaled back to the full size, bilinear.

    Args:
        grey: array of shape (n, side, side).
        top, left: where the part begins, as a share of the side.
        share: its side, as a share of the whole side.
    """
    side = grey.shape[1]
    result = grey.astype(np.float32)
    for axis, start in ((1, top), (2, left)):
        position = ((np.arange(side) + 0.5) * share + start * side - 0.5).clip(0, side - 1)
        low = np.floor(position).astype(int).clip(0, side - 2)
        weight = (position - low).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
        result = np.take(result, low, axis) * (1 - weight) + np.take(result, low + 1, axis) * weight
    return result.round().astype(np.uint8)


def from_text(texts: Sequence[str]) -> np.ndarray:
    """Hashes written as 16 hexadecimal digits each, as a uint64 array.

    >>> from_text(["00000000000000ff"])
    array([255], dtype=uint64)
    """
    return np.frombuffer(bytes.fromhex("".join(texts)), dtype=">u8").astype(np.uint64)


def to_text(hashes: np.ndarray) -> list[str]:
    """Hashes as 16 hexadecimal digits each, the opposite of `from_text`."""
    digits = hashes.astype(">u8").tobytes().hex()
    return [digits[start : start + 16] for start in range(0, len(digits), 16)]


def _hashed(grey: np.ndarray) -> np.ndarray:
    """The hashes of a batch; of flat and symmetric pictures, where rounding decides a bit, as imagehash computes it."""
    waves = _cosines(grey.shape[1])
    flat = (waves @ grey.astype(np.float64) @ waves.T).reshape(len(grey), SIDE * SIDE)
    middle = np.partition(flat, (SIDE * SIDE // 2 - 1, SIDE * SIDE // 2), axis=1)[:, SIDE * SIDE // 2 - 1 :][:, :2]
    close = middle[:, 1] - middle[:, 0] < CLOSE
    if close.any():
        flat[close] = _frequencies(grey[close])
    return _packed(flat > np.median(flat, axis=1, keepdims=True))


def _frequencies(grey: np.ndarray) -> np.ndarray:
    """The lowest frequencies, down and then across: the order in which imagehash does it, so that rounding is alike."""
    import scipy.fft  # here, since few pictures need it, and loading it takes longer than hashing ten thousand

    down = scipy.fft.dct(grey.astype(np.float64), axis=1)[:, :SIDE]
    return scipy.fft.dct(down, axis=2)[:, :, :SIDE].reshape(len(grey), SIDE * SIDE)


def _cosines(side: int) -> np.ndarray:
    """The waves of the lowest frequencies: what they are multiplied with in a cosine transform, shape (8, side)."""
    return 2 * np.cos(np.pi * np.arange(SIDE)[:, None] * (2 * np.arange(side) + 1) / (2 * side))


def _packed(bits: np.ndarray) -> np.ndarray:
    return np.packbits(bits, axis=1).view(">u8").ravel().astype(np.uint64)
