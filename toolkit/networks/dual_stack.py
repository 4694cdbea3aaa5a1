"""Two stacks side by side: one looks with shrinking windows, one with growing ones, and a head reads both."""

from toolkit.core.framework import KerasTensor, keras
from toolkit.networks.registry import FROM_NOTHING, Network

layers = keras.layers


def build(
    *,
    classes: int,
    size: int,
    style: str,
    width: float | None = None,
    shrinking: tuple[int, ...] = (5, 4, 3),
    growing: tuple[int, ...] = (3, 4, 5),
) -> keras.Model:
    """Two stacks of three blocks of two convolutions with 64, 128 and 256 filters, concatenated.

    classic: pooling after each block, dropout 0.2 after the concatenation, flattened into two dense layers of 1,024.
    modern: batch normalization, and global average pooling instead of flattening.

    Args:
        classes, size, style: see `networks.build`.
        width: factor on the number of filters and dense units, above 0; None for 1, or 0.5 in the modern style.
        shrinking: kernel sizes of the three blocks of the first stack.
        growing: the same for the second; its authors' text has 3, 4, 5 and their code 3, 4, 3.
    """
    for kernels in (shrinking, growing):
        if len(kernels) != 3:
            raise ValueError(f"expected three kernel sizes, got {kernels}")
    width = width or {"classic": 1.0, "modern": 0.5}[style]
    inputs = keras.Input((size, size, 3))
    scaled = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    outputs = layers.Concatenate()([_stack(scaled, kernels, style, width) for kernels in (shrinking, growing)])
    if style == "modern":
        outputs = layers.Dropout(0.3)(layers.GlobalAveragePooling2D()(outputs))
    else:
        outputs = layers.Flatten()(layers.Dropout(0.2)(outputs))
        for _ in range(2):
            outputs = layers.Dense(max(1, round(1024 * width)), activation="relu")(outputs)
    outputs = layers.Dense(classes, activation="softmax", dtype="float32")(outputs)
    return keras.Model(inputs, outputs, name="dual_stack")


def _stack(inputs: KerasTensor, kernels: tuple[int, ...], style: str, width: float) -> KerasTensor:
    outputs = inputs
    for filters, kernel in zip((64, 128, 256), kernels, strict=True):
        for _ in range(2):
            outputs = _convolution(outputs, max(1, round(filters * width)), kernel, style)
        outputs = layers.MaxPooling2D()(outputs)
    return outputs


def _convolution(inputs: KerasTensor, filters: int, kernel: int, style: str) -> KerasTensor:
    if style == "classic":
        return layers.Conv2D(filters, kernel, padding="same", activation="relu")(inputs)
    outputs = layers.Conv2D(filters, kernel, padding="same", use_bias=False)(inputs)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(outputs))


NETWORK = Network(
    name="dual_stack",
    draw=build,
    summary="two stacks of convolutions, with shrinking and with growing kernels",
    size=64,
    smallest=16,
    epochs=30,
    patience=10,
    learning_rates={"classic": 1e-4, "modern": 1e-3},
    options=("width", "shrinking", "growing"),
    modern=FROM_NOTHING,
)
