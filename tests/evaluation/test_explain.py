"""Where a network looked: on what it was made to look at, whether it is drawn flat or has a backbone inside."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit import bundle, explain, networks
from toolkit.core.framework import keras

SIZE = 32
BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def redness(nested):
    """A network that calls a picture red for every red place in it, and by nothing else."""
    inputs = keras.Input((SIZE, SIZE, 3))
    scaled = keras.layers.Rescaling(1 / 255)(inputs)
    convolution = keras.layers.Conv2D(2, 3, padding="same", activation="relu")
    if nested:
        inner = keras.Input((SIZE, SIZE, 3))
        maps = keras.Model(inner, convolution(inner))(scaled)
    else:
        maps = convolution(scaled)
    pooled = keras.layers.Dropout(0.2)(keras.layers.GlobalAveragePooling2D()(keras.layers.MaxPooling2D()(maps)))
    dense = keras.layers.Dense(2, activation="softmax")
    model = keras.Model(inputs, dense(pooled))
    kernel = np.zeros((3, 3, 3, 2), np.float32)
    kernel[:, :, 0], kernel[:, :, 1:] = (1 / 9, -1 / 9), (-1 / 18, 1 / 18)
    kernel[:, :, :, 0] = np.array([1, -1, -1]) / 9
    kernel[:, :, :, 1] = np.array([-1, 1, 1]) / 9
    convolution.set_weights([kernel, np.zeros(2, np.float32)])
    dense.set_weights([np.array([[8, 0], [0, 8]], np.float32), np.zeros(2, np.float32)])
    return model


@pytest.fixture(scope="module", params=[False, True], ids=["flat", "nested"])
def trained(request, tmp_path_factory):
    file = tmp_path_factory.mktemp("explain") / "red.keras"
    redness(request.param).save(file)
    run = bundle.load(file)
    return bundle.Bundle(run.folder, ("red", "other"), run.size, run.facts)


def spotted(left, top, side=8):
    picture = np.full((SIZE, SIZE, 3), 128, np.uint8)
    picture[top : top + side, left : left + side] = (255, 0, 0)
    return picture


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(left=st.integers(0, 24), top=st.integers(0, 24))
def test_the_heat_is_where_the_red_is(trained, left, top):
    (heat,) = explain.grad_cam(trained, spotted(left, top)[None], labels=["red"])
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    assert left <= column < left + 8 and top <= row < top + 8
    assert (heat.min(), heat.max()) == (0, 1)


@settings(max_examples=8, deadline=None)
@given(left=st.integers(0, 24), top=st.integers(0, 24))
def test_covering_the_red_costs_most(trained, left, top):
    losses = explain.occlusion(trained, spotted(left, top), label="red")
    row, column = np.unravel_index(losses.argmax(), losses.shape)
    assert left - 4 <= column < left + 12 and top - 4 <= row < top + 12
    assert losses.shape == (SIZE, SIZE) and losses.max() > 0


def test_where_nothing_speaks_for_a_class_there_is_no_heat(trained):
    plain = np.zeros((1, SIZE, SIZE, 3), np.uint8)
    assert explain.grad_cam(trained, plain, labels=["red"]).max() == 0


def test_pictures_are_explained_alone_as_together(trained):
    pictures = np.stack([spotted(n % 24, (5 * n) % 24) for n in range(19)])
    together = explain.grad_cam(trained, pictures)
    assert together.shape == (19, SIZE, SIZE)
    assert np.allclose(together[18], explain.grad_cam(trained, pictures[18:])[0], atol=1e-5)


DRAWN = [name for name in networks.names() if name not in networks.pretrained()]
NESTED = [  # a family each: plain, with gates, with layer normalization, the shipped one, and its stand-in
    *(("mobilenet", {"weights": "none"}), ("mobilenetv3small", {"weights": "none"}), ("efficientnet_lite0", {})),
    *(("convnexttiny", {"weights": "none"}), ("xception", {"weights": "cifar10"}), ("xception", {"weights": "none"})),
]


CASES = [
    (name, options, style) for name, options in [*((name, {}) for name in DRAWN), *NESTED] for style in networks.STYLES
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options", "style"), CASES)
def test_every_kind_of_network_can_be_explained(tmp_path, name, options, style):
    keras.utils.set_random_seed(2)
    run = bundle.Bundle(tmp_path, ("a", "b", "c"), 64, {})
    run.__dict__["model"] = networks.build(name, classes=3, size=64, style=style, **options)
    pictures = np.random.default_rng(1).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    heats = [explain.grad_cam(run, pictures, labels=[label] * 2) for label in run.classes]
    assert all(heat.shape == (2, 64, 64) and np.isfinite(heat).all() for heat in heats)
    assert max(heat.max() for heat in heats) == 1  # for some class at least, something speaks


@pytest.mark.slow
def test_a_network_that_learned_looks_at_the_vehicle_and_one_with_random_weights_does_not(monkeypatch):
    """What benchmarks/explain.py measures with more pictures."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("benchmark_of_explain", BENCHMARKS / "explain.py")
    benchmark = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, benchmark)
    spec.loader.exec_module(benchmark)
    test = benchmark.draw(150, size=96, seed=1_000_000)
    found = benchmark.judged(benchmark.learned(benchmark.draw(1600, size=96, seed=0)), test)
    assert found["right"] >= 0.95
    assert found["inside"] >= 0.8 > 3 * benchmark.chance(test)
    blind = [benchmark.judged(benchmark.unlearned(96, seed=seed), test)["inside"] for seed in range(2)]
    assert max(blind) < 0.8


def test_an_unknown_label_is_named(trained):
    with pytest.raises(ValueError, match="expected labels of red, other, got 'blue'"):
        explain.grad_cam(trained, spotted(0, 0)[None], labels=["blue"])


def test_pictures_of_another_size_are_refused(trained):
    with pytest.raises(ValueError, match=r"expected pictures of shape \(n, 32, 32, 3\)"):
        explain.grad_cam(trained, np.zeros((1, 16, 16, 3), np.uint8))


def test_a_network_without_convolutions_is_refused(tmp_path):
    inputs = keras.Input((SIZE, SIZE, 3))
    outputs = keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(inputs))
    run = bundle.Bundle(tmp_path, ("a", "b"), SIZE, {})
    run.__dict__["model"] = keras.Model(inputs, outputs)
    with pytest.raises(ValueError, match="no feature maps"):
        explain.grad_cam(run, spotted(0, 0)[None])


def test_the_share_of_heat_in_a_box_counts_its_left_and_top_edge_and_not_the_other_two():
    heat = np.array([[0.0, 1, 2, 4], [8, 16, 32, 64], [0, 0, 0, 1]])
    assert explain.share_inside(heat, (1, 1, 3, 2)) == pytest.approx(48 / 128)
    assert explain.share_inside(heat, (0, 0, 4, 3)) == pytest.approx(1)
    assert explain.share_inside(np.zeros((3, 4)), (0, 0, 4, 3)) == 0
