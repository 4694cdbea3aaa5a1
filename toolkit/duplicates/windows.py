"""The worst window: where two registered pictures differ most, measured against what there is to see.

In every window of 7×7 pixels, at full, half, quarter and eighth size, the mean squared difference is divided by the
variance of both pictures and a noise: one minus the structure term of SSIM (Wang et al., 2004), the difference of the
means included. Compression and scaling differ everywhere, a little, and most where there are edges; another object,
text or colour differs in one window by much. So the worst window decides, not the mean.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

WINDOW = 7  # pixels
BRIGHTNESS = (0.7, 0.3, 0.25, 0.25)  # a copy's largest dissimilarity at full, half, quarter and eighth size
COLOUR = (np.inf, 0.9, 0.4, 0.4)  # the same for both chroma channels together, which JPEG keeps at half size only
NOISE = (20.0, 100.0)  # grey values squared, the least and the most
FAINT = 4  # a faint picture's noise is its variance over this
EVEN = 8.0  # times the median window's variance of the difference that is no evidence
TILES, QUIET = 5, 0.35  # a side; noise lies evenly if a fifth of the tiles has so much of the median tile's variance
OUTLIERS = 9  # times the median that a window counts for, at most
FLAT = 4.0  # standard deviation of grey values below which there is nothing to correlate
CORRELATION = 0.95  # of brightness, which a copy has at least
ENOUGH = 6.0  # a score that needs no closer look


class Worst(NamedTuple):
    """The worst window: its dissimilarity over its limit, its centre and side as shares of the frame, what differs.

    `correlation` is that of the whole frame's brightness.
    """

    score: float
    where: tuple[float, float, float] = (0.5, 0.5, 1.0)
    what: str = ""
    correlation: float = 1.0
    finest: "Level | None" = None  # see `lies_evenly`


class Level(NamedTuple):
    """One size of both pictures: brightness (h, w), chroma (h, w, 2) or None, and which pixels both show (h, w)."""

    number: int
    brightness: tuple[np.ndarray, np.ndarray]
    chroma: tuple[np.ndarray, np.ndarray] | None
    shown: np.ndarray


def worst(left: np.ndarray, right: np.ndarray, shown: np.ndarray, *, specks: Sequence[float] = ()) -> Worst | None:
    """The worst window of two pictures of one frame.

    Args:
        left, right: float32 RGB arrays of shape (height, width, 3), 0 to 255, slightly blurred.
        shown: uint8 array of shape (height, width), 1 where both show something.
        specks: at each size, how many times the usual window's variance of the difference is no evidence, where noise
            lies evenly; empty for 8 times the median window's.

    Returns:
        A score of at most 1 for a copy; None if the pictures are too small to tell.
    """
    levels = list(_levels(left, right, shown))
    if not levels:
        return None
    found = Worst(0.0, correlation=_correlation(levels[-1]), finest=levels[0])
    noise = _noise(levels[0])
    for level in reversed(levels):  # the small ones first, which cost little
        tolerated = specks[level.number] if specks else 0.0
        inside = cv2.erode(level.shown, np.ones((WINDOW, WINDOW), np.uint8), borderValue=1)
        for what, pair, limits in (("brightness", level.brightness, BRIGHTNESS), ("colour", level.chroma, COLOUR)):
            if pair is None:
                continue
            excess = _dissimilarity(pair[0], pair[1], inside, noise, tolerated) / limits[level.number]
            score = float(excess.max())
            if score > found.score:
                found = found._replace(score=score, where=_place(excess), what=f"{what} at 1/{2**level.number}")
        if found.score > ENOUGH:
            break
    return found._replace(score=max(found.score, (1 - found.correlation) / (1 - CORRELATION)))


def _levels(left: np.ndarray, right: np.ndarray, shown: np.ndarray) -> Iterator[Level]:
    """Full, half, quarter and eighth size, as far as some windows fit in."""
    for number in range(len(BRIGHTNESS)):
        if min(shown.shape) < 2 * WINDOW:
            return
        if number == 0:
            grey, other = (cv2.cvtColor(side, cv2.COLOR_RGB2GRAY) for side in (left, right))
            yield Level(number, (grey, other), None, shown)
        else:
            one, other = (cv2.cvtColor(side, cv2.COLOR_RGB2YCrCb) for side in (left, right))
            brightness = one[..., 0].copy(), other[..., 0].copy()
            yield Level(number, brightness, (one[..., 1:].copy(), other[..., 1:].copy()), shown)
        left, right, shown = (halved(side) for side in (left, right, shown))


def halved(values: np.ndarray) -> np.ndarray:
    """An array at half its size; of a mask, only what is wholly in it."""
    height, width = (max(1, round(side / 2)) for side in values.shape[:2])
    smaller = cv2.resize(values.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    return (smaller > 0.99).astype(np.uint8) if values.dtype == np.uint8 else smaller


def _correlation(level: Level) -> float:
    left, right = (side[level.shown > 0] for side in level.brightness)
    if not len(left):
        return 1.0
    left, right = left - left.mean(), right - right.mean()
    spread, other = (float(np.sqrt(side @ side / len(side))) for side in (left, right))
    return 1.0 if min(spread, other) <= FLAT else float(left @ right) / len(left) / (spread * other)


def _noise(level: Level) -> float:
    """Squared grey values that a copy's windows may differ by whatever they show."""
    variances = [float(cv2.meanStdDev(side, mask=level.shown)[1].item()) ** 2 for side in level.brightness]
    return float(np.clip(sum(variances) / 2 / FAINT, *NOISE))


