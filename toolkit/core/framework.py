"""Keras and TensorFlow, imported once and quietly, with their precision and random seeds.

Importing this module has effects: it sets an environment variable, filters a warning and lowers TensorFlow's log level.
"""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import stderr
from toolkit.errors import BundleError

PRECISIONS = ("auto", "float32", "bfloat16")

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Keras asks TensorFlow's variables for an array in a way that NumPy 2 warns of; users can do nothing about it.
warnings.filterwarnings("ignore", "__array__ implementation doesn't accept a copy", DeprecationWarning)
with stderr.notice("loading TensorFlow …"), stderr.silenced():
    import keras
    import tensorflow as tf

    tf.config.list_physical_devices()
# In a notebook it would report temporary folders and retracing, which users can do nothing about.
tf.get_logger().setLevel("ERROR")

KerasTensor = keras.KerasTensor  # a symbolic value, while a network is being put together


def home() -> Path:
    """Where Keras keeps what it downloads."""
    return Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()


def hub() -> Any:
    """The library keras-hub, which is loaded where it is needed alone.

    Raises:
        BundleError: it is not installed.
    """
    try:
        with stderr.silenced():
            import keras_hub
    except ImportError as error:
        raise BundleError(
            'expected keras-hub for a network of it, it is not installed; run `pip install -e ".[hub]"`'
        ) from error
    return keras_hub


def reproducible(seed: int) -> None:
    """Determinism: what follows in this process depends on the seed alone, to the last bit on one kind of machine."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


@contextmanager
def compute_policy(precision: str) -> Iterator[None]:
    """Keras' dtype policy: networks built within compute in this precision; their weights stay float32.

    Args:
        precision: "float32", "bfloat16", or "auto": bfloat16 on a processor that multiplies matrices in it (AMX), where
            training is several times faster, else float32.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"expected a precision of {', '.join(PRECISIONS)}, got {precision!r}")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy({"float32": "float32", "bfloat16": "mixed_bfloat16"}[resolve_precision(precision)])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def resolve_precision(precision: str) -> str:
    """The precision itself, with "auto" resolved for this machine: "float32" or "bfloat16"."""
    if precision != "auto":
        return precision
    cpuinfo = Path("/proc/cpuinfo")
    has_amx = cpuinfo.exists() and "amx_bf16" in cpuinfo.read_text(errors="replace")
    return "bfloat16" if has_amx and not tf.config.list_physical_devices("GPU") else "float32"


def graph(model: keras.Model) -> Callable[[np.ndarray], list[np.ndarray]]:
    """Graph of a model for inference: traced once for batches of any size, which `predict_on_batch` does for each.

    Args:
        model: with one input, a batch of pictures of shape (n, size, size, 3).

    Returns:
        A function from such a batch to the array of each output. Later changes of the weights count.
    """
    shape = tf.TensorSpec((None, *model.inputs[0].shape[1:]), tf.float32)

    @tf.function(input_signature=[shape], autograph=False, jit_compile=False)
    def answer(pictures: tf.Tensor) -> list[tf.Tensor]:
        return tf.nest.flatten(model(pictures, training=False))

    return lambda pictures: [output.numpy() for output in answer(tf.constant(np.asarray(pictures, np.float32)))]


def reseed(model: keras.Model, *seed: int) -> None:
    """Set the random state of a model's dropout, which its weight files do not hold."""
    generator = np.random.default_rng(seed)
    for layer in model._flatten_layers():
        if hasattr(layer, "seed_generator"):
            layer.seed_generator.state.assign(generator.integers(0, 2**31, size=2).astype("uint32"))
