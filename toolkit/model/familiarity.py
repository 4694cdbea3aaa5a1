"""Familiarity: how much a picture is like those a network learned from, beside how sure its answer is.

A network has a name for everything, strangers included. Two distances of the features before its last layer tell them:
how far they lie from every class in the directions that tell the classes apart (relative Mahalanobis distance, Ren et
al., 2021, arXiv:2106.09022), which notices a new class of the kind it knows; and how far outside the space that the
features of its own pictures span (Wang et al., 2022, arXiv:2203.10807), which notices pictures of another kind.
"""

import math
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.core import paths
from toolkit.errors import BundleError

if TYPE_CHECKING:
    import keras

FALSE_ALARMS = 0.05  # share of pictures of the kind it learned that may be called unlike anything
FAMILIAR = 0.5  # from which familiarity on a picture is like what was learned
USUAL = 0.9  # familiarity of the median picture that was held out
MOST, NUMBERS, DIRECTIONS = 2048, 225_000, 64  # of features, of all arrays together (0.9 MB), and between the classes
SHARE = 4  # pictures, and features, for each direction of the span, at least
SHRINKAGE = 1e-3  # of covariances towards the same variance in all directions
MOST_BYTES = 4_000_000  # of a file
NEVER = (1e9, 1.0)  # in `usual`: a distance that never counts

Folds = Sequence[tuple[np.ndarray, np.ndarray]]  # indices of the pictures to learn from, and of those held out


