"""Xception (Chollet, 2017, arXiv:1610.02357) with weights learned on ImageNet, and a new head."""

import os
from pathlib import Path

from toolkit.errors import BundleError
from toolkit.framework import keras
from toolkit.networks import embedded
from toolkit.networks.registry import Network

layers = keras.layers

FILE = "xception_weights_tf_dim_ordering_tf_kernels_notop.h5"
SMALLEST_PRETRAINED = 71  # pixels


def build(*, classes: int, size: int, style: str, weights: str = "imagenet", trainable_layers: int = 0) -> keras.Model:
    """A backbone that is kept as it is, and a head that learns.

    classic: the features are flattened, batch normalized, and go through two dense layers of 1,024 with dropout 0.5.
    modern: they are averaged over the picture, and one dense layer decides.

    Args:
        classes, size, style: see `networks.build`.
        weights: "imagenet" (Keras downloads them once), the path of a `.weights.h5` or `.h5` file without top,
            "cifar10": the small backbone that comes with the toolkit (see `networks.embedded`) in the place of
            Xception's, or "none": then a small network of the same separable convolutions learns from nothing.
        trainable_layers: how many of the backbone's last layers learn too, 0 for none. Batch normalization stays still
            in any case: its statistics come from a million pictures, a small dataset would only blur them.

    Raises:
        BundleError: the weights cannot be had, with the name of the file to get.
    """
    if trainable_layers < 0:
        raise ValueError(f"expected trainable_layers of at least 0, got {trainable_layers}")
    inputs = keras.Input((size, size, 3))
    scaled = inputs if weights == "cifar10" else layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    if weights == "none":
        outputs = layers.GlobalAveragePooling2D()(_small_backbone(scaled))
        outputs = layers.Dropout(0.3)(outputs)
    else:
        backbone = embedded.backbone(size) if weights == "cifar10" else _pretrained(size, weights)
        _freeze(backbone, trainable_layers)
        outputs = _classic_head(backbone(scaled)) if style == "classic" else _modern_head(backbone(scaled))
    outputs = layers.Dense(classes, activation="softmax", dtype="float32")(outputs)
    return keras.Model(inputs, outputs, name="xception")


def check(*, size: int, weights: str = "imagenet", trainable_layers: int = 0) -> None:
    """Have the weights at hand before hours of work go by."""
    if weights == "cifar10":
        embedded.backbone(size)
    elif weights != "none":
        _pretrained(size, weights)


def _pretrained(size: int, weights: str) -> keras.Model:
    if size < SMALLEST_PRETRAINED:
        raise ValueError(f"expected pictures of at least {SMALLEST_PRETRAINED} pixels for xception, got {size}")
    if weights != "imagenet" and not Path(weights).expanduser().is_file():
        raise BundleError(
            f"expected weights 'imagenet', 'cifar10', 'none' or a file, found no file {weights}; get {FILE} and give "
            "its path"
        )
    file = weights if weights == "imagenet" else str(Path(weights).expanduser())
    try:
        return keras.applications.Xception(weights=file, include_top=False, input_shape=(size, size, 3))
    except Exception as error:  # Keras raises a plain Exception when a download fails
        if weights == "imagenet":
            raise BundleError(
                f"expected to download the ImageNet weights, could not; get {FILE} on another machine and put it into "
                f"{_keras_home() / 'models'}, or give its path with --weights"
            ) from error
        raise BundleError(f"expected Xception weights without top in {weights}, got: {_line(error)}") from error


def _keras_home() -> Path:
    """Where Keras keeps what it downloads."""
    return Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__


def _freeze(backbone: keras.Model, trainable_layers: int) -> None:
    """Let the last layers learn, but no batch normalization: `training=False` alone does not keep its statistics."""
    first = len(backbone.layers) - trainable_layers
    for place, layer in enumerate(backbone.layers):
        layer.trainable = place >= first and not isinstance(layer, layers.BatchNormalization)


def _classic_head(features: object) -> object:
    outputs = layers.BatchNormalization()(layers.Flatten()(features))
    for _ in range(2):
        outputs = layers.Dropout(0.5)(layers.Dense(1024, activation="relu")(outputs))
    return outputs


def _modern_head(features: object) -> object:
    return layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(features))


def _small_backbone(inputs: object) -> object:
    """The plan of Xception at a fraction of its width: separable convolutions with a way around each pair."""
    outputs = layers.Conv2D(24, 3, strides=2, padding="same", use_bias=False)(inputs)
    outputs = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(outputs))
    for filters in (48, 96, 192):
        around = layers.Conv2D(filters, 1, strides=2, padding="same", use_bias=False)(outputs)
        for _ in range(2):
            outputs = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False)(layers.ReLU()(outputs))
            outputs = layers.BatchNormalization(momentum=0.9)(outputs)
        outputs = layers.MaxPooling2D(3, strides=2, padding="same")(outputs)
        outputs = layers.Add()([outputs, layers.BatchNormalization(momentum=0.9)(around)])
    return layers.ReLU()(outputs)


NETWORK = Network(
    build=build,
    summary="Xception, learned on ImageNet, with a new head",
    size=224,
    smallest=32,
    epochs=8,
    patience=3,
    learning_rates={"classic": 1e-4, "modern": 1e-3},
    options=("weights", "trainable_layers"),
    sizes={"cifar10": 64},
    check=check,
)
