"""Linear probe: the head of a network with a frozen backbone, fitted on features that are computed once.

One dense layer with a softmax on standardized features is multinomial logistic regression: it has one best solution,
which is found directly instead of epoch by epoch (Alain and Bengio, 2016, arXiv:1610.01644). C, the inverse of its
regularization strength, is chosen on the validation pictures.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from toolkit import networks
from toolkit.core import paths, workers
from toolkit.dataset import split, stratified
from toolkit.dataset.manifest import Manifest
from toolkit.errors import DatasetError
from toolkit.model import calibrate
from toolkit.training import features
from toolkit.training.config import Config
from toolkit.training.features import Features
from toolkit.training.logistic import STEPS, Probe, Solution, Solver, regularization_path

__all__ = ["CS", "Features", "Probe", "ProbeFit", "Solver", "features_for", "folds_of", "learn", "regularization_path"]

CS: tuple[float, ...] = tuple(float(f"{10**power:.3g}") for power in np.arange(-4, 0.1, 0.5))  # strongest first
LIMITS = (1e-6, 100.0)  # of C
FOLDS = 5  # of train and val together, where a head is refit
ENOUGH = 1000  # pictures to choose C by
AT_ONCE = 1 << 24  # numbers that are computed with at a time
IN_WORDS = "the backbone is frozen: its features are computed once"


@dataclass(frozen=True, eq=False)
class ProbeFit:
    """A fitted linear probe, and how it was chosen.

    Args:
        probe: the one with the lowest validation loss; with `refit`, fitted again on train and val together.
        history: a row per C that was tried: epoch (its number), C, loss, accuracy, val_loss, val_accuracy.
        best: index of its row.
        val: probabilities for the validation pictures, by a probe that did not learn from them; with `refit`, for the
            pictures of train and val that were held out in turn.
        val_labels: indices of their classes.
    """

    probe: Probe
    history: pd.DataFrame
    best: int
    val: np.ndarray
    val_labels: np.ndarray


def features_for(config: Config, manifest: Manifest, *, compute: bool = True) -> Features | None:
    """Cached features of every labelled picture in use, at the size, views and weights of a config.

    They are left on disk, see `features.rows`.

    Args:
        config: one that `is_linear_probe`.
        manifest: a split manifest.
        compute: False only looks them up.

    Returns:
        float32 of shape (pictures, views, features); None if some are missing and not to be computed.
    """
    transfer = networks.get(config.network).transfer(style=config.style, **config.options)
    return features.rows(
        manifest.labelled,
        config.network,
        size=config.size,
        weights=transfer.weights,
        pooling=transfer.head.pooling,
        resize_mode=config.resize_mode,
        views=config.views,
        precision=config.precision,
        compute=compute,
    )


def learn(config: Config, manifest: Manifest, cached: Features | None = None) -> ProbeFit:
    """Fit a linear probe on the train pictures, and choose its C on the val pictures.

    Nine are tried, and then others beyond them, until the best is not the first or the last.

    With `config.refit`, C is chosen by cross-validation on both, on many more pictures, and the probe is then fitted on
    all of them.

    Args:
        config: one that `is_linear_probe`.
        manifest: a split manifest.
        cached: what `features_for` gives for it; None asks for it.

    Raises:
        DatasetError: a class has no picture to learn from.

    >>> learn(Config("mobilenet").resolved(), manifest.load("cars_tanks")).history  # doctest: +SKIP
    """
    table = manifest.labelled.table
    vectors = features_for(config, manifest) if cached is None else cached
    if vectors is None:
        raise DatasetError(f"expected the features of {manifest.name}, got none")
    labels = manifest.class_indices(table["label"])
    train, val = (np.flatnonzero(table["split"] == part) for part in ("train", "val"))
    check_classes(manifest)

    used = np.union1d(train, val) if config.refit else train
    folds = (folds_of(table, labels, used, config.seed) if config.refit else []) or [(train, val)]
    search = _Search(Solver(vectors, used), vectors, labels, used, folds, config.class_weights)
    search.run(CS if config.C is None else (config.C,))
    while config.C is None and (further := search.further()):
        search.run((further,))

    history, best = search.history(), search.best()
    C = float(history["C"].iloc[best])
    everywhere = np.arange(len(used))
    chosen = search.solver.path(everywhere, labels[used], (C,), config.class_weights)[0] if config.refit else None
    val = np.concatenate(
        [_answers(vectors, held, fold[C]) for (_, held), fold in zip(folds, search.probes, strict=True)]
    )
    val_labels = labels[np.concatenate([held for _, held in folds])]
    return ProbeFit(chosen or search.probes[0][C], history, best, val, val_labels)


class _Search:
    """Strengths that were tried: of each a probe for every fold, and how they did on what they learned and did not."""

    def __init__(
        self,
        solver: Solver,
        vectors: Features,
        labels: np.ndarray,
        used: np.ndarray,
        folds: list[tuple[np.ndarray, np.ndarray]],
        weighted: bool,
    ):
        self.solver, self.vectors, self.labels, self.used = solver, vectors, labels, used
        self.folds, self.weighted = folds, weighted
        self.probes: list[dict[float, Probe]] = [{} for _ in folds]
        self._solutions: list[dict[float, Solution]] = [{} for _ in folds]
        self._scores: dict[float, dict[str, float]] = {}

    def run(self, Cs: tuple[float, ...]) -> None:
        """Try these, from the nearest one on that was tried before."""
        small = self.solver.suits_one_core(len(self.used), int(self.labels.max()) + 1)
        with threadpool_limits(1 if small else None), ThreadPoolExecutor(workers.cores() if small else 1) as pool:
            list(pool.map(lambda fold: self._solve(fold, Cs), range(len(self.folds))))
        scores = self._scored(0, "", Cs), self._scored(1, "val_", Cs)
        self._scores |= {C: learned | held for C, learned, held in zip(Cs, *scores, strict=True)}

    def _solve(self, fold: int, Cs: tuple[float, ...]) -> None:
        """Find the heads of a fold."""
        learned, known = self.folds[fold][0], self._solutions[fold]
        start = known[min(known, key=lambda C: abs(np.log(C / Cs[0])))] if known else None
        rows = np.searchsorted(self.used, learned)
        solutions = self.solver.solutions(rows, self.labels[learned], Cs, self.weighted, start)
        known |= dict(zip(Cs, solutions, strict=True))
        self.probes[fold] |= dict(zip(Cs, self.solver.probes(solutions), strict=True))

    def further(self) -> float | None:
        """The next C to try, since the best is the first or the last; None where it is not, or at the limits."""
        tried, best = sorted(self._scores), self.best()
        step = 0.5 if best == len(tried) - 1 else -0.5 if best == 0 else 0.0
        C = float(f"{10 ** (round(2 * np.log10(tried[best])) / 2 + step):.3g}")
        return C if step and LIMITS[0] <= C <= LIMITS[1] else None

    def history(self) -> pd.DataFrame:
        """A row per C, in rising order."""
        rows = [{"epoch": number, "C": C, **self._scores[C]} for number, C in enumerate(sorted(self._scores), start=1)]
        return pd.DataFrame(rows)

    def best(self) -> int:
        """Index of the row with the lowest loss on what was not learned."""
        return int(self.history()["val_loss"].argmin())

    def _scored(self, part: int, prefix: str, Cs: tuple[float, ...]) -> list[dict[str, float]]:
        """Loss and accuracy for each C over all folds, of what they learned from (0) or what was held out (1)."""
        losses, right, count = np.zeros(len(Cs)), np.zeros(len(Cs)), 0
        for fold, probes in zip(self.folds, self.probes, strict=True):
            for rows, answers in _answered(self.vectors, fold[part], [probes[C] for C in Cs]):
                labels, count = self.labels[rows], count + len(rows)
                losses += [calibrate.log_loss(shares, labels) * len(rows) for shares in answers]
                right += [float((shares.argmax(axis=1) == labels).sum()) for shares in answers]
        pairs = zip((losses / count).tolist(), (right / count).tolist(), strict=True)
        return [{f"{prefix}loss": loss, f"{prefix}accuracy": accuracy} for loss, accuracy in pairs]


def check_classes(manifest: Manifest) -> None:
    """Raise DatasetError unless every class has pictures to learn from, and there are some to choose by."""
    missing = split.missing_classes(manifest, "train")
    if missing or not len(manifest.where(split="val", status="ok")):
        lacking = f"none of {missing[0]!r} in train" if missing else "none in val"
        raise DatasetError(
            f"expected pictures of every class to learn from, and some to choose by, got {lacking}; add pictures, and "
            f"run `toolkit split {paths.dataset_name(manifest.root)} --again`"
        )


def _answered(
    vectors: Features, indices: np.ndarray, probes: Sequence[Probe]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pictures, some at a time: their indices, and probabilities for their first view, (probes, pictures, classes)."""
    kernel, bias = np.hstack([probe.kernel for probe in probes]), np.hstack([probe.bias for probe in probes])
    step = max(1, AT_ONCE // max(kernel.shape))
    for start in range(0, len(indices), step):
        rows = indices[start : start + step]
        scores = (vectors[rows, 0] @ kernel + bias).reshape(len(rows), len(probes), -1)
        yield rows, softmax(scores, axis=2).swapaxes(0, 1)


def _answers(vectors: Features, indices: np.ndarray, probe: Probe) -> np.ndarray:
    return np.concatenate([answers[0] for _, answers in _answered(vectors, indices, [probe])])


def folds_of(
    table: pd.DataFrame, labels: np.ndarray, used: np.ndarray, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Folds in which copies stay together: indices to fit on and to hold out, until enough were held out.

    Args:
        table: of a manifest.
        labels: indices of the classes of its pictures.
        used: indices of those to divide.
        seed: another one divides them otherwise.

    Returns:
        None at all if a class is too small.
    """
    groups = split.groups(table.iloc[used]).to_numpy()
    if pd.Series(groups).groupby(labels[used]).nunique().min() <= FOLDS:
        return []
    folds: list[tuple[np.ndarray, np.ndarray]] = []
    count = 0
    for learned, held_out in stratified.divide(labels[used], groups, folds=FOLDS, seed=seed):
        if count < ENOUGH and len(np.unique(labels[used[learned]])) == labels.max() + 1:
            folds.append((used[learned], used[held_out]))
            count += len(held_out)
    return folds


def logistic(weighted: bool) -> LogisticRegression:
    """Logistic regression as it is fitted here; fitted again, it goes on from where it ended."""
    return LogisticRegression(max_iter=STEPS, tol=1e-3, warm_start=True, class_weight="balanced" if weighted else None)
