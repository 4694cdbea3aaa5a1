"""Calibration: the temperature that generated the answers is found, and the errors are those worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn import metrics

from toolkit import calibrate, networks
from toolkit.core.framework import keras


def drawn(temperature, *, count=6000, classes=3, seed=0):
    """Answers that are too sure by this temperature, and labels drawn from what would be right."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (count, classes))
    labels = np.array([rng.choice(classes, p=row) for row in softmax(logits / temperature, axis=1)])
    return softmax(logits, axis=1), labels


@pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
def test_the_temperature_that_generated_the_answers_is_found(true):
    probabilities, labels = drawn(true)
    found = calibrate.temperature(probabilities, labels)
    assert found == pytest.approx(true, rel=0.06)
    mended = calibrate.rescale(probabilities, found)
    for change in (0.9, 1.1):
        assert calibrate.log_loss(mended, labels) < calibrate.log_loss(
            calibrate.rescale(probabilities, found * change), labels
        )


@given(st.floats(0.5, 10), st.integers(2, 6), st.integers(0, 99))
def test_no_temperature_changes_which_class_is_likeliest(temperature, classes, seed):
    probabilities, _ = drawn(1.0, count=20, classes=classes, seed=seed)
    mended = calibrate.rescale(probabilities, temperature)
    assert np.array_equal(mended.argmax(axis=1), probabilities.argmax(axis=1))
    assert np.allclose(mended.sum(axis=1), 1)
    assert np.allclose(calibrate.rescale(mended, 1 / temperature), probabilities, atol=1e-6)


def test_pictures_that_are_all_right_do_not_get_the_temperature_zero():
    probabilities = np.tile([0.9, 0.1], (50, 1))
    found = calibrate.temperature(probabilities, np.zeros(50, int))
    assert calibrate.rescale(probabilities, found)[0, 0] == pytest.approx(51 / 52, abs=1e-4)


def test_a_temperature_put_into_a_network_gives_the_rescaled_probabilities():
    keras.utils.set_random_seed(3)
    model = networks.build("vgg", classes=3, size=16, width=0.1)
    pictures = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3)).astype(np.float32)
    before = model.predict_on_batch(pictures)
    calibrate.apply_temperature(model, 0.25)
    assert np.allclose(model.predict_on_batch(pictures), calibrate.rescale(before, 0.25), atol=1e-5)


def test_a_network_that_ends_in_something_else_is_refused():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2), keras.layers.Softmax()])
    with pytest.raises(ValueError, match="expected a dense layer with a softmax"):
        calibrate.apply_temperature(model, 2.0)


@pytest.mark.parametrize(
    ("activation", "temperature"), [("softmax", 0.0), ("softmax", -1.0), (None, 2.0), ("relu", 1.0)]
)
def test_a_dense_layer_without_a_softmax_and_a_temperature_of_0_are_refused(activation, temperature):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation=activation)])
    before = model.get_weights()
    with pytest.raises(ValueError, match="and a temperature above 0"):
        calibrate.apply_temperature(model, temperature)
    assert all(np.array_equal(*pair) for pair in zip(before, model.get_weights(), strict=True))


def test_the_error_by_hand():
    sure = np.array([0.95, 0.92, 0.91, 0.65, 0.62, 0.55])
    right = np.array([1, 1, 0, 1, 0, 0])
    probabilities, labels = np.stack([sure, 1 - sure], axis=1), 1 - right
    table = calibrate.reliability(probabilities, labels, bins=10)
    assert table["answers"].tolist() == [1, 2, 3]
    assert table["accuracy"].tolist() == pytest.approx([0, 0.5, 2 / 3])
    by_width = (1 * 0.55 + 2 * abs(0.635 - 0.5) + 3 * abs(0.92666667 - 2 / 3)) / 6
    assert calibrate.expected_calibration_error(probabilities, labels, bins=10) == pytest.approx(by_width)
    by_mass = (3 * abs((0.55 + 0.62 + 0.65) / 3 - 1 / 3) + 3 * abs(0.92666667 - 2 / 3)) / 6
    assert calibrate.expected_calibration_error(probabilities, labels, bins=2, equal="mass") == pytest.approx(by_mass)


# What netcal 1.4.0 gives for `ECE(bins).measure(sure, right)`, how probable the likeliest class is and whether it is
# true, on `drawn(2.5, …, seed=4)`. Its metrics use NumPy and SciPy alone; they were run without the torch of the rest.
NETCAL = {(2, 165, 15): 0.10244370456019977, (3, 500, 10): 0.18340278667505766, (10, 1000, 15): 0.2809666179027403}


@pytest.mark.parametrize(("classes", "count", "bins"), NETCAL)
def test_the_error_is_what_netcal_gave(classes, count, bins):
    probabilities, labels = drawn(2.5, count=count, classes=classes, seed=4)
    expected = NETCAL[classes, count, bins]
    assert calibrate.expected_calibration_error(probabilities, labels, bins=bins) == pytest.approx(expected, abs=1e-9)


def test_what_lies_on_an_edge_counts_as_in_netcal():
    sure = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 0.6, 0.7, 0.8, 0.9])
    right = np.array([1, 0, 1, 1, 0, 1, 1, 0, 1, 1])
    probabilities = np.stack([sure, 1 - sure], axis=1)
    assert calibrate.expected_calibration_error(probabilities, 1 - right, bins=10) == pytest.approx(
        0.18999999999999992, abs=1e-9
    )


def test_the_error_is_what_netcal_gives_where_it_is_installed():
    reference = pytest.importorskip("netcal.metrics", reason="netcal, which needs torch, is not installed")
    for classes in (2, 3, 10):
        probabilities, labels = drawn(0.5, count=300, classes=classes, seed=classes)
        sure, right = probabilities.max(axis=1), (probabilities.argmax(axis=1) == labels).astype(int)
        expected = reference.ECE(15).measure(sure, right)
        assert calibrate.expected_calibration_error(probabilities, labels) == pytest.approx(expected, abs=1e-9)


def test_calibrated_answers_have_a_small_error_and_sure_ones_a_large_one():
    probabilities, labels = drawn(3.0)
    assert calibrate.expected_calibration_error(probabilities, labels) > 0.15
    mended = calibrate.rescale(probabilities, calibrate.temperature(probabilities, labels))
    assert calibrate.expected_calibration_error(mended, labels) < 0.02
    assert calibrate.expected_calibration_error(mended, labels, equal="mass") < 0.04


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: calibrate.temperature(np.ones((3, 2)), np.zeros(2, int)),
        lambda: calibrate.temperature(np.zeros((0, 2)), np.zeros(0, int)),
        lambda: calibrate.rescale(np.ones((1, 2)), 0),
        lambda: calibrate.reliability(np.ones((1, 2)), np.zeros(1, int), bins=0),
        lambda: calibrate.reliability(np.ones((1, 2)), np.zeros(1, int), equal="size"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        wrong()


def test_a_log_loss_is_that_of_scikit_learn_but_for_what_float32_rounds_to_0():
    probabilities, labels = drawn(1.0, count=200)
    assert calibrate.log_loss(probabilities, labels) == pytest.approx(metrics.log_loss(labels, probabilities), abs=1e-9)
    assert calibrate.log_loss(np.array([[1, 0]], np.float32), np.array([1])) == pytest.approx(np.log(1e12), abs=1e-4)
