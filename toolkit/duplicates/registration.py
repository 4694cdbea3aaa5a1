"""Laying one picture on another: shift, scale and crop, and one gain for all channels.

Only what a crop or a new size does is undone. Where a camera or a thing has moved, neither frame lies within the other,
and the pictures stay as they are.
"""

import cv2
import numpy as np

STEPS = {32: 40, 64: 20, 128: 10, 256: 5}  # of ECC, at a longer side of so many pixels
CUT = 0.15  # share of a side that a crop takes away, at most
LOOSE = 0.008  # share of a side by which registration may be wrong
SHEAR = 0.02
GAIN, OFFSET = 1.7, 50.0  # no copy is made brighter by more
FLAT = 4.0  # standard deviation of grey values below which a gain cannot be measured
COARSE = 40  # pixels of the longer side at which a gain is measured
ROUNDS = 3  # of fitting a gain to what is near the last one
IN_RANGE = (5, 250)  # grey values that are clipped nowhere


def sized(values: np.ndarray, side: int) -> np.ndarray:
    """An array whose longer side has `side` pixels at most."""
    share = side / max(values.shape[:2])
    return values if share >= 1 else resized(values, tuple(max(1, round(edge * share)) for edge in values.shape[:2]))


def resized(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """An array of that height and width, antialiased."""
    if values.shape[:2] == tuple(shape[:2]):
        return values
    return cv2.resize(values, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)


def spread(values: np.ndarray) -> float:
    """The standard deviation of the channel that varies most."""
    return float(cv2.meanStdDev(values)[1].max())


def scaling(shape: tuple[int, ...], other: tuple[int, ...]) -> np.ndarray:
    """Takes the pixels of one size to those of another: shape (3, 3)."""
    down, across = other[0] / shape[0], other[1] / shape[1]
    return np.array([[across, 0, (across - 1) / 2], [0, down, (down - 1) / 2], [0, 0, 1]])


def rescaled(moved: np.ndarray, shape: tuple[int, ...], other: tuple[int, ...]) -> np.ndarray:
    """The same registration for pictures of another size."""
    scale = scaling(shape, other)
    return scale @ moved @ np.linalg.inv(scale)


def register(
    left: np.ndarray, right: np.ndarray, *, start: np.ndarray | None = None, least: int = 0, most: int = 10**6
) -> np.ndarray:
    """Register by enhanced correlation (ECC, Evangelidis and Psarakis, 2008), from coarse to fine.

    Args:
        left, right: float32 RGB arrays of one shape.
        start: an earlier result; None begins where they lie.
        least, most: pixels of the longer side to begin above, and to end at.

    Returns:
        What takes a pixel of the left picture to its place in the right one: shape (3, 3).
    """
    moved = np.eye(3) if start is None else start
    for side, steps in STEPS.items():
        if not least < side <= most:
            continue
        small, other = (cv2.cvtColor(sized(values, side), cv2.COLOR_RGB2GRAY) for values in (left, right))
        guess = rescaled(moved, left.shape, small.shape)[:2].astype(np.float32)
        stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, steps, 1e-4)
        try:
            whole = np.ones(small.shape, np.uint8)
            found = cv2.findTransformECC(small, other, guess, cv2.MOTION_AFFINE, stop, whole, 3)[1]
        except cv2.error:  # nothing to hold on to
            break
        moved = rescaled(np.vstack([found, [0, 0, 1]]), small.shape, left.shape)
        if side >= max(left.shape[:2]):
            break
    return moved


def nested(moved: np.ndarray, shape: tuple[int, ...], *, loose: float = LOOSE) -> bool:
    """Whether one frame lies in the other, straight, as that of a crop does."""
    size = np.array(shape[1::-1])
    first, last = (moved @ [[0, size[0]], [0, size[1]], [1, 1]])[:2].T / size
    cut = np.concatenate([first, 1 - last])  # what is cut off at every side
    straight = max(abs(moved[0, 1]), abs(moved[1, 0])) < SHEAR
    inside = bool((cut > -loose).all() or (cut < loose).all())
    return bool(straight and np.abs(cut).max() < CUT and inside)


def laid(right: np.ndarray, moved: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The right picture in the frame of the left one, and a mask of what it shows there: uint8, shape (height, width).

    The outermost pixels of a crop are no whole ones, so they are not shown.
    """
    shown, size = np.ones(right.shape[:2], np.float32), right.shape[1::-1]
    if np.array_equal(moved, np.eye(3)):
        return right, shown.astype(np.uint8)
    options = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    right = cv2.warpAffine(right, moved[:2], size, flags=options, borderMode=cv2.BORDER_REPLICATE)
    return right, (cv2.warpAffine(shown, moved[:2], size, flags=options) > 0.99).astype(np.uint8)


def as_bright(left: np.ndarray, right: np.ndarray, shown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both pictures with one brightness and contrast; one gain for all channels, or red would explain blue.

    The brighter one may be clipped, so it is the darker one that is changed, and clipped like it.
    """
    where = sized(shown.astype(np.float32), COARSE) > 0.99
    small, other = (sized(side, COARSE)[where].ravel() for side in (left, right))
    used = (np.minimum(small, other) > IN_RANGE[0]) & (np.maximum(small, other) < IN_RANGE[1])
    if used.sum() < max(2, 0.05 * len(used)) or min(small.std(), other.std()) < FLAT:
        return left, right
    small, other = small[used], other[used]
    if small.std() < other.std():
        gain, offset = _gain(small, other)
        return np.clip(gain * left + offset, 0, 255), right
    gain, offset = _gain(other, small)
    return left, np.clip(gain * right + offset, 0, 255)


def _gain(values: np.ndarray, wanted: np.ndarray) -> tuple[float, float]:
    """Gain and offset, from what is not far off; 1 and 0 where no copy needs so much."""
    near = np.ones(len(values), bool)
    for _ in range(ROUNDS):
        mean, goal = values[near].mean(), wanted[near].mean()
        apart = values[near] - mean
        square = float(apart @ apart)
        gain = float(apart @ (wanted[near] - goal)) / square if square > FLAT**2 * len(apart) else 1.0
        offset = float(goal - gain * mean)
        rest = np.abs(wanted - gain * values - offset)
        near = rest <= max(3, 2.5 * np.partition(rest, len(rest) // 2)[len(rest) // 2])
    return (gain, offset) if 1 / GAIN < gain < GAIN and abs(offset) <= OFFSET else (1.0, 0.0)
