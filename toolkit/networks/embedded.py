"""A small residual network that this project trained on CIFAR-10 itself, and ships.

Its plan follows the speed runs of Jordan (2024, arXiv:2404.00498, "94% on CIFAR-10 in 3.29 seconds on a single GPU"):
a first convolution that whitens, and three stages of three convolutions, the last two of each with a shortcut (He et
al., 2015, arXiv:1512.03385). `tools/backbone.py` trains it; batch normalization is merged into the convolutions before
it is shipped, so no statistics in it can drift when it learns further.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core.framework import KerasTensor, keras
from toolkit.errors import BundleError

layers = keras.layers

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
WIDTHS = (64, 128, 224)  # filters of the three stages
SMALLEST = 32  # pixels
EPSILON = 1e-5  # of batch normalization
NORMAL = "_normal"  # what the name of a normalization adds to that of its convolution
SHIPPED = Path(__file__).parent / "weights"
WEIGHTS = "cifar10.npz"
FACTS = "cifar10.json"


def backbone(size: int | None = None) -> keras.Model:
    """Backbone: the shipped network without its head, from pictures to maps of features.

    Args:
        size: side of the pictures in pixels, at least 32; None takes any, height and width apart.

    Returns:
        A model named "cifar10" from (n, size, size, 3), RGB, 0 to 255, to a map of features, an eighth of the side.
        Averaged over the map, they are what a linear classifier needs.

    Raises:
        ValueError: pictures of less than 32 pixels.
        BundleError: the shipped weights are missing or damaged.

    >>> backbone(64).output_shape
    (None, 7, 7, 352)
    """
    if size is not None and size < SMALLEST:
        raise ValueError(f"expected pictures of at least {SMALLEST} pixels for the weights cifar10, got {size}")
    model = network(size)
    set_weights(model, read())
    return model


def classifier() -> keras.Model:
    """The shipped network as it was trained: from pictures of 32 pixels to the probabilities of `CLASSES`.

    Raises:
        BundleError: the shipped weights are missing or damaged.
    """
    model = with_head(network(32))
    set_weights(model, read())
    return model


def network(size: int | None = None, *, normalization: Callable | None = None) -> keras.Model:
    """The architecture, with random weights.

    Args:
        size: see `backbone`.
        normalization: a layer like `keras.layers.BatchNormalization` to put after each convolution, for training; None
            gives each convolution a bias instead, as `merge_normalization` needs it.
    """
    inputs = keras.Input((size, size, 3))
    outputs = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    outputs = layers.Activation("silu")(layers.Conv2D(24, 2, name="whitening")(outputs))
    stages = []
    for stage, width in enumerate(WIDTHS, start=1):
        outputs = _stage(outputs, width, f"stage{stage}", normalization)
        stages.append(outputs)
    middle = layers.AveragePooling2D(2)(stages[-2])
    return keras.Model(inputs, layers.Concatenate()([middle, stages[-1]]), name="cifar10")


def _stage(inputs: KerasTensor, width: int, name: str, normalization: Callable | None) -> KerasTensor:
    shortcut = _convolution(inputs, width, f"{name}_first", normalization, pool=True)
    shortcut = layers.Activation("silu")(shortcut)
    outputs = _convolution(shortcut, width, f"{name}_second", normalization)
    outputs = _convolution(layers.Activation("silu")(outputs), width, f"{name}_third", normalization)
    return layers.Activation("silu")(layers.Add()([outputs, shortcut]))


def _convolution(
    inputs: KerasTensor, width: int, name: str, normalization: Callable | None, *, pool: bool = False
) -> KerasTensor:
    outputs = layers.Conv2D(width, 3, padding="same", use_bias=normalization is None, name=name)(inputs)
    outputs = layers.MaxPooling2D()(outputs) if pool else outputs
    if normalization is None:
        return outputs
    # Without a scale of its own, which might be negative, it can move from behind a maximum to before it.
    return normalization(momentum=0.8, epsilon=EPSILON, scale=False, name=f"{name}{NORMAL}")(outputs)


def with_head(features: keras.Model) -> keras.Model:
    """The network under a head: global average pooling and a dense layer."""
    outputs = layers.GlobalAveragePooling2D()(features.output)
    outputs = layers.Dense(len(CLASSES), activation="softmax", dtype="float32", name="head")(outputs)
    return keras.Model(features.input, outputs)


def merge_normalization(trained: keras.Model) -> dict[str, np.ndarray]:
    """Merge batch normalization into the convolutions before it, for a network without it that computes the same.

    Returns:
        float32 arrays by name of layer and weight, such as "stage1_first/kernel".
    """
    weights: dict[str, np.ndarray] = {}
    for layer in trained.layers:
        if isinstance(layer, layers.BatchNormalization):
            name = layer.name.removesuffix(NORMAL)
            beta, mean, variance = layer.get_weights()
            scale = 1 / np.sqrt(variance + EPSILON)
            weights[f"{name}/kernel"] = weights[f"{name}/kernel"] * scale
            weights[f"{name}/bias"] = beta - mean * scale
        else:
            names = [f"{layer.name}/{weight.name}" for weight in layer.weights]
            weights |= zip(names, layer.get_weights(), strict=True)
    return weights


def set_weights(model: keras.Model, weights: Mapping[str, np.ndarray]) -> None:
    """Give the layers of a network without normalization their weights."""
    for layer in model.layers:
        for weight in layer.weights:
            weight.assign(weights[f"{layer.name}/{weight.name}"])


def write(weights: Mapping[str, np.ndarray], folder: Path, **facts: object) -> list[Path]:
    """Store weights in float16, beside a JSON file with their hash and whatever facts there are.

    Args:
        weights: as `merge_normalization` gives them.
        folder: where to; it is made if need be.
        facts: what JSON can hold, for people who wonder later.

    Returns:
        The two files, the weights first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {name: values.astype(np.float16) for name, values in weights.items()}
    np.savez_compressed(folder / WEIGHTS, **arrays)
    facts = {"sha256": _sha256(folder / WEIGHTS), **facts}
    (folder / FACTS).write_text(json.dumps(facts, indent=1) + "\n")
    return [folder / WEIGHTS, folder / FACTS]


def read(folder: Path = SHIPPED) -> dict[str, np.ndarray]:
    """The weights that `write` has stored, as float32.

    Raises:
        BundleError: a file is missing, or not the one that was stored.
    """
    file, expected = folder / WEIGHTS, facts(folder)["sha256"]
    if not file.is_file() or _sha256(file) != expected:
        raise BundleError(
            f"expected {WEIGHTS} with sha256 {expected[:12]}… in {folder}, found it missing or damaged; "
            "install the toolkit again"
        )
    with np.load(file, allow_pickle=False) as stored:
        return {name: stored[name].astype(np.float32) for name in stored.files}


def facts(folder: Path = SHIPPED) -> dict:
    """Facts about the stored weights: their hash, and what was measured when they were stored.

    Raises:
        BundleError: there is no readable file of them.
    """
    try:
        return json.loads((folder / FACTS).read_text())
    except (OSError, ValueError) as error:
        raise BundleError(f"expected {FACTS} in {folder}, could not read it; install the toolkit again") from error


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
