"""Exported models: as good as the network they come from, or not there at all."""

import hashlib
import json
import zipfile
from functools import partial

import numpy as np
import pandas as pd
import pytest
from helpers import ready_dataset

from toolkit import bundle, export, networks, paths, predict, runtime, train
from toolkit.core.framework import keras
from toolkit.errors import BundleError
from toolkit.export import check, files, litert

FAST = ("litert-float32", "litert-float16")
TOLERANCE = {"litert-float32": 1e-4, "onnx": 1e-4, "savedmodel": 1e-4, "litert-float16": 1e-2}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return ready_dataset(tmp_path_factory.mktemp("export") / "pets", per_class=16)


@pytest.fixture(scope="module")
def run(data):
    """A network that has learned the colours, so that losing something shows."""
    how = {"style": "modern", "size": 32, "epochs": 6, "patience": 5, "precision": "float32"}
    return train.fit(train.Config("small_cnn", **how, options={"width": 0.25}), data, name="learned")


@pytest.fixture(scope="module")
def all_formats(run, data):
    return export.write(run, data, to=export.OFFLINE, max_loss=1.0)


@pytest.mark.slow
def test_every_format_gives_the_answers_of_the_network_through_its_own_runtime(run, data, all_formats):
    pictures, _ = check.draw(run, data, split="test", count=100, seed=7)
    expected = run.probabilities(pictures)
    assert [outcome.format for outcome in all_formats.outcomes if outcome.file] == list(export.OFFLINE)
    for outcome in all_formats.outcomes:
        found = export.FORMATS[outcome.format].load(outcome.file).probabilities(pictures)
        tolerance = TOLERANCE.get(outcome.format, 0.2)
        assert np.abs(found - expected).max() <= tolerance, outcome.format
        assert outcome.figures.difference <= tolerance
        if outcome.format in TOLERANCE:
            assert (found.argmax(axis=1) == expected.argmax(axis=1)).all()
            assert outcome.figures.agreement == 1


@pytest.mark.slow
def test_a_picture_gets_one_answer_from_the_run_and_from_what_was_exported(run, data, all_formats):
    file = data.where(split="test").files[0]
    expected = predict.picture(run, file)
    for name in ("float32.tflite", "model.onnx"):
        for opened in (
            runtime.load(run.folder / "export" / name, threads=1),
            runtime.load(run.folder / "export" / name),
        ):
            answer = predict.picture(opened, file)
            assert answer.label == expected.label
            assert np.array_equal(answer.pixels, expected.pixels)
            assert answer.probability == pytest.approx(expected.probability, abs=1e-4)


@pytest.mark.slow
def test_an_artifact_says_what_it_is_where_others_look_for_it(run, all_formats):
    folder = run.folder / "export"
    with zipfile.ZipFile(folder / "float16.tflite") as attached:
        assert attached.read("labels.txt").decode().split() == list(run.classes)
        facts = json.loads(attached.read("classifier.json"))
    assert facts["classes"] == ["cars", "tanks"]
    assert (facts["size"], facts["resize_mode"], facts["format"]) == (32, "crop", "litert-float16")
    assert facts["temperature"] == run.facts["temperature"]
    assert facts["model"] == run.facts["sha256"]
    assert runtime.load(folder / "model.onnx").facts == facts | {"format": "onnx"}
    extra = folder / "savedmodel" / "1" / "assets.extra"
    assert json.loads((extra / "classifier.json").read_text()) == facts | {"format": "savedmodel"}


@pytest.mark.slow
def test_the_record_holds_figures_and_hashes_of_every_file(run, all_formats):
    record = json.loads((run.folder / "export" / "export.json").read_text())
    assert record["model"] == run.facts["sha256"]
    assert list(record["artifacts"]) == list(export.OFFLINE)
    for row in record["artifacts"].values():
        path = run.folder / "export" / row["file"]
        assert files.fingerprint(path) == row["sha256"]
        assert row["megabytes"] == pytest.approx(files.size(path) / 1e6)
        assert 0 <= row["accuracy"] <= 1
        assert row["milliseconds"] > 0
    sizes = {name: row["megabytes"] for name, row in record["artifacts"].items()}
    assert sizes["litert-float16"] < 0.75 * sizes["litert-float32"]
    assert sizes["litert-int8"] < sizes["litert-float16"]
    weights = sum(weight.nbytes for weight in run.model.get_weights()) / 1e6
    stored = files.size(run.folder / "export" / "savedmodel" / "1" / "variables") / 1e6
    assert weights <= stored < 1.2 * weights  # once, whatever the signatures


