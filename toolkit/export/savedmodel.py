"""SavedModel: for TensorFlow Serving, which looks for a folder with a number, its version, in the one it is given."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from toolkit.core import paths, stderr
from toolkit.core.framework import keras, tf
from toolkit.export import graphs
from toolkit.model import runtime

VERSION = "1"
FAMILIAR = "with_familiarity"  # the signature that has both outputs
EXTRA = "assets.extra"  # where TensorFlow keeps files for others than itself


def write(model: keras.Model, path: Path, *, facts: Mapping, **_: object) -> None:
    """Write a network as a folder with the one version 1.

    Whoever asks for no signature gets the probabilities alone; a second one gives familiarity too.

    Args:
        model: RGB from 0 to 255 in, probabilities out.
        path: of the new folder.
        facts: its metadata, see `runtime`.
    """
    both = len(model.outputs) > 1
    answers = keras.Model(model.inputs, model.outputs[0]) if both else model
    with stderr.silenced():
        graphs.save({"serve": answers} | ({FAMILIAR: model} if both else {}), path / VERSION)
    extra = path / VERSION / EXTRA
    paths.write(extra / runtime.LABELS, "\n".join(facts["classes"]) + "\n")
    paths.write(extra / runtime.FACTS, json.dumps(facts))


def load(path: Path) -> runtime.Artifact:
    """Open the folder again, to measure it. A SavedModel may hold any operation: open none that others made."""
    facts = json.loads((path / VERSION / EXTRA / runtime.FACTS).read_text())
    loaded = tf.saved_model.load(path / VERSION)
    signature = loaded.signatures["serving_default"]
    inputs, outputs = signature.structured_input_signature[1], signature.structured_outputs
    both = FAMILIAR in loaded.signatures
    shape = (*next(iter(inputs.values())).shape[1:], *next(iter(outputs.values())).shape[1:], *([1] * both))

    def answer(pictures: np.ndarray) -> Sequence[np.ndarray]:
        taken = tf.constant(pictures)
        return (
            [np.asarray(each) for each in getattr(loaded, FAMILIAR)(taken)]
            if both
            else [np.asarray(loaded.serve(taken))]
        )

    return runtime.artifact(path, facts, answer, shape)
