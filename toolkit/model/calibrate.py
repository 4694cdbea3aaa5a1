"""Calibration: of all answers given with a probability of 90 %, nine in ten should be right.

Networks are overconfident. Temperature scaling mends most of it: probabilities become softmax(logits / T), which
changes how confident an answer is but never which class it names (Guo et al., 2017, arXiv:1706.04599).
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

if TYPE_CHECKING:
    import keras

SMALLEST = 1e-12  # probability of which a logarithm is taken; a softmax in float32 may give 0
BINS = 15
RANGE = (0.05, 20.0)  # of temperatures


def temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Temperature T with the lowest log loss.

    For a model that names all pictures right, the best T would be 0. So the targets are smoothed as Platt (1999) did:
    the true class gets the probability (n + 1) / (n + 2).

    Args:
        probabilities: shape (n, classes), of pictures the network did not learn from.
        labels: shape (n,), indices of the true classes.

    Returns:
        T, from 0.05 to 20; above 1 if the network was overconfident, below 1 if it was underconfident.

    >>> temperature(np.array([[0.99, 0.01]] * 4), np.array([0, 0, 0, 1])) > 1
    True
    """
    _check(probabilities, labels)
    logits = np.log(np.clip(probabilities.astype(np.float64), SMALLEST, 1))
    count, classes = logits.shape
    smoothing = 1 / (count + 2)
    targets = np.eye(classes)[labels] * (1 - smoothing - smoothing / (classes - 1)) + smoothing / (classes - 1)

    def loss(log_temperature: float) -> float:
        return -(targets * log_softmax(logits / np.exp(log_temperature), axis=1)).sum() / count

    return float(np.exp(minimize_scalar(loss, bounds=np.log(RANGE), method="bounded", options={"xatol": 1e-6}).x))


def rescale(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities at another temperature, above 0; 1 leaves them as they are.

    Raises:
        ValueError: the temperature is 0 or below.
    """
    if temperature <= 0:
        raise ValueError(f"expected a temperature above 0, got {temperature}")
    return softmax(np.log(np.clip(probabilities, SMALLEST, 1)) / temperature, axis=1)


def apply_temperature(model: "keras.Model", temperature: float) -> None:
    """Divide the weights of the last layer by the temperature, so that the model itself gives calibrated answers.

    Args:
        model: ends in a dense layer with a softmax.
        temperature: above 0.

    Raises:
        ValueError: it ends in something else.
    """
    last = model.layers[-1]
    if not hasattr(last, "kernel") or getattr(last.activation, "__name__", "") != "softmax" or temperature <= 0:
        raise ValueError(f"expected a dense layer with a softmax at the end and a temperature above 0, got {last.name}")
    last.set_weights([weight / np.float32(temperature) for weight in last.get_weights()])


def reliability(
    probabilities: np.ndarray, labels: np.ndarray, *, bins: int = BINS, equal: str = "width"
) -> pd.DataFrame:
    """Reliability diagram as a table: accuracy of the answers given with about the same confidence.

    Args:
        probabilities: shape (n, classes).
        labels: shape (n,), indices of the true classes.
        bins: at least 1.
        equal: "width", bins from 0 to 1 in equal steps, what lies on an edge in the upper one; "mass", as many answers
            in each.

    Returns:
        A row per bin that holds answers: `confidence` (mean probability of the named class), `accuracy`, and `answers`
        (how many).
    """
    _check(probabilities, labels)
    if bins < 1 or equal not in ("width", "mass"):
        raise ValueError(f"expected at least 1 bin of equal width or mass, got {bins} of equal {equal!r}")
    confidence = probabilities.max(axis=1)
    if equal == "width":
        bin_of = np.digitize(confidence, np.linspace(0, 1, bins + 1)[1:-1])
    else:
        bin_of = np.empty(len(confidence), int)
        bin_of[np.argsort(confidence, kind="stable")] = np.arange(len(confidence)) * bins // len(confidence)
    right = probabilities.argmax(axis=1) == labels
    table = pd.DataFrame({"bin": bin_of, "confidence": confidence, "right": right}).groupby("bin")
    columns = {"confidence": ("confidence", "mean"), "accuracy": ("right", "mean"), "answers": ("right", "size")}
    return table.agg(**columns).reset_index(drop=True)


def expected_calibration_error(
    probabilities: np.ndarray, labels: np.ndarray, *, bins: int = BINS, equal: str = "width"
) -> float:
    """Expected calibration error (ECE): the mean distance between the confidence and the accuracy of the answers.

    Naeini et al. (2015); of the likeliest class, as Guo et al. (2017) have it, and the figure that netcal gives for it.

    Args:
        probabilities, labels, bins, equal: see `reliability`.

    Returns:
        0 to 1; with a few hundred pictures, a perfect model still shows some hundredths.

    >>> round(expected_calibration_error(np.array([[0.8, 0.2]] * 10), np.array([0] * 7 + [1] * 3)), 2)
    0.1
    """
    table = reliability(probabilities, labels, bins=bins, equal=equal)
    gaps = (table["confidence"] - table["accuracy"]).abs()
    return float((gaps * table["answers"]).sum() / len(labels))


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Log loss (cross-entropy): mean of -log of the probability of the true class, in nats.

    As `sklearn.metrics.log_loss`, which would cut float32 probabilities off at 1e-7 already.

    Args:
        probabilities: shape (n, classes).
        labels: shape (n,), indices of the true classes.

    Returns:
        0 for perfect answers, log(classes) for guessing, at most 27.6: what is below 1e-12 counts as 1e-12.

    >>> round(log_loss(np.array([[0.5, 0.5], [0.2, 0.8]]), np.array([0, 1])), 3)
    0.458
    """
    _check(probabilities, labels)
    of_truth = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.clip(of_truth, SMALLEST, 1)).mean())


def _check(probabilities: np.ndarray, labels: np.ndarray) -> None:
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not len(labels):
        raise ValueError(
            f"expected probabilities of shape (n, classes) and n labels, got {probabilities.shape} and {labels.shape}"
        )