def _dissimilarity(left: np.ndarray, right: np.ndarray, inside: np.ndarray, noise: float, specks: float) -> np.ndarray:
    """What of each window's content the other picture does not explain: 0 for the same, shape (height, width)."""
    left, right = left - 128, right - 128  # smaller squares keep more digits
    gap = left - right
    square, mean_left, mean_right, squares = (
        _summed(cv2.blur(values, (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT), power)
        for values, power in ((gap * gap, 1), (left, 2), (right, 2), (left * left + right * right, 1))
    )
    content = np.maximum(squares - mean_left - mean_right, 0)
    mean_gap = _summed(cv2.blur(gap, (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT), 2)
    variances = np.maximum(square - mean_gap, 0)[inside > 0]
    return square / (content + noise + _even(variances, specks)) * inside


def _summed(values: np.ndarray, power: int) -> np.ndarray:
    """Values, or their squares, of brightness or of both chroma channels together."""
    values = values if power == 1 else values * values
    return values[..., 0] + values[..., 1] if values.ndim == 3 else values


def lies_evenly(level: Level) -> bool:
    """Whether the difference lies over the whole frame, as noise such as salt and pepper does, and no object."""
    gap = level.brightness[0] - level.brightness[1]
    mean, square = (cv2.resize(values, (TILES, TILES), interpolation=cv2.INTER_AREA) for values in (gap, gap * gap))
    shown = cv2.resize(level.shown.astype(np.float32), (TILES, TILES), interpolation=cv2.INTER_AREA) > 0.99
    variances = (square - mean * mean)[shown]
    return bool(len(variances) and np.quantile(variances, 0.2) >= QUIET * np.median(variances))


def _even(variances: np.ndarray, specks: float) -> float:
    """What noise that lies over the whole frame adds to any window's squared difference, by the usual window's."""
    if not len(variances):
        return 0.0
    variances = variances[:: max(1, len(variances) // 5000)]
    median = _median(variances)
    return specks * float(np.minimum(variances, OUTLIERS * median).mean()) if specks else EVEN * median


def _median(values: np.ndarray) -> float:
    """The median, without the checks of `numpy.median`, which take longer than it does."""
    middle = len(values) // 2
    if len(values) % 2:
        return float(np.partition(values, middle)[middle])
    below, above = np.partition(values, (middle - 1, middle))[middle - 1 : middle + 1]
    return float((below + above) / 2)


def _place(excess: np.ndarray) -> tuple[float, float, float]:
    """Centre across and down, and side, of the worst window, as shares of the frame."""
    down, across = (int(index) for index in np.unravel_index(int(excess.argmax()), excess.shape))
    height, width = excess.shape
    return round((across + 0.5) / width, 3), round((down + 0.5) / height, 3), round(WINDOW / max(height, width), 3)
