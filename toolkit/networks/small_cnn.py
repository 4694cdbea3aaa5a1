"""Three convolutions, each with pooling, and a dense layer: the first network of many a tutorial."""

from toolkit.core.framework import KerasTensor, keras
from toolkit.networks.registry import Network

layers = keras.layers


def build(*, classes: int, size: int, style: str, width: float = 1.0) -> keras.Model:
    """Three pairs of a 3×3 convolution and pooling.

    classic: 16, 32 and 64 filters, flattened into a dense layer of 128. modern: twice the filters with batch
    normalization, and global average pooling instead of flattening, so that the size of the pictures costs no weights.

    Args:
        classes, size, style: see `networks.build`.
        width: factor on the number of filters and dense units, above 0.
    """
    inputs = keras.Input((size, size, 3))
    outputs = layers.Rescaling(1 / 255)(inputs)
    for filters in (16, 32, 64):
        outputs = _pair(outputs, filters, style, width)
    if style == "modern":
        outputs = layers.Dropout(0.3)(layers.GlobalAveragePooling2D()(outputs))
    else:
        outputs = layers.Dense(max(1, round(128 * width)), activation="relu")(layers.Flatten()(outputs))
    outputs = layers.Dense(classes, activation="softmax", dtype="float32")(outputs)
    return keras.Model(inputs, outputs, name="small_cnn")


def _pair(inputs: KerasTensor, filters: int, style: str, width: float) -> KerasTensor:
    if style == "classic":
        outputs = layers.Conv2D(max(1, round(filters * width)), 3, padding="same", activation="relu")(inputs)
    else:
        outputs = layers.Conv2D(max(1, round(2 * filters * width)), 3, padding="same", use_bias=False)(inputs)
        outputs = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(outputs))
    return layers.MaxPooling2D()(outputs)


NETWORK = Network(
    name="small_cnn",
    draw=build,
    summary="three convolutions, each with pooling",
    size=180,
    smallest=16,
    epochs=30,
    patience=6,
    learning_rates={"classic": 1e-3, "modern": 1e-3},
    options=("width",),
)
