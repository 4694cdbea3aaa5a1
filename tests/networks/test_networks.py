"""Networks: one contract that all keep, and the layers of each as they were drawn."""

from pathlib import Path

import numpy as np
import pytest
from helpers import textured

from toolkit import networks
from toolkit.core import framework
from toolkit.core.framework import keras, tf
from toolkit.errors import BundleError
from toolkit.networks import transfer
from toolkit.networks.applications import APPLICATIONS

layers = keras.layers
SMALL = {"width": 0.1}
OPTIONS = {
    **dict.fromkeys(networks.own(), SMALL),
    "xception": {"weights": "none"},
    "efficientnet_lite0": {"weights": "none"},
}
FROM_KERAS = [name for name in networks.pretrained() if not APPLICATIONS[name].module]
QUICK = ("small_cnn", "vgg")
CASES = [
    pytest.param(name, style, marks=[] if name in QUICK else pytest.mark.slow)
    for name in OPTIONS
    for style in networks.STYLES
]
SHARED = Path(__file__).parents[3] / "shared" / "weights"
SHIPPED = {name: SHARED / f"{name}_imagenet_no_top.weights.h5" for name in ("mobilenet", "xception")}


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
    (scaling,) = of_kind(small(name, style), layers.Rescaling)
    scaled = scaling(np.array([0.0, 255.0]))
    lowest = {0.0, -1.0} if name != "efficientnet_lite0" else {-127 / 128}
    assert np.allclose(scaled[1], 1, atol=1e-6)
    assert any(np.allclose(scaled[0], value, atol=1e-6) for value in lowest)


@pytest.mark.parametrize(("name", "style"), CASES)
def test_probabilities_are_float32_whatever_the_network_computes_in(name, style):
    with framework.compute_policy("bfloat16"):
        model = small(name, style)
    assert model.output.dtype == "float32"
    assert {weight.dtype for weight in model.trainable_variables} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"name": "resnet"},
            "deep_cnn, dual_stack, small_cnn, vgg, or of keras.applications .* resnet50.*; got 'resnet'",
        ),
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
    with pytest.raises(ValueError, match="expected a precision of"), framework.compute_policy("float16"):
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


@pytest.mark.slow
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


@pytest.fixture(scope="module")
def mobilenet(tmp_path_factory):
    """The same of MobileNet, which is quick to build."""
    file = tmp_path_factory.mktemp("weights") / "m.weights.h5"
    keras.applications.MobileNet(weights=None, include_top=False, input_shape=(32, 32, 3)).save_weights(file)
    return file


def xception(weights, **options):
    return networks.build("xception", classes=2, size=71, weights=str(weights), **options)


def backbone_of(model):
    return next(layer for layer in model.layers if isinstance(layer, keras.Model))


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_all_of_xception_can_learn_but_batch_normalization(weights):
    backbone = backbone_of(xception(weights, style="modern", trainable_layers=10_000))
    kinds = {type(layer) for layer in backbone.layers if layer.trainable}
    assert layers.SeparableConv2D in kinds
    assert layers.BatchNormalization not in kinds


def test_a_file_of_weights_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(BundleError, match=r"found no file .*nothing.h5; give the path of Xception weights without top"):
        xception(tmp_path / "nothing.h5")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["notes.txt", "notes.weights.h5", "notes.h5"])
def test_a_file_that_holds_no_weights_is_named(tmp_path, name):
    (tmp_path / name).write_text("milk, eggs, bread")
    with pytest.raises(BundleError, match=f"expected Xception weights without top in .*{name}"):
        xception(tmp_path / name)


@pytest.mark.slow
def test_weights_of_another_network_are_refused(tmp_path):
    small("vgg", "classic").save_weights(tmp_path / "vgg.weights.h5")
    with pytest.raises(BundleError, match=r"expected Xception weights without top in .*vgg.weights.h5"):
        xception(tmp_path / "vgg.weights.h5")


