"""Five convolutions whose filters double while their windows grow, and four dense layers: drawn for CIFAR-10."""

from toolkit.core.framework import KerasTensor, keras
from toolkit.networks.registry import Network

layers = keras.layers

FILTERS, KERNELS, DENSE = (32, 64, 128, 256, 512), (2, 3, 4, 5, 6), (512, 256, 128)


def build(*, classes: int, size: int, style: str, width: float = 1.0) -> keras.Model:
    """Five pairs of a convolution and pooling: 32 to 512 filters, windows of 2×2 to 6×6.

    classic: dense layers of 512, 256 and 128 before the last one. modern: 3×3 windows with batch normalization, two
    convolutions before each pooling, dropout, and no dense layers but the last.

    Args:
        classes, size, style: see `networks.build`.
        width: factor on the number of filters and dense units, above 0.
    """
    inputs = keras.Input((size, size, 3))
    outputs = layers.Rescaling(1 / 255)(inputs)
    for filters, kernel in zip(FILTERS, KERNELS, strict=True):
        filters = max(1, round(filters * width))
        if style == "modern":
            outputs = _normalized(_normalized(outputs, filters), filters)
        else:
            outputs = layers.Conv2D(filters, kernel, padding="same", activation="relu")(outputs)
        outputs = layers.MaxPooling2D()(outputs)
    if style == "modern":
        outputs = layers.Dropout(0.3)(layers.GlobalAveragePooling2D()(outputs))
    else:
        outputs = layers.Flatten()(outputs)
        for units in DENSE:
            outputs = layers.Dense(max(1, round(units * width)), activation="relu")(outputs)
    outputs = layers.Dense(classes, activation="softmax", dtype="float32")(outputs)
    return keras.Model(inputs, outputs, name="deep_cnn")


def _normalized(inputs: KerasTensor, filters: int) -> KerasTensor:
    outputs = layers.Conv2D(filters, 3, padding="same", use_bias=False)(inputs)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(outputs))


NETWORK = Network(
    name="deep_cnn",
    draw=build,
    summary="five convolutions with ever more filters, and four dense layers",
    size=32,
    smallest=32,
    epochs=30,
    patience=8,
    learning_rates={"classic": 3e-4, "modern": 1e-3},
    options=("width",),
)
