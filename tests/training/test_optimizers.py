"""Optimizers: the learning rate at every step, against the arithmetic."""

import math

import pytest

from toolkit.core.framework import keras
from toolkit.training import optimizers


def rate_at(step, schedule, **options):
    settings = {"learning_rate": 0.01, "warm_up": 0.0, "epochs": 10, "steps": 8, **options}
    rate = optimizers.rates(settings.pop("learning_rate"), schedule, **settings)
    return rate if isinstance(rate, float) else float(rate(step))


def test_a_constant_rate_stays():
    assert rate_at(0, "constant") == rate_at(79, "constant") == 0.01


@pytest.mark.parametrize(("epoch", "rate"), [(0, 0.01), (2, 0.01), (3, 0.003), (4, 0.003), (5, 0.001), (9, 0.001)])
def test_steps_change_the_rate_with_the_first_step_of_an_epoch(epoch, rate):
    steps = {5: 0.001, 3: 0.003}
    assert rate_at(epoch * 8, steps) == pytest.approx(rate)
    assert rate_at(epoch * 8 + 7, steps) == pytest.approx(rate)


def test_a_cosine_rises_first_and_ends_at_nothing():
    assert rate_at(0, "cosine", warm_up=0.1) == 0
    assert rate_at(4, "cosine", warm_up=0.1) == pytest.approx(0.005)
    assert rate_at(8, "cosine", warm_up=0.1) == pytest.approx(0.01)
    for step in (20, 44, 70):
        expected = 0.005 * (1 + math.cos(math.pi * (step - 8) / 72))
        assert rate_at(step, "cosine", warm_up=0.1) == pytest.approx(expected, rel=1e-4)
    assert rate_at(80, "cosine") == pytest.approx(0, abs=1e-9)
    assert rate_at(0, "cosine") == pytest.approx(0.01)


@pytest.mark.parametrize("name", optimizers.OPTIMIZERS)
def test_every_optimizer_is_made_with_what_it_understands(name):
    made = optimizers.make(name, learning_rate=0.1, momentum=0.8, decay=0.02, epochs=2, steps=3)
    assert type(made).__name__.lower() == name
    assert float(made.learning_rate) == pytest.approx(0.1)
    if name == "sgd":
        assert made.momentum == 0.8
    assert made.weight_decay == (0.02 if name == "adamw" else None)
    assert isinstance(made, keras.optimizers.Optimizer)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"optimizer": "lion"}, "adam, adamw, sgd, got 'lion'"),
        ({"schedule": "linear"}, "constant, cosine or epochs with rates, got 'linear'"),
        ({"schedule": {}}, "epochs from 1 on"),
        ({"schedule": {0: 0.1}}, "epochs from 1 on"),
        ({"schedule": {3: 0.0}}, "rates above 0"),
        ({"momentum": 1.0}, "up to but not 1"),
        ({"warm_up": -0.1}, "up to but not 1"),
        ({"decay": -1}, "at least 0"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong, message):
    good = {"optimizer": "adam", "schedule": "constant", "momentum": 0.9, "warm_up": 0.1, "decay": 0.0}
    with pytest.raises(ValueError, match=message):
        optimizers.check(**{**good, **wrong})