def test_xception_without_a_network_names_the_file_and_its_folder(monkeypatch):
    def offline(**options):
        address = "https://storage.example/xception/xception_weights_tf_dim_ordering_tf_kernels_notop.h5"
        raise Exception(f"URL fetch failure on {address}: None -- [Errno -3] No name")

    monkeypatch.setattr(keras.applications, "Xception", offline)
    with pytest.raises(BundleError, match=r"get xception_weights_tf_dim.*notop.h5 on another machine .*models"):
        networks.build("xception", classes=2, size=71)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 16}, "at least 32"),
        ({"trainable_layers": -1}, "at least 0"),
        ({"trainable_layers": 2, "frozen_below": 66}, "got both"),
        ({"frozen_below": 99}, "from 0 to 86"),
        ({"frozen_below": "block15"}, "begin the name of a layer of conv1, conv; got 'block15'"),
        ({"pooling": "max"}, "average or pyramid or flatten"),
        ({"dropout": 1.0}, "up to but not 1"),
        ({"l2": -0.1}, "at least 0"),
        ({"dense": [64, 0]}, "at least 1 unit"),
    ],
)
def test_a_transfer_network_refuses_what_it_cannot_do(mobilenet, options, message):
    with pytest.raises(ValueError, match=message):
        networks.get("mobilenet").check(style="modern", **{"size": 64, "weights": str(mobilenet), **options})


@pytest.mark.slow
def test_what_check_would_refuse_build_refuses_too(mobilenet):
    for wrong in ({"frozen_below": "block15"}, {"dropout": 1.0}):
        with pytest.raises(ValueError, match="expected"):
            networks.build("mobilenet", classes=2, size=64, weights=str(mobilenet), **wrong)
    with pytest.raises(ValueError, match="at least 71 pixels"):
        networks.build("xception", classes=2, size=64)


@pytest.mark.slow
@pytest.mark.parametrize(("frozen_below", "first"), [(66, 66), ("block14", 126), (0, 0)])
def test_what_lies_below_a_layer_is_frozen_and_all_batch_normalization(weights, frozen_below, first):
    backbone = backbone_of(xception(weights, style="modern", frozen_below=frozen_below))
    learning = [place for place, layer in enumerate(backbone.layers) if layer.trainable]
    kept = [layer.name for layer in backbone.layers[first:] if type(layer) is not layers.BatchNormalization]
    assert [backbone.layers[place].name for place in learning] == kept
    assert min(learning) >= first


@pytest.mark.slow
def test_a_head_has_what_it_is_told_to_have(weights):
    model = xception(weights, pooling="average", normalize=False, dense=[32, 16], dropout=0.4, l1=0.003, l2=0.4)
    head = model.layers[model.layers.index(backbone_of(model)) + 1 :]
    assert [type(layer) for layer in head] == [
        layers.GlobalAveragePooling2D,
        *[layers.Dense, layers.Dropout] * 2,
        layers.Dense,
    ]
    dense = [layer for layer in head if type(layer) is layers.Dense]
    assert [layer.units for layer in dense] == [32, 16, 2]
    kernels = [np.asarray(layer.kernel) for layer in dense]
    penalty = sum(0.003 * np.abs(kernel).sum() + 0.4 * (kernel**2).sum() for kernel in kernels)
    assert float(sum(model.losses)) == pytest.approx(penalty, rel=1e-4)


def test_vgg16_has_the_head_of_those_who_drew_it():
    model = networks.build("vgg16", classes=2, size=32, weights="none")
    head = model.layers[model.layers.index(backbone_of(model)) + 1 :]
    assert [type(layer) for layer in head] == [layers.Flatten, layers.Dense, layers.Dropout, layers.Dense]
    assert (head[1].units, head[2].rate) == (256, 0.6)


def test_small_cnn_is_as_it_was_drawn():
    model = networks.build("small_cnn", classes=4)
    assert model.input_shape == (None, 180, 180, 3)
    assert [layer.filters for layer in of_kind(model, layers.Conv2D)] == [16, 32, 64]
    assert len(of_kind(model, layers.MaxPooling2D)) == 3
    assert [layer.units for layer in of_kind(model, layers.Dense)] == [128, 4]


def test_deep_cnn_is_as_it_was_drawn():
    model = networks.build("deep_cnn", classes=10)
    convolutions = of_kind(model, layers.Conv2D)
    assert [layer.filters for layer in convolutions] == [32, 64, 128, 256, 512]
    assert [layer.kernel_size[0] for layer in convolutions] == [2, 3, 4, 5, 6]
    assert [layer.units for layer in of_kind(model, layers.Dense)] == [512, 256, 128, 10]


def keras_scales(function):
    """The function of Keras that scales pixels for a backbone: it lies beside it, but for MobileNetV3."""
    modules = [getattr(keras.applications, name) for name in dir(keras.applications)]
    beside = [module for module in modules if hasattr(module, function) and hasattr(module, "preprocess_input")]
    return (beside or [keras.applications.mobilenet_v3])[0].preprocess_input