@pytest.mark.slow
def test_other_formats_answer_as_the_network_does_and_have_the_hash_of_their_bytes(fresh, data):
    outcomes = export.write(fresh, data, to=["savedmodel", "litert-int8", "onnx"], max_loss=1.0).outcomes
    pictures, _ = check.draw(fresh, data, split="test", count=8, seed=7)
    for outcome in outcomes:
        found = export.FORMATS[outcome.format].load(outcome.file).probabilities(pictures)
        assert np.abs(found - fresh.probabilities(pictures)).max() <= TOLERANCE.get(outcome.format, 0.2)
    sha256 = export.load(fresh)["onnx"]["sha256"]
    assert sha256 == hashlib.sha256((fresh.folder / "export" / "model.onnx").read_bytes()).hexdigest()


@pytest.mark.parametrize("count", [1, 4, 200])
def test_the_milliseconds_are_those_of_one_picture_at_a_time(count):
    asked = []

    class Counting:
        def ask(self, pictures):
            asked.append(len(pictures))

    assert 0 <= check.milliseconds(Counting(), np.zeros((count, 4, 4, 3))) < 1000
    assert asked == [1] * (1 + min(count, check.TIMED))


@pytest.mark.slow
def test_nothing_is_in_the_folder_but_what_was_kept(run, all_formats):
    kept = {export.FORMATS[name].file for name in export.OFFLINE} | {"export.json"}
    assert {file.name for file in (run.folder / "export").iterdir()} == kept


@pytest.fixture
def fresh(tmp_path, data):
    """A run of its own that may be spoiled."""
    return copied(tmp_path / "models" / "pets" / "fresh", data.classes)


def copied(folder, classes, *, change=lambda model: None, **facts):
    keras.utils.set_random_seed(3)
    model = networks.build("small_cnn", classes=len(classes), size=32, style="modern", width=0.1)
    change(model)
    history = pd.DataFrame({"epoch": [1], "loss": 0.7, "val_loss": 0.7, "accuracy": 0.5, "val_accuracy": 0.5})
    return bundle.save(folder, model, classes=classes, size=32, history=history, facts=facts)


def colours_beside_a_loud_feature():
    """Tells red from green, beside a feature that is always huge: 8 bits that hold that one hold nothing else."""
    layers = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3, "relu"), keras.layers.Dense(2, "softmax")]
    model = keras.Sequential([keras.Input((32, 32, 3)), *layers])
    seen = np.array([[0, 0.01, 0], [0, 0, 0.01], [0, 0, 0]], np.float32)  # from red, green and blue
    layers[1].set_weights([seen, np.array([6e4, 0, 0], np.float32)])
    layers[2].set_weights([np.array([[0, 0], [4, -4], [-4, 4]], np.float32), np.zeros(2, np.float32)])
    return model


@pytest.mark.slow
def test_int8_that_collapses_is_refused_says_so_and_names_the_next_safer_format(data, tmp_path):
    model = colours_beside_a_loud_feature()
    history = pd.DataFrame({"epoch": [1]})
    how = {"classes": data.classes, "size": 32, "history": history, "facts": {}}
    loud = bundle.save(tmp_path / "pets" / "loud", model, **how)
    done = export.write(loud, data, to=["litert-int8", "litert-float16"])
    kept, refused = done.outcomes
    assert done.original.figures.accuracy > 0.9
    assert (kept.format, kept.file.name, kept.figures.agreement) == ("litert-float16", "float16.tflite", 1)
    assert refused.file is None
    assert refused.reason.startswith("it collapsed, and gives 100% of all pictures one name: ")
    assert refused.reason.endswith("more than 0.5% may not be lost; take litert-dynamic instead")
    assert {file.name for file in (loud.folder / "export").iterdir()} == {"export.json", "float16.tflite"}
    recorded = export.load(loud)["litert-int8"]
    assert recorded["file"] is None
    assert recorded["reason"] == refused.reason