@dataclass(frozen=True, eq=False)
class Familiarity:
    """What is needed to tell how familiar the features of a picture are. All arrays are float32.

    Args:
        parts: in which features are laid out, and over which their mean is taken; 1 takes them as they are.
        first: of these means, those from here on are used.
        centre: mean of the features, shape (features,).
        span: main directions of the features, shape (features, k), orthonormal.
        between: from those to the directions that tell the classes apart, shape (k, q); there, classes have variance 1.
        means: of the classes in these directions, shape (classes, q).
        spread: variance of all pictures in them, shape (q,).
        usual: of each of the two distances, its median among pictures held out, and how far above that the largest lie,
            shape (2, 2); `NEVER` for the first where there are two classes: in the one direction that tells those
            apart, what is far from both is a matter of doubt.
        held_out: distances of these pictures joined, shape (n,), in rising order.
        false_alarms: share of such pictures that may be called unlike anything that was learned, above 0 and below 1.
    """

    parts: int
    first: int
    centre: np.ndarray
    span: np.ndarray
    between: np.ndarray
    means: np.ndarray
    spread: np.ndarray
    usual: np.ndarray
    held_out: np.ndarray
    false_alarms: float = FALSE_ALARMS

    @property
    def limit(self) -> float:
        """Distance beyond which a picture is unlike anything that was learned."""
        return float(self.held_out[needed(len(self.held_out), self.false_alarms) - 1])

    @property
    def scale(self) -> float:
        """Distance between two pictures whose log odds of being familiar differ by 1."""
        return max(self.limit - float(np.median(self.held_out)), 1e-3) / math.log(USUAL / (1 - USUAL))

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Familiarity of pictures by their features, shape (n, features): float32 array of shape (n,), 0 to 1."""
        return self._share(self.distances(features), np)

    def distances(self, features: np.ndarray) -> np.ndarray:
        """The two distances joined: float32 array of shape (n,), the less familiar the larger."""
        return _joined(measured(np.asarray(features, np.float32), self, np), self.usual, np)

    def within(self, model: "keras.Model") -> "keras.Model":
        """A network with a second output: the familiarity of each picture, shape (n, 1), from its last features.

        Raises:
            BundleError: they are not those it was learned from.
        """
        from toolkit.core.framework import keras

        features, width = model.layers[-1].input, self.parts * (self.first + len(self.centre))
        if features.shape != (None, width):
            raise BundleError(f"expected features of shape (n, {width}), got {features.shape} of {model.name}")
        ops = keras.ops
        joined = _joined(measured(ops.cast(features, "float32"), self, ops), self.usual, ops)
        share = ops.reshape(self._share(joined, ops), (-1, 1))
        return keras.Model(model.inputs[0], [model.outputs[0], share], name=model.name)

    def _share(self, distance: Any, ops: Any) -> Any:
        """The logistic function of a distance: FAMILIAR at the limit."""
        return (1 + ops.tanh((self.limit - distance) / (2 * self.scale))) / 2


def needed(pictures: int, false_alarms: float) -> int:
    """How many of so many pictures held out must lie below the limit (conformal prediction, Vovk et al., 2005).

    A new picture of their kind then lies above it with at most the given chance. More than there are is none at all.
    """
    return math.ceil((pictures + 1) * (1 - false_alarms))


def fit(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    folds: Folds,
    channels: int = 0,
    first: int = 0,
    false_alarms: float = FALSE_ALARMS,
) -> Familiarity | None:
    """Learn what is familiar from the features of pictures.

    Args:
        features: shape (n, features), the input of a network's last layer.
        labels: shape (n,), indices of the classes, from 0 without a gap.
        folds: each learns from some pictures and measures others, which set the limit. With several, what is given back
            learned from all pictures; with one, from those of it alone, as where the network has learned from them.
        channels: that each place of a picture has in the features, over which they may be averaged; 0 where they have
            no places.
        first: of the channels, those from here on are used: features of the middle of a network tell strangers best.
        false_alarms: see `Familiarity`.

    Returns:
        None where fewer pictures are held out than such a promise needs: 19 for 0.05.

    Raises:
        ValueError: false_alarms out of range.
    """
    if not 0 < false_alarms < 1:
        raise ValueError(f"expected false_alarms above 0 and below 1, got {false_alarms}")
    count = sum(len(held) for _, held in folds)
    if needed(count, false_alarms) > count:
        return None
    layout = _layout(features.shape[1], channels, first)
    distances = []
    for learned, held in folds:
        of_fold = _learned(features[learned], labels[learned], layout, false_alarms)
        distances.append(measured(features[held].astype(np.float32), of_fold, np))
    known = of_fold if len(folds) == 1 else _learned(features, labels, layout, false_alarms)
    both = np.concatenate(distances, axis=1)
    middle, high = np.percentile(both, (50, 100 * (1 - false_alarms)), axis=1)
    usual = np.stack([middle, np.maximum(high - middle, 1e-6)], axis=1).astype(np.float32)
    if len(known.means) == 2:
        usual[0] = NEVER
    return replace(known, usual=usual, held_out=np.sort(_joined(both, usual, np)))


def save(known: Familiarity, file: Path) -> None:
    """Write it as arrays, which hold no code."""
    with paths.atomic_write(file) as temporary, temporary.open("wb") as opened:
        np.savez_compressed(opened, **asdict(known))


def load(file: Path) -> Familiarity:
    """Read what `save` wrote.

    Raises:
        BundleError: it is damaged, or too large to be that.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
                raise ValueError(f"more than {MOST_BYTES:,} bytes")
        with np.load(file, allow_pickle=False) as stored:
            values = dict(stored)
        arrays = {name: values.pop(name).astype(np.float32) for name in ARRAYS}
        known = Familiarity(
            parts=int(values["parts"]), first=int(values["first"]), false_alarms=float(values["false_alarms"]), **arrays
        )
        _check(known)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise BundleError(f"{file} is damaged ({error}); train the run again (--overwrite)") from error
    return known


ARRAYS = ("centre", "span", "between", "means", "spread", "usual", "held_out")


def _check(known: Familiarity) -> None:
    """Raise ValueError unless the arrays fit each other, and hold numbers alone."""
    (width, k), (classes, q) = known.span.shape, known.means.shape
    shapes = {"centre": (width,), "between": (k, q), "spread": (q,), "usual": (2, 2)}
    shapes |= {"held_out": (max(len(known.held_out), needed(len(known.held_out), known.false_alarms)),)}
    wrong = [name for name, shape in shapes.items() if getattr(known, name).shape != shape]
    wrong += [name for name in ARRAYS if not np.isfinite(getattr(known, name)).all()]
    if wrong or known.parts < 1 or known.first < 0 or not 0 < known.false_alarms < 1:
        raise ValueError(f"its {wrong[0] if wrong else 'numbers'} do not fit {width} features and {classes} classes")


