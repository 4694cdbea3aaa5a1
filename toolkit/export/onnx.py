"""ONNX: for ONNX Runtime, in a service, in a browser, in programs of other languages."""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.core import stderr
from toolkit.model import runtime

if TYPE_CHECKING:
    import keras


def write(model: "keras.Model", path: Path, *, facts: Mapping, **_: object) -> None:
    """Convert a network into an `.onnx` file in float32, which takes any number of pictures at a time.

    The converter may write a file that does not work and only log it: whoever calls this opens the file again.

    Args:
        model: RGB from 0 to 255 in, probabilities out.
        path: of the new file.
        facts: its metadata, see `runtime`.
    """
    import onnx

    with stderr.silenced(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "In the future `np.object`", FutureWarning)  # the converter's own
        model.export(path, format="onnx", verbose=False)
    converted = onnx.load(path)
    onnx.helper.set_model_props(converted, {runtime.KEY: json.dumps(facts)})
    onnx.save(converted, path)
