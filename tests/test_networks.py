"""Networks: one contract that all keep, and the layers of each as they were drawn."""

from pathlib import Path

import numpy as np
import pytest
from helpers import textured

from toolkit import framework, networks
from toolkit.errors import BundleError
from toolkit.framework import keras, tf

layers = keras.layers
SMALL = {"width": 0.1}
OPTIONS = {"vgg": SMALL, "dual_stack": SMALL, "xception": {"weights": "none"}}
SHIPPED = Path(__file__).parents[2] / "shared" / "weights" / "xception_imagenet_no_top.weights.h5"
CASES = [(name, style) for name in networks.names() for style in networks.STYLES]


def small(name, style, *, classes=3):
    size = networks.get(name).smallest
    return networks.build(name, classes=classes, size=size, style=style, **OPTIONS.get(name, {}))


def pictures(size, count=4):
    return np.stack([np.asarray(textured(n, width=size, height=size)) for n in range(count)]).astype(np.float32)


def of_kind(model, kind):
    return [layer for layer in model._flatten_layers(include_self=False) if type(layer) is kind]


@pytest.mark.parametrize(("name", "style"), CASES)
def test_a_network_keeps_the_contract(name, style, tmp_path):
    model = small(name, style)
    size = networks.get(name).smallest
    assert model.input_shape == (None, size, size, 3)
    shown = pictures(size)
    answers = model.predict_on_batch(shown)
    assert answers.shape == (4, 3)
    assert answers.dtype == np.float32
    assert np.allclose(answers.sum(axis=1), 1, atol=1e-5)
    assert len(np.unique(answers[:, 0])) == 4  # the pixels matter
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    assert np.array_equal(again.predict_on_batch(shown), answers)


@pytest.mark.parametrize(("name", "style"), CASES)
def test_gradients_reach_the_first_layer(name, style):
    model = small(name, style)
    with tf.GradientTape() as tape:
        loss = -tf.math.log(model(pictures(networks.get(name).smallest), training=True)[:, 0])
    gradients = tape.gradient(loss, model.trainable_variables)
    assert all(gradient is not None for gradient in gradients)
    assert np.abs(gradients[0]).max() > 0


@pytest.mark.parametrize(("name", "style"), CASES)
def test_values_from_0_to_255_are_scaled_inside(name, style):
    model = small(name, style)
    (scaling,) = of_kind(model, layers.Rescaling)
    assert np.allclose(scaling(np.array([0.0, 127.5, 255.0])), [-1, 0, 1], atol=1e-6)


@pytest.mark.parametrize(("name", "style"), CASES)
def test_probabilities_are_float32_whatever_the_network_computes_in(name, style):
    with framework.computing_in("bfloat16"):
        model = small(name, style)
    assert model.output.dtype == "float32"
    assert {weight.dtype for weight in model.trainable_variables} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "resnet"}, "expected a network of dual_stack, vgg, xception, got 'resnet'"),
        ({"style": "baroque"}, "expected a style of classic or modern"),
        ({"height": 3}, "expected options of vgg from width, got 'height'"),
        ({"classes": 1}, "at least 2 classes"),
        ({"size": 8}, "at least 16 pixels"),
    ],
)
def test_what_is_unknown_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        networks.build(**{"name": "vgg", "classes": 2, "size": 32, **change})


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="expected a precision of"), framework.computing_in("float16"):
        pass


def test_every_network_says_how_it_is_trained():
    for name in networks.names():
        network = networks.get(name)
        assert network.patience < network.epochs
        assert network.smallest <= network.size
        assert network.summary


def test_vgg_is_as_it_was_drawn():
    model = networks.build("vgg", classes=2)
    convolutions = of_kind(model, layers.Conv2D)
    assert [layer.filters for layer in convolutions] == [64, 64, 128, 128, 256, 256]
    assert {layer.kernel_size for layer in convolutions} == {(4, 4)}
    assert [layer.rate for layer in of_kind(model, layers.Dropout)] == [0.1, 0.1, 0.1]
    assert [layer.units for layer in of_kind(model, layers.Dense)] == [1024, 1024, 2]
    assert len(of_kind(model, layers.MaxPooling2D)) == 3
    assert len(of_kind(model, layers.Flatten)) == 1


@pytest.mark.parametrize("growing", [(3, 4, 5), (3, 4, 3), [3, 4, 3]])
def test_dual_stack_is_as_it_was_drawn(growing):
    model = networks.build("dual_stack", classes=2, growing=growing)
    (joined,) = of_kind(model, layers.Concatenate)
    stacks = [chain(tensor) for tensor in joined.input]
    assert [[layer.kernel_size[0] for layer in stack] for stack in stacks] == [
        [5, 5, 4, 4, 3, 3],
        [kernel for kernel in growing for _ in range(2)],
    ]
    assert all([layer.filters for layer in stack] == [64, 64, 128, 128, 256, 256] for stack in stacks)
    assert [layer.rate for layer in of_kind(model, layers.Dropout)] == [0.2]
    assert [layer.units for layer in of_kind(model, layers.Dense)] == [1024, 1024, 2]


