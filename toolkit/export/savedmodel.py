"""SavedModel: for TensorFlow Serving, which looks for a folder with a number, its version, in the one it is given."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from toolkit.core import paths, stderr
from toolkit.core.framework import tf
from toolkit.model import runtime

if TYPE_CHECKING:
    import keras

VERSION = "1"
EXTRA = "assets.extra"  # where TensorFlow keeps files for others than itself


def write(model: "keras.Model", path: Path, *, facts: Mapping, **_: object) -> None:
    """Write a network as a folder with the one version 1.

    Args:
        model: RGB from 0 to 255 in, probabilities out.
        path: of the new folder.
        facts: its metadata, see `runtime`.
    """
    with stderr.silenced():
        model.export(path / VERSION, verbose=False)
    extra = path / VERSION / EXTRA
    paths.write(extra / runtime.LABELS, "\n".join(facts["classes"]) + "\n")
    paths.write(extra / runtime.FACTS, json.dumps(facts))


def load(path: Path) -> runtime.Artifact:
    """Open the folder again, to measure it. A SavedModel may hold any operation: open none that others made."""
    facts = json.loads((path / VERSION / EXTRA / runtime.FACTS).read_text())
    loaded = tf.saved_model.load(path / VERSION)
    signature = loaded.signatures["serving_default"]
    inputs, outputs = signature.structured_input_signature[1], signature.structured_outputs
    shape = (*next(iter(inputs.values())).shape[1:], *next(iter(outputs.values())).shape[1:])

    def answer(pictures: np.ndarray) -> np.ndarray:
        return np.asarray(loaded.serve(tf.constant(pictures)))

    return runtime.artifact(path, facts, answer, shape)
