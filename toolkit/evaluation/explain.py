"""Saliency: which part of a picture a network's answer rests on.

`grad_cam` asks the network itself, in one backward pass. `occlusion` checks that from outside: it covers part of the
picture and measures how much the probability falls. Where the two disagree, believe neither.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import cv2
import numpy as np

from toolkit.core.framework import graph, keras, tf
from toolkit.dataset.manifest import class_indices
from toolkit.evaluation import receptive_fields
from toolkit.images import Picture
from toolkit.model.bundle import Bundle
from toolkit.model.sources import Sources, several

GREY = 127.5
BATCH = 16
_KEEPS_POSITIONS = (  # layers whose output is as good a map as their input, or a coarser one
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
)


def grad_cam(trained: Bundle, pictures: Sources, *, labels: Sequence[str] | None = None) -> np.ndarray:
    """Grad-CAM heat maps: what spoke for a class (Selvaraju et al., 2017, arXiv:1610.02391).

    The last feature maps are weighted by the mean gradient of the class's score and summed; what speaks against the
    class is left out. Works for flat networks and for those with a nested backbone.

    Args:
        trained: the model.
        pictures: shape (n, size, size, 3), RGB, 0 to 255, as `trained.prepare` gives them; or what `predict.stream`
            takes.
        labels: the class to explain for each picture; None explains the model's own answers.

    Returns:
        float32 array of shape (n, size, size), 0 to 1; all 0 where nothing spoke for the class.

    Raises:
        ValueError: an unknown label, pictures of another size, or a network without feature maps.

    >>> heat = grad_cam(trained, trained.prepare("mine.jpg")[None])  # doctest: +SKIP
    """
    pictures = _prepared(trained, pictures)
    classes = _classes(trained, pictures, labels)
    trunk, head = _trunk(trained.model), _head(trained.model)
    grids = receptive_fields.of(maps(trained.model))
    heats = np.zeros((len(pictures), trained.size, trained.size), np.float32)
    for start in range(0, len(pictures), BATCH):
        part = slice(start, start + BATCH)
        for index, heat in enumerate(_heat(trunk, head, pictures[part], classes[part]), start=start):
            heats[index] = _enlarged(heat, grids, trained.size)
    return heats


def occlusion(
    trained: Bundle,
    picture: Picture,
    *,
    label: str | None = None,
    patch: float = 0.25,
    step: float = 0.0625,
) -> np.ndarray:
    """Occlusion map: how much the probability of a class falls where the picture is covered (Zeiler and Fergus, 2014).

    Args:
        trained: the model.
        picture: shape (size, size, 3), RGB, 0 to 255; or what `predict.picture` takes.
        label: the class; None takes the model's own answer.
        patch: side of the grey square that covers, as a share of the picture's side, above 0 up to 1.
        step: from one position of the square to the next, likewise.

    Returns:
        float32 array of shape (size, size), -1 to 1: mean loss of probability over all squares that cover a pixel.

    >>> occlusion(trained, trained.prepare("mine.jpg")).max()  # doctest: +SKIP
    """
    (pixels,) = _prepared(trained, picture[None] if isinstance(picture, np.ndarray) else picture)
    if not 0 < patch <= 1 or not 0 < step <= 1:
        raise ValueError(f"expected a patch and a step above 0 and up to 1 of the side, got {patch} and {step}")
    (index,) = _classes(trained, pixels[None], None if label is None else [label])
    squares = _squares(trained.size, patch, step)
    covered = np.repeat(pixels[None].astype(np.float32), len(squares), axis=0)
    for copy, square in zip(covered, squares, strict=True):
        copy[square] = GREY
    before = trained.ask(pixels[None]).probabilities[0, index]
    losses = before - trained.ask(covered, batch_size=trained.small_batch).probabilities[:, index]
    total, count = np.zeros((2, trained.size, trained.size), np.float32)
    for square, loss in zip(squares, losses, strict=True):
        total[square] += loss
        count[square] += 1
    return total / np.maximum(count, 1)


def agreement(heat: np.ndarray, losses: np.ndarray) -> tuple[float, float]:
    """Agreement of `grad_cam` with `occlusion`: what covering costs on average, where it glows and where it does not.

    Args:
        heat: of one picture, 0 to 1; what is at least half of its highest value glows.
        losses: from `occlusion` of the same picture.

    Returns:
        Mean losses of probability; the first is the larger one where the two agree. 0 where there is no such place.

    >>> agreement(np.array([[1.0, 0.0]]), np.array([[0.4, 0.1]]))
    (0.4, 0.1)
    """
    glows = heat >= max(heat.max() / 2, 1e-9)
    inside, outside = (float(losses[place].mean()) if place.any() else 0.0 for place in (glows, ~glows))
    return inside, outside


def share_inside(heat: np.ndarray, box: Sequence[int]) -> float:
    """Energy-based pointing game: the share of the heat that lies in a box (Wang et al., 2020, arXiv:1910.01279).

    Args:
        heat: of one picture, shape (rows, columns), 0 to 1.
        box: left, top, right and bottom of the thing, in pixels; beside it stands the share of the picture it takes.

    Returns:
        0 to 1; 0 where there is no heat.

    >>> share_inside(np.array([[0.25, 0.75], [0.0, 0.0]]), (1, 0, 2, 2))
    0.75
    """
    left, top, right, bottom = box
    return float(heat[top:bottom, left:right].sum() / max(float(heat.sum()), 1e-9))


def _prepared(trained: Bundle, pictures: Sources) -> np.ndarray:
    """Pictures as the network takes them, opened where they are not."""
    if not isinstance(pictures, np.ndarray) or pictures.ndim < 4:
        pictures = np.stack([trained.prepare(picture) for picture in several(pictures)])
    expected = (trained.size, trained.size, 3)
    if pictures.ndim != 4 or pictures.shape[1:] != expected:
        raise ValueError(f"expected pictures of shape (n, {', '.join(map(str, expected))}), got {pictures.shape}")
    return pictures


def _squares(size: int, patch: float, step: float) -> list[tuple[slice, slice]]:
    """The positions of the square that covers, as rows and columns."""
    side, stride = max(1, round(patch * size)), max(1, round(step * size))
    corners = range(0, size - side + stride, stride)
    return [(slice(top, top + side), slice(left, left + side)) for top in corners for left in corners]


def _classes(trained: Bundle, pictures: np.ndarray, labels: Sequence[str] | None) -> np.ndarray:
    """Index of the class to explain for each picture."""
    if labels is None:
        return trained.ask(pictures).probabilities.argmax(axis=1)
    unknown = sorted(set(labels) - set(trained.classes))
    if unknown:
        raise ValueError(f"expected labels of {', '.join(trained.classes)}, got {unknown[0]!r}")
    return class_indices(labels, trained.classes)


@lru_cache(maxsize=2)  # as a report explains each network after the notebook did so with the best
def _trunk(model: keras.Model) -> Callable[[np.ndarray], list[np.ndarray]]:
    """The network up to its last feature maps."""
    return graph(keras.Model(model.inputs, maps(model)))


def _head(model: keras.Model) -> keras.Model:
    """The network from its last feature maps to the scores before the softmax."""
    features, last = maps(model), model.layers[-1]
    if not isinstance(last, keras.layers.Dense) or getattr(last.activation, "__name__", "") != "softmax":
        # A model from elsewhere: the logarithm of a probability is a score too.
        return keras.Model(features, keras.ops.log(keras.ops.maximum(model.outputs[0], 1e-12)))
    scores = keras.layers.Dense(last.units, use_bias=last.use_bias, dtype="float32")
    outputs = scores(last.input)
    scores.set_weights(last.get_weights())
    return keras.Model(features, outputs)


def maps(model: keras.Model) -> keras.KerasTensor:
    """The last feature maps of a network, before pooling makes them coarser.

    Raises:
        ValueError: there is none.
    """
    spatial = [layer for layer in model.layers if len(getattr(layer.output, "shape", ())) == 4]
    while spatial and isinstance(spatial[-1], _KEEPS_POSITIONS):
        spatial.pop()
    upwards = model.layers[: model.layers.index(spatial[-1]) + 1] if spatial else []
    if not any(map(_is_convolution, upwards)):  # what only scales a picture has no map of what is on it
        raise ValueError(f"expected a network of convolutions, {model.name} has no feature maps to look at")
    following = model.layers[model.layers.index(spatial[-1]) + 1]
    return following.input  # and not `spatial[-1].output`, which for a backbone is a tensor inside of it


def _is_convolution(layer: keras.layers.Layer) -> bool:
    """Whether a layer, or one within it, looks at neighbouring pixels: its kernel has four axes."""
    return any(len(weight.shape) == 4 for weight in layer.weights)


def _heat(
    trunk: Callable[[np.ndarray], list[np.ndarray]], head: keras.Model, pictures: np.ndarray, classes: np.ndarray
) -> np.ndarray:
    """Grad-CAM on the grid of the feature maps: shape (n, rows, columns)."""
    features = tf.constant(trunk(pictures)[0])
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(features)
        score = tf.reduce_sum(tf.gather(head(features, training=False), classes, batch_dims=1))
    weights = tf.reduce_mean(tape.gradient(score, features), axis=(1, 2), keepdims=True)
    return tf.nn.relu(tf.reduce_sum(tf.cast(weights * features, tf.float32), axis=-1)).numpy()


def _enlarged(heat: np.ndarray, grids: receptive_fields.Grids, size: int) -> np.ndarray:
    """Heat at the centres of its cells' receptive fields, which stretching the map over the picture would miss."""
    rows, columns = (((np.arange(size) - grid.start) / grid.step).astype(np.float32) for grid in grids)
    x, y = np.broadcast_to(columns, (size, size)), np.broadcast_to(rows[:, None], (size, size))
    large = cv2.remap(heat, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE).clip(0)
    return large / large.max() if large.max() > 0 else large
