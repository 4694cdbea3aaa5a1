"""Learning curve: how right heads are that learned from ever larger shares of a dataset, by cross-validation.

Features are computed once, and their products once for all heads, so that a curve takes seconds. Each picture is judged
by heads that have not seen it or a near-duplicate of it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from toolkit.dataset import split
from toolkit.dataset.manifest import Manifest
from toolkit.errors import DatasetError
from toolkit.model import calibrate
from toolkit.selection.folds import divided
from toolkit.training import probe

SHARES = (0.125, 0.25, 0.5, 1.0)  # of what a fold learns from
SUBSETS = 4  # of one share, at most, that share no picture
CS = probe.CS[2:]
LEAST = 2  # pictures of a class that a share must leave


@dataclass(frozen=True, eq=False)
class Curve:
    """A measured learning curve.

    Args:
        pictures: how many the heads of each step learned from, in the mean of the folds: float array of shape (steps,).
        right: how often each picture was named right, 0 to 1: float array of shape (steps, pictures).
        own: mean probability of each picture's own label at the last step: float array of shape (pictures,).
        C: inverse regularization strength of each step, the one with the lowest loss: float array of shape (steps,).
    """

    pictures: np.ndarray
    right: np.ndarray
    own: np.ndarray
    C: np.ndarray


def measure(
    manifest: Manifest,
    vectors: probe.Features,
    *,
    shares: Sequence[float] = SHARES,
    folds: int = 5,
    seed: int = 7,
    weighted: bool = True,
    log: Callable[[str], None] = lambda line: None,
) -> Curve:
    """Measure a learning curve on features.

    Args:
        manifest: pictures in use; their splits do not matter.
        vectors: their features, of shape (pictures, views, features).
        shares: of what each fold learns from, rising, above 0 and at most 1; small ones that leave a class with hardly
            a picture are left out.
        folds, seed: of the cross-validation, see `crossval.run`.
        weighted: weight rare classes up.
        log: takes a line on each step.

    Raises:
        DatasetError: a class has too few pictures for so many folds, or for two steps.
    """
    labels = manifest.class_indices(manifest.table["label"])
    solver, order = probe.Solver(vectors), _Order(manifest, labels, seed)
    tests = [(part.table["split"] == "test").to_numpy() for part in divided(manifest, folds=folds, seed=seed)]
    fewest = min(np.bincount(labels[~test]).min() for test in tests)
    kept = [share for share in shares if share * fewest >= LEAST]
    if len(kept) < 2:
        needed = math.ceil(LEAST / sorted(shares)[-2] * folds / (folds - 1)) if len(shares) > 1 else 2
        raise DatasetError(
            f"expected at least {needed} pictures of every class, and two shares, for a learning curve, got "
            f"{np.bincount(labels).min()}; add pictures"
        )
    steps = []
    for share in kept:
        steps.append(_step(solver, labels, [order.subsets(~test, share) for test in tests], tests, weighted))
        count, right, *_ = steps[-1]
        log(f"from {count:,.0f} pictures: {right.mean():.1%} right")
    pictures, right, own, C = zip(*steps, strict=True)
    return Curve(np.array(pictures), np.stack(right), own[-1], np.array(C))


class _Order:
    """A random order of the pictures of each class, near-duplicates side by side, of which shares are taken.

    Args:
        manifest, labels: see `measure`.
        seed: of the order.
    """

    def __init__(self, manifest: Manifest, labels: np.ndarray, seed: int):
        groups = split.groups(manifest.table)
        names = pd.unique(groups)
        rank = pd.Series(np.random.default_rng(seed).permutation(len(names)), index=names)
        self._labels, self._rank = labels, rank[groups].to_numpy()

    def subsets(self, learned: np.ndarray, share: float) -> list[np.ndarray]:
        """Indices of a share of the pictures to learn from, of every class in proportion, as often as they last."""
        table = pd.DataFrame({"row": np.flatnonzero(learned)})
        table["label"], table["rank"] = self._labels[learned], self._rank[learned]
        table = table.sort_values("rank", kind="stable")
        place = (table.groupby("label").cumcount() + 0.5) / table.groupby("label")["row"].transform("size")
        number = (place / share).astype(int)
        return [np.sort(table.loc[number == one, "row"]) for one in range(min(SUBSETS, int(1 / share + 1e-9)))]


def _step(
    solver: probe.Solver, labels: np.ndarray, subsets: list[list[np.ndarray]], tests: list[np.ndarray], weighted: bool
) -> tuple[float, np.ndarray, np.ndarray, float]:
    """Pictures learned from, how often each was named right, the probability of its label, and the C that was best."""
    right, own = (np.zeros((len(CS), len(labels))) for _ in range(2))
    for test, parts in zip(tests, subsets, strict=True):
        asked = np.flatnonzero(test)
        for rows in parts:
            answers = solver.answers(rows, labels[rows], asked, Cs=CS, weighted=weighted)
            right[:, asked] += (answers.argmax(axis=2) == labels[asked]) / len(parts)
            own[:, asked] += answers[:, np.arange(len(asked)), labels[asked]] / len(parts)
    best = int(np.argmin(-np.log(np.clip(own, calibrate.SMALLEST, 1)).mean(axis=1)))
    count = float(np.mean([len(rows) for parts in subsets for rows in parts]))
    return count, right[best], own[best], CS[best]
