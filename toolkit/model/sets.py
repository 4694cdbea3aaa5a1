"""Prediction sets: the labels among which the truth is in 95 of 100 cases, instead of one that is wrong at times.

Split conformal prediction (Vovk et al., 2005; Sadinle et al., 2019, arXiv:1609.00451): of pictures that a network did
not learn from, the probability of the true class is looked up, and the limit put where 5 of 100 lie below it. Of new
pictures of the same kind, no more will.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

COVERAGE = 0.95  # share of pictures whose true label is to be in the set


def limit(probabilities: np.ndarray, labels: np.ndarray, *, coverage: float = COVERAGE) -> float:
    """The probability from which on a label is in the set.

    Args:
        probabilities: shape (n, classes), of pictures the network did not learn from.
        labels: shape (n,), indices of the true classes.
        coverage: share of new pictures whose set holds the true label, above 0 and below 1.

    Returns:
        0, with which a set holds all labels, where there are too few pictures for that: fewer than 19 for 0.95.

    Raises:
        ValueError: coverage out of range.

    >>> limit(np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7]]), np.array([0, 0, 0]), coverage=0.5)
    0.6
    """
    if not 0 < coverage < 1:
        raise ValueError(f"expected a coverage above 0 and below 1, got {coverage}")
    of_truth = np.sort(probabilities[np.arange(len(labels)), labels])
    below = math.floor((len(labels) + 1) * (1 - coverage) + 1e-9)  # how many may lie below, the limit itself included
    return float(of_truth[below - 1]) if below else 0.0


def holding(probabilities: Mapping[str, float], least: float) -> tuple[str, ...]:
    """The set of labels of an answer, the likeliest first; that one is always in it.

    Args:
        probabilities: of every class.
        least: see `limit`.

    >>> holding({"cars": 0.35, "tanks": 0.6, "trees": 0.05}, 0.3)
    ('tanks', 'cars')
    """
    ordered = sorted(probabilities, key=lambda label: -probabilities[label])
    return tuple(label for place, label in enumerate(ordered) if not place or probabilities[label] >= least)


def sizes(probabilities: np.ndarray, least: float) -> np.ndarray:
    """How many labels the set of each picture holds, from probabilities of shape (n, classes)."""
    return np.maximum(1, (probabilities >= least).sum(axis=1))


def covered(probabilities: np.ndarray, labels: Sequence[int] | np.ndarray, least: float) -> np.ndarray:
    """Whether the set of each picture holds its true label: bool array of shape (n,)."""
    of_truth = probabilities[np.arange(len(labels)), labels]
    return (of_truth >= least) | (probabilities.argmax(axis=1) == labels)
