"""How the five projects that this one builds on trained their networks, by name.

>>> sorted(RECIPES)
['cars_tanks', 'cifar10', 'hand_digits', 'pizza', 'thumbs']
>>> get("thumbs").learning_rate
5e-05
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from toolkit.training.config import Config


@dataclass(frozen=True)
class Recipe:
    """A training as its authors did it.

    Args:
        summary: one line for people.
        configs: one for each network they trained.
        alternatives: train the first of them unless another is named; else all of them.
        folds: parts of a cross-validation, if they did one; 0 for none.
    """

    summary: str
    configs: tuple[Config, ...]
    alternatives: bool = False
    folds: int = 0


_HAND_DIGITS = Config(
    "xception",
    style="modern",
    size=299,
    epochs=60,
    patience=59,
    batch_size=10,
    optimizer="sgd",
    momentum=0.9,
    learning_rate=0.01,
    schedule={15: 0.003, 28: 0.001, 50: 0.0003},
    options={"frozen_below": 66, "pooling": "average", "dropout": 0.5, "l1": 0.003, "l2": 0.4},
)

RECIPES: Mapping[str, Recipe] = {
    "cars_tanks": Recipe(
        "cars and tanks: two networks from nothing, and Xception",
        (Config("vgg"), Config("dual_stack"), Config("xception")),
    ),
    "thumbs": Recipe(
        "thumbs up and down: VGG16 under a dense layer of 256",
        (
            Config(
                "vgg16",
                epochs=7,
                patience=6,
                batch_size=32,
                learning_rate=5e-5,
                options={"pooling": "flatten", "dense": 256, "dropout": 0.6},
            ),
        ),
    ),
    "pizza": Recipe(
        "pizza or not: three convolutions at 180 pixels, stopped by accuracy",
        (Config("small_cnn", size=180, epochs=30, patience=6, learning_rate=1e-3, monitor="val_accuracy"),),
    ),
    "cifar10": Recipe(
        "ten kinds of things: five convolutions with growing windows, the epoch with the lowest loss",
        (Config("deep_cnn", size=32, epochs=30, patience=8, monitor="val_loss"),),
    ),
    "hand_digits": Recipe(
        "digits shown by hand: Xception or MobileNet, its upper layers learning too",
        (_HAND_DIGITS, replace(_HAND_DIGITS, network="mobilenet")),
        alternatives=True,
        folds=5,
    ),
}


def recipe(name: str) -> Recipe:
    """All of a recipe.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in RECIPES:
        raise ValueError(f"expected a recipe of {', '.join(sorted(RECIPES))}, got {name!r}")
    return RECIPES[name]


def networks(name: str) -> tuple[str, ...]:
    """What a recipe trains if no network is named: all its networks, or the first where they are alternatives."""
    found = recipe(name)
    return tuple(config.network for config in found.configs[: 1 if found.alternatives else None])


def get(name: str, *, network: str | None = None) -> Config:
    """How a recipe trains a network.

    Args:
        name: one of `RECIPES`.
        network: one of `networks.names()`; one that its authors did not use is trained as their first one. None takes
            that one itself.

    Raises:
        ValueError: an unknown recipe.

    >>> get("hand_digits", network="mobilenet").schedule[15]
    0.003
    """
    configs = {config.network: config for config in recipe(name).configs}
    first = next(iter(configs.values()))
    return configs.get(network or first.network) or replace(first, network=network)
