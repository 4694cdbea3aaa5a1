"""The plan of Xception (Chollet, 2017, arXiv:1610.02357) at a fraction of its width, to learn from nothing."""

from toolkit.core.framework import keras

layers = keras.layers


def backbone(size: int) -> keras.Model:
    """Separable convolutions with a shortcut around each pair, from values of -1 to 1 to a map of 192 features.

    Args:
        size: side of the pictures in pixels, at least 32.
    """
    inputs = keras.Input((size, size, 3))
    outputs = layers.Conv2D(24, 3, strides=2, padding="same", use_bias=False)(inputs)
    outputs = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(outputs))
    for filters in (48, 96, 192):
        shortcut = layers.Conv2D(filters, 1, strides=2, padding="same", use_bias=False)(outputs)
        for _ in range(2):
            outputs = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False)(layers.ReLU()(outputs))
            outputs = layers.BatchNormalization(momentum=0.9)(outputs)
        outputs = layers.MaxPooling2D(3, strides=2, padding="same")(outputs)
        outputs = layers.Add()([outputs, layers.BatchNormalization(momentum=0.9)(shortcut)])
    return keras.Model(inputs, layers.ReLU()(outputs), name="separable")
