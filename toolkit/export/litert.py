"""LiteRT, once called TensorFlow Lite: for phones, small boards, and a fast start anywhere.

float32   as it was trained
float16   weights in half precision, half the size; computes in float32 where the processor has nothing better
dynamic   weights in 8 bits, a quarter of the size; what they meet is rounded on the way
int8      all in 8 bits, per channel, with ranges seen on training pictures; fast on small processors, least exact
"""

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from toolkit.core import stderr
from toolkit.core.framework import keras, tf
from toolkit.model import runtime

KINDS = ("float32", "float16", "dynamic", "int8")


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
    options: dict = {"target_spec": {"supported_ops": [operations]}}
    if kind != "float32":
        options["optimizations"] = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        options["target_spec"]["supported_types"] = [tf.float16]
    if kind == "int8":
        pictures = sample()
        options["representative_dataset"] = lambda: ([picture[None].astype(np.float32)] for picture in pictures)
    taken = keras.InputSpec(shape=(1, *model.input_shape[1:]), dtype="float32", name="pictures")
    with stderr.silenced():
        model.export(path, format="litert", verbose=False, input_signature=[taken], **options)
    _order_outputs(path)
    _attach(path, facts)


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
