"""Receptive fields: which pixels the cells of a feature map look at.

A map of 7 × 7 cells, stretched over a picture of 224 pixels, does not lie where its cells look: TensorFlow pads strided
convolutions on one side more than on the other, others are not padded at all, and each moves the map a little. In a
MobileNet all of it adds up to half a cell. What each layer does is known, so it can be added up exactly.
"""

from collections.abc import Sequence
from typing import NamedTuple

from toolkit.core.framework import keras

layers = keras.layers


class Grid(NamedTuple):
    """Centres of the receptive fields along one side of a picture: cell number i looks around `start + step * i`.

    Args:
        start: pixel, counted from 0 at the first pixel's middle.
        step: pixels from one cell to the next.
    """

    start: float = 0.0
    step: float = 1.0

    def through(self, layer: "Grid") -> "Grid":
        """The grid of a layer's output in pixels, where this is that of its input and `layer` is in input cells."""
        return Grid(self.start + self.step * layer.start, self.step * layer.step)


class Grids(NamedTuple):
    """The grids down and across a picture."""

    rows: Grid = Grid()
    columns: Grid = Grid()

    def through(self, layer: "Grids") -> "Grids":
        """See `Grid.through`."""
        return Grids(self.rows.through(layer.rows), self.columns.through(layer.columns))


def of(maps: keras.KerasTensor) -> Grids:
    """Where the cells of a feature map look, down and across.

    Args:
        maps: a Keras tensor of shape (n, rows, columns, channels), computed from one picture. Layers that are not known
            here are taken to cover their whole input evenly. Where several paths lead to the picture, their mean is
            taken.

    Returns:
        A grid for the rows and one for the columns.

    >>> picture = keras.Input((8, 8, 3))
    >>> of(layers.Conv2D(4, 3, strides=2)(picture)).rows
    Grid(start=1.0, step=2.0)
    """
    return _of(maps, {})


def _of(tensor: keras.KerasTensor, traced: dict[int, Grids]) -> Grids:
    """The grids of a tensor; each is traced once, however many paths lead through it."""
    if id(tensor) not in traced:
        traced[id(tensor)] = _trace(tensor, traced)
    return traced[id(tensor)]


def _trace(tensor: keras.KerasTensor, traced: dict[int, Grids]) -> Grids:
    history = tensor._keras_history
    layer, node = history.operation, history.operation._inbound_nodes[history.node_index]
    inputs = [source for source in node.input_tensors if len(source.shape) == 4]
    if isinstance(layer, layers.InputLayer) or not node.input_tensors:
        return Grids()
    if not inputs:  # a map made of tokens, which cover evenly what they were made of
        before = _map_before(node.input_tensors[0])
        evenly = Grids(*(_evenly(before.shape[axis], tensor.shape[axis]) for axis in (1, 2)))
        return _of(before, traced).through(evenly)
    if isinstance(layer, keras.Model):  # a backbone: first within it, then its input
        return _of(inputs[0], traced).through(of(layer.outputs[history.tensor_index]))
    largest = max(source.shape[1] or 0 for source in inputs)  # a gate of one cell for the whole map has no position
    paths = [
        _of(source, traced).through(_of_layer(layer, source, tensor))
        for source in inputs
        if (source.shape[1] or 0) == largest
    ]
    return Grids(_mean([path.rows for path in paths]), _mean([path.columns for path in paths]))


def _map_before(tensor: keras.KerasTensor) -> keras.KerasTensor:
    """The last map, or the picture itself, that something without height and width was computed from."""
    while len(tensor.shape) != 4:
        history = tensor._keras_history
        sources = history.operation._inbound_nodes[history.node_index].input_tensors
        tensor = next((source for source in sources if len(source.shape) == 4), sources[0])
    return tensor


def _evenly(before: int | None, after: int | None) -> Grid:
    """The grid of cells that cover their whole input evenly."""
    step = before / after if before and after else 1.0
    return Grid((step - 1) / 2, step)


def _of_layer(layer: keras.layers.Layer, source: keras.KerasTensor, output: keras.KerasTensor) -> Grids:
    return Grids(*(_of_axis(layer, axis, source.shape[1 + axis], output.shape[1 + axis]) for axis in (0, 1)))


def _of_axis(layer: keras.layers.Layer, axis: int, before: int | None, after: int | None) -> Grid:
    """At which cell of its input a layer's first output cell looks, and how far apart the next ones are.

    Args:
        layer: of any kind.
        axis: 0 for rows, 1 for columns.
        before, after: cells of its input and of its output; None where they are not known.
    """
    if isinstance(layer, layers.ZeroPadding2D):
        return Grid(-float(layer.padding[axis][0]), 1.0)
    if isinstance(layer, layers.Cropping2D):
        return Grid(float(layer.cropping[axis][0]), 1.0)
    window = getattr(layer, "kernel_size", getattr(layer, "pool_size", None))
    if window is None or not hasattr(layer, "strides") or isinstance(layer, layers.Conv2DTranspose):
        return _evenly(before, after)
    stride, dilation = layer.strides[axis], getattr(layer, "dilation_rate", (1, 1))[axis]
    reach = dilation * (window[axis] - 1)
    padding = 0
    if layer.padding == "same" and before and after:
        padding = max((after - 1) * stride + reach + 1 - before, 0) // 2
    return Grid(reach / 2 - padding, float(stride))


def _mean(grids: Sequence[Grid]) -> Grid:
    count = len(grids)
    return Grid(sum(grid.start for grid in grids) / count, sum(grid.step for grid in grids) / count)
