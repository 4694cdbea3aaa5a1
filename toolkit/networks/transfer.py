"""Transfer learning: a pretrained backbone, of `keras.applications` or EfficientNet-Lite, and a new head.

The backbone comes with its own preprocessing, so that all networks take RGB from 0 to 255.
"""

import importlib
import re
import sys
import warnings
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Unpack

from toolkit.core.framework import KerasTensor, home, keras
from toolkit.errors import BundleError, in_one_line
from toolkit.networks.applications import APPLICATIONS
from toolkit.networks.head import HEADS, MODERN, PLAIN, Changes, Head, pooled
from toolkit.networks.registry import Network

layers = keras.layers

MEANS, DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of red, green and blue on ImageNet, from 0 to 1
STAND_INS = {"none": "separable", "cifar10": "embedded"}  # for Xception, by weights
MEANS_BGR = (103.939, 116.779, 123.68)  # of blue, green and red, as the authors of VGG took them


@dataclass(frozen=True)
class Transfer:
    """Transfer learning: a backbone that stays frozen, or most of it, under a new head. See `parse`."""

    name: str
    head: Head
    weights: str = "imagenet"
    trainable_layers: int = 0
    frozen_below: int | str | None = None

    @property
    def is_linear(self) -> bool:
        """Whether nothing learns but one dense layer on pooled features."""
        frozen = self.weights != "none" and not self.trainable_layers and self.frozen_below is None
        plain = replace(self.head, dropout=0.0, pooling=PLAIN.pooling) == PLAIN
        return frozen and plain and self.head.pooling != "flatten"

    def build(self, *, classes: int, size: int) -> keras.Model:
        """Backbone and head."""
        base = self.base(size)
        if self.weights != "none":
            freeze(base, self._first(base))
        inputs = keras.Input((size, size, 3))
        return keras.Model(inputs, self.head(self.features(base, inputs), classes), name=_plain(self.name))

    def backbone(self, *, size: int) -> keras.Model:
        """The backbone alone, frozen, and the pooling of the head. See `registry.Network.backbone`."""
        base = self.base(size)
        freeze(base, len(base.layers))
        inputs = keras.Input((size, size, 3))
        features = pooled(self.features(base, inputs), self.head.pooling, dtype="float32")
        model = keras.Model(inputs, features, name=f"{_plain(self.name)}_features")
        model.trainable = False
        return model

    def check(self, *, size: int) -> None:
        """See that the weights can be had, before hours of work go by."""
        if self.weights != "none":
            self._first(self.base(size))

    def base(self, size: int) -> keras.Model:
        """The backbone with its weights, for pictures of this size."""
        return _base(self.name, size, self.weights)

    def features(self, base: keras.Model, pictures: KerasTensor) -> KerasTensor:
        """Maps of features, of pictures from 0 to 255."""
        return base(_scaled(pictures, self.name, self.weights))

    def _first(self, base: keras.Model) -> int:
        """Index of the first layer of the backbone that learns."""
        count, below = len(base.layers), self.frozen_below
        if self.trainable_layers < 0:
            raise ValueError(f"expected trainable_layers of at least 0, got {self.trainable_layers}")
        if below is None:
            return max(0, count - self.trainable_layers)
        if self.trainable_layers:
            raise ValueError("expected trainable_layers or frozen_below, got both")
        if isinstance(below, str):
            return _first_of_name(base, below)
        if not 0 <= below <= count:
            raise ValueError(f"expected frozen_below from 0 to {count}, the layers of the backbone; got {below}")
        return below


