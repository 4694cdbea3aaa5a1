"""A `.keras` file from anywhere: read in safe mode, of square RGB pictures, and with probabilities at its end."""

import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.errors import BundleError, in_one_line

if TYPE_CHECKING:
    import keras

ASKED = 4  # random pictures, which show whether the outputs are probabilities
TOLERANCE = 5e-3  # of their sum: a softmax in half precision does not sum to 1 exactly
SCORES = ("linear", "log_softmax")  # activations whose softmax is what the network was trained to give


def read(file: Path) -> "keras.Model":
    """The Keras model in a file, read in safe mode, which runs no code from it.

    Raises:
        BundleError: it is damaged, or holds code.
    """
    from toolkit.core.framework import keras

    try:
        return keras.saving.load_model(file, compile=False, safe_mode=True)
    except Exception as error:  # a damaged or hostile file fails in many ways
        raise BundleError(f"{file} cannot be read as a model: {in_one_line(error)}") from error


def check(model: "keras.Model", folder: Path, *, size: int, classes: int) -> None:
    """Compare what a run says of its model with what that computes, as far as it tells.

    Raises:
        BundleError: they differ.
    """
    shapes: list[Any] = [getattr(model, name, None) for name in ("input_shape", "output_shape")]
    for said, done in zip(((None, size, size, 3), (None, classes)), shapes, strict=True):
        is_shape = isinstance(done, tuple) and len(done) == len(said)
        if not is_shape or any(None not in pair and pair[0] != pair[1] for pair in zip(said, done, strict=True)):
            raise BundleError(
                f"expected {folder} as it was trained, but it says {size} pixels and {classes} classes, and computes "
                f"{shapes[1]} of {shapes[0]}; train the run again (--overwrite)"
            )


def classifier(file: Path) -> "keras.Model":
    """The classifier in a file that another program may have saved, as a functional model.

    Raises:
        BundleError: another kind of file, or a model that takes or gives something else.
    """
    if file.suffix != ".keras" or not zipfile.is_zipfile(file):
        raise BundleError(f"expected a run's folder or a .keras file, got {file.name}; other kinds may run code")
    model = read(file)
    shape: tuple = getattr(model, "input_shape", ())
    outputs: tuple = getattr(model, "output_shape", ())
    if not _is_shape(shape, 4) or shape[1] is None or shape[1] != shape[2] or shape[3] != 3:
        raise BundleError(f"expected a model of square RGB pictures, got the input shape {shape}")
    if not _is_shape(outputs, 2) or not isinstance(outputs[-1], int) or outputs[-1] < 2:
        raise BundleError(f"expected a model that gives one probability per class, got the output shape {outputs}")
    return _with_probabilities(_functional(model), file.name)


def _is_shape(shape: object, axes: int) -> bool:
    return isinstance(shape, tuple) and len(shape) == axes and not isinstance(shape[0], tuple)


def _functional(model: "keras.Model") -> "keras.Model":
    """A Sequential as a functional model, whose layers can be asked for their inputs and outputs.

    It is cloned, since a Sequential calls its layers again and again while it grows, and only the first call counts.
    """
    from toolkit.core.framework import keras

    if not isinstance(model, keras.Sequential):
        return model
    flat = keras.models.clone_model(keras.Model(model.inputs[0], model.outputs[0], name=model.name))
    flat.set_weights(model.get_weights())
    return flat


def _with_probabilities(model: "keras.Model", name: str) -> "keras.Model":
    """The model, with a softmax behind it if it gives scores.

    Raises:
        BundleError: it gives something that is no probability, such as sigmoids.
    """
    from toolkit.core.framework import keras

    pictures = np.random.default_rng(7).integers(0, 256, (ASKED, *model.input_shape[1:])).astype(np.float32)
    answers = np.asarray(model.predict_on_batch(pictures), np.float64)
    if (answers >= -TOLERANCE).all() and (np.abs(answers.sum(axis=1) - 1) < TOLERANCE).all():
        return model
    activation = _last_activation(model.outputs[0])
    if activation in SCORES:
        warnings.warn(f"{name} gives scores and no probabilities: a softmax is put behind it", stacklevel=5)
        return keras.Model(model.inputs[0], keras.layers.Softmax(dtype="float32")(model.outputs[0]), name=model.name)
    reason = f"its outputs are {activation}s" if activation else "its outputs are something else"
    if activation == "sigmoid":
        reason += ", each of which tells of one class whether it is there too"
    raise BundleError(
        f"expected a model that gives one probability per class, which sum to 1, got {name}: {reason}; end it in a "
        "softmax"
    )


def _last_activation(tensor: "keras.KerasTensor") -> str:
    """Name of the activation that a tensor comes from; "" if that cannot be told."""
    from toolkit.core.framework import keras

    operation = tensor._keras_history.operation
    if isinstance(operation, keras.Model):
        return _last_activation(operation.outputs[0])
    if isinstance(operation, keras.layers.Dropout | keras.layers.Flatten | keras.layers.Reshape):
        return _last_activation(operation.input)
    return getattr(getattr(operation, "activation", None), "__name__", "")
