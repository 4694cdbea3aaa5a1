"""The networks are plain Keras: they run on another backend than TensorFlow too."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import numpy as np
from toolkit import networks
from toolkit.core.framework import keras
assert keras.backend.backend() == "jax", keras.backend.backend()
keras.utils.set_random_seed(7)
model = networks.build("vgg", classes=2, size=32, style="modern", width=0.1)
pictures = np.random.default_rng(0).uniform(0, 255, (16, 32, 32, 3)).astype("float32")
pictures[::2] *= 0.3
labels = np.eye(2, dtype="float32")[np.arange(16) % 2]
answers = model.predict(pictures, verbose=0)
assert np.allclose(answers.sum(axis=1), 1, atol=1e-5)
before = model.get_weights()
model.compile(keras.optimizers.Adam(0.01), keras.losses.CategoricalCrossentropy())
losses = model.fit(pictures, labels, epochs=8, verbose=0).history["loss"]
assert losses[-1] < 0.7 * losses[0], losses
assert any(not np.array_equal(*pair) for pair in zip(model.get_weights(), before))
"""


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed; pip install jax to try it")
def test_a_network_learns_on_jax(tmp_path):
    surroundings = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, env={**os.environ, **surroundings}, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
