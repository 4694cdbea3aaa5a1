"""A small network in the manner of VGG (Simonyan and Zisserman, 2014): blocks of convolutions, each half the size."""

from toolkit.core.framework import KerasTensor, keras
from toolkit.networks.registry import FROM_NOTHING, Network

layers = keras.layers


def build(*, classes: int, size: int, style: str, width: float | None = None) -> keras.Model:
    """Three blocks of two convolutions, then two dense layers.

    classic: 4×4 convolutions with 64, 128 and 256 filters, pooling and dropout 0.1 after each block, flattened into two
    dense layers of 1,024. modern: 3×3 convolutions with batch normalization, global average pooling instead of
    flattening, which leaves a sixteenth of the weights.

    Args:
        classes, size, style: see `networks.build`.
        width: factor on the number of filters and dense units, above 0; None for 1, or 0.5 in the modern style.
    """
    width = width or {"classic": 1.0, "modern": 0.5}[style]
    inputs = keras.Input((size, size, 3))
    outputs = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    for filters in (64, 128, 256):
        filters = max(1, round(filters * width))
        outputs = _modern_block(outputs, filters) if style == "modern" else classic_block(outputs, filters, kernel=4)
    if style == "modern":
        outputs = layers.Dropout(0.3)(layers.GlobalAveragePooling2D()(outputs))
    else:
        outputs = layers.Flatten()(outputs)
        for _ in range(2):
            outputs = layers.Dense(max(1, round(1024 * width)), activation="relu")(outputs)
    outputs = layers.Dense(classes, activation="softmax", dtype="float32")(outputs)
    return keras.Model(inputs, outputs, name="vgg")


def classic_block(inputs: KerasTensor, filters: int, *, kernel: int, dropout: float = 0.1) -> KerasTensor:
    """Two convolutions, pooling, dropout."""
    outputs = inputs
    for _ in range(2):
        outputs = layers.Conv2D(filters, kernel, padding="same", activation="relu")(outputs)
    outputs = layers.MaxPooling2D()(outputs)
    return layers.Dropout(dropout)(outputs) if dropout else outputs


def _modern_block(inputs: KerasTensor, filters: int) -> KerasTensor:
    outputs = inputs
    for _ in range(2):
        outputs = layers.Conv2D(filters, 3, padding="same", use_bias=False)(outputs)
        outputs = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(outputs))
    return layers.MaxPooling2D()(outputs)


NETWORK = Network(
    name="vgg",
    draw=build,
    summary="three blocks of two convolutions, in the manner of VGG",
    size=64,
    smallest=16,
    epochs=30,
    patience=10,
    learning_rates={"classic": 3e-4, "modern": 1e-3},
    options=("width",),
    modern=FROM_NOTHING,
)
