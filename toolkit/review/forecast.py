"""What fifty more labels would bring: a learning curve of the page's own head, put on what a random sample says.

The curve tells by which factor the mistakes of the head fall, see `selection.enough`; the sample tells how many there
are. Labels there already keep the mistakes they have. Labels that the page chooses bring more than labels by chance, as
which these are counted, so it is rather too little that is promised.
"""

from dataclasses import dataclass

import numpy as np

from toolkit.dataset import stratified
from toolkit.review import active
from toolkit.review.active import NONE

MORE = 50
SHARES = (4, 2, 1)  # what a fold learns from is divided by these
FOLDS = 3
FEWEST = 2 * FOLDS * SHARES[0] // 2  # labels of a class that is in the curve: one is left for the smallest share
MOST = 1000  # labels that the curve is measured on; more say the same
QUANTILES = (0.025, 0.975)


@dataclass(frozen=True)
class Curve:
    """A learning curve of the head.

    Args:
        pictures: it learned from at each step, shape (steps,), rising.
        right: how often each picture was named right, 0 to 1, shape (steps, pictures).
        groups: of near-duplicates, shape (pictures,).
        labelled: pictures that the head of the page learns from.
    """

    pictures: np.ndarray
    right: np.ndarray
    groups: np.ndarray
    labelled: int


@dataclass(frozen=True)
class Forecast:
    """The share of all pictures that would have, or be given, their right label after more marks.

    Args:
        more: marks.
        share: 0 to 1.
        low, high: its 95 % interval.
    """

    more: int
    share: float
    low: float
    high: float


def curve(vectors: np.ndarray, labels: np.ndarray, groups: np.ndarray, *, seed: int = 0) -> Curve | None:
    """Learning curve of the head by cross-validation, near-duplicates on one side.

    Args:
        vectors: of all pictures, see `active.reduced`.
        labels: index of the class of each, or `NONE`.
        groups: number of the near-duplicates of each, shape (pictures,).
        seed: of the folds.

    Returns:
        None while fewer than two classes have `FEWEST` labels.
    """
    known = np.flatnonzero(labels != NONE)
    counts = np.bincount(labels[known])
    chosen = np.random.default_rng(seed).permutation(known[counts[labels[known]] >= FEWEST])[:MOST]
    _, own = np.unique(labels[chosen], return_inverse=True)
    if len(chosen) == 0 or own.max() == 0:
        return None
    right, learned_from = np.zeros((len(SHARES), len(chosen))), np.zeros(len(SHARES))
    for learned, held_out in stratified.divide(own, groups[chosen], folds=FOLDS, seed=seed):
        for step, parts in enumerate(SHARES):
            for part in range(parts):
                rows = _share(learned, own, part, parts)
                right[step, held_out] += _named(vectors[chosen], own, rows, held_out) / parts
                learned_from[step] += len(rows) / parts / FOLDS
    return Curve(learned_from, right, groups[chosen], len(known))


def of(right: np.ndarray, is_open: np.ndarray, measured: Curve, *, known: int, open: int, labelled: int) -> Forecast:
    """The forecast for `MORE` marks, or for all that is open if that is less.

    Args:
        right: of each picture of a random sample, whether it had its right label, or was taken for it.
        is_open: whether it had no label.
        measured: see `curve`.
        known: pictures that have their right label for certain, those of the sample included.
        open: the others without a label.
        labelled: the others with one.
    """
    from toolkit.selection import enough  # here, since few pages come as far

    more, draws = min(MORE, open), enough.DRAWS
    powers = enough.powers(measured.pictures, measured.right, measured.groups, draws=draws)
    fall = (1 + more / measured.labelled) ** -powers
    parts = ((open - more, is_open, fall), (labelled, ~is_open, np.ones(draws)))
    wrong, drawn = 0.0, np.zeros(draws)
    random = np.random.default_rng(0)
    for count, chosen, factor in parts:
        said = right[chosen] if chosen.any() else right
        asked, mistakes = len(said), int((~said).sum())
        wrong += count * float(np.median(factor)) * mistakes / asked
        drawn += count * factor * random.beta(mistakes + 0.5, asked - mistakes + 0.5, draws)  # Jeffreys
    total = known + open + labelled
    low, high = np.quantile(1 - drawn / total, QUANTILES).tolist()
    share = 1 - wrong / total
    return Forecast(more, share, min(low, share), max(high, share))


def _share(learned: np.ndarray, own: np.ndarray, part: int, parts: int) -> np.ndarray:
    """One of so many parts of what a fold learns from, of every class in proportion."""
    return np.concatenate([learned[own[learned] == label][part::parts] for label in np.unique(own)])


def _named(vectors: np.ndarray, own: np.ndarray, rows: np.ndarray, held_out: np.ndarray) -> np.ndarray:
    """Whether a head that learned from these rows names the others right."""
    labels = np.full(len(own), NONE)
    labels[rows] = own[rows]
    answers = active.head(vectors, labels, int(own.max()) + 1)
    return answers[held_out].argmax(axis=1) == own[held_out] if answers is not None else np.zeros(len(held_out))
