"""Networks by name.

Every network takes RGB pictures with values from 0 to 255 and gives one probability per class; what a backbone wants of
its pixels happens inside. Each exists in two styles: "classic", as its authors drew it, and "modern", the same idea
with what has been learned since.

Some are drawn here (`own`) and learn from nothing. The others are backbones of `keras.applications` under a new head
(`pretrained`), called as Keras calls them, in small letters.

>>> own()
('deep_cnn', 'dual_stack', 'small_cnn', 'vgg')
>>> {"mobilenet", "vgg16", "xception", "efficientnetb0"} < set(pretrained())
True
>>> build("vgg", classes=2, size=64).count_params()  # doctest: +SKIP
18747074
"""

import importlib
from difflib import get_close_matches
from typing import TYPE_CHECKING

from toolkit.networks.applications import APPLICATIONS
from toolkit.networks.registry import STYLES, Network

if TYPE_CHECKING:
    import keras

__all__ = ["STYLES", "Network", "backbone", "build", "check", "get", "linear", "names", "own", "pooling", "pretrained"]

MODULES = (
    "deep_cnn",
    "dual_stack",
    "small_cnn",
    "vgg",
)  # a new network is a module with a `NETWORK`, and its name here


def names() -> tuple[str, ...]:
    """All networks: those drawn here, then those that have seen pictures before, each in alphabetical order."""
    return own() + pretrained()


def own() -> tuple[str, ...]:
    """The networks that are drawn here, in alphabetical order."""
    return MODULES


def pretrained() -> tuple[str, ...]:
    """The networks with a backbone that learned elsewhere, in alphabetical order."""
    return tuple(sorted(APPLICATIONS))


def get(name: str) -> Network:
    """What is known about a network: how to build it and how it is usually trained.

    Raises:
        ValueError: no network has this name.
    """
    if name in MODULES:
        return importlib.import_module(f"toolkit.networks.{name}").NETWORK
    if name in APPLICATIONS:
        from toolkit.networks import transfer

        return transfer.network(name)
    near = get_close_matches(name, names(), n=3) or ("xception", "mobilenet", "vgg16")
    raise ValueError(
        f"expected a network of {', '.join(MODULES)}, or of keras.applications in small letters such as "
        f"{', '.join(near)}; got {name!r}"
    )


def build(
    name: str, *, classes: int, size: int | None = None, style: str = "classic", **options: object
) -> "keras.Model":
    """A fresh network.

    Args:
        name: one of `names()`.
        classes: number of classes, at least 2.
        size: side of the pictures in pixels; None takes the network's own.
        style: "classic" or "modern".
        options: what this network alone understands, such as `weights` for "xception".

    Returns:
        A `keras.Model` from (n, size, size, 3), RGB, 0 to 255, to (n, classes), rows that sum to 1.

    Raises:
        ValueError: an unknown name, style or option, fewer than 2 classes, or too small a size.
    """
    network = get(name)
    size = network.usual_size(options) if size is None else size
    if classes < 2:
        raise ValueError(f"expected at least 2 classes, got {classes}")
    _check(network, name, size, style, options)
    return network.build(classes=classes, size=size, style=style, **options)


def backbone(
    name: str, *, size: int | None = None, weights: str = "imagenet", pooling: str = "average"
) -> "keras.Model":
    """What a network sees in a picture, before any head decides about it.

    Args:
        name: one of `pretrained()`.
        size: side of the pictures in pixels; None takes the network's own.
        weights: "imagenet", a file without top, "none" for random ones, or for xception "cifar10".
        pooling: "average", the mean of each feature over the picture, or "pyramid", see `head.Head`.

    Returns:
        A `keras.Model` from (n, size, size, 3), RGB, 0 to 255, to (n, features), float32. Nothing in it learns or
        moves, batch normalization and dropout included.

    Raises:
        ValueError: an unknown name, or too small a size.
        BundleError: the weights cannot be had.

    >>> backbone("mobilenet", size=224).output_shape  # doctest: +SKIP
    (None, 1024)
    """
    if name not in pretrained():
        raise ValueError(f"expected a network with a backbone, such as mobilenet, vgg16 or xception; got {name!r}")
    from toolkit.networks import transfer

    size = get(name).usual_size({"weights": weights}) if size is None else size
    _check(get(name), name, size, "modern", {"weights": weights})
    return transfer.backbone(name, size=size, weights=weights, pooling=pooling)


def linear(name: str, *, style: str = "classic", **options: object) -> bool:
    """Whether nothing learns but one dense layer on the pooled features of a backbone that is kept as it is.

    Then `backbone` and that layer are all of the network, and what the backbone sees need be computed only once.

    >>> linear("mobilenet"), linear("mobilenet", trainable_layers=6), linear("vgg")
    (True, False, False)
    """
    if name not in pretrained():
        return False
    from toolkit.networks import transfer

    return transfer.linear(name, style=style, **options)


def pooling(name: str, *, style: str = "classic", pooling: str | None = None) -> str:
    """How a network with a backbone pools what that sees: as it is told to, or as its style does.

    >>> pooling("mobilenet"), pooling("mobilenet", style="modern")
    ('average', 'pyramid')
    """
    from toolkit.networks import transfer

    return transfer.pooling(name, style=style, pooling=pooling)


def check(name: str, *, size: int, style: str, **options: object) -> None:
    """Raise what `build` would raise, without building: before pictures are scraped, not after."""
    network = get(name)
    _check(network, name, size, style, options)
    network.check(size=size, **options)


def _check(network: Network, name: str, size: int, style: str, options: dict) -> None:
    if size < network.smallest:
        raise ValueError(f"expected pictures of at least {network.smallest} pixels for {name}, got {size}")
    if style not in STYLES:
        raise ValueError(f"expected a style of {' or '.join(STYLES)}, got {style!r}")
    unknown = sorted(set(options) - set(network.options))
    if unknown:
        raise ValueError(f"expected options of {name} from {', '.join(network.options) or 'none'}, got {unknown[0]!r}")