@pytest.mark.parametrize("name", FROM_KERAS)
def test_pixels_are_scaled_as_keras_scales_them(name):
    shown = pictures(32, 2)
    scaled = transfer.preprocessed(keras.ops.convert_to_tensor(shown), APPLICATIONS[name].pixels)
    assert np.allclose(scaled, keras_scales(APPLICATIONS[name].function)(shown.copy()), atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenet", "vgg16"])
def test_a_network_shows_its_backbone_scaled_pixels_and_survives_being_saved(name, tmp_path):
    keras.utils.set_random_seed(2)
    model = networks.build(name, classes=3, size=32, style="modern", weights="none", pooling="average")
    shown, base = pictures(32, 2), backbone_of(model)
    answers = model.predict_on_batch(shown)
    assert np.allclose(answers.sum(axis=1), 1, atol=1e-5)
    features = base.predict_on_batch(keras_scales(APPLICATIONS[name].function)(shown.copy()))
    head = keras.Sequential(model.layers[model.layers.index(base) + 1 :])
    assert np.allclose(head.predict_on_batch(features), answers, atol=1e-4)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    assert np.array_equal(again.predict_on_batch(shown), answers)


@pytest.mark.slow
@pytest.mark.parametrize(("style", "pooling", "parts"), [("classic", "average", 1), ("modern", "pyramid", 5)])
def test_the_modern_style_looks_at_the_quarters_of_a_picture_too(style, pooling, parts):
    model = networks.build("mobilenet", classes=3, size=64, style=style, weights="none")
    assert networks.get("mobilenet").transfer(style=style).head.pooling == pooling
    assert model.layers[-1].kernel.shape == (parts * 1024, 3)
    assert networks.get("mobilenet").transfer(style=style, pooling="flatten").head.pooling == "flatten"


def test_efficientnet_from_a_file_is_scaled_as_if_it_had_been_downloaded():
    """Keras itself divides by the root of the deviations after its own scaling, but not if the weights are a file."""
    means, deviations = np.array(transfer.MEANS), np.array(transfer.DEVIATIONS)
    shown = pictures(32)
    downloaded = (shown / 255 - means) / deviations / np.sqrt(deviations)
    scaled = np.asarray(transfer._scaled(keras.ops.convert_to_tensor(shown), "efficientnetb0", "mine.h5"))
    assert np.allclose((scaled / 255 - means) / deviations, downloaded, atol=1e-4)


@pytest.mark.slow
def test_a_backbone_gives_a_vector_per_picture_and_nothing_in_it_moves():
    model = networks.get("mobilenet").backbone(size=32, weights="none")
    assert (model.input_shape, model.output_shape) == ((None, 32, 32, 3), (None, 1024))
    assert model.output.dtype == "float32"
    assert model.trainable_variables == []
    shown = pictures(32)
    still, trained = np.asarray(model(shown, training=False)), np.asarray(model(shown, training=True))
    assert np.array_equal(still, trained)
    with framework.compute_policy("bfloat16"):
        assert networks.get("xception").backbone(size=32, weights="none").output.dtype == "float32"


@pytest.mark.slow
def test_a_frozen_backbone_drops_nothing_out():
    base = keras.applications.EfficientNetB0(weights=None, include_top=False, input_shape=(32, 32, 3))
    transfer.freeze(base, len(base.layers) - 30)
    rates = {layer.rate for layer in base.layers[:-30] if isinstance(layer, layers.Dropout)}
    assert rates == {0.0}
    assert max(layer.rate for layer in base.layers[-30:] if isinstance(layer, layers.Dropout)) > 0.1


def test_a_network_without_a_backbone_gives_none():
    with pytest.raises(ValueError, match="with a backbone, such as mobilenet.*got 'vgg'"):
        networks.get("vgg").backbone(size=32, weights="none")
    with pytest.raises(ValueError, match="of keras.applications in small letters .*got 'resnet'"):
        networks.get("resnet")


def test_every_backbone_of_keras_is_known_with_a_size_it_works_with():
    import inspect

    functions = {name for name, _ in inspect.getmembers(keras.applications, inspect.isfunction)}
    assert functions == {APPLICATIONS[name].function for name in FROM_KERAS}
    assert networks.names() == networks.own() + networks.pretrained()
    assert len(set(networks.names())) == len(networks.names())


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_the_imagenet_weights_beside_this_checkout_can_be_used(name):
    if not SHIPPED[name].exists():
        pytest.skip("the ImageNet weights do not lie beside this checkout")
    model = networks.build(name, classes=2, size=96, style="modern", weights=str(SHIPPED[name]))
    answers = model.predict_on_batch(pictures(96))
    assert np.allclose(answers.sum(axis=1), 1, atol=1e-5)
    assert len(np.unique(answers[:, 0])) == 4
