"""Which settings are varied in a search, and how far.

A space says for the name of a setting either a pair (from, to) of numbers or a list of choices. Settings within others
have a dot.

>>> space = {"learning_rate": (1e-5, 1e-2), "batch_size": [16, 32], "options.width": [0.5, 1.0]}
>>> points(space["learning_rate"])
[1e-05, 5.62341e-05, 0.000316228, 0.00177828, 0.01]
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from toolkit import networks
from toolkit.core.runs import as_stored
from toolkit.training import probe
from toolkit.training.config import Config, config_from

if TYPE_CHECKING:
    import optuna

STEPS = 5  # of a range, where a grid is laid over it
LOGARITHMIC = 10  # a range whose end is so many times its start is searched by factors, not by differences

Space = Mapping[str, tuple[float, float] | Sequence[object]]


def usual(config: Config) -> dict[str, tuple | list]:
    """What is usually worth varying: of a head on features, or of a training."""
    config = config.resolved()
    network = networks.get(config.network)
    if probe.suits(config) and not config.fine_tune:
        sizes = {max(network.smallest, round(config.size * share / 32) * 32) for share in (0.75, 1, 1.25)}
        pooling = {"options.pooling": ["average", "pyramid"]}
        return {"C": (1e-4, 10.0), "views": [1, 2, 4], "size": sorted(sizes), **pooling}
    rate = config.learning_rate
    space = {"learning_rate": (rate / 10, rate * 10), "batch_size": [16, 32, 64], "style": list(networks.STYLES)}
    space |= {"augmentation.rotation": (0.0, 20.0), "augmentation.zoom": (0.0, 0.3)}
    return space | ({"options.width": [0.25, 0.5, 1.0]} if "width" in network.options else {})


def changed(config: Config, values: Mapping[str, object]) -> Config:
    """The config with these settings; a dot leads into settings within others.

    >>> changed(Config("vgg"), {"options.width": 0.5, "batch_size": 16}).options
    {'width': 0.5}
    """
    plain, usual = (as_stored(asdict(one)) for one in (config, config.resolved()))
    for setting, value in values.items():
        *outer, last = setting.split(".")
        place = plain
        for name in outer:
            if not isinstance(place.get(name), dict):
                place[name] = usual.get(name) if place.get(name) == "usual" else None
            place[name] = place[name] or {}
            place = place[name]
        place[last] = value
    return config_from(plain)


def check(config: Config, space: Space) -> None:
    """Raise ValueError for what cannot be varied, before anything is tried."""
    if not space:
        raise ValueError("expected settings to vary, got none")
    for name, choice in space.items():
        if not isinstance(choice, tuple | list) or not choice:
            raise ValueError(f"expected a pair (from, to) or a list of choices for {name}, got {choice!r}")
        if isinstance(choice, tuple) and (len(choice) != 2 or not choice[0] < choice[1]):
            raise ValueError(f"expected a pair (from, to) of rising numbers for {name}, got {choice!r}")
        if isinstance(choice, list) and not all(one is None or isinstance(one, str | int | float) for one in choice):
            raise ValueError(f"expected words and numbers as choices for {name}, got {choice!r}")
        changed(config, {name: choice[0]})  # an unknown setting raises


def suggest(trial: "optuna.Trial", name: str, choice: tuple | list) -> object:
    """The value of a setting that a trial of Optuna is to have."""
    if isinstance(choice, list):
        return trial.suggest_categorical(name, choice)
    low, high = choice
    suggest = trial.suggest_int if isinstance(low, int) and isinstance(high, int) else trial.suggest_float
    return suggest(name, low, high, log=_by_factors(choice))


def points(choice: tuple | list) -> list:
    """The points of a grid on one axis."""
    if isinstance(choice, list):
        return choice
    points = (np.geomspace if _by_factors(choice) else np.linspace)(*choice, STEPS)
    whole = all(isinstance(end, int) for end in choice)
    return sorted({round(point) if whole else float(f"{point:.6g}") for point in points.tolist()})


def _by_factors(choice: tuple) -> bool:
    return choice[0] > 0 and choice[1] / choice[0] >= LOGARITHMIC
