"""The search space: which settings are varied, and how far.

It maps the name of a setting to a pair (from, to) of numbers or to a list of choices. A dot leads to a setting within
another.

>>> space = {"learning_rate": (1e-5, 1e-2), "batch_size": [16, 32], "options.width": [0.5, 1.0]}
>>> points(space["learning_rate"])
[1e-05, 5.62341e-05, 0.000316228, 0.00177828, 0.01]
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, TypeGuard

import numpy as np

from toolkit import networks
from toolkit.core.runs import as_stored
from toolkit.training.config import Config, Resolved, config_from

if TYPE_CHECKING:
    import optuna

STEPS = 5  # of a range, where a grid is laid over it
LOGARITHMIC = 10  # a range whose end is so many times its start is searched on a logarithmic scale

Value = str | int | float | None
Range = tuple[float, float]
Choice = Range | Sequence[Value]  # a list, where it is no range
Space = Mapping[str, Choice]


def usual(config: Config) -> dict[str, Choice]:
    """What is usually worth varying: of a head on cached features, or of a training."""
    config = config.resolved()
    return _of_head(config) if config.uses_cached_features else _of_training(config)


def _of_head(config: Resolved) -> dict[str, Choice]:
    smallest = networks.get(config.network).smallest
    sizes = {max(smallest, round(config.size * share / 32) * 32) for share in (0.75, 1, 1.25)}
    return {
        "C": (1e-4, 10.0),
        "views": [1, 2, 4],
        "size": sorted(sizes),
        "options.pooling": ["average", "pyramid"],
    }


def _of_training(config: Resolved) -> dict[str, Choice]:
    space: dict[str, Choice] = {
        "learning_rate": (config.learning_rate / 10, config.learning_rate * 10),
        "batch_size": [16, 32, 64],
        "style": list(networks.STYLES),
        "augmentation.rotation": (0.0, 20.0),
        "augmentation.zoom": (0.0, 0.3),
    }
    if "width" in networks.get(config.network).options:
        space["options.width"] = [0.25, 0.5, 1.0]
    return space


def with_settings(config: Config, values: Mapping[str, object]) -> Config:
    """The config with these settings; a dot leads to a setting within another.

    >>> with_settings(Config("vgg"), {"options.width": 0.5, "batch_size": 16}).options
    {'width': 0.5}
    """
    settings, defaults = as_stored(asdict(config)), as_stored(asdict(config.resolved()))
    for name, value in values.items():
        *outer, last = name.split(".")
        target = settings
        for key in outer:
            if not isinstance(target.get(key), dict):  # none of them is set, or all are the network's own
                target[key] = (defaults.get(key) if target.get(key) == "usual" else None) or {}
            target = target[key]
        target[last] = value
    return config_from(settings)


def check(config: Config, space: Space) -> None:
    """Raise ValueError for what cannot be varied, before anything is tried."""
    if not space:
        raise ValueError("expected settings to vary, got none")
    for name, choice in space.items():
        if not isinstance(choice, tuple | list) or not choice:
            raise ValueError(f"expected a pair (from, to) or a list of choices for {name}, got {choice!r}")
        if isinstance(choice, tuple) and not is_range(choice):
            raise ValueError(f"expected a pair (from, to) of rising numbers for {name}, got {choice!r}")
        if isinstance(choice, list) and not all(isinstance(value, str | int | float | None) for value in choice):
            raise ValueError(f"expected words and numbers as choices for {name}, got {choice!r}")
        with_settings(config, {name: choice[0]})  # an unknown setting raises


def suggest(trial: "optuna.Trial", name: str, choice: Choice) -> object:
    """The value of a setting that Optuna picks for a trial."""
    if not is_range(choice):
        return trial.suggest_categorical(name, choice)
    low, high = choice
    if isinstance(low, int) and isinstance(high, int):
        return trial.suggest_int(name, low, high, log=is_logarithmic(choice))
    return trial.suggest_float(name, low, high, log=is_logarithmic(choice))


def points(choice: Choice) -> Sequence[Value]:
    """The points of a grid on one axis."""
    if not is_range(choice):
        return list(choice)
    low, high = choice
    values = np.geomspace(low, high, STEPS) if is_logarithmic(choice) else np.linspace(low, high, STEPS)
    if isinstance(low, int) and isinstance(high, int):
        return sorted({round(value) for value in values.tolist()})
    return sorted({float(f"{value:.6g}") for value in values.tolist()})


def is_logarithmic(choice: Range) -> bool:
    """Whether a range is searched on a logarithmic scale."""
    return choice[0] > 0 and choice[1] / choice[0] >= LOGARITHMIC


def is_range(choice: Choice) -> TypeGuard[Range]:
    """Whether a choice is a range of rising numbers, and not a list of values."""
    if not isinstance(choice, tuple) or len(choice) != 2:
        return False
    low, high = choice
    return isinstance(low, int | float) and isinstance(high, int | float) and low < high
