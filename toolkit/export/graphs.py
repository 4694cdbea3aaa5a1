"""TensorFlow graphs of a network as converters and servers read them: weights and functions, without the layers.

Keras' own export visits each layer and traces it too, which takes most of its time.
"""

from collections.abc import Mapping
from pathlib import Path

from toolkit.core.framework import keras, tf

DEFAULT = "serving_default"  # the signature that is taken where none is named


def save(networks: Mapping[str, keras.Model], folder: Path, *, batch: int | None = None) -> None:
    """Write networks that share their weights as a SavedModel with a function and a signature for each.

    Args:
        networks: by the name of the function; the first is the default signature too.
        folder: the new one.
        batch: how many pictures at a time; None is any number.
    """
    functions = {name: _traced(network, batch) for name, network in networks.items()}
    weights = {id(weight): weight for function in functions.values() for weight in function.variables}
    module = tf.Module()
    module.weights = list(weights.values())
    for name, function in functions.items():
        setattr(module, name, function)
    default = next(iter(functions.values()))
    tf.saved_model.save(module, folder, signatures={DEFAULT: default, **functions})


def _traced(network: keras.Model, batch: int | None) -> tf.types.experimental.ConcreteFunction:
    pictures = tf.TensorSpec((batch, *network.input_shape[1:]), tf.float32, name="pictures")
    answer = tf.function(lambda pictures: network(pictures, training=False), autograph=False)
    return answer.get_concrete_function(pictures)
