"""LiteRT, once called TensorFlow Lite: for phones, small boards, and a fast start anywhere.

float32   as it was trained
float16   weights in half precision, half the size; computes in float32 where the processor has nothing better
dynamic   weights in 8 bits, a quarter of the size; what they meet is rounded on the way
int8      all in 8 bits, per channel, with ranges seen on training pictures; fast on small processors, least exact
"""

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from toolkit.core import stderr
from toolkit.core.framework import keras, tf
from toolkit.export import graphs
from toolkit.model import runtime

KINDS = ("float32", "float16", "dynamic", "int8")
LEVELS = 127  # of a weight in 8 bits, to each side of 0


def write(
    model: keras.Model, path: Path, *, facts: Mapping, sample: Callable[[], np.ndarray], kind: str = "float32"
) -> None:
    """Convert a network into a `.tflite` file.

    Only operations that are built into every LiteRT are allowed, so it runs wherever that does. It takes one picture at
    a time: a batch of unknown length would cost many of its plans, and phones their graphics processor.

    Args:
        model: RGB from 0 to 255 in, probabilities out.
        path: of the new file.
        facts: its metadata, see `runtime`.
        sample: gives training pictures, shape (n, size, size, 3), 0 to 255; asked for "int8" only.
        kind: one of `KINDS`.
    """
    operations = tf.lite.OpsSet.TFLITE_BUILTINS_INT8 if kind == "int8" else tf.lite.OpsSet.TFLITE_BUILTINS
    pictures = sample() if kind == "int8" else None
    coarse = nullcontext() if pictures is None else _coarse_head(model, pictures)
    with stderr.silenced(), coarse, TemporaryDirectory() as folder:
        graphs.save({"serve": model}, Path(folder), batch=1)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.target_spec.supported_ops = [operations]
        if kind != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if kind == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if pictures is not None:
            converter.representative_dataset = lambda: ([picture[None].astype(np.float32)] for picture in pictures)
        path.write_bytes(converter.convert())
    _order_outputs(path)
    _attach(path, facts)


@contextmanager
def _coarse_head(model: keras.Model, pictures: np.ndarray) -> Iterator[None]:
    """Meanwhile, the kernel of the last dense layer is one that 8 bits can hold.

    All weights share one step, which the largest sets. A feature that hardly ever varied has a large weight of no use
    to anybody, beside which all others would be rounded to nothing; what it adds on average goes into the bias.
    """
    head = model.outputs[0]._keras_history.operation
    if not isinstance(head, keras.layers.Dense) or not head.use_bias:
        yield
        return
    before = head.get_weights()
    kernel, bias = before
    features = keras.Model(model.inputs, head.input).predict(pictures.astype(np.float32), verbose=0)
    constant = _as_good_as_constant(features, np.abs(kernel).max(axis=1))
    mean = features[:, constant].mean(axis=0)
    head.set_weights([np.where(constant[:, None], 0, kernel), bias + mean @ kernel[constant]])
    try:
        yield
    finally:
        head.set_weights(before)


def _as_good_as_constant(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Which features to take for constant, so that the error by that and by rounding the weights is least.

    Args:
        features: shape (n, features).
        weights: the largest of each feature, shape (features,).

    Returns:
        bool array of shape (features,).
    """
    order = np.argsort(-weights, kind="stable")
    lost = np.cumsum([0, *(features.var(axis=0) * weights**2)[order]])
    steps = np.append(weights[order], 0) / LEVELS
    rest = np.cumsum(np.square(features).mean(axis=0)[order][::-1])[::-1]
    rounded = steps**2 / 12 * np.append(rest, 0)
    constant = np.zeros(len(weights), bool)
    constant[order[: int(np.argmin(lost + rounded))]] = True
    return constant


def _order_outputs(path: Path) -> None:
    """Put the outputs into the order of their names, in place: the converter gives them in any order.

    Whoever reads the first output alone must get the probabilities.
    """
    from ai_edge_litert import schema_py_generated as schema

    content = bytearray(path.read_bytes())
    written = schema.Model.GetRootAsModel(content, 0)
    signature, outputs = written.SignatureDefs(0), written.Subgraphs(0).OutputsAsNumpy()
    named = [signature.Outputs(index) for index in range(signature.OutputsLength())]
    outputs[:] = [output.TensorIndex() for output in sorted(named, key=lambda output: output.Name())]
    path.write_bytes(content)


def _attach(path: Path, facts: Mapping) -> None:
    """Append the metadata as a zip, where LiteRT's own tools look for the names of classes."""
    with zipfile.ZipFile(path, "a") as archive:
        for name, text in ((runtime.LABELS, "\n".join(facts["classes"]) + "\n"), (runtime.FACTS, json.dumps(facts))):
            archive.writestr(zipfile.ZipInfo(name), text)  # which has no date: the same model gives the same file
