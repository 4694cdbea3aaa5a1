"""Intervals and significance tests: how far a figure can be trusted, and whether one model is really better.

McNemar's test is scipy's binomial test; Holm's correction, which scipy does not have, is written out here.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import binomtest

from toolkit.core.words import listed

LEVEL = 0.05
TAKEN = 10_000_000  # numbers of a bootstrap that are in memory at a time


def wilson(right: int, count: int) -> tuple[float, float]:
    """Wilson score interval of a proportion, at 95 % confidence (Wilson, 1927).

    Unlike the normal approximation it holds near 0 and 1 and for few pictures.

    Args:
        right: pictures named right, 0 to `count`.
        count: pictures in all, at least 1.

    Returns:
        Lower and upper bound, 0 to 1.

    Raises:
        ValueError: `right` is not in 0 to `count`, or `count` below 1.

    >>> [round(bound, 3) for bound in wilson(197, 200)]
    [0.957, 0.995]
    """
    if not 0 <= right <= count or count < 1:
        raise ValueError(f"expected 0 <= right <= count and count of at least 1, got {right} of {count}")
    interval = binomtest(right, count).proportion_ci(confidence_level=0.95, method="wilson")
    return float(interval.low), float(interval.high)


def bootstrap(values: np.ndarray, groups: ArrayLike, *, draws: int, seed: int) -> np.ndarray:
    """Cluster bootstrap: means of values of groups that are drawn with replacement (Efron, 1979).

    Args:
        values: shape (pictures,), or (columns, pictures) for several that are drawn alike.
        groups: of the pictures, which are drawn together, shape (pictures,).
        draws: at least 1.
        seed: any integer from 0.

    Returns:
        float array of shape (draws,), or (draws, columns).

    >>> bootstrap(np.array([0.0, 1.0]), [0, 0], draws=2, seed=1)
    array([0.5, 0.5])
    """
    _, number = np.unique(np.asarray(groups), return_inverse=True)
    sizes, columns = np.bincount(number), np.atleast_2d(values)
    sums = np.stack([np.bincount(number, weights=column) for column in columns], axis=1)
    random, means = np.random.default_rng(seed), []
    shares, at_once = np.full(len(sizes), 1 / len(sizes)), max(1, TAKEN // len(sizes))
    for start in range(0, draws, at_once):
        taken = random.multinomial(len(sizes), shares, size=min(at_once, draws - start))
        means.append((taken @ sums) / (taken @ sizes)[:, None])
    drawn = np.concatenate(means)
    return drawn if values.ndim > 1 else drawn[:, 0]


def mcnemar(first: ArrayLike, second: ArrayLike) -> float:
    """Exact McNemar test: the probability that two equally good models differ as much as these.

    Only pictures that one names right and the other wrong tell them apart; of these, each should win half.

    Args:
        first, second: for every picture, in the same order, whether the model named it right; bool, shape (pictures,).

    Returns:
        The p-value, 0 to 1; 1 if they never differ.

    Raises:
        ValueError: they were not asked about the same number of pictures.

    McNemar (1947); recommended for models trained once by Dietterich (1998).

    >>> mcnemar([True] * 9 + [False] * 2, [False] * 9 + [True] * 2)
    0.0654296875
    """
    a, b = np.asarray(first, bool), np.asarray(second, bool)
    if a.shape != b.shape:
        raise ValueError(f"expected answers about the same pictures, got {len(a)} and {len(b)}")
    wins, losses = int((a & ~b).sum()), int((~a & b).sum())
    return float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Holm's correction of p-values for multiple tests (Holm, 1979).

    Args:
        p_values: 0 to 1 each.

    Returns:
        float64 array in the same order, none below its original, at most 1.

    >>> holm([0.01, 0.04, 0.03]).round(2)
    array([0.03, 0.06, 0.06])
    """
    values = np.asarray(p_values, float)
    order = np.argsort(values, kind="stable")
    corrected = np.empty(len(values))
    corrected[order] = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    return corrected.clip(max=1.0)


def pairs(right: Mapping[str, Sequence[bool]]) -> pd.DataFrame:
    """McNemar tests of every two models on the same pictures, corrected by Holm.

    Args:
        right: for every model, whether it named each picture right, all in the same order.

    Returns:
        A row per pair: `first` and `second` (the better one first), `wins` and `losses` (pictures that only the first
        or only the second named right), `p`, `corrected` (Holm) and `different` (corrected below 0.05).
    """
    rows = []
    for a, b in combinations(right, 2):
        first, second = (a, b) if np.sum(right[a]) >= np.sum(right[b]) else (b, a)
        better, worse = np.asarray(right[first], bool), np.asarray(right[second], bool)
        counts = {"wins": int((better & ~worse).sum()), "losses": int((~better & worse).sum())}
        rows.append({"first": first, "second": second, **counts, "p": mcnemar(better, worse)})
    table = pd.DataFrame(rows, columns=["first", "second", "wins", "losses", "p"])
    corrected = holm(table["p"])
    return table.assign(corrected=corrected, different=corrected < LEVEL)


def in_words(pairs: pd.DataFrame, pictures: int) -> str:
    """The table of `pairs` in sentences that claim no more than the tests allow.

    Args:
        pairs: as `pairs` gives it.
        pictures: how many the models were asked about.
    """
    sentences = []
    for first, beaten in pairs[pairs["different"]].groupby("first", sort=False):
        names = listed(f"{row.second} ({_p(row.corrected)})" for row in beaten.itertuples())
        sentences.append(f"{first} is better than {names}")
    alike = pairs[~pairs["different"]]
    if len(alike):
        sentences.append(f"{_alike(alike, every=len(alike) == len(pairs))} cannot be told apart on {pictures} pictures")
    return "; ".join(sentences) + "." if sentences else ""


def _alike(pairs: pd.DataFrame, *, every: bool) -> str:
    """The names of pairs; where there are no others, each name once."""
    if not every:
        return ", ".join(f"{row.first} and {row.second}" for row in pairs.itertuples())
    return listed(dict.fromkeys([*pairs["first"], *pairs["second"]]))


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"
