"""Uncertainty: how much a model's answers differ when it is asked several times, each time a little differently.

Two ways. MC dropout (Gal and Ghahramani, 2016, arXiv:1506.02142) keeps dropout on while predicting. Test-time
augmentation shows several views of the picture: mirrored, and cropped. An answer that stays the same can be relied on
further than one that does not.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from toolkit.model.classifier import Classifier

if TYPE_CHECKING:
    import keras

CROP = 0.9  # of the side


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers of a model that was asked several times.

    Args:
        each: shape (times, n, classes), the probabilities of every time.
    """

    each: np.ndarray

    @property
    def probabilities(self) -> np.ndarray:
        """Mean over the times, shape (n, classes)."""
        return self.each.mean(axis=0)

    @property
    def entropy(self) -> np.ndarray:
        """Predictive entropy, of that mean: shape (n,), in bits; 0 for a certain answer, log2(classes) for a guess."""
        return entropy(self.probabilities)

    @property
    def disagreement(self) -> np.ndarray:
        """Mutual information: the part of the entropy that comes from different answers; shape (n,), in bits."""
        return np.maximum(0, self.entropy - entropy(self.each).mean(axis=0))


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Entropy in bits over the last axis.

    >>> entropy(np.array([[0.5, 0.5], [1.0, 0.0]])).tolist()
    [1.0, 0.0]
    """
    logarithms = np.log2(probabilities, where=probabilities > 0, out=np.zeros_like(probabilities, dtype=np.float64))
    return -(probabilities * logarithms).sum(axis=-1) + 0.0


def model_of(trained: Classifier) -> "keras.Model":
    """The Keras model of a run.

    Raises:
        ValueError: it is an exported model, which has none.
    """
    model = getattr(trained, "model", None)
    if model is None:
        raise ValueError(f"expected a run to ask with dropout at work, got the exported {trained.name}; ask for views")
    return model


def dropout(
    trained: Classifier, pictures: np.ndarray, *, passes: int = 20, seed: int = 0, batch_size: int = 32
) -> Answers:
    """MC dropout: ask several times with dropout at work, and batch normalization as it is when predicting.

    What comes before the first dropout layer is computed once, so many passes cost little more than one.

    Args:
        trained: a run whose model has dropout.
        pictures: shape (n, size, size, 3), RGB, 0 to 255.
        passes: times to ask, at least 1.
        seed: any integer; the same one gives the same answers.
        batch_size: pictures at a time, at least 1.

    Raises:
        ValueError: there is no dropout in the model.

    >>> dropout(bundle.load("cars_tanks/vgg"), pictures).entropy  # doctest: +SKIP
    """
    from toolkit.core import framework
    from toolkit.core.framework import keras

    if passes < 1:
        raise ValueError(f"expected at least 1 pass, got {passes}")
    model = model_of(trained)
    dropping = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout) and layer.rate > 0]
    if not dropping:
        raise ValueError(f"expected a model with dropout, {trained.name} has none; ask with several views instead")
    before = keras.Model(model.inputs, dropping[0].input)
    after = keras.Model(dropping[0].input, model.outputs)
    values = np.concatenate([before.predict_on_batch(part) for part in _parts(pictures, batch_size)])
    with _frozen_batch_normalization(model):
        framework.reseed(after, seed)
        ask = framework.tf.function(lambda part: after(part, training=True), reduce_retracing=True, jit_compile=False)
        each = [np.concatenate([ask(part).numpy() for part in _parts(values, batch_size)]) for _ in range(passes)]
    return Answers(np.stack(each))


def views(trained: Classifier, pictures: np.ndarray, *, batch_size: int = 32) -> Answers:
    """Test-time augmentation: each picture as it is, mirrored, and cropped to its centre and its four corners.

    Args:
        trained: a model.
        pictures: shape (n, size, size, 3), RGB, 0 to 255.
        batch_size: pictures at a time, at least 1.
    """
    augmented = [pictures, pictures[:, :, ::-1], *_crops(pictures)]
    return Answers(np.stack([trained.probabilities(view, batch_size=batch_size) for view in augmented]))


def _crops(pictures: np.ndarray) -> Iterator[np.ndarray]:
    import cv2

    side = pictures.shape[1]
    inner = max(1, round(side * CROP))
    rest = side - inner
    for top, left in ((rest // 2, rest // 2), (0, 0), (0, rest), (rest, 0), (rest, rest)):
        cut = pictures[:, top : top + inner, left : left + inner].astype(np.float32)
        scaled = [cv2.resize(picture, (side, side), interpolation=cv2.INTER_LINEAR) for picture in cut]
        yield np.stack(scaled) if scaled else cut


def _parts(values: np.ndarray, batch_size: int) -> list[np.ndarray]:
    if batch_size < 1:
        raise ValueError(f"expected a batch_size of at least 1, got {batch_size}")
    values = np.asarray(values, np.float32)
    return [values[start : start + batch_size] for start in range(0, max(1, len(values)), batch_size)]


@contextmanager
def _frozen_batch_normalization(model: "keras.Model") -> Iterator[None]:
    """Freeze batch normalization for a while: it then takes its moving statistics, whatever it is called with."""
    from toolkit.core.framework import keras

    layers = [
        layer
        for layer in model._flatten_layers(include_self=False)
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    before = [layer.trainable for layer in layers]
    for layer in layers:
        layer.trainable = False
    try:
        yield
    finally:
        for layer, trainable in zip(layers, before, strict=True):
            layer.trainable = trainable
