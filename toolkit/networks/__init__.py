"""Networks by name.

Every network takes RGB pictures with values from 0 to 255 and gives one probability per class; what a backbone wants of
its pixels happens inside. Each exists in two styles: "classic", as its authors drew it, and "modern", the same idea
with what has been learned since.

>>> names()
('dual_stack', 'vgg', 'xception')
>>> build("vgg", classes=2, size=64).count_params()  # doctest: +SKIP
18747074
"""

import importlib
from typing import TYPE_CHECKING

from toolkit.networks.registry import STYLES, Network

if TYPE_CHECKING:
    import keras

__all__ = ["STYLES", "Network", "build", "check", "get", "names"]

MODULES = ("dual_stack", "vgg", "xception")  # a new network is a module with a `NETWORK` in it, and its name here


def names() -> tuple[str, ...]:
    """The registered networks, in alphabetical order."""
    return MODULES


def get(name: str) -> Network:
    """What is known about a network: how to build it and how it is usually trained.

    Raises:
        ValueError: no network has this name.
    """
    if name not in MODULES:
        raise ValueError(f"expected a network of {', '.join(MODULES)}, got {name!r}")
    return importlib.import_module(f"toolkit.networks.{name}").NETWORK


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