def colours_beside_a_dead_feature():
    """Tells red from green, beside a feature that hardly varies and has a weight to which 4 is nothing."""
    layers = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3, "relu"), keras.layers.Dense(2, "softmax")]
    model = keras.Sequential([keras.Input((32, 32, 3)), *layers])
    seen = np.array([[0, 0.01, 0], [0, 0, 0.01], [1e-8, 0, 0]], np.float32)  # from red, green and blue
    layers[1].set_weights([seen, np.array([0.01, 0, 0], np.float32)])
    layers[2].set_weights([np.array([[1e4, -1e4], [4, -4], [-4, 4]], np.float32), np.array([-100, 100], np.float32)])
    return model


@pytest.mark.slow
def test_a_feature_that_hardly_varies_does_not_cost_int8_all_others(data, tmp_path):
    model, history = colours_beside_a_dead_feature(), pd.DataFrame({"epoch": [1]})
    dead = bundle.save(tmp_path / "pets" / "dead", model, classes=data.classes, size=32, history=history, facts={})
    done = export.write(dead, data, to=["litert-int8"])
    assert done.original.figures.accuracy > 0.9
    assert (done.outcomes[0].figures.agreement, done.outcomes[0].file.name) == (1, "int8.tflite")
    np.testing.assert_array_equal(dead.model.layers[-1].get_weights()[0][0], [1e4, -1e4])  # as it was


def test_only_what_hardly_varies_beside_its_weight_is_taken_for_constant():
    rng, weights = np.random.default_rng(5), np.array([90, 0.02, 0.03, 0.01])
    features = rng.random((50, 4)) * [1e-6, 1, 1, 0.5]
    assert litert._as_good_as_constant(features, weights).tolist() == [True, False, False, False]
    assert litert._as_good_as_constant(features * [1e6, 1, 1, 1], weights).sum() == 0
    assert litert._as_good_as_constant(features, weights.clip(max=0.03)).sum() == 0


@pytest.mark.parametrize(
    ("found", "accuracy", "words"),
    [
        ([[0.9, 0.1]] * 4, 0.5, "it collapsed, and gives 100% of all pictures one name"),
        ([[0.9, 0.1], [0.2, 0.8]] * 2, 0.5, "50.0% right, the original 100.0%"),
        ([[np.nan, 0.1]] * 4, 1.0, "no probabilities"),
        ([[0.9, 0.9]] * 4, 1.0, "no probabilities"),
        ([[0.9, 0.1], [0.2, 0.8]] * 2, 0.995, ""),
        ([[0.9, 0.1], [0.2, 0.8]] * 2, 1.0, ""),
    ],
)
def test_the_objections_to_a_model(found, accuracy, words):
    original = check.Figures(1.0, 1.0, 0.0, 1.0)
    figures = check.Figures(accuracy, 1.0, 0.0, 1.0)
    said = check.objection(figures, np.array(found), original=original, max_loss=0.005)
    assert words in said
    assert bool(said) == bool(words)


def test_a_file_that_its_converter_wrote_wrongly_is_refused_when_it_is_opened(fresh, data, monkeypatch):
    from toolkit.export import litert

    monkeypatch.setattr(litert, "write", lambda model, path, **_: path.write_bytes(b"logged, not raised"))
    (outcome,) = export.write(fresh, data, to=["litert-float32"]).outcomes
    assert "cannot be made: expected" in outcome.reason
    assert [file.name for file in (fresh.folder / "export").iterdir()] == ["export.json"]


@pytest.mark.slow
def test_a_refused_format_does_not_leave_the_file_of_an_earlier_time(fresh, data, monkeypatch):
    assert export.write(fresh, data, to=["litert-float16"]).outcomes[0].file.exists()
    monkeypatch.setattr(check, "objection", lambda *_, **__: "no")
    assert export.write(fresh, data, to=["litert-float16"]).outcomes[0].file is None
    assert not (fresh.folder / "export" / "float16.tflite").exists()


@pytest.mark.slow
def test_what_was_exported_from_another_model_goes_when_a_new_one_is(fresh, data):
    export.write(fresh, data, to=["litert-float16"])
    again = copied(fresh.folder, data.classes, change=lambda model: model.layers[-1].bias.assign([1.0, 0.0]))
    export.write(again, data, to=["litert-float32"])
    assert {file.name for file in (fresh.folder / "export").iterdir()} == {"export.json", "float32.tflite"}
    assert list(export.load(again)) == ["litert-float32"]


