"""Where a network looked when it answered.

`grad_cam` asks the network itself, in one pass back through it. `occlusion` checks that from outside: it covers part of
the picture and watches how much less sure the answer becomes. Where the two disagree, believe neither.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from toolkit.core.framework import keras, tf
from toolkit.evaluation import receptive_fields
from toolkit.model.bundle import Bundle

GREY = 127.5
BATCH = 16
_KEEPS_PLACES = (
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
)


def grad_cam(trained: Bundle, pictures: np.ndarray, *, labels: Sequence[str] | None = None) -> np.ndarray:
    """Heat over pictures: what spoke for a class (Grad-CAM, Selvaraju et al., 2017, arXiv:1610.02391).

    The last feature maps are weighted by how much the class's score grows with them and summed; what speaks against the
    class is left out. Works for networks that are drawn flat and for those with a backbone inside.

    Args:
        trained: the model.
        pictures: shape (n, size, size, 3), RGB, 0 to 255, as `trained.prepare` gives them.
        labels: the class to explain for each picture; None explains the model's own answers.

    Returns:
        float32 array of shape (n, size, size), 0 to 1; all 0 where nothing spoke for the class.

    Raises:
        ValueError: an unknown label, pictures of another size, or a network without feature maps.

    >>> heat = grad_cam(trained, trained.prepare("mine.jpg")[None])  # doctest: +SKIP
    """
    _check(trained, pictures)
    places = _places(trained, pictures, labels)
    trunk, head = _halves(trained.model)
    grid = receptive_fields.of(maps(trained.model))
    heats = [np.zeros((0, trained.size, trained.size), np.float32)]
    for start in range(0, len(pictures), BATCH):
        part = slice(start, start + BATCH)
        heats += [_enlarged(one, grid, trained.size)[None] for one in _heat(trunk, head, pictures[part], places[part])]
    return np.concatenate(heats)


def occlusion(
    trained: Bundle,
    picture: np.ndarray,
    *,
    label: str | None = None,
    patch: float = 0.25,
    step: float = 0.0625,
) -> np.ndarray:
    """How much less sure of a class the model is when a part of the picture is covered (Zeiler and Fergus, 2014).

    Args:
        trained: the model.
        picture: shape (size, size, 3), RGB, 0 to 255.
        label: the class; None takes the model's own answer.
        patch: side of the grey square that covers, as a share of the picture's side, above 0 up to 1.
        step: from one place of the square to the next, likewise.

    Returns:
        float32 array of shape (size, size), -1 to 1: mean loss of probability over all squares that cover a pixel.

    >>> occlusion(trained, trained.prepare("mine.jpg")).max()  # doctest: +SKIP
    """
    _check(trained, picture[None])
    if not 0 < patch <= 1 or not 0 < step <= 1:
        raise ValueError(f"expected a patch and a step above 0 and up to 1 of the side, got {patch} and {step}")
    (place,) = _places(trained, picture[None], None if label is None else [label])
    side, stride = max(1, round(patch * trained.size)), max(1, round(step * trained.size))
    corners = range(0, trained.size - side + stride, stride)
    squares = [(slice(top, top + side), slice(left, left + side)) for top in corners for left in corners]
    covered = np.repeat(picture[None].astype(np.float32), len(squares), axis=0)
    for one, square in zip(covered, squares, strict=True):
        one[square] = GREY
    before = trained.probabilities(picture[None])[0, place]
    losses = before - trained.probabilities(covered)[:, place]
    total, count = np.zeros((2, trained.size, trained.size), np.float32)
    for square, loss in zip(squares, losses, strict=True):
        total[square] += loss
        count[square] += 1
    return total / np.maximum(count, 1)


def _check(trained: Bundle, pictures: np.ndarray) -> None:
    expected = (trained.size, trained.size, 3)
    if pictures.ndim != 4 or pictures.shape[1:] != expected:
        raise ValueError(f"expected pictures of shape (n, {', '.join(map(str, expected))}), got {pictures.shape}")


def _places(trained: Bundle, pictures: np.ndarray, labels: Sequence[str] | None) -> np.ndarray:
    if labels is None:
        return trained.probabilities(pictures).argmax(axis=1)
    unknown = sorted(set(labels) - set(trained.classes))
    if unknown:
        raise ValueError(f"expected labels of {', '.join(trained.classes)}, got {unknown[0]!r}")
    return np.array([trained.classes.index(label) for label in labels])


def _halves(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """The network up to its last feature maps, and from there to the scores before the softmax."""
    features, last = maps(model), model.layers[-1]
    trunk = keras.Model(model.inputs, features)
    if not isinstance(last, keras.layers.Dense) or getattr(last.activation, "__name__", "") != "softmax":
        # A model from elsewhere: the logarithm of a probability is a score too.
        return trunk, keras.Model(features, keras.ops.log(keras.ops.maximum(model.output, 1e-12)))
    scores = keras.layers.Dense(last.units, use_bias=last.use_bias, dtype="float32")
    outputs = scores(last.input)
    scores.set_weights(last.get_weights())
    return trunk, keras.Model(features, outputs)


def maps(model: keras.Model) -> object:
    """The last tensor of a network that still has places, before pooling makes it coarser.

    Raises:
        ValueError: there is none.
    """
    spatial = [layer for layer in model.layers if len(getattr(layer.output, "shape", ())) == 4]
    while spatial and isinstance(spatial[-1], _KEEPS_PLACES):
        spatial.pop()
    if not spatial or isinstance(spatial[-1], keras.layers.InputLayer):
        raise ValueError(f"expected a network of convolutions, {model.name} has no feature maps to look at")
    following = model.layers[model.layers.index(spatial[-1]) + 1]
    return following.input  # and not `spatial[-1].output`, which for a backbone is a tensor inside of it


def _heat(trunk: keras.Model, head: keras.Model, pictures: np.ndarray, places: np.ndarray) -> np.ndarray:
    features = tf.constant(trunk.predict_on_batch(pictures.astype(np.float32)))
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(features)
        score = tf.reduce_sum(tf.gather(head(features, training=False), places, batch_dims=1))
    weights = tf.reduce_mean(tape.gradient(score, features), axis=(1, 2), keepdims=True)
    return tf.nn.relu(tf.reduce_sum(tf.cast(weights * features, tf.float32), axis=-1)).numpy()


def _enlarged(heat: np.ndarray, grid: tuple[receptive_fields.Grid, receptive_fields.Grid], size: int) -> np.ndarray:
    """Heat where its cells look, which is seldom where they would lie if the map were stretched over the picture."""
    rows, columns = (((np.arange(size) - axis.start) / axis.step).astype(np.float32) for axis in grid)
    places = np.broadcast_to(columns, (size, size)), np.broadcast_to(rows[:, None], (size, size))
    large = cv2.remap(heat, *places, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE).clip(0)
    return large / large.max() if large.max() > 0 else large
