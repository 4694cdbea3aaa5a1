"""What an exported model is worth beside the one it was made from, on the same pictures."""

import time
from dataclasses import asdict, dataclass

import numpy as np

from toolkit.core import parallel
from toolkit.dataset.manifest import Manifest
from toolkit.errors import DatasetError
from toolkit.model.classifier import Classifier

TIMED = 40  # pictures, one at a time
SUM = 0.02  # by which probabilities of 8 bits may add up to more or less than 1
ROUNDING = 1e-9  # 1 - 0.995 is a little more than 0.005


@dataclass(frozen=True)
class Figures:
    """How a model does on some pictures.

    Args:
        accuracy: share named right.
        agreement: share named as the original names them.
        difference: largest between two probabilities of the same class and picture.
        milliseconds: median time for one picture, from pixels to probabilities.
    """

    accuracy: float
    agreement: float
    difference: float
    milliseconds: float

    def as_dict(self) -> dict[str, float]:
        """All of it by name."""
        return asdict(self)


def draw(
    trained: Classifier, manifest: Manifest, *, split: str, count: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of a split as the network sees them, and the places of their classes.

    Args:
        trained: the network.
        manifest: the dataset it was trained on.
        split: whose pictures.
        count: how many at most; of more, as many are drawn.
        seed: any integer; the same one draws the same.

    Returns:
        uint8 array of shape (n, size, size, 3), and int array of shape (n,).

    Raises:
        DatasetError: there are none, or one is damaged.
    """
    chosen = manifest.where(split=split, status="ok")
    if not len(chosen):
        raise DatasetError(f"expected pictures in the split {split!r} of {manifest.name}, got none; run split first")
    places = np.sort(np.random.default_rng(seed).permutation(len(chosen))[:count])
    files = [chosen.files[place] for place in places]
    pictures = list(parallel.map(trained.prepare, files, description=f"open {split}"))
    for file, picture in zip(files, pictures, strict=True):
        if isinstance(picture, parallel.Failure):
            raise DatasetError(f"{file} is damaged ({picture.reason}); run verify --again")
    labels = chosen.table["label"].map({name: place for place, name in enumerate(trained.classes)})
    return np.stack(pictures), labels.to_numpy(np.int64)[places]


def measure(
    model: Classifier, pictures: np.ndarray, labels: np.ndarray, *, expected: np.ndarray | None = None
) -> tuple[Figures, np.ndarray]:
    """Ask a model about pictures.

    Args:
        model: what is asked.
        pictures: shape (n, size, size, 3).
        labels: shape (n,), places of the true classes.
        expected: probabilities that the original gives, shape (n, classes); None for the original itself.

    Returns:
        The figures and the probabilities.
    """
    found = model.probabilities(pictures)
    expected = found if expected is None else expected
    named = found.argmax(axis=1)
    agreement, difference = (named == expected.argmax(axis=1)).mean(), np.abs(found - expected).max()
    time_taken = milliseconds(model, pictures)
    return Figures(float((named == labels).mean()), float(agreement), float(difference), time_taken), found


def milliseconds(model: Classifier, pictures: np.ndarray) -> float:
    """Median time for one picture, after a first one that does not count."""
    model.probabilities(pictures[:1])
    times = []
    for place in range(min(TIMED, len(pictures))):
        started = time.perf_counter()
        model.probabilities(pictures[place : place + 1])
        times.append(1000 * (time.perf_counter() - started))
    return float(np.median(times))


def objection(figures: Figures, found: np.ndarray, *, original: Figures, max_loss: float) -> str:
    """Why a model is not fit to be used in place of the original; "" if it is.

    Args:
        figures: of the model.
        found: its probabilities, shape (n, classes).
        original: figures of the original.
        max_loss: share of the pictures by which it may be right less often, 0 to 1.
    """
    if not np.isfinite(found).all() or np.abs(found.sum(axis=1) - 1).max() > SUM:
        return "what it gives are no probabilities"
    loss = original.accuracy - figures.accuracy
    if loss <= max_loss + ROUNDING:
        return ""
    reason = (
        f"{figures.accuracy:.1%} right, the original {original.accuracy:.1%}; more than {max_loss:.1%} may not be lost"
    )
    share = np.bincount(found.argmax(axis=1)).max() / len(found)
    return f"it collapsed, and gives {share:.0%} of all pictures one name: {reason}" if share > 0.95 else reason
