"""How many labels would be right if a person stopped now, told from a random sample that is looked at one by one.

What was marked is no fair sample: doubtful pictures are asked about because they are hard, and a page is confirmed at a
glance. So now and then some pictures are drawn by chance, and asked about without what they are taken for. The share of
these that had the right label already, or would have been given it, has Wilson's interval (1927).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

SAMPLE = 40  # pictures of one sample
ENOUGH = 0.95  # share that a person may stop at, for certain


@dataclass(frozen=True)
class Estimate:
    """The share of all pictures that have, or would be given, their right label.

    Args:
        share: 0 to 1.
        low, high: its 95 % interval.
        asked: pictures of the sample.
    """

    share: float
    low: float
    high: float
    asked: int

    @property
    def enough(self) -> bool:
        """Whether a person can stop: the interval begins at `ENOUGH`."""
        return self.low >= ENOUGH


def drawn(candidates: np.ndarray, *, seed: int, most: int = SAMPLE) -> np.ndarray:
    """A random sample of pictures, without putting back.

    Args:
        candidates: indices of all that nobody has looked at one by one.
        seed: another one draws otherwise.
        most: how many.
    """
    return np.random.default_rng(seed).permutation(candidates)[:most]


def of(right: Sequence[bool], *, alone: int, candidates: int) -> Estimate:
    """The estimate from a sample.

    Args:
        right: of each picture of the sample, whether what it had, or was taken for, is what a person called it.
        alone: pictures that a person had looked at one by one before, which are right.
        candidates: all from which the sample was drawn.

    Raises:
        ValueError: a sample of none, or of more than there are.

    >>> of([True] * 39 + [False], alone=60, candidates=1041).low > 0.87
    True
    """
    if not 0 < len(right) <= candidates:
        raise ValueError(f"expected a sample of 1 to {candidates} pictures, got {len(right)}")
    interval = binomtest(sum(right), len(right)).proportion_ci(method="wilson")
    known, rest = alone + len(right), candidates - len(right)  # those of the sample have their right label now
    parts = np.array([np.mean(right), interval.low, interval.high])
    share, low, high = ((known + rest * parts) / (alone + candidates)).tolist()
    return Estimate(share, low, high, len(right))