def _layout(width: int, channels: int, first: int) -> tuple[int, int]:
    """In how many parts features lie, so that few enough are left when these are averaged; and the first to use."""
    if channels and width % channels == 0 and (width > MOST or first):
        return width // channels, first
    return next(parts for parts in range(1, width + 1) if width % parts == 0 and width // parts <= MOST), 0


def _unit(features: Any, layout: tuple[int, int], ops: Any) -> Any:
    """Features averaged over their parts, as vectors of length 1."""
    parts, first = layout
    averaged = ops.mean(ops.reshape(features, (-1, parts, features.shape[1] // parts)), axis=1)[:, first:]
    return averaged / ops.sqrt(ops.sum(averaged * averaged, axis=1, keepdims=True) + 1e-12)


def _learned(features: np.ndarray, labels: np.ndarray, layout: tuple[int, int], false_alarms: float) -> Familiarity:
    """The span of features and their classes; the distances of pictures held out come later."""
    vectors = _unit(features.astype(np.float64), layout, np)
    centre = vectors.mean(axis=0)
    classes = int(labels.max()) + 1
    span = _span(vectors - centre, classes)
    along = (vectors - centre) @ span
    centres = np.stack([along[labels == index].mean(axis=0) for index in range(classes)])
    around = along - centres[labels]
    between = _between(_covariance(around), _covariance(along), min(classes - 1, DIRECTIONS))
    told = along @ between
    arrays = {
        "centre": centre,
        "span": span,
        "between": between,
        "means": centres @ between,
        "spread": np.square(told).mean(axis=0),
        "usual": np.zeros((2, 2)),
        "held_out": np.zeros(0),
    }
    in_float32 = {name: values.astype(np.float32) for name, values in arrays.items()}
    return Familiarity(parts=layout[0], first=layout[1], false_alarms=false_alarms, **in_float32)


def _span(centred: np.ndarray, classes: int) -> np.ndarray:
    """Principal directions of features, as many as pictures and room allow: shape (features, k), orthonormal."""
    from sklearn.utils.extmath import randomized_svd

    pictures, width = centred.shape
    room = NUMBERS // (width + min(classes, DIRECTIONS))
    count = max(1, min(pictures // SHARE, width // SHARE, room))
    return randomized_svd(centred, count, random_state=0)[2].T


def _between(within: np.ndarray, total: np.ndarray, count: int) -> np.ndarray:
    """Linear discriminant directions: those in which the variance of all is the largest beside that of a class."""
    from scipy.linalg import eigh

    share = np.trace(within) / len(within) or 1.0  # 0 where a class is one picture again and again
    return eigh(total, within + SHRINKAGE * share * np.eye(len(within)))[1][:, ::-1][:, :count]


def _joined(distances: Any, usual: np.ndarray, ops: Any) -> Any:
    """The larger of the two distances, each by the place it has among those of pictures held out."""
    (first, span), (other, reach) = usual
    beyond = (distances[1] - other) / reach
    return beyond if first >= NEVER[0] else ops.maximum((distances[0] - first) / span, beyond)


def _covariance(rows: np.ndarray) -> np.ndarray:
    return rows.T @ rows / len(rows)


def measured(features: Any, known: Familiarity, ops: Any = np) -> tuple[Any, Any]:
    """The two distances of each picture: from the classes, beside that from all; and outside the span."""
    centred = _unit(features, (known.parts, known.first), ops) - known.centre
    along = ops.matmul(centred, known.span)
    beyond = ops.sum(centred * centred, axis=1) - ops.sum(along * along, axis=1)
    told = ops.matmul(along, known.between)
    products = ops.sum(told * told, axis=1, keepdims=True) - 2 * ops.matmul(told, known.means.T)
    own = ops.min(products + (known.means**2).sum(axis=1), axis=1)
    return own - ops.sum(told * told / known.spread, axis=1), ops.sqrt(ops.maximum(beyond, 1e-12))
