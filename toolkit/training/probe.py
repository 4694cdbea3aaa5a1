"""Linear probe: the head of a network with a frozen backbone, fitted on features that are computed once.

One dense layer with a softmax on standardized features is multinomial logistic regression: it has one best solution,
which is found directly instead of epoch by epoch (Alain and Bengio, 2016, arXiv:1610.01644). C, the inverse of its
regularization strength, is chosen on the validation pictures.
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
from toolkit.core import paths
from toolkit.core.framework import keras
from toolkit.dataset import split
from toolkit.dataset.manifest import Manifest
from toolkit.errors import DatasetError
from toolkit.model import calibrate
from toolkit.training import features
from toolkit.training.config import Config

CS = tuple(float(f"{10**power:.3g}") for power in np.arange(-4, 0.1, 0.5))  # the strongest regularization first
FOLDS = 5  # of train and val together, where a head is refit
ENOUGH = 1000  # pictures to choose C by
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

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """For features of shape (n, features): float32 array of shape (n, classes); rows sum to 1."""
        return softmax(features @ self.kernel + self.bias, axis=1)

    def copy_into(self, model: keras.Model) -> None:
        """Set the weights of the last layer of a network with the same backbone, which then answers as the probe."""
        model.layers[-1].set_weights([self.kernel, self.bias])


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


def features_for(config: Config, manifest: Manifest, *, compute: bool = True) -> np.ndarray | None:
    """Cached features of every labelled picture in use, at the size, views and weights of a config.

    Args:
        config: one that `is_linear_probe`.
        manifest: a split manifest.
        compute: False only looks them up.

    Returns:
        float32 array of shape (pictures, views, features); None if some are missing and not to be computed.
    """
    transfer = networks.get(config.network).transfer(style=config.style, **config.options)
    return features.of(
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


def learn(config: Config, manifest: Manifest, cached: np.ndarray | None = None) -> ProbeFit:
    """Fit a linear probe on the train pictures, and choose its C on the val pictures.

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
    Cs = CS if config.C is None else (config.C,)
    solver = Solver(vectors[used])

    def fit(indices: np.ndarray, Cs: tuple[float, ...]) -> list[Probe]:
        return solver.path(np.searchsorted(used, indices), labels[indices], Cs, config.class_weights)

    # a probe per fold and C, and what each says of the pictures it was fitted on and of those that were held out
    probes = [fit(learned, Cs) for learned, _ in folds]
    fitted_on, held_out = zip(*folds, strict=True)
    train_answers, val_answers = _answers(probes, vectors, fitted_on), _answers(probes, vectors, held_out)
    train_labels, val_labels = labels[np.concatenate(fitted_on)], labels[np.concatenate(held_out)]

    history = pd.DataFrame({"epoch": range(1, len(Cs) + 1), "C": Cs})
    history = history.assign(**_scores("", train_answers, train_labels), **_scores("val_", val_answers, val_labels))
    best = int(history["val_loss"].argmin())
    chosen = fit(used, (Cs[best],))[0] if config.refit else probes[0][best]
    return ProbeFit(chosen, history, best, val_answers[best], val_labels)


def check_classes(manifest: Manifest) -> None:
    """Raise DatasetError unless every class has pictures to learn from, and there are some to choose by."""
    missing = split.missing_classes(manifest, "train")
    if missing or not len(manifest.where(split="val", status="ok")):
        lacking = f"none of {missing[0]!r} in train" if missing else "none in val"
        raise DatasetError(
            f"expected pictures of every class to learn from, and some to choose by, got {lacking}; add pictures, and "
            f"run `toolkit split {paths.dataset_name(manifest.root)} --again`"
        )


def _scores(prefix: str, answers: np.ndarray, labels: np.ndarray) -> dict[str, list[float]]:
    """Loss and accuracy for each C, of answers of shape (Cs, pictures, classes)."""
    return {
        f"{prefix}loss": [calibrate.log_loss(shares, labels) for shares in answers],
        f"{prefix}accuracy": [float((shares.argmax(axis=1) == labels).mean()) for shares in answers],
    }


def _answers(probes: Sequence[Sequence[Probe]], vectors: np.ndarray, folds: Sequence[np.ndarray]) -> np.ndarray:
    """Probabilities for the pictures of each fold by the probes of that fold: (Cs, pictures of all folds, classes)."""
    answers = []
    for of_fold, indices in zip(probes, folds, strict=True):
        kernel, bias = np.hstack([probe.kernel for probe in of_fold]), np.hstack([probe.bias for probe in of_fold])
        scores = vectors[indices, 0] @ kernel + bias
        answers.append(softmax(scores.reshape(len(indices), len(of_fold), -1), axis=2))
    return np.concatenate(answers).swapaxes(0, 1)


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
    divide = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(used, labels[used], groups)
    folds: list[tuple[np.ndarray, np.ndarray]] = []
    count = 0
    for learned, held_out in divide:
        if count < ENOUGH and len(np.unique(labels[used[learned]])) == labels.max() + 1:
            folds.append((used[learned], used[held_out]))
            count += len(held_out)
    return folds


