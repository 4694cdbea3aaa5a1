"""A linear probe: the head of a network whose backbone does not learn, found from features that are computed once.

One dense layer with a softmax on standardized features is multinomial logistic regression: it has one best solution,
which is found directly instead of epoch by epoch (Alain and Bengio, 2016, arXiv:1610.01644). How strongly it is held
back from learning the pictures by heart is chosen on the validation pictures.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.linalg import cholesky, solve_triangular
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from toolkit import calibrate, features, networks
from toolkit.config import Config
from toolkit.errors import DatasetError
from toolkit.framework import keras
from toolkit.manifest import Manifest

STRENGTHS = tuple(float(f"{10**power:.3g}") for power in np.arange(-4, 0.1, 0.5))  # C of scikit-learn, from strict on
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
        val: probabilities for the validation pictures, by the probe that did not learn from them.
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
    return wanted and networks.linear(config.network, style=config.style, **config.options)


def seen(config: Config, manifest: Manifest, *, compute: bool = True) -> np.ndarray | None:
    """The features that a config means, of every picture in use; shape (pictures, views, features).

    None if some are not known yet and nothing is to be computed.
    """
    given = {"weights": config.options["weights"]} if config.options.get("weights") else {}
    pooling = networks.pooling(config.network, style=config.style, pooling=config.options.get("pooling"))
    return features.of(
        manifest.where(status="ok"),
        config.network,
        size=config.size,
        views=config.views,
        resize_mode=config.resize_mode,
        precision=config.precision,
        compute=compute,
        pooling=pooling,
        **given,
    )


def learn(config: Config, manifest: Manifest, known: np.ndarray | None = None) -> Learned:
    """Find the head on the train pictures, and its strength on the val pictures.

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
    labels = table["label"].map({label: place for place, label in enumerate(manifest.classes)}).to_numpy(np.int64)
    train, val = (np.flatnonzero(table["split"] == part) for part in ("train", "val"))
    missing = sorted(set(range(len(manifest.classes))) - set(labels[train]))
    if missing or not len(val):
        lacking = f"none of {manifest.classes[missing[0]]!r} in train" if missing else "none in val"
        raise DatasetError(f"expected pictures of every class to learn from, and some to choose by, got {lacking}")
    strengths, rows = STRENGTHS if config.C is None else (config.C,), []
    probes = _on(train, known, labels, strengths, config.class_weights)
    for number, (strength, probe) in enumerate(probes, start=1):
        row = {"epoch": number, "C": strength}
        for prefix, part in (("", train), ("val_", val)):
            shares = probe.probabilities(known[part, 0])
            row[f"{prefix}loss"] = calibrate.likelihood(shares, labels[part])
            row[f"{prefix}accuracy"] = float((shares.argmax(axis=1) == labels[part]).mean())
        rows.append((row, probe))
    best = int(np.argmin([row["val_loss"] for row, _ in rows]))
    row, chosen = rows[best]
    answers, history = chosen.probabilities(known[val, 0]), pd.DataFrame([row for row, _ in rows])
    if config.refit:
        ((_, chosen),) = _on(np.concatenate([train, val]), known, labels, (row["C"],), config.class_weights)
    return Learned(chosen, history, best, answers, labels[val])


def _on(
    places: np.ndarray, known: np.ndarray, labels: np.ndarray, strengths: tuple[float, ...], weighted: bool
) -> list[tuple[float, Probe]]:
    """The path over all views of the pictures at these places."""
    pictures, views, width = known[places].shape
    flat = known[places].reshape(pictures * views, width)
    return path(flat, np.repeat(labels[places], views), strengths=strengths, weighted=weighted)


def path(
    pictures: np.ndarray, labels: np.ndarray, *, strengths: tuple[float, ...], weighted: bool = True
) -> list[tuple[float, Probe]]:
    """Probes from the most to the least held back, each begun where the one before ended.

    Args:
        pictures: features of shape (n, features).
        labels: shape (n,), places of the classes, from 0 without a gap.
        strengths: C of `sklearn.linear_model.LogisticRegression`, above 0, in rising order.
        weighted: weight rare classes up.

    Returns:
        (C, probe) for each.
    """
    mean = pictures.mean(axis=0, dtype=np.float64)
    scaled = pictures - mean.astype(np.float32)
    deviation = np.sqrt(np.square(scaled).mean(axis=0)).astype(np.float64)
    deviation[deviation <= 1e-6 * deviation.max()] = np.inf  # what is the same for all pictures says nothing
    scaled /= deviation.astype(np.float32)
    lower, found = _root(scaled) if scaled.shape[0] < scaled.shape[1] else None, []
    with threadpool_limits(1):  # many small products are slower with more
        model = LogisticRegression(
            max_iter=STEPS, tol=1e-3, warm_start=True, class_weight="balanced" if weighted else None
        )
        for strength in strengths:
            model.set_params(C=strength).fit(scaled if lower is None else lower, labels)
            kernel, bias = _of_all_classes(model)
            if lower is not None:
                kernel = scaled.T @ solve_triangular(lower, kernel, lower=True, trans="T")
            kernel = kernel.astype(np.float64) / deviation[:, None]  # features are taken as they are
            found.append((strength, Probe(kernel.astype(np.float32), (bias - mean @ kernel).astype(np.float32))))
    return found


def _root(scaled: np.ndarray) -> np.ndarray:
    """The same problem in fewer columns: n pictures span n directions only, however many features they have.

    Returns:
        L with L Lᵀ = X Xᵀ, which tells the pictures apart as X does. What is learned of it, w, is Xᵀ L⁻ᵀ w of X, and as
        long as w, so a penalty on the length is the same.
    """
    products = (scaled @ scaled.T).astype(np.float64)
    products[np.diag_indices(len(scaled))] += 1e-5 * np.trace(products) / len(scaled)  # or rounding leaves it no root
    return cholesky(products, lower=True).astype(np.float32)


def _of_all_classes(model: LogisticRegression) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias with a column per class; of two, scikit-learn says how much likelier one is."""
    kernel, bias = model.coef_.T.astype(np.float32), model.intercept_.astype(np.float64)
    if kernel.shape[1] == 1:
        return np.hstack([-kernel / 2, kernel / 2]), np.array([-bias[0] / 2, bias[0] / 2])
    return kernel, bias