def parse(
    name: str,
    *,
    style: str,
    weights: str = "imagenet",
    trainable_layers: int = 0,
    frozen_below: int | str | None = None,
    **head: Unpack[Changes],
) -> Transfer:
    """The options of a network with a backbone.

    Args:
        name: one of `networks.pretrained()`.
        style: "classic", the head that the authors drew, see `head.HEADS`; or "modern", features averaged over the
            picture and over each of its quarters, and one dense layer.
        weights: "imagenet" (Keras downloads them once; those of EfficientNet-Lite are installed with this package), the
            path of a `.weights.h5` or `.h5` file without top, or "none": then all of it learns from random weights.
            Xception has two stand-ins that need no download: with "none" a small network of its kind, with "cifar10"
            the small one that comes with this package.
        trainable_layers: how many of the backbone's last layers learn too, 0 for none. Batch normalization stays frozen
            in any case: its statistics come from a million pictures, a small dataset would only blur them.
        frozen_below: the first layer that learns, counted from the input: its index, or the start of its name such as
            "block14"; None leaves it to `trainable_layers`.
        head: `pooling`, `normalize`, `dense`, `dropout`, `l1` and `l2`, see `head.Head`; None takes the style's.

    Raises:
        ValueError: a value is out of range.
    """
    drawn = HEADS.get(name, PLAIN) if style == "classic" else MODERN
    return Transfer(name, drawn.changed(**head), weights, trainable_layers, frozen_below)


@dataclass(frozen=True)
class Pretrained(Network):
    """A network with a pretrained backbone."""

    def transfer(self, *, style: str = "classic", **options: Any) -> Transfer:
        """The options of this network, parsed; see `parse`."""
        return parse(self.name, style=style, **options)

    def check(self, *, size: int, style: str, **options: Any) -> None:
        """Raise what `build` would raise, the weights that cannot be had included."""
        super().check(size=size, style=style, **options)
        self.transfer(style=style, **options).check(size=size)

    def is_linear(self, *, style: str = "classic", **options: Any) -> bool:
        """Whether nothing learns but one dense layer on pooled features."""
        return self.transfer(style=style, **options).is_linear


def preprocessed(pictures: KerasTensor, pixels: str) -> KerasTensor:
    """Preprocessing: RGB from 0 to 255, scaled as the backbone learned it.

    Args:
        pictures: a Keras tensor of shape (n, side, side, 3).
        pixels: see `applications.Application`.
    """
    if pixels == "0 to 255":  # it has layers of its own for that
        return pictures
    if pixels == "-1 to 1":
        return layers.Rescaling(1 / 127.5, offset=-1, dtype="float32")(pictures)
    if pixels == "standardized":
        scale = [1 / (255 * deviation) for deviation in DEVIATIONS]
        offset = [-mean / deviation for mean, deviation in zip(MEANS, DEVIATIONS, strict=True)]
        return layers.Rescaling(scale, offset=offset, dtype="float32")(pictures)
    pictures = keras.ops.flip(pictures, axis=-1)
    return layers.Rescaling(1, offset=[-mean for mean in MEANS_BGR], dtype="float32")(pictures)


def _scaled(pictures: KerasTensor, name: str, weights: str) -> KerasTensor:
    if weights == "cifar10":  # it scales them itself
        return pictures
    if name.startswith("efficientnetb") and weights not in ("imagenet", "none"):
        # Keras divides by the root of the deviations once more, but only if it downloads the weights itself: here the
        # same is done before its own scaling, (x / 255 - mean) / deviation.
        scale = [deviation**-0.5 for deviation in DEVIATIONS]
        offset = [255 * mean * (1 - factor) for mean, factor in zip(MEANS, scale, strict=True)]
        return layers.Rescaling(scale, offset=offset, dtype="float32")(pictures)
    return preprocessed(pictures, APPLICATIONS[name].pixels)


def freeze(base: keras.Model, first: int) -> None:
    """Freeze the layers below index `first`, and all batch normalization.

    Calling a base with `training=False` is not enough: `fit` overrides it, and the statistics of a batch normalization
    that may learn move on. What is frozen drops nothing out either, so its features are the same every time.
    """
    base.trainable = True
    for index, layer in enumerate(base.layers):
        layer.trainable = index >= first
    for layer in base._flatten_layers(include_self=False):
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False
        if isinstance(layer, layers.Dropout) and not layer.trainable:
            layer.rate = 0.0


