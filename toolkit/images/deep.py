"""Deep grey pictures, of 16 or 32 bits or of fractions, and masks, as 8-bit grey that keeps what is to be seen.

One rule for all of them: the lowest value is black, the highest white. Where that would merge what differs, up to 256
different values each get a shade of their own, in order and evenly; of more, values that are far from all others, such
as hot pixels and the number that stands for "no value", do not count for the range.
"""

import numpy as np
from PIL import Image

SAMPLE = 1_000_000  # values that are looked at, at most
SHADES = 64  # that a picture of many values must keep
RARE = 0.001  # share of the values at either end that may lie outside the range where that does not suffice
NATURAL = ((0, 1), (0, 255), (0, 65_535))  # ranges that nobody had to choose


def shown(image: Image.Image) -> tuple[Image.Image, str]:
    """A picture of one channel as 8-bit grey.

    Args:
        image: loaded, in mode L, I, I;16 or F.

    Returns:
        The picture in mode L, and a note of the range that had to be chosen; "" if none had to be.

    >>> shown(Image.fromarray(np.array([[7200, 7500, 7800]], np.uint16)))[1]
    'values from 7200 to 7800 shown as black to white'
    """
    values = np.asarray(image)
    sample = values.ravel()[:: 1 + values.size // SAMPLE]
    distinct, counts = np.unique(sample[np.isfinite(sample)].astype(np.float64), return_counts=True)
    if len(distinct) < 2:
        return _flat(image.mode, values), ""
    low, high = distinct[0], distinct[-1]
    if len(np.unique(_linear(distinct, low, high))) < min(len(distinct), SHADES):
        if len(distinct) <= 256:
            grey = np.interp(values, distinct, np.linspace(0, 255, len(distinct)))
            return _grey(grey), f"{len(distinct)} different values shown as shades of their own"
        share = counts.cumsum() / counts.sum()
        common = distinct[(share > RARE) & (share - counts / counts.sum() < 1 - RARE)]
        low, high = _range(distinct)
        if len(np.unique(_linear(distinct, low, high))) < SHADES and len(common) > 1:
            low, high = _range(common)
    note = "" if (low, high) in NATURAL else f"values from {low:g} to {high:g} shown as black to white"
    return _grey(_linear(values, low, high)), note


def _flat(mode: str, values: np.ndarray) -> Image.Image:
    """A picture of one value, if of any: by that value where it is one of 8 or 16 bits."""
    deep = mode.startswith("I;16") or np.nanmax(values, initial=0, where=np.isfinite(values)) > 255
    return _grey(_rounded(values / 257 if deep else values.astype(np.float64)))


def _range(distinct: np.ndarray) -> tuple[float, float]:
    """The lowest and the highest value that is not far from all others."""
    while len(distinct) > 2:
        gaps, half = np.diff(distinct), (distinct[-1] - distinct[0]) / 2
        if max(gaps[0], gaps[-1]) <= half:
            break
        distinct = distinct[1:] if gaps[0] > gaps[-1] else distinct[:-1]
    return float(distinct[0]), float(distinct[-1])


def _linear(values: np.ndarray, low: float, high: float) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        return _rounded((values.astype(np.float64) - low) * (255 / (high - low)))


def _rounded(grey: np.ndarray) -> np.ndarray:
    return np.nan_to_num(grey, nan=0, posinf=255, neginf=0).clip(0, 255).round().astype(np.uint8)


def _grey(grey: np.ndarray) -> Image.Image:
    return Image.fromarray(grey if grey.dtype == np.uint8 else _rounded(grey))
