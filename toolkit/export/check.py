"""Accuracy, agreement and latency of an exported model beside those of the original, on the same test pictures."""

import math
import time
from dataclasses import dataclass, replace

import numpy as np

from toolkit.dataset.manifest import Manifest, class_indices
from toolkit.errors import DatasetError
from toolkit.images.opening import prepare_all
from toolkit.model.classifier import Classifier, Outputs
from toolkit.model.familiarity import FAMILIAR

TIMED = 40  # pictures, one at a time, at most
SUM = 0.02  # tolerance of the sum of probabilities in 8 bits
VERDICTS = 0.98  # share of the pictures that must be called familiar, or not, as the original does
ROUNDING = 1e-9  # 1 - 0.995 is a little more than 0.005


@dataclass(frozen=True)
class Figures:
    """Accuracy and latency of a model on some pictures.

    Args:
        accuracy: share of the answers that are right, 0 to 1.
        agreement: share of the answers that are the original's, 0 to 1.
        difference: largest difference of two probabilities of the same class and picture.
        milliseconds: median latency of one picture, from pixels to probabilities.
        familiarity: largest difference of the familiarity of a picture; nan where the model tells of none.
        verdicts: share of the pictures that are called familiar, or not, as the original does; nan likewise.
    """

    accuracy: float
    agreement: float
    difference: float
    milliseconds: float
    familiarity: float = math.nan
    verdicts: float = math.nan


def draw(
    trained: Classifier, manifest: Manifest, *, split: str, count: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """A sample of the pictures of a split, prepared for the network, and their class indices.

    Args:
        trained: the network.
        manifest: the dataset it was trained on.
        split: whose pictures.
        count: of the sample, at most.
        seed: any integer; the same one draws the same.

    Returns:
        uint8 array of shape (n, size, size, 3), and int array of shape (n,).

    Raises:
        DatasetError: there are none, or one is damaged.
    """
    chosen = manifest.where(split=split, status="ok")
    if not len(chosen):
        raise DatasetError(f"expected pictures in the split {split!r} of {manifest.name}, got none; run split first")
    sample = np.sort(np.random.default_rng(seed).permutation(len(chosen))[:count])
    files = [chosen.files[index] for index in sample]
    pictures = prepare_all(trained.prepare, files, advice="run verify --again", description=f"open {split}")
    return np.stack(list(pictures)), class_indices(chosen.table["label"], trained.classes)[sample]


def measure(
    model: Classifier, pictures: np.ndarray, labels: np.ndarray, *, expected: Outputs | None = None
) -> tuple[Figures, Outputs]:
    """Compare the outputs of a model with the labels, and with those of the original.

    Args:
        model: the original, or an exported one.
        pictures: shape (n, size, size, 3).
        labels: true class indices, shape (n,).
        expected: of the original; None for the original itself.

    Returns:
        The figures and the outputs.
    """
    outputs = model.ask(pictures)
    expected = outputs if expected is None else expected
    predicted = outputs.probabilities.argmax(axis=1)
    figures = Figures(
        accuracy=float((predicted == labels).mean()),
        agreement=float((predicted == expected.probabilities.argmax(axis=1)).mean()),
        difference=float(np.abs(outputs.probabilities - expected.probabilities).max()),
        milliseconds=milliseconds(model, pictures),
    )
    own, other = outputs.familiarity, expected.familiarity
    if own is not None and other is not None:
        same = (own >= FAMILIAR) == (other >= FAMILIAR)
        figures = replace(figures, familiarity=float(np.abs(own - other).max()), verdicts=float(same.mean()))
    return figures, outputs


def milliseconds(model: Classifier, pictures: np.ndarray) -> float:
    """Median latency of one picture, after a first one that is not timed."""
    model.ask(pictures[:1])
    times = []
    for index in range(min(TIMED, len(pictures))):
        started = time.perf_counter()
        model.ask(pictures[index : index + 1])
        times.append(1000 * (time.perf_counter() - started))
    return float(np.median(times))


def tells_strangers(figures: Figures) -> bool:
    """Whether a model that has a second output calls nearly all pictures familiar, or not, as the original does."""
    return not figures.verdicts < VERDICTS  # nan where it has none


def objection(figures: Figures, probabilities: np.ndarray, *, original: Figures, max_loss: float) -> str:
    """Why a model must not replace the original; "" if it may.

    Args:
        figures: of the model.
        probabilities: of the model, shape (n, classes).
        original: figures of the original.
        max_loss: accuracy that it may lose, 0 to 1.
    """
    if not np.isfinite(probabilities).all() or np.abs(probabilities.sum(axis=1) - 1).max() > SUM:
        return "what it gives are no probabilities"
    loss = original.accuracy - figures.accuracy
    if loss <= max_loss + ROUNDING:
        return ""
    reason = (
        f"{figures.accuracy:.1%} right, the original {original.accuracy:.1%}; more than {max_loss:.1%} may not be lost"
    )
    share = np.bincount(probabilities.argmax(axis=1)).max() / len(probabilities)
    return f"it collapsed, and gives {share:.0%} of all pictures one name: {reason}" if share > 0.95 else reason
