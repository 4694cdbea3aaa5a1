"""Networks that have seen a million pictures before: a backbone of `keras.applications`, and a new head.

The backbone comes with its own scaling of the pixels, so that all networks take RGB from 0 to 255.
"""

import importlib
import re
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from toolkit.core.framework import home, keras
from toolkit.errors import BundleError
from toolkit.networks.applications import APPLICATIONS
from toolkit.networks.head import HEADS, MODERN, PLAIN, Head, pooled
from toolkit.networks.registry import Network

layers = keras.layers

MEANS, DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of red, green and blue on ImageNet, from 0 to 1
STAND_INS = {"none": "separable", "cifar10": "embedded"}  # for Xception, by weights
MEANS_BGR = (103.939, 116.779, 123.68)  # of blue, green and red, as the authors of VGG took them


def build(
    name: str,
    *,
    classes: int,
    size: int,
    style: str,
    weights: str = "imagenet",
    trainable_layers: int = 0,
    frozen_below: int | str | None = None,
    pooling: str | None = None,
    normalize: bool | None = None,
    dense: int | Sequence[int] | None = None,
    dropout: float | None = None,
    l1: float | None = None,
    l2: float | None = None,
) -> keras.Model:
    """A backbone that is kept as it is, or most of it, and a head that learns.

    classic: the head that the authors drew, see `head.HEADS`. modern: the features are averaged over the picture and
    over each of its quarters, and one dense layer decides.

    Args:
        name: one of `networks.pretrained()`.
        classes, size, style: see `networks.build`.
        weights: "imagenet" (Keras downloads them once), the path of a `.weights.h5` or `.h5` file without top, or
            "none": then all of it learns from nothing. Xception has two stand-ins that need no download: with "none" a
            small network of its kind, with "cifar10" the small one that comes with this package.
        trainable_layers: how many of the backbone's last layers learn too, 0 for none. Batch normalization stays still
            in any case: its statistics come from a million pictures, a small dataset would only blur them.
        frozen_below: the same said from the other end, the first layer that learns: its index, or the start of its name
            such as "block14"; None leaves it to `trainable_layers`.
        pooling, normalize, dense, dropout, l1, l2: see `head.Head`; None takes the style's.

    Raises:
        BundleError: the weights cannot be had, with the name of the file to get.
    """
    head = _head(name, style, pooling=pooling, normalize=normalize, dense=dense, dropout=dropout, l1=l1, l2=l2)
    base = _base(name, size, weights)
    if weights != "none":
        freeze(base, _first(base, trainable_layers, frozen_below))
    inputs = keras.Input((size, size, 3))
    return keras.Model(inputs, head(base(_scaled(inputs, name, weights)), classes), name=name)


def check(
    name: str,
    *,
    size: int,
    weights: str = "imagenet",
    trainable_layers: int = 0,
    frozen_below: int | str | None = None,
    **head: object,
) -> None:
    """Have the weights at hand before hours of work go by."""
    _head(name, "modern", **head)
    if weights != "none":
        _first(_base(name, size, weights), trainable_layers, frozen_below)


def linear(
    name: str,
    *,
    style: str,
    weights: str = "imagenet",
    trainable_layers: int = 0,
    frozen_below: int | str | None = None,
    **head: object,
) -> bool:
    """Whether nothing learns but one dense layer on pooled features. See `networks.linear`."""
    drawn = _head(name, style, **head)
    frozen = weights != "none" and not trainable_layers and frozen_below is None
    return frozen and drawn.pooling != "flatten" and replace(drawn, dropout=0.0, pooling=PLAIN.pooling) == PLAIN


def pooling(name: str, *, style: str, pooling: str | None = None) -> str:
    """How the features are pooled. See `networks.pooling`."""
    return _head(name, style, pooling=pooling).pooling


def backbone(name: str, *, size: int, weights: str = "imagenet", pooling: str = "average") -> keras.Model:
    """From RGB, 0 to 255, to one float32 vector per picture; nothing in it learns or moves. See `networks.backbone`."""
    base = _base(name, size, weights)
    freeze(base, len(base.layers))
    inputs = keras.Input((size, size, 3))
    features = pooled(base(_scaled(inputs, name, weights)), pooling, dtype="float32")
    model = keras.Model(inputs, features, name=f"{name}_features")
    model.trainable = False
    return model


