"""Make probabilities mean what they say: of all answers given with 90 %, nine in ten should be right.

Networks are surer than they are right. One number, the temperature, mends most of it: probabilities become
softmax(logits / T), which changes how sure an answer is but never which one it is (Guo et al., 2017, arXiv:1706.04599).
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

if TYPE_CHECKING:
    import keras

SMALLEST = 1e-12  # probability; float32 has no logarithm for less
BINS = 15
RANGE = (0.05, 20.0)  # of temperatures


def temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The temperature at which the labels are likeliest.

    Pictures that are all named right would ask for endless sureness, so the labels are held to be right in n + 1 of
    n + 2 cases, as Platt (1999) did.

    Args:
        probabilities: shape (n, classes), of pictures the network did not learn from.
        labels: shape (n,), places of the true classes.

    Returns:
        T, from 0.05 to 20; above 1 if the network was too sure, below if it was not sure enough.

    >>> temperature(np.array([[0.99, 0.01]] * 4), np.array([0, 0, 0, 1])) > 1
    True
    """
    _check(probabilities, labels)
    logits = np.log(np.clip(probabilities.astype(np.float64), SMALLEST, 1))
    count, classes = logits.shape
    doubt = 1 / (count + 2)
    targets = np.eye(classes)[labels] * (1 - doubt - doubt / (classes - 1)) + doubt / (classes - 1)

    def loss(log_temperature: float) -> float:
        return -(targets * log_softmax(logits / np.exp(log_temperature), axis=1)).sum() / count

    return float(np.exp(minimize_scalar(loss, bounds=np.log(RANGE), method="bounded", options={"xatol": 1e-6}).x))


def scaled(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """The probabilities at another temperature, above 0; 1 leaves them as they are."""
    if temperature <= 0:
        raise ValueError(f"expected a temperature above 0, got {temperature}")
    return softmax(np.log(np.clip(probabilities, SMALLEST, 1)) / temperature, axis=1)


def fold(model: "keras.Model", temperature: float) -> None:
    """Divide the weights of the last layer by the temperature, so that whoever uses the model gets it right.

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
    """How often the answers given with about the same probability are right.

    Args:
        probabilities: shape (n, classes).
        labels: shape (n,), places of the true classes.
        bins: at least 1.
        equal: "width", bins from 0 to 1 in equal steps, what lies on an edge in the upper one; "mass", as many answers
            in each.

    Returns:
        A row per bin that holds answers: `sure` (mean probability), `right` (share), `answers` (number).
    """
    _check(probabilities, labels)
    if bins < 1 or equal not in ("width", "mass"):
        raise ValueError(f"expected at least 1 bin of equal width or mass, got {bins} of equal {equal!r}")
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    if equal == "width":
        places = np.digitize(sure, np.linspace(0, 1, bins + 1)[1:-1])
    else:
        places = np.empty(len(sure), int)
        places[np.argsort(sure, kind="stable")] = np.arange(len(sure)) * bins // len(sure)
    table = pd.DataFrame({"bin": places, "sure": sure, "right": right}).groupby("bin")
    return table.agg(sure=("sure", "mean"), right=("right", "mean"), answers=("right", "size")).reset_index(drop=True)


def error(probabilities: np.ndarray, labels: np.ndarray, *, bins: int = BINS, equal: str = "width") -> float:
    """Expected calibration error: the mean distance from an answer's probability to how often such answers are right.

    Naeini et al. (2015); of the likeliest class, as Guo et al. (2017) have it, and the figure that netcal gives for it.

    Args:
        probabilities, labels, bins, equal: see `reliability`.

    Returns:
        0 to 1; with a few hundred pictures, a perfect model still shows some hundredths.

    >>> round(error(np.array([[0.8, 0.2]] * 10), np.array([0] * 7 + [1] * 3)), 2)
    0.1
    """
    table = reliability(probabilities, labels, bins=bins, equal=equal)
    return float(((table["sure"] - table["right"]).abs() * table["answers"]).sum() / len(labels))


def likelihood(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean negative log-likelihood of the true classes: 0 for a model that is always right and always sure."""
    _check(probabilities, labels)
    return float(-np.log(np.clip(probabilities[np.arange(len(labels)), labels], SMALLEST, 1)).mean())


def _check(probabilities: np.ndarray, labels: np.ndarray) -> None:
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not len(labels):
        raise ValueError(
            f"expected probabilities of shape (n, classes) and n labels, got {probabilities.shape} and {labels.shape}"
        )
