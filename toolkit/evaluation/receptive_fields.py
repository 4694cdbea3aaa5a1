"""Which pixels the cells of a feature map look at.

A map of 7 × 7 cells, stretched over a picture of 224 pixels, does not lie where its cells look: TensorFlow pads strided
convolutions on one side more than on the other, others are not padded at all, and each moves the map a little. In a
MobileNet all of it adds up to half a cell. What each layer does is known, so it can be added up exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.core.framework import keras

layers = keras.layers


@dataclass(frozen=True)
class Grid:
    """Along one side of a picture: cell number i looks around pixel `start + step * i`.

    Args:
        start: pixel, counted from 0 at the first pixel's middle.
        step: pixels from one cell to the next.
    """

    start: float = 0.0
    step: float = 1.0

    def through(self, start: float, step: float) -> "Grid":
        """The grid of cells that look at cells of this one, from cell `start` on, `step` apart."""
        return Grid(self.start + self.step * start, self.step * step)


def of(maps: object) -> tuple[Grid, Grid]:
    """Where the cells of a feature map look, down and across.

    Args:
        maps: a Keras tensor of shape (n, rows, columns, channels), computed from one picture by layers that are known
            here; of others it is assumed that they cover all they are given evenly. Where several ways lead to the
            picture, what they say is averaged.

    Returns:
        A grid for the rows and one for the columns.

    >>> picture = keras.Input((8, 8, 3))
    >>> of(layers.Conv2D(4, 3, strides=2)(picture))[0]
    Grid(start=1.0, step=2.0)
    """
    known: dict[int, tuple[Grid, Grid]] = {}
    return _of(maps, known)


def _of(tensor: object, known: dict[int, tuple[Grid, Grid]]) -> tuple[Grid, Grid]:
    if id(tensor) not in known:
        known[id(tensor)] = _traced(tensor, known)
    return known[id(tensor)]


def _traced(tensor: object, known: dict[int, tuple[Grid, Grid]]) -> tuple[Grid, Grid]:
    history = tensor._keras_history
    operation, node = history.operation, history.operation._inbound_nodes[history.node_index]
    spatial = [one for one in node.input_tensors if len(one.shape) == 4]
    if isinstance(operation, layers.InputLayer) or not spatial:
        return Grid(), Grid()
    if isinstance(operation, keras.Model):  # a backbone: first within it, then what it was given
        inner = of(operation.outputs[history.tensor_index])
        outer = _of(spatial[0], known)
        return tuple(before.through(grid.start, grid.step) for before, grid in zip(outer, inner, strict=True))
    largest = max(one.shape[1] or 0 for one in spatial)  # a gate of one cell for the whole map says nothing of places
    ways = [
        tuple(
            before.through(*_moved(operation, axis, given.shape[1 + axis], tensor.shape[1 + axis]))
            for axis, before in enumerate(_of(given, known))
        )
        for given in spatial
        if (given.shape[1] or 0) == largest
    ]
    return tuple(_mean([way[axis] for way in ways]) for axis in (0, 1))


def _moved(layer: object, axis: int, given: int | None, made: int | None) -> tuple[float, float]:
    """At which cell of what it is given the first cell of a layer looks, and how far apart the next ones are."""
    if isinstance(layer, layers.ZeroPadding2D):
        return -float(layer.padding[axis][0]), 1.0
    if isinstance(layer, layers.Cropping2D):
        return float(layer.cropping[axis][0]), 1.0
    window = getattr(layer, "kernel_size", getattr(layer, "pool_size", None))
    if window is None or not hasattr(layer, "strides") or isinstance(layer, layers.Conv2DTranspose):
        step = given / made if given and made else 1.0
        return (step - 1) / 2, step
    step, dilation = layer.strides[axis], getattr(layer, "dilation_rate", (1, 1))[axis]
    reach = dilation * (window[axis] - 1)
    padding = max((made - 1) * step + reach + 1 - given, 0) // 2 if layer.padding == "same" and given and made else 0
    return reach / 2 - padding, float(step)


def _mean(grids: Sequence[Grid]) -> Grid:
    count = len(grids)
    return Grid(sum(grid.start for grid in grids) / count, sum(grid.step for grid in grids) / count)
