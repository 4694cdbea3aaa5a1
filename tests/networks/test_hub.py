"""Backbones of keras-hub: small random presets in a local folder, for nothing is downloaded here."""

import sys
from importlib.util import find_spec

import numpy as np
import pytest
from helpers import ready_dataset

from toolkit import bundle, explain, networks, paths, predict, train
from toolkit.cli import main
from toolkit.core import framework
from toolkit.core.framework import keras
from toolkit.errors import BundleError
from toolkit.evaluation import receptive_fields
from toolkit.networks import hub
from toolkit.training import probe
from toolkit.training.config import Config
from toolkit.training.finetune import FineTune

pytestmark = pytest.mark.skipif(find_spec("keras_hub") is None, reason="keras-hub is not installed")
SHOWN = np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3)).astype(np.float32)


def saved(folder, kind, converter, **plan):
    """A preset with random weights, as `save_to_preset` leaves it."""
    library = framework.hub()
    keras.utils.set_random_seed(3)
    backbone = getattr(library.models, f"{kind}Backbone")(**plan)
    backbone.save_to_preset(str(folder))
    getattr(library.layers, f"{kind}ImageConverter")(**converter).save_to_preset(str(folder))
    return f"hub:{folder}", backbone


@pytest.fixture(scope="module")
def transformer(tmp_path_factory):
    """Tokens: a class token, two registers and 4 by 4 patches."""
    plan = {"num_layers": 2, "hidden_dim": 24, "num_heads": 2, "intermediate_dim": 32, "num_register_tokens": 2}
    sides = {"patch_size": 8, "image_shape": (32, 32, 3), "position_embedding_shape": (32, 32, 3)}
    converter = {"image_size": (32, 32), "scale": 1 / 127.5, "offset": -1.0}
    return saved(tmp_path_factory.mktemp("presets") / "tiny_dino", "DINOV2", converter, **plan, **sides)


@pytest.fixture(scope="module")
def convolutions(tmp_path_factory):
    """Maps, of pictures of any size, whose colours are scaled one by one."""
    plan = {"input_conv_filters": [64], "input_conv_kernel_sizes": [3], "stackwise_num_filters": [64, 32]}
    plan |= {"stackwise_num_blocks": [1, 1], "stackwise_num_strides": [1, 2], "block_type": "basic_block"}
    converter = {"image_size": (48, 48), "scale": [0.02, 0.01, 0.04], "offset": [-1.0, -2.0, 0.5]}
    return saved(tmp_path_factory.mktemp("presets") / "tiny_resnet", "ResNet", converter, **plan)


@pytest.mark.slow
def test_tokens_become_maps_of_patches_with_the_class_token_behind_each(transformer):
    name, backbone = transformer
    tokens = np.asarray(backbone({"images": SHOWN / 127.5 - 1}, training=False))
    seen = np.asarray(networks.get(name).backbone()(SHOWN, training=False))
    assert tokens.shape == (2, 19, 24)
    assert np.allclose(seen, np.concatenate([tokens[:, 3:].mean(axis=1), tokens[:, 0]], axis=1), atol=1e-4)
    quarters = np.asarray(networks.get(name).backbone(pooling="pyramid")(SHOWN, training=False))
    corner = tokens[:, 3:].reshape(2, 4, 4, 24)[:, :2, :2].mean(axis=(1, 2))
    assert np.allclose(quarters[:, 48:72], corner, atol=1e-4)


@pytest.mark.slow
def test_the_preprocessing_of_the_preset_is_inside_and_its_size_is_the_usual_one(convolutions):
    name, backbone = convolutions
    scaled = SHOWN * np.array([0.02, 0.01, 0.04], np.float32) + np.array([-1.0, -2.0, 0.5], np.float32)
    expected = np.asarray(backbone(scaled, training=False)).mean(axis=(1, 2))
    network = networks.get(name)
    assert np.allclose(np.asarray(network.backbone(size=32)(SHOWN, training=False)), expected, atol=1e-4)
    assert network.size == 48 and network.backbone().input_shape == (None, 48, 48, 3)
    assert networks.build(name, classes=3, style="modern").output_shape == (None, 3)


@pytest.mark.slow
def test_features_are_computed_once_a_head_learns_and_the_run_answers_is_explained_and_tuned(transformer, tmp_path):
    name, _ = transformer
    table = ready_dataset(tmp_path / "data" / "pets", per_class=16)
    config = Config(name, precision="float32")
    assert config.is_linear_probe and config.resolved().size == 32
    run = train.fit(config, table)
    assert run.name == "tiny_dino" and run.facts["network"] == name
    cached = probe.features_for(config.resolved(), table, compute=False)
    assert cached.shape == (len(table), 1, 5 * 48)
    pictures = np.stack([run.prepare(file) for file in table.files])
    again = bundle.load(run.folder)
    assert np.array_equal(again.probabilities(pictures), run.probabilities(pictures))
    assert (again.probabilities(pictures).argmax(axis=1) == table.class_indices(table.table["label"])).mean() > 0.8
    assert receptive_fields.of(explain.maps(again.model)).rows == (3.5, 8.0)  # where its patches lie
    heat = explain.grad_cam(again, pictures[:2])
    assert heat.shape == (2, 32, 32) and np.isfinite(heat).all()
    tuned = train.fit(Config(name, precision="float32", fine_tune=FineTune(epochs=1, share=0.4)), table, name="tuned")
    assert list(tuned.history["phase"].unique()) == ["probe", "fine-tune"]


@pytest.mark.slow
def test_the_command_line_takes_a_preset_and_exports_what_was_trained_on_it(convolutions, tmp_path, capsys):
    name, _ = convolutions
    table = ready_dataset(paths.dataset("pets"), per_class=16)
    assert main(["train", "pets", "--network", name, "--precision", "float32"]) == 0
    assert main(["export", "pets/tiny_resnet", "--format", "litert-float32"]) == 0
    run = bundle.load("pets/tiny_resnet")
    from toolkit import runtime

    light, file = runtime.load(run.folder / "export" / "float32.tflite"), table.files[0]
    expected = predict.picture(run, file).probabilities
    assert predict.picture(light, file).probabilities == pytest.approx(expected, abs=1e-4)
    assert main(["report", "pets"]) == 0


@pytest.mark.slow
def test_a_preset_that_is_not_to_be_had_is_told_with_the_way_round_it(monkeypatch):
    with pytest.raises(BundleError, match="preset no_such_preset, could not have it: .*; without a network, save it"):
        networks.get("hub:no_such_preset")
    import kagglehub

    def unreachable(*_):
        raise ConnectionError("no route")

    monkeypatch.setattr(kagglehub, "model_download", unreachable)
    with pytest.raises(BundleError, match=r"could not have it: .*no route.*and give hub:\./preset"):
        networks.get("hub:dinov2_small")


@pytest.mark.slow
def test_without_keras_hub_or_without_a_preset_in_the_folder_it_is_said_what_to_do(monkeypatch, tmp_path):
    with pytest.raises(BundleError, match=r"expected the folder of a preset of keras-hub at \./gone, found no config"):
        hub._opened("hub:./gone", "Backbone")
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(BundleError, match=r"expected keras-hub .*pip install -e .*\[hub\]"):
        networks.get("hub:dinov2_small")


def test_a_preset_is_named_like_its_folder():
    names = {"hub:dinov2_small": "dinov2_small", "hub:./presets/mine/": "mine", "hub:hf://org/vit": "vit"}
    assert {name: networks.label(name) for name in names} == names
    assert networks.label("efficientnet_lite0") == "efficientnet_lite0"
