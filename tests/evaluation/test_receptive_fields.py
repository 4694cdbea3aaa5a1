"""Where cells of a feature map look: the same as what changes when a pixel changes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit import explain, networks
from toolkit.core.framework import keras, tf
from toolkit.evaluation import receptive_fields

layers = keras.layers


def touched(model, size, place):
    """The middle of the pixels that a cell on the diagonal depends on, found by asking for derivatives."""
    picture = tf.constant(np.random.default_rng(0).normal(size=(1, size, size, 3)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(picture)
        value = tf.reduce_sum(model(picture)[0, place, place])
    there = np.flatnonzero(np.abs(tape.gradient(value, picture)[0].numpy()).sum(axis=(1, 2)))
    return (there[0] + there[-1]) / 2


MAKERS = {  # TensorFlow 2.21 aborts when a convolution of one pixel in steps of two is asked for derivatives
    "convolution": lambda size, stride, padding: layers.Conv2D(2, max(size, stride), strides=stride, padding=padding),
    "dilated": lambda size, stride, padding: layers.Conv2D(2, 3, dilation_rate=stride, padding=padding),
    "depthwise": lambda size, stride, padding: layers.DepthwiseConv2D(size, strides=stride, padding=padding),
    "pooling": lambda size, stride, padding: layers.AveragePooling2D(size, strides=stride, padding=padding),
    "padding": lambda size, stride, padding: layers.ZeroPadding2D(((size, stride), (size, stride))),
    "cropping": lambda size, stride, padding: layers.Cropping2D(((size - 1, stride), (size - 1, stride))),
    "activation": lambda size, stride, padding: layers.Activation("linear"),
}
PLANS = st.tuples(
    st.sampled_from(list(MAKERS)), st.integers(1, 4), st.integers(1, 2), st.sampled_from(["same", "valid"])
)


@settings(max_examples=15, deadline=None)
@given(st.lists(PLANS, min_size=1, max_size=3), st.booleans(), st.sampled_from([60, 61]))
def test_a_cell_looks_at_the_middle_of_the_pixels_it_depends_on(stack, nested, size):
    inputs = keras.Input((size, size, 3))
    outputs = inputs
    for kind, *how in stack:
        outputs = MAKERS[kind](*how)(outputs)
    model = keras.Model(inputs, outputs)
    maps = model(layers.Rescaling(1.0)(keras.Input((size, size, 3)))) if nested else outputs
    down, across = receptive_fields.of(maps)
    assert down == across
    place = model.output.shape[1] // 2  # towards the edge, some of what a cell looks at is outside
    assert down.start + down.step * place == pytest.approx(touched(model, size, place), abs=1e-9)


def test_ways_that_say_different_things_are_averaged_and_gates_say_nothing():
    inputs = keras.Input((16, 16, 3))
    one, other = layers.Conv2D(4, 3, strides=2)(inputs), layers.Conv2D(4, 2, strides=2)(layers.Cropping2D(1)(inputs))
    assert receptive_fields.of(one)[0].start == 1.0 and receptive_fields.of(other)[0].start == 1.5
    assert receptive_fields.of(layers.Add()([one, other]))[0] == receptive_fields.Grid(1.25, 2.0)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(one)
    assert receptive_fields.of(layers.Multiply()([one, gate]))[0] == receptive_fields.of(one)[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size", "options", "expected"),
    [
        ("vgg", 64, {}, (1.5, 4)),
        ("mobilenet", 64, {"weights": "none"}, (31, 32)),  # half a cell from where stretching would put it
        ("xception", 64, {"weights": "cifar10"}, (4, 8)),
        (
            "efficientnet_lite0",
            64,
            {"weights": "none"},
            ((31 + 23 + 23) / 3, 32),
        ),  # its last layer, and two in the middle
    ],
)
def test_known_networks_look_where_a_person_would_work_out(name, size, options, expected):
    model = networks.build(name, classes=2, size=size, style="modern", **options)
    down, across = receptive_fields.of(explain.maps(model))
    assert (down.start, down.step) == pytest.approx(expected) and across == down


def test_a_map_made_of_tokens_covers_what_they_were_made_of_evenly():
    picture = keras.Input((32, 48, 3))
    patches = layers.Conv2D(5, 8, strides=8)(picture)
    tokens = layers.Reshape((24, 5))(patches)
    whole = layers.UpSampling1D(24)(layers.Cropping1D((0, 23))(tokens))
    joined = layers.Concatenate()([layers.Reshape((4, 6, 5))(tokens), layers.Reshape((4, 6, 5))(whole)])
    assert receptive_fields.of(joined) == ((3.5, 8.0), (3.5, 8.0))
    assert receptive_fields.of(layers.Reshape((2, 3, 20))(tokens)) == ((7.5, 16.0), (7.5, 16.0))
