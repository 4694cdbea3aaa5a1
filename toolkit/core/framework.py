"""Keras and TensorFlow, imported once and quietly, and how they are to compute."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from toolkit.core import stderr

PRECISIONS = ("auto", "float32", "bfloat16")


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Keras asks TensorFlow's variables for an array in a way that NumPy 2 warns of; nobody who reads it can do anything.
warnings.filterwarnings("ignore", "__array__ implementation doesn't accept a copy", DeprecationWarning)
with stderr.compiled():
    import keras
    import tensorflow as tf

    tf.config.list_physical_devices()
# In a notebook it would tell where it put what it removes again, and that several networks were compiled one by one.
tf.get_logger().setLevel("ERROR")


def home() -> Path:
    """Where Keras keeps what it downloads."""
    return Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()


def reproducible(seed: int) -> None:
    """Make what follows in this process depend on the seed alone, to the last bit on one kind of machine."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


@contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Build networks that compute in this precision; their weights are float32 whatever it is.

    Args:
        precision: "float32", "bfloat16", or "auto": bfloat16 on a processor that multiplies matrices in it (AMX), where
            training is several times faster, else float32.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"expected a precision of {', '.join(PRECISIONS)}, got {precision!r}")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy({"float32": "float32", "bfloat16": "mixed_bfloat16"}[chosen(precision)])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def chosen(precision: str) -> str:
    """What "auto" means on this machine."""
    if precision != "auto":
        return precision
    facts = Path("/proc/cpuinfo")
    fast = facts.exists() and "amx_bf16" in facts.read_text(errors="replace")
    return "bfloat16" if fast and not tf.config.list_physical_devices("GPU") else "float32"


def reseed(model: keras.Model, *seed: int) -> None:
    """Set the random state of a model's dropout, which its weight files do not hold."""
    generator = np.random.default_rng(seed)
    for layer in model._flatten_layers():
        if hasattr(layer, "seed_generator"):
            layer.seed_generator.state.assign(generator.integers(0, 2**31, size=2).astype("uint32"))
