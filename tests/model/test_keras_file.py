"""A .keras file from anywhere: the run it is of, probabilities or a word why not, and what it looked at."""

import shutil

import numpy as np
import pytest
from helpers import untrained

from toolkit import bundle, explain, predict, runtime
from toolkit.core.framework import keras
from toolkit.errors import BundleError

layers = keras.layers
PICTURES = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)


def stored(file, *ending, functional=False):
    """The file of a small network with such an end."""
    keras.utils.set_random_seed(1)
    body = [layers.Rescaling(1 / 255), layers.Conv2D(8, 3, activation="relu"), layers.GlobalAveragePooling2D()]
    if functional:
        inputs = outputs = keras.Input((16, 16, 3))
        for layer in (*body, *ending):
            outputs = layer(outputs)
        model = keras.Model(inputs, outputs)
    else:
        model = keras.Sequential([keras.Input((16, 16, 3)), *body, *ending])
    model.save(file)
    return model


@pytest.mark.slow
@pytest.mark.parametrize("name", [bundle.MODEL, "copy.keras"])
def test_the_file_of_a_run_is_the_run(tmp_path, name):
    run = untrained(tmp_path / "models" / "set" / "small", classes=("apple", "pear"), resize_mode="letterbox")
    if name != bundle.MODEL:
        shutil.copy(run.folder / bundle.MODEL, run.folder / name)
    of_file = runtime.load(run.folder / name)
    assert (of_file.classes, of_file.resize_mode, of_file.name) == (run.classes, "letterbox", "small")
    wide = np.zeros((20, 60, 3), np.uint8)
    assert predict.picture(of_file, wide).probabilities == predict.picture(run, wide).probabilities


def test_a_file_beside_the_facts_of_another_model_is_told_to_be_numbered(tmp_path):
    run = untrained(tmp_path / "models" / "set" / "small")
    stored(run.folder / "other.keras", layers.Dense(4, "softmax"))
    with pytest.warns(UserWarning, match=r"bundle\.json is of another model than other\.keras, whose classes are"):
        assert bundle.load(run.folder / "other.keras").classes[-1] == "class 3"
    (run.folder / bundle.FACTS).write_text("{")
    with pytest.warns(UserWarning, match="of another model"):
        bundle.load(run.folder / bundle.MODEL)


@pytest.mark.parametrize("functional", [True, False])
@pytest.mark.parametrize(
    "ending",
    [
        [layers.Dense, 5],
        [layers.Dense, 5, "log_softmax"],
        [layers.Dense, 5, "linear", layers.Dropout, 0.5],
    ],
    ids=["dense", "log_softmax", "dropout"],
)
def test_scores_are_given_a_softmax_and_it_is_said(tmp_path, functional, ending):
    made = [layers.Dense(*ending[1:3])] + ([layers.Dropout(0.5)] if layers.Dropout in ending else [])
    model = stored(tmp_path / "net.keras", *made, functional=functional)
    with pytest.warns(UserWarning, match=r"net\.keras gives scores and no probabilities: a softmax is put behind it"):
        run = bundle.load(tmp_path / "net.keras")
    scores = model.predict_on_batch(PICTURES.astype(np.float32))
    expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert np.allclose(run.probabilities(PICTURES), expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (("sigmoid",), "its outputs are sigmoids, each of which tells of one class whether it is there too"),
        (("tanh",), "its outputs are tanhs; end it in a softmax"),
        (("relu",), "its outputs are relus"),
    ],
)
def test_what_gives_no_probabilities_is_refused_with_what_it_gives(tmp_path, ending, words):
    for functional in (True, False):
        stored(tmp_path / "net.keras", layers.Dense(5, *ending), functional=functional)
        with pytest.raises(BundleError, match=f"which sum to 1, got net.keras: {words}"):
            bundle.load(tmp_path / "net.keras")