def preprocessed(pictures: object, pixels: str) -> object:
    """Scale RGB from 0 to 255 the way a backbone wants it.

    Args:
        pictures: a Keras tensor of shape (n, side, side, 3).
        pixels: see `applications.Application`.
    """
    if pixels == "0 to 255":  # it has layers of its own for that
        return pictures
    if pixels == "-1 to 1":
        scale, offset = 1 / 127.5, -1
    elif pixels == "standardized":
        scale = [1 / (255 * deviation) for deviation in DEVIATIONS]
        offset = [-mean / deviation for mean, deviation in zip(MEANS, DEVIATIONS, strict=True)]
    else:
        pictures = keras.ops.flip(pictures, axis=-1)
        scale, offset = 1, [-mean for mean in MEANS_BGR]
    return layers.Rescaling(scale, offset=offset, dtype="float32")(pictures)


def _scaled(pictures: object, name: str, weights: str) -> object:
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
    """Let the layers from number `first` on learn, but no batch normalization.

    Calling a base with `training=False` is not enough: `fit` overrides it, and the statistics of a batch normalization
    that may learn move on. What is frozen drops nothing out either, so its features are the same every time.
    """
    for place, layer in enumerate(base.layers):
        layer.trainable = place >= first
    for layer in base._flatten_layers(include_self=False):
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False
        if isinstance(layer, layers.Dropout) and not layer.trainable:
            layer.rate = 0.0


def network(name: str) -> Network:
    """The entry in the registry of a backbone of `keras.applications`."""
    application = APPLICATIONS[name]
    return Network(
        build=partial(build, name),
        summary=f"{application.function}, learned on ImageNet, with a new head",
        size=application.size,
        smallest=32 if name == "xception" else application.smallest,  # its stand-ins take less
        epochs=8,
        patience=3,
        learning_rates={"classic": {"xception": 1e-4, "vgg16": 5e-5}.get(name, 1e-3), "modern": 1e-3},
        options=(
            *("weights", "trainable_layers", "frozen_below"),
            *("pooling", "normalize", "dense", "dropout", "l1", "l2"),
        ),
        check=partial(check, name),
        sizes={"cifar10": 64} if name == "xception" else {},
    )


def _head(name: str, style: str, **changes: object) -> Head:
    return (HEADS.get(name, PLAIN) if style == "classic" else MODERN).changed(**changes)


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
            f"{application.function} weights without top, such as Keras' own file that ends in notop.h5"
            + ("; the weights 'cifar10' are for xception" if weights == "cifar10" else "")
        )
    make = getattr(keras.applications, application.function)
    try:
        with warnings.catch_warnings():  # it says that weights learned at 224 pixels serve for other sizes, and they do
            warnings.filterwarnings("ignore", "`input_shape` is undefined")
            return make(weights=file, include_top=False, input_shape=(size, size, 3))
    except Exception as error:  # Keras raises a plain Exception when a download fails
        raise _unavailable(application.function, weights, error) from error


def _unavailable(function: str, weights: str, error: Exception) -> BundleError:
    if weights != "imagenet":
        return BundleError(f"expected {function} weights without top in {weights}, got: {_line(error)}")
    named = re.search(r"[\w.-]+\.h5", str(error))
    file = named[0] if named else f"Keras' file of {function} weights without top"
    return BundleError(
        f"expected to download the ImageNet weights of {function}, could not; get {file} on another machine and put it "
        f"into {home() / 'models'}, or give its path with --weights"
    )


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__


def _first(base: keras.Model, trainable_layers: int, frozen_below: int | str | None) -> int:
    """The number of the first layer that learns."""
    count = len(base.layers)
    if trainable_layers < 0:
        raise ValueError(f"expected trainable_layers of at least 0, got {trainable_layers}")
    if frozen_below is None:
        return max(0, count - trainable_layers)
    if trainable_layers:
        raise ValueError("expected trainable_layers or frozen_below, got both")
    if isinstance(frozen_below, str):
        places = [place for place, layer in enumerate(base.layers) if layer.name.startswith(frozen_below)]
        if not places:
            blocks = ", ".join(dict.fromkeys(layer.name.partition("_")[0] for layer in base.layers[1:]))
            raise ValueError(f"expected frozen_below to begin the name of a layer of {blocks}; got {frozen_below!r}")
        return places[0]
    if not 0 <= frozen_below <= count:
        raise ValueError(f"expected frozen_below from 0 to {count}, the layers of the backbone; got {frozen_below}")
    return frozen_below
