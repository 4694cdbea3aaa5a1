"""A network as a graph: traced once, with the answers that Keras gives."""

import numpy as np
import pytest

from toolkit.core import framework
from toolkit.core.framework import keras

pytestmark = pytest.mark.slow  # TensorFlow is imported
PICTURES = np.random.default_rng(5).integers(0, 256, (7, 8, 8, 3), dtype=np.uint8)


class Counted(keras.Model):
    """A network that counts how often it is traced."""

    traced = 0

    def call(self, *arguments, **options):
        self.traced += 1
        return super().call(*arguments, **options)


@pytest.fixture
def model():
    keras.utils.set_random_seed(3)
    pictures = keras.Input((8, 8, 3))
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, activation="relu")(pictures))
    return Counted(pictures, [keras.layers.Dense(3, activation="softmax")(features), features])


def test_batches_of_all_sizes_share_one_trace_and_get_what_keras_gives(model):
    answer = framework.graph(model)
    found = [answer(PICTURES[:count]) for count in (7, 3, 1)]
    assert model.traced == 1
    for outputs, count in zip(found, (7, 3, 1), strict=True):
        expected = model.predict_on_batch(PICTURES[:count].astype(np.float32))
        assert len(outputs) == 2
        for output, told in zip(outputs, expected, strict=True):
            np.testing.assert_array_equal(output, np.asarray(told))


def test_weights_that_are_set_later_count(model):
    answer = framework.graph(model)
    before = answer(PICTURES)[1]
    model.set_weights([2 * weights for weights in model.get_weights()])
    assert before.max() > 1
    np.testing.assert_allclose(answer(PICTURES)[1], 2 * before, rtol=1e-5)
