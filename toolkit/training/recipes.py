"""Recipes: how the five projects that this one builds on trained their networks, by name; and the order of settings.

>>> sorted(RECIPES)
['cars_tanks', 'cifar10', 'hand_digits', 'pizza', 'thumbs']
>>> get("thumbs").learning_rate
5e-05
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from toolkit import networks as registry
from toolkit.training.config import Config, Values, config_from


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
        tuple(Config(network, style="classic") for network in ("vgg", "dual_stack", "xception")),
    ),
    "thumbs": Recipe(
        "thumbs up and down: VGG16 under a dense layer of 256",
        (
            Config(
                "vgg16",
                style="classic",
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
        (
            Config(
                "small_cnn",
                style="classic",
                size=180,
                epochs=30,
                patience=6,
                learning_rate=1e-3,
                monitor="val_accuracy",
            ),
        ),
    ),
    "cifar10": Recipe(
        "ten kinds of things: five convolutions with growing windows, the epoch with the lowest loss",
        (Config("deep_cnn", style="classic", size=32, epochs=30, patience=8, monitor="val_loss"),),
    ),
    "hand_digits": Recipe(
        "digits shown by hand: Xception or MobileNet, its upper layers learning too",
        (_HAND_DIGITS, replace(_HAND_DIGITS, network="mobilenet")),
        alternatives=True,
        folds=5,
    ),
}


def recipe(name: str) -> Recipe:
    """A recipe by its name.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in RECIPES:
        raise ValueError(f"expected a recipe of {', '.join(sorted(RECIPES))}, got {name!r}")
    return RECIPES[name]


def networks(name: str) -> tuple[str, ...]:
    """What a recipe trains if no network is named: all its networks, or the first where they are alternatives."""
    configs = recipe(name).configs
    return tuple(config.network for config in (configs[:1] if recipe(name).alternatives else configs))


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
    network = network or first.network
    return configs.get(network) or replace(first, network=network)


def configs_for(
    names: Sequence[str],
    *,
    recipe: str | None = None,
    stored: Values | None = None,
    weights: str | None = None,
    settings: Values | None = None,
    options: registry.Options | None = None,
) -> list[Config]:
    """A config per network, from what is set in several places: `settings`, then `stored`, then the recipe.

    Args:
        names: of networks; none takes the one that is stored, or those of the recipe.
        recipe: whose settings come last, see `RECIPES`; None takes the defaults of the network.
        stored: settings that come second, such as those of `config.stored`.
        weights: for networks that can start from some, see `networks.transfer.parse`; None leaves it to the network.
        settings: values of `train.Config` that all of them share, and that come first; unknown ones raise ValueError.
            What only a linear probe uses goes to the networks that are one, if any is.
        options: of the networks; each takes those it has, and one that none has raises ValueError.

    >>> [config.options for config in configs_for(["vgg", "mobilenet"], options={"width": 0.5})]
    [{'width': 0.5}, {}]
    """
    stored, settings = stored or {}, settings or {}
    shared = {**({"weights": weights} if weights else {}), **(options or {})}
    usual = [stored["network"]] if stored.get("network") else networks(recipe) if recipe else []
    names = list(dict.fromkeys(names or usual))
    _check_options(names, set(shared) - {"weights"})
    configs = []
    for name in names:
        merged = _merged(name, recipe, stored, settings)
        own = {option: shared[option] for option in registry.get(name).options if option in shared}
        merged["options"] = {**merged.get("options", {}), **own}
        _check_options([name], merged["options"])
        configs.append(config_from(merged))
    if not any(config.is_linear_probe for config in configs):
        return configs  # `Config.resolved` refuses what only a linear probe uses
    return [config if config.is_linear_probe else config.without_probe() for config in configs]


def _merged(name: str, recipe: str | None, stored: Values, settings: Values) -> dict[str, Any]:
    """The settings of a network, the first place last; a patience gives way to fewer epochs that are set later."""
    merged: dict[str, Any] = {}
    for values in (vars(get(recipe, network=name)) if recipe else {}, stored, settings):
        if merged.get("patience") and values.get("epochs"):
            merged["patience"] = min(merged["patience"], max(1, int(values["epochs"]) - 1))
        before, after = merged.get("fine_tune"), values.get("fine_tune")
        merged |= values
        if isinstance(before, Mapping) and isinstance(after, Mapping):  # other epochs of it leave its rate as it is
            merged["fine_tune"] = {**before, **after}
    return {**merged, "network": name}


def _check_options(names: Sequence[str], options: Iterable[str]) -> None:
    """Raise ValueError for an option that none of the networks has."""
    known = dict.fromkeys(option for name in names for option in registry.get(name).options)
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(
            f"expected options of {', '.join(names)} from {', '.join(known) or 'none'}, got {unknown[0]!r}"
        )