def regularization_path(
    vectors: np.ndarray, labels: np.ndarray, *, Cs: tuple[float, ...], weighted: bool = True
) -> list[tuple[float, Probe]]:
    """Regularization path: a probe per C, from the strongest regularization on, each begun where the last one ended.

    Args:
        vectors: features of shape (n, features), or (n, views, features).
        labels: shape (n,), indices of the classes, from 0 without a gap.
        Cs: as of `sklearn.linear_model.LogisticRegression`, above 0, in rising order.
        weighted: weight rare classes up.

    Returns:
        (C, probe) for each.
    """
    return list(zip(Cs, Solver(vectors).path(np.arange(len(vectors)), labels, Cs, weighted), strict=True))


def logistic(weighted: bool) -> LogisticRegression:
    """Logistic regression as it is fitted here; fitted again, it goes on from where it ended."""
    return LogisticRegression(max_iter=STEPS, tol=1e-3, warm_start=True, class_weight="balanced" if weighted else None)


class Solver:
    """Logistic regression on standardized features, in no more columns than there are pictures.

    Args:
        vectors: see `regularization_path`.
    """

    def __init__(self, vectors: np.ndarray):
        flat = vectors.reshape(-1, vectors.shape[-1])
        self.mean = flat.mean(axis=0, dtype=np.float64)
        self.scaled = flat - self.mean.astype(np.float32)
        deviation = np.sqrt(np.square(self.scaled).mean(axis=0)).astype(np.float64)
        deviation[deviation <= 1e-6 * deviation.max()] = np.inf  # what is the same for all pictures says nothing
        self.scaled /= deviation.astype(np.float32)
        self.deviation = deviation
        self.lower = _root(self.scaled) if self.scaled.shape[0] < self.scaled.shape[1] else None
        rows = self.scaled if self.lower is None else self.lower
        self.rows = rows.reshape(len(vectors), -1, rows.shape[1])

    def path(self, indices: np.ndarray, labels: np.ndarray, Cs: tuple[float, ...], weighted: bool) -> list[Probe]:
        """See `regularization_path`, of the pictures at these indices alone."""
        with threadpool_limits(1):  # many small products are slower with more
            return self._probes(self._solutions(indices, labels, Cs, weighted))

    def answers(
        self, indices: np.ndarray, labels: np.ndarray, asked: np.ndarray, *, Cs: tuple[float, ...], weighted: bool
    ) -> np.ndarray:
        """What the probes of `path` say of the pictures at `asked`, in their first view, without making the probes.

        Returns:
            Probabilities of shape (Cs, asked, classes).
        """
        with threadpool_limits(1):
            solutions = self._solutions(indices, labels, Cs, weighted)
            scores = [self.rows[asked, 0] @ kernel + bias for kernel, bias in solutions]
        return softmax(np.stack(scores), axis=2)

    def _solutions(
        self, indices: np.ndarray, labels: np.ndarray, Cs: tuple[float, ...], weighted: bool
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Kernel and bias on the rows for each C, each begun where the last one ended."""
        rows, views = self.rows[indices].reshape(-1, self.rows.shape[2]), self.rows.shape[1]
        model = logistic(weighted)
        return [_of_all_classes(model.set_params(C=C).fit(rows, np.repeat(labels, views))) for C in Cs]

    def _probes(self, solutions: list[tuple[np.ndarray, np.ndarray]]) -> list[Probe]:
        """The probes on features that answer as these kernels and biases do on rows."""
        kernels = np.hstack([kernel for kernel, _ in solutions])
        if self.lower is not None:
            kernels = self.scaled.T @ solve_triangular(self.lower, kernels, lower=True, trans="T")
        kernels = kernels.astype(np.float64) / self.deviation[:, None]  # features are taken as they are
        return [
            Probe(kernel.astype(np.float32), (bias - self.mean @ kernel).astype(np.float32))
            for kernel, (_, bias) in zip(np.split(kernels, len(solutions), axis=1), solutions, strict=True)
        ]


def _root(scaled: np.ndarray) -> np.ndarray:
    """Cholesky factor: the same problem in fewer columns, for n pictures span n directions only.

    Returns:
        L with L Lᵀ = X Xᵀ, which tells the pictures apart as X does. Weights w on L are Xᵀ L⁻ᵀ w on X, of the same
        norm, so the penalty is the same.
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