@pytest.mark.slow
@pytest.mark.parametrize("functional", [True, False])
@pytest.mark.parametrize("ending", ["softmax", "activation", "layer", "scores"])
def test_a_network_from_anywhere_can_be_explained(tmp_path, functional, ending):
    made = {
        "softmax": [layers.Dense(3, "softmax")],
        "activation": [layers.Dense(3), layers.Activation("softmax")],
        "layer": [layers.Dense(3), layers.Softmax()],
        "scores": [layers.Dense(3)],
    }
    stored(tmp_path / "net.keras", *made[ending], functional=functional)
    if ending == "scores":
        with pytest.warns(UserWarning, match="a softmax is put behind it"):
            run = bundle.load(tmp_path / "net.keras")
    else:
        run = bundle.load(tmp_path / "net.keras")
    heat = explain.grad_cam(run, PICTURES)
    assert heat.shape == (3, 16, 16) and 0 <= heat.min() and heat.max() <= 1
    assert heat.max() > 0 or explain.grad_cam(run, PICTURES, labels=["class 1"] * 3).max() > 0


def test_a_sequential_around_a_backbone_can_be_explained(tmp_path):
    keras.utils.set_random_seed(1)
    inside = keras.Sequential([keras.Input((16, 16, 3)), layers.Conv2D(4, 3), layers.ReLU()])
    backbone = keras.Model(inside.inputs[0], inside.outputs[0])
    around = [keras.Input((16, 16, 3)), layers.Rescaling(1 / 255), backbone, layers.Flatten()]
    keras.Sequential([*around, layers.Dense(3, "softmax")]).save(tmp_path / "net.keras")
    assert explain.grad_cam(bundle.load(tmp_path / "net.keras"), PICTURES).shape == (3, 16, 16)


@pytest.mark.slow
@pytest.mark.parametrize("functional", [True, False])
@pytest.mark.parametrize("before", [[], [layers.Rescaling, 1 / 255], [layers.Normalization]], ids=str)
def test_a_network_without_feature_maps_is_told_so(tmp_path, functional, before):
    first = [before[0](*before[1:])] if before else []
    inputs = outputs = keras.Input((16, 16, 3))
    made = [*first, layers.Flatten(), layers.Dense(4), layers.Dense(3, "softmax")]
    for layer in made:
        outputs = layer(outputs)
    model = keras.Model(inputs, outputs) if functional else keras.Sequential([keras.Input((16, 16, 3)), *made])
    model.save(tmp_path / "net.keras")
    with pytest.raises(ValueError, match="expected a network of convolutions, .* has no feature maps to look at"):
        explain.grad_cam(bundle.load(tmp_path / "net.keras"), PICTURES)


@pytest.mark.slow
def test_pictures_to_explain_may_be_files_or_arrays_of_any_size(tmp_path):
    run = untrained(tmp_path / "run")
    large = np.random.default_rng(3).integers(0, 256, (50, 80, 3), dtype=np.uint8)
    expected = explain.grad_cam(run, run.prepare(large)[None])
    for pictures in (large, [large], [large / 255]):
        assert np.array_equal(explain.grad_cam(run, pictures), expected)


def test_a_saved_model_is_told_to_be_one_and_a_missing_export_names_those_there_are(tmp_path, monkeypatch):
    monkeypatch.setenv("TOOLKIT_HOME", str(tmp_path))
    run = untrained(tmp_path / "models" / "set" / "small")
    folder = run.folder / "export" / "savedmodel"
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"\x08\x01")
    with pytest.raises(BundleError, match=r"a SavedModel, which is for TensorFlow Serving; .*there are: set/small"):
        bundle.load("set/small/export/savedmodel")
    (run.folder / "export" / "model.onnx").touch()
    with pytest.raises(BundleError, match=r"found no file; there are: set/small/export/model\.onnx; make it with"):
        runtime.load("set/small/export/float32.tflite")


def test_a_run_that_is_not_there_names_all_there_are_the_nearest_first(tmp_path, monkeypatch):
    monkeypatch.setenv("TOOLKIT_HOME", str(tmp_path))
    for name in ("a/net", "b/net", *(f"c/run{number:02}" for number in range(13))):
        (tmp_path / "models" / name).mkdir(parents=True)
        (tmp_path / "models" / name / bundle.FACTS).write_text("{}")
    with pytest.raises(BundleError, match="there are: b/net, a/net, c/run00, .*, c/run09 and 3 more$"):
        bundle.load("b/nett")
    with pytest.raises(BundleError, match="there are: a/net, b/net, c/run00"):
        bundle.load("nothing/at/all")