@pytest.mark.slow
def test_the_threshold_goes_along_and_is_kept_to(fresh, data):
    file = data.files[0]
    (outcome,) = export.write(fresh, data, to=["litert-float32"], abstain_below=1.0).outcomes
    opened = runtime.load(outcome.file)
    assert opened.threshold == 1.0
    assert predict.picture(opened, file).abstained
    assert not predict.picture(opened, file, abstain_below=0.0).abstained
    assert not predict.picture(fresh, file).abstained


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"to": ["tflite"]}, "expected formats of litert-float32, .*, got 'tflite'"),
        ({"to": []}, "expected formats of"),
        ({"max_loss": 2}, "from 0 to 1"),
        ({"abstain_below": -1}, "from 0 to 1"),
    ],
)
def test_wrong_wishes_are_said(fresh, data, how, words):
    with pytest.raises(ValueError, match=words):
        export.write(fresh, data, **how)


def test_only_a_run_of_this_dataset_is_exported(tmp_path, data):
    other = copied(tmp_path / "models" / "pets" / "other", ("ships", "tanks"))
    with pytest.raises(BundleError, match="expected a run of cars, tanks, got other"):
        export.write(other, data)


@pytest.mark.slow
def test_a_run_is_found_by_its_name_and_so_is_its_export(data, monkeypatch):
    made = copied(paths.home() / "models" / "pets" / "small", data.classes)
    export.write(made, data)
    assert runtime.load("pets/small/export/float16.tflite").classes == ("cars", "tanks")
    assert isinstance(runtime.load("pets/small"), bundle.Bundle)


OTHERS = {"vgg16": {"weights": "none"}, "mobilenet": {"weights": "none"}, "mobilenetv2": {"weights": "none"}}
NARROW = [(name, style, {"width": 0.1}) for name in networks.own() for style in networks.STYLES]
CASES = NARROW + [(name, "modern", options) for name, options in {**OTHERS, "efficientnet_lite0": {}}.items()]


def test_weights_are_halved_but_for_few_numbers_and_those_that_16_bits_cannot_hold():
    from onnx import TensorProto, helper, numpy_helper
    from onnxruntime import InferenceSession

    from toolkit.export import onnx

    rng = np.random.default_rng(1)
    usual, few = rng.normal(size=(64, 16)), rng.normal(size=(1023,))
    large = np.where(usual > 3, 1e5, usual)  # float16 ends at 65,504
    weights = {"usual": usual, "few": few, "large": large}
    tensors = [numpy_helper.from_array(values.astype(np.float32), name) for name, values in weights.items()]
    nodes = [helper.make_node("Identity", [name], [f"{name} as used"]) for name in weights]
    outputs = [helper.make_tensor_value_info(f"{name} as used", TensorProto.FLOAT, None) for name in weights]
    graph = helper.make_graph(nodes, "weights", [], outputs, tensors)
    onnx._halve(graph)
    kinds = {tensor.name: tensor.data_type for tensor in graph.initializer}
    assert kinds == {"usual/float16": TensorProto.FLOAT16, "few": TensorProto.FLOAT, "large": TensorProto.FLOAT}
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    used = InferenceSession(model.SerializeToString()).run(None, {})
    assert [values.dtype for values in used] == [np.float32] * 3
    assert (used[0] == usual.astype(np.float16)).all()
    assert (used[1] == few.astype(np.float32)).all()
    assert (used[2] == large.astype(np.float32)).all()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "style", "options"), CASES)
def test_every_network_is_the_same_elsewhere(tmp_path, name, style, options):
    """Float16 only where conversion is quick: it is the conversion to float32 with shorter numbers."""
    from toolkit.export import litert, onnx

    keras.utils.set_random_seed(1)
    size = max(32, networks.get(name).smallest)
    model = networks.build(name, classes=3, size=size, style=style, **options)
    pictures = np.random.default_rng(0).integers(0, 256, (3, size, size, 3)).astype(np.float32)
    expected = model.predict_on_batch(pictures)
    facts = {"classes": ["a", "b", "c"], "size": size, "resize_mode": "crop", "threshold": 0.0}
    formats = [(litert.write, "float32.tflite", 1e-4), (onnx.write, "model.onnx", 1e-4)]
    if name not in OTHERS:
        formats += [(partial(litert.write, kind="float16"), "float16.tflite", 1e-2)]
    for write, file, tolerance in formats:
        write(model, tmp_path / file, facts=facts, sample=lambda: pictures)
        assert np.abs(runtime.load(tmp_path / file).probabilities(pictures) - expected).max() <= tolerance, file