def chain(tensor):
    """The convolutions that lead to a tensor, first one first."""
    found = []
    while True:
        layer = tensor._keras_history.operation
        if type(layer) is layers.InputLayer:
            return found[::-1]
        if type(layer) is layers.Conv2D:
            found.append(layer)
        tensor = layer.input


def test_dual_stack_wants_three_kernels():
    with pytest.raises(ValueError, match="expected three kernel sizes"):
        networks.build("dual_stack", classes=2, size=32, growing=(3, 4))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of Xception weights, random ones: no download."""
    file = tmp_path_factory.mktemp("weights") / "x.weights.h5"
    keras.utils.set_random_seed(1)
    keras.applications.Xception(weights=None, include_top=False, input_shape=(71, 71, 3)).save_weights(file)
    return file


def xception(weights, **options):
    return networks.build("xception", classes=2, size=71, weights=str(weights), **options)


def backbone_of(model):
    return next(layer for layer in model.layers if isinstance(layer, keras.Model))


def test_xception_is_frozen_and_has_the_head_as_it_was_drawn(weights):
    model = xception(weights)
    backbone = backbone_of(model)
    assert backbone.trainable_variables == []
    head = [type(layer) for layer in model.layers[model.layers.index(backbone) + 1 :]]
    assert head == [layers.Flatten, layers.BatchNormalization] + [layers.Dense, layers.Dropout] * 2 + [layers.Dense]
    assert [layer.units for layer in model.layers if type(layer) is layers.Dense] == [1024, 1024, 2]
    assert [layer.rate for layer in model.layers if type(layer) is layers.Dropout] == [0.5, 0.5]
    stored = keras.applications.Xception(weights=str(weights), include_top=False, input_shape=(71, 71, 3))
    assert all(np.array_equal(*pair) for pair in zip(backbone.get_weights(), stored.get_weights(), strict=True))


def test_the_last_layers_of_xception_learn_and_batch_normalization_is_really_still(weights):
    model = xception(weights, style="modern", trainable_layers=6)
    backbone = backbone_of(model)
    last = [layer for layer in backbone.layers[-6:] if type(layer) is not layers.BatchNormalization]
    assert [layer for layer in backbone.layers if layer.trainable] == last
    assert len(last) == 4
    learning = {id(variable) for layer in last for variable in layer.trainable_variables}
    assert {id(variable) for variable in backbone.trainable_variables} == learning
    before = {variable.path: variable.numpy() for variable in backbone.variables}
    model.compile("adam", "categorical_crossentropy", jit_compile=False)
    model.train_on_batch(pictures(71), np.eye(2, dtype=np.float32)[[0, 1, 0, 1]])
    for variable in backbone.variables:
        still = np.array_equal(variable.numpy(), before[variable.path])
        assert still == (id(variable) not in learning), variable.path


def test_all_of_xception_can_learn_but_batch_normalization(weights):
    backbone = backbone_of(xception(weights, style="modern", trainable_layers=10_000))
    kinds = {type(layer) for layer in backbone.layers if layer.trainable}
    assert layers.SeparableConv2D in kinds
    assert layers.BatchNormalization not in kinds


def test_xception_without_its_weights_names_the_file_to_get(tmp_path):
    with pytest.raises(BundleError, match="found no file .*nothing.h5; get xception_weights_tf_dim.*notop.h5"):
        xception(tmp_path / "nothing.h5")


@pytest.mark.parametrize("name", ["notes.txt", "notes.weights.h5", "notes.h5"])
def test_a_file_that_holds_no_weights_is_named(tmp_path, name):
    (tmp_path / name).write_text("milk, eggs, bread")
    with pytest.raises(BundleError, match=f"expected Xception weights without top in .*{name}"):
        xception(tmp_path / name)


def test_weights_of_another_network_are_refused(tmp_path):
    small("vgg", "classic").save_weights(tmp_path / "vgg.weights.h5")
    with pytest.raises(BundleError, match=r"expected Xception weights without top in .*vgg.weights.h5"):
        xception(tmp_path / "vgg.weights.h5")


def test_xception_without_a_network_names_the_file_and_its_folder(monkeypatch):
    def offline(**options):
        raise Exception("URL fetch failure on https://storage.googleapis.com/: None -- [Errno -3] No name")

    monkeypatch.setattr(keras.applications, "Xception", offline)
    with pytest.raises(BundleError, match=r"get xception_weights_tf_dim.*notop.h5 on another machine .*models"):
        networks.build("xception", classes=2, size=71)


@pytest.mark.parametrize(
    ("options", "message"), [({"size": 64}, "at least 71"), ({"trainable_layers": -1}, "at least 0")]
)
def test_xception_refuses_what_it_cannot_do(options, message):
    with pytest.raises(ValueError, match=message):
        networks.build("xception", classes=2, **{"size": 71, **options})


@pytest.mark.skipif(not SHIPPED.exists(), reason="the ImageNet weights do not lie beside this checkout")
def test_the_imagenet_weights_beside_this_checkout_can_be_used():
    model = networks.build("xception", classes=2, size=71, style="modern", weights=str(SHIPPED))
    answers = model.predict_on_batch(pictures(71))
    assert np.allclose(answers.sum(axis=1), 1, atol=1e-5)
    assert len(np.unique(answers[:, 0])) == 4
