"""ONNX: for ONNX Runtime, in a service, in a browser, in programs of other languages."""

import json
import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from toolkit.core import stderr
from toolkit.model import runtime

if TYPE_CHECKING:
    import keras
    import onnx


FEW = 1024  # numbers of a weight; those of fewer stay as they are, for they hardly count
LOST = 1e-3  # of the largest number of a weight; one that would lose more as float16 stays as it is


def write(model: "keras.Model", path: Path, *, facts: Mapping, half: bool = False, **_: object) -> None:
    """Convert a network into an `.onnx` file, which computes in float32 and takes any number of pictures at a time.

    The converter may write a file that does not work and only log it: whoever calls this opens the file again.

    Args:
        model: RGB from 0 to 255 in, probabilities out.
        path: of the new file.
        facts: its metadata, see `runtime`.
        half: whether its weights are kept as float16, which halves the file.
    """
    import onnx

    with stderr.silenced(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "In the future `np.object`", FutureWarning)  # the converter's own
        model.export(path, format="onnx", verbose=False)
    converted = onnx.load(path)
    if half:
        _halve(converted.graph)
    onnx.helper.set_model_props(converted, {runtime.KEY: json.dumps(facts)})
    onnx.save(converted, path)


def _halve(graph: "onnx.GraphProto") -> None:
    """Store weights as float16; a node for each makes it float32 again, once, where the file is opened."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or math.prod(tensor.dims) < FEW:
            continue
        values, name = numpy_helper.to_array(tensor), tensor.name
        with np.errstate(over="ignore"):  # what is too large is infinite, and lost
            halved = values.astype(np.float16)
        if np.abs(halved - values).max() <= LOST * np.abs(values).max():
            tensor.CopyFrom(numpy_helper.from_array(halved, f"{name}/float16"))
            casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
