"""A linear probe: the head of a network whose backbone does not learn, found from features that are computed once.

One dense layer with a softmax on standardized features is multinomial logistic regression: it has one best solution,
which is found directly instead of epoch by epoch (Alain and Bengio, 2016, arXiv:1610.01644). How strongly it is held
back from learning the pictures by heart is chosen on the validation pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.linalg import cholesky, solve_triangular
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from threadpoolctl import threadpool_limits

from toolkit import networks
from toolkit.core.framework import keras
from toolkit.dataset import split
from toolkit.dataset.manifest import Manifest
from toolkit.errors import DatasetError
from toolkit.model import calibrate
from toolkit.training import features
from toolkit.training.config import Config

STRENGTHS = tuple(float(f"{10**power:.3g}") for power in np.arange(-4, 0.1, 0.5))  # C of scikit-learn, from strict on
FOLDS = 5  # of train and val together, where a head is refit
ENOUGH = 1000  # pictures to choose a strength by
STEPS = 500  # of the solver, at most; it needs about 50
IN_WORDS = "the backbone is frozen: its features are computed once"


@dataclass(frozen=True, eq=False)
class Probe:
    """A dense layer with a softmax, on features as the backbone gives them.

    Args:
        kernel: float32 array of shape (features, classes).
        bias: float32 array of shape (classes,).
    """

    kernel: np.ndarray
    bias: np.ndarray

    def probabilities(self, seen: np.ndarray) -> np.ndarray:
        """For features of shape (n, features): float32 array of shape (n, classes); rows sum to 1."""
        return softmax(seen @ self.kernel + self.bias, axis=1)

    def put_into(self, model: "keras.Model") -> None:
        """Make it the last layer of a network with the same backbone, which then answers as it does."""
        model.layers[-1].set_weights([self.kernel, self.bias])


@dataclass(frozen=True, eq=False)
class Learned:
    """What came of learning.

    Args:
        probe: the one with the lowest validation loss; with `refit`, learned again from train and val together.
        history: a row per strength that was tried: epoch (its number), C, loss, accuracy, val_loss, val_accuracy.
        best: place of its row.
        val: probabilities for the validation pictures, by a probe that did not learn from them; with `refit`, for those
            of train and val together that were judged in turn.
        val_labels: their classes, as places.
    """

    probe: Probe
    history: pd.DataFrame
    best: int
    val: np.ndarray
    val_labels: np.ndarray


def suits(config: Config) -> bool:
    """Whether all that is to learn is one dense layer on a backbone that is kept as it is, and nobody forbids it."""
    wanted = config.features_once and config.strategy == "none"
    return wanted and networks.get(config.network).is_linear(style=config.style, **config.options)


def uses_cached_features(config: Config) -> bool:
    """Whether the head is all that is ever trained, so that a training takes seconds."""
    return suits(config) and not config.fine_tune


def seen(config: Config, manifest: Manifest, *, compute: bool = True) -> np.ndarray | None:
    """The features that a config means, of every picture in use; shape (pictures, views, features).

    None if some are not known yet and nothing is to be computed.
    """
    transfer = networks.get(config.network).transfer(style=config.style, **config.options)
    return features.of(
        manifest.where(status="ok"),
        config.network,
        size=config.size,
        views=config.views,
        resize_mode=config.resize_mode,
        precision=config.precision,
        compute=compute,
        weights=transfer.weights,
        pooling=transfer.head.pooling,
    )


def learn(config: Config, manifest: Manifest, known: np.ndarray | None = None) -> Learned:
    """Find the head on the train pictures, and its strength on the val pictures.

    With `config.refit`, both are divided into folds, each of which is judged by heads that learn from the others: so
    many more pictures choose a strength closer to the best one. The head is then found from all of them.

    Args:
        config: resolved, one that `suits`.
        manifest: a split manifest.
        known: what `seen` gives for it; None asks for it.

    Raises:
        DatasetError: a class has no picture to learn from.

    >>> learn(Config("mobilenet").resolved(), manifest.load("cars_tanks")).history  # doctest: +SKIP
    """
    table = manifest.where(status="ok").table
    known = seen(config, manifest) if known is None else known
    labels = manifest.class_indices(table["label"])
    train, val = (np.flatnonzero(table["split"] == part) for part in ("train", "val"))
    missing = sorted(set(range(len(manifest.classes))) - set(labels[train]))
    if missing or not len(val):
        lacking = f"none of {manifest.classes[missing[0]]!r} in train" if missing else "none in val"
        raise DatasetError(f"expected pictures of every class to learn from, and some to choose by, got {lacking}")
    used = np.union1d(train, val) if config.refit else train
    parts = (_folds(table, labels, used, config.seed) if config.refit else []) or [(train, val)]
    span, strengths = _Span(known[used]), STRENGTHS if config.C is None else (config.C,)

    def heads(places: np.ndarray, strengths: tuple[float, ...]) -> list[Probe]:
        rows = np.searchsorted(used, places)
        return [probe for _, probe in span.path(rows, labels[places], strengths, config.class_weights)]

    found = [heads(learned, strengths) for learned, _ in parts]
    history = pd.DataFrame({"epoch": range(1, len(strengths) + 1), "C": strengths})
    for prefix, places in (("", [learned for learned, _ in parts]), ("val_", [judged for _, judged in parts])):
        answers, truth = _answers(found, known, places), labels[np.concatenate(places)]
        history[f"{prefix}loss"] = [calibrate.log_loss(shares, truth) for shares in answers]
        history[f"{prefix}accuracy"] = [float((shares.argmax(axis=1) == truth).mean()) for shares in answers]
    best = int(history["val_loss"].argmin())
    chosen = heads(used, (strengths[best],))[0] if config.refit else found[0][best]
    return Learned(chosen, history, best, answers[best], truth)


def _answers(heads: Sequence[Sequence[Probe]], known: np.ndarray, places: Sequence[np.ndarray]) -> np.ndarray:
    """What the heads of each part say of its pictures: shape (strengths, pictures of all parts, classes)."""
    parts = []
    for some, judged in zip(heads, places, strict=True):
        kernel, bias = np.hstack([head.kernel for head in some]), np.hstack([head.bias for head in some])
        scores = known[judged, 0] @ kernel + bias
        parts.append(softmax(scores.reshape(len(judged), len(some), -1), axis=2))
    return np.concatenate(parts).swapaxes(0, 1)


def _folds(table: pd.DataFrame, labels: np.ndarray, used: np.ndarray, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Places to learn from and to judge, in turn until enough are judged; none if a class has too few for that."""
    groups = split.groups(table.iloc[used]).to_numpy()
    if pd.Series(groups).groupby(labels[used]).nunique().min() <= FOLDS:
        return []
    divide = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(used, labels[used], groups)
    parts, judged = [], 0
    for learned, some in divide:
        if judged < ENOUGH and len(np.unique(labels[used[learned]])) == labels.max() + 1:
            parts.append((used[learned], used[some]))
            judged += len(some)
    return parts


