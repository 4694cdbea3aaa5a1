"""Optimizers, and learning rate schedules."""

from collections.abc import Mapping

from toolkit.core.framework import keras

OPTIMIZERS = ("adam", "adamw", "sgd")
SCHEDULES = ("constant", "cosine")


def check(
    optimizer: str, schedule: str | Mapping[int, float], *, momentum: float, decay: float, warm_up: float
) -> None:
    """Raise ValueError if `make` could not work with this.

    Args:
        optimizer: one of `OPTIMIZERS`.
        schedule: one of `SCHEDULES`, or the learning rate by how many epochs are done when it begins.
        momentum: of "sgd", 0 up to but not 1.
        decay: weight decay of "adamw", at least 0.
        warm_up: share of the steps in which a cosine rises before it falls, 0 up to but not 1.
    """
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"expected an optimizer of {', '.join(OPTIMIZERS)}, got {optimizer!r}")
    if isinstance(schedule, str):
        if schedule not in SCHEDULES:
            raise ValueError(f"expected a schedule of {', '.join(SCHEDULES)} or epochs with rates, got {schedule!r}")
    elif not schedule or min(schedule) < 1 or min(schedule.values()) <= 0:
        raise ValueError(f"expected a schedule of epochs from 1 on with rates above 0, got {dict(schedule)}")
    if not 0 <= momentum < 1 or not 0 <= warm_up < 1 or decay < 0:
        raise ValueError(
            "expected momentum and warm_up from 0 up to but not 1 and a weight_decay of at least 0, got "
            f"{momentum}, {warm_up} and {decay}"
        )


def make(
    optimizer: str,
    *,
    learning_rate: float,
    schedule: str | Mapping[int, float] = "constant",
    warm_up: float = 0.1,
    momentum: float = 0.9,
    decay: float = 0.004,
    epochs: int,
    steps: int,
) -> keras.optimizers.Optimizer:
    """A fresh optimizer. Its schedule depends only on the number of steps done, which its checkpoints hold.

    Args:
        optimizer, schedule, momentum, decay, warm_up: see `check`.
        learning_rate: the first one, or the highest one of a cosine; above 0.
        epochs: of the whole training, at most.
        steps: in each epoch.

    >>> make("sgd", learning_rate=0.01, schedule={15: 0.003}, epochs=28, steps=100)  # doctest: +SKIP
    """
    rate = rates(learning_rate, schedule, warm_up=warm_up, epochs=epochs, steps=steps)
    if optimizer == "sgd":
        return keras.optimizers.SGD(rate, momentum=momentum)
    if optimizer == "adamw":
        return keras.optimizers.AdamW(rate, weight_decay=decay)
    return keras.optimizers.Adam(rate)


def rates(
    learning_rate: float, schedule: str | Mapping[int, float], *, warm_up: float, epochs: int, steps: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """The learning rate, or a schedule that gives it for every step."""
    schedules = keras.optimizers.schedules
    if schedule == "constant":
        return learning_rate
    if isinstance(schedule, str):  # cosine
        rising = round(warm_up * epochs * steps)
        falling = epochs * steps - rising
        if not rising:
            return schedules.CosineDecay(learning_rate, falling)
        return schedules.CosineDecay(0.0, falling, warmup_target=learning_rate, warmup_steps=rising)
    boundaries = [epoch * steps - 1 for epoch in sorted(schedule)]  # the last step with the rate before
    values = [learning_rate, *(schedule[epoch] for epoch in sorted(schedule))]
    return schedules.PiecewiseConstantDecay(boundaries, values)