def network(name: str) -> Pretrained:
    """The entry in the registry of a pretrained backbone."""
    application = APPLICATIONS[name]
    return Pretrained(
        name=name,
        draw=partial(_draw, name),
        summary=f"{application.function}, learned on ImageNet, with a new head",
        size=application.size,
        smallest=32 if name == "xception" else application.smallest,  # its stand-ins take less
        epochs=8,
        patience=3,
        learning_rates={"classic": {"xception": 1e-4, "vgg16": 5e-5}.get(name, 1e-3), "modern": 1e-3},
        options=("weights", "trainable_layers", "frozen_below", *Changes.__annotations__),
        sizes={"cifar10": 64} if name == "xception" else {},
        edition=application.edition,
        middle=application.middle,
    )


def _plain(name: str) -> str:
    """A name as Keras takes it."""
    return re.sub(r"\W+", "_", name)


def _draw(name: str, *, classes: int, size: int, style: str, **options: Any) -> keras.Model:
    return parse(name, style=style, **options).build(classes=classes, size=size)


def _base(name: str, size: int, weights: str) -> keras.Model:
    if name == "xception" and weights in STAND_INS:
        return importlib.import_module(f"toolkit.networks.{STAND_INS[weights]}").backbone(size)
    application = APPLICATIONS[name]
    if size < application.smallest:
        raise ValueError(f"expected pictures of at least {application.smallest} pixels for {name}, got {size}")
    file = None if weights == "none" else weights if weights == "imagenet" else str(Path(weights).expanduser())
    if file and file != "imagenet" and not Path(file).is_file():
        raise BundleError(
            f"expected weights 'imagenet', 'none' or a file, found no file {weights}; give the path of "
            f"{application.function} weights without top, such as "
            + ("the file of its package" if application.module else "Keras' own file that ends in notop.h5")
            + ("; the weights 'cifar10' are for xception" if weights == "cifar10" else "")
        )
    try:
        return _drawn(name, size, file)
    except BundleError:
        raise
    except Exception as error:  # Keras raises a plain Exception when a download fails
        raise _unavailable(application.function, weights, error) from error


def _drawn(name: str, size: int, file: str | None) -> keras.Model:
    application = APPLICATIONS[name]
    if application.module:
        module = importlib.import_module(f"toolkit.networks.{application.module}")
        return module.backbone(name, size, file or "none")
    with warnings.catch_warnings():  # it says that weights learned at 224 pixels serve for other sizes, and they do
        warnings.filterwarnings("ignore", "`input_shape` is undefined")
        make = getattr(keras.applications, application.function)
        with redirect_stdout(sys.stderr):  # Keras prints that it downloads weights; standard output may be JSON
            return make(weights=file, include_top=False, input_shape=(size, size, 3))


def _unavailable(function: str, weights: str, error: Exception) -> BundleError:
    if weights != "imagenet":
        return BundleError(f"expected {function} weights without top in {weights}, got: {in_one_line(error)}")
    named = re.search(r"[\w.-]+\.h5", str(error))
    file = named[0] if named else f"Keras' file of {function} weights without top"
    return BundleError(
        f"expected to download the ImageNet weights of {function}, could not; take efficientnet_lite0 in its place, "
        f"whose weights are installed, or get {file} on another machine and put it into {home() / 'models'}, or give "
        "its path with --weights"
    )


def _first_of_name(base: keras.Model, start: str) -> int:
    """Index of the first layer whose name begins so."""
    indices = [index for index, layer in enumerate(base.layers) if layer.name.startswith(start)]
    if not indices:
        blocks = ", ".join(dict.fromkeys(layer.name.partition("_")[0] for layer in base.layers[1:]))
        raise ValueError(f"expected frozen_below to begin the name of a layer of {blocks}; got {start!r}")
    return indices[0]