def path(
    pictures: np.ndarray, labels: np.ndarray, *, strengths: tuple[float, ...], weighted: bool = True
) -> list[tuple[float, Probe]]:
    """Probes from the most to the least held back, each begun where the one before ended.

    Args:
        pictures: features of shape (n, features), or (n, views, features).
        labels: shape (n,), places of the classes, from 0 without a gap.
        strengths: C of `sklearn.linear_model.LogisticRegression`, above 0, in rising order.
        weighted: weight rare classes up.

    Returns:
        (C, probe) for each.
    """
    return _Span(pictures).path(np.arange(len(pictures)), labels, strengths, weighted)


class _Span:
    """Standardized features in no more columns than tell the pictures apart, and the way back from there.

    Args:
        pictures: see `path`.
    """

    def __init__(self, pictures: np.ndarray):
        flat = pictures.reshape(-1, pictures.shape[-1])
        self.mean = flat.mean(axis=0, dtype=np.float64)
        self.scaled = flat - self.mean.astype(np.float32)
        deviation = np.sqrt(np.square(self.scaled).mean(axis=0)).astype(np.float64)
        deviation[deviation <= 1e-6 * deviation.max()] = np.inf  # what is the same for all pictures says nothing
        self.scaled /= deviation.astype(np.float32)
        self.deviation = deviation
        self.lower = _root(self.scaled) if self.scaled.shape[0] < self.scaled.shape[1] else None
        rows = self.scaled if self.lower is None else self.lower
        self.rows = rows.reshape(len(pictures), -1, rows.shape[1])

    def path(
        self, places: np.ndarray, labels: np.ndarray, strengths: tuple[float, ...], weighted: bool
    ) -> list[tuple[float, Probe]]:
        """See `path`, of the pictures at these places alone."""
        some, views = self.rows[places].reshape(-1, self.rows.shape[2]), self.rows.shape[1]
        model = LogisticRegression(
            max_iter=STEPS, tol=1e-3, warm_start=True, class_weight="balanced" if weighted else None
        )
        found = []
        with threadpool_limits(1):  # many small products are slower with more
            for strength in strengths:
                found.append(_of_all_classes(model.set_params(C=strength).fit(some, np.repeat(labels, views))))
            return list(zip(strengths, self._probes(found), strict=True))

    def _probes(self, found: list[tuple[np.ndarray, np.ndarray]]) -> list[Probe]:
        """The heads on features that answer as these do on rows."""
        kernels = np.hstack([kernel for kernel, _ in found])
        if self.lower is not None:
            kernels = self.scaled.T @ solve_triangular(self.lower, kernels, lower=True, trans="T")
        kernels = kernels.astype(np.float64) / self.deviation[:, None]  # features are taken as they are
        return [
            Probe(kernel.astype(np.float32), (bias - self.mean @ kernel).astype(np.float32))
            for kernel, (_, bias) in zip(np.split(kernels, len(found), axis=1), found, strict=True)
        ]


def _root(scaled: np.ndarray) -> np.ndarray:
    """The same problem in fewer columns: n pictures span n directions only, however many features they have.

    Returns:
        L with L Lᵀ = X Xᵀ, which tells the pictures apart as X does. What is learned of it, w, is Xᵀ L⁻ᵀ w of X, and as
        long as w, so a penalty on the length is the same.
    """
    products = (scaled @ scaled.T).astype(np.float64)
    mean = np.trace(products) / len(scaled) or 1.0  # 0 where no feature tells any pictures apart
    products[np.diag_indices(len(scaled))] += 1e-5 * mean  # or rounding leaves it no root
    return cholesky(products, lower=True).astype(np.float32)


def _of_all_classes(model: LogisticRegression) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias with a column per class; of two, scikit-learn says how much likelier one is."""
    kernel, bias = model.coef_.T.astype(np.float32), model.intercept_.astype(np.float64)
    if kernel.shape[1] == 1:
        return np.hstack([-kernel / 2, kernel / 2]), np.array([-bias[0] / 2, bias[0] / 2])
    return kernel, bias
