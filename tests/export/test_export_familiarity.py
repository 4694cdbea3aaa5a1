"""The second output of exported files: the familiarity of a picture, as the run has it, after the probabilities."""

import json
import warnings

import numpy as np
import pytest
from helpers import ready_dataset, untrained

from toolkit import bundle, export, predict, runtime
from toolkit.core.framework import keras, tf
from toolkit.export import check
from toolkit.model import familiarity
from toolkit.model.classifier import Outputs

FLOAT32 = ("litert-float32", "onnx", "savedmodel")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return ready_dataset(tmp_path_factory.mktemp("strange") / "pets", per_class=16)


@pytest.fixture(scope="module")
def run(data):
    """A network that has learned nothing, and knows what is familiar and which labels are in a set."""
    sets = {"coverage": 0.9, "limit": 0.45, "pictures": 30}
    plain = untrained(data.root / "models" / "plain", seed=4, sets=sets)
    pictures, _ = check.draw(plain, data, split="train", count=100, seed=1)
    body = keras.Model(plain.model.inputs, plain.model.layers[-1].input)
    features = body.predict_on_batch(pictures.astype(np.float32))
    order = np.random.default_rng(0).permutation(len(features))
    folds = [(order[: len(order) // 2], order[len(order) // 2 :]), (order[len(order) // 2 :], order[: len(order) // 2])]
    known = familiarity.fit(features, np.arange(len(features)) % 2, folds=folds, false_alarms=0.1)
    familiarity.save(known, plain.folder / bundle.FAMILIARITY)
    return bundle.load(plain.folder)


@pytest.fixture(scope="module")
def pictures(run, data):
    noise = np.random.default_rng(0).integers(0, 256, (10, 32, 32, 3)).astype(np.uint8)
    return np.concatenate([check.draw(run, data, split="test", count=20, seed=1)[0], noise])


@pytest.fixture(scope="module")
def written(run, data):
    return export.write(run, data, to=export.OFFLINE, max_loss=1.0, thresholds={"tanks": 0.8})


@pytest.mark.slow
def test_every_format_in_float32_says_how_familiar_a_picture_is_as_the_run_does(run, written, pictures):
    expected = run.ask(pictures)
    assert expected.familiarity.std() > 0.01
    for outcome in written.outcomes:
        if outcome.format in FLOAT32:
            found = export.FORMATS[outcome.format].load(outcome.file).ask(pictures)
            assert np.abs(found.familiarity - expected.familiarity).max() < 1e-3, outcome.format
            assert np.abs(found.probabilities - expected.probabilities).max() < 1e-4, outcome.format
            assert outcome.figures.familiarity < 1e-3
            assert outcome.figures.verdicts == 1


@pytest.mark.slow
def test_whoever_reads_the_first_output_alone_gets_the_probabilities(run, written, pictures):
    from ai_edge_litert.interpreter import Interpreter
    from onnxruntime import InferenceSession

    shown, folder = pictures[:1].astype(np.float32), run.folder / "export"
    expected = run.probabilities(pictures[:1])
    interpreter = Interpreter(model_path=str(folder / "float32.tflite"))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], shown)
    interpreter.invoke()
    assert np.allclose(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]), expected, atol=1e-4)
    session = InferenceSession(folder / "model.onnx")
    assert np.allclose(session.run(None, {session.get_inputs()[0].name: shown})[0], expected, atol=1e-4)
    saved = tf.saved_model.load(folder / "savedmodel" / "1")
    (only,) = saved.signatures["serving_default"](tf.constant(shown)).values()
    assert np.allclose(only, expected, atol=1e-4)


@pytest.mark.slow
def test_an_exported_file_answers_with_familiarity_set_and_the_threshold_of_a_class(run, written, pictures):
    opened = runtime.load(run.folder / "export" / "float32.tflite")
    assert opened.facts["thresholds"] == {"tanks": 0.8}
    for own, other in zip(predict.pictures(run, pictures), predict.pictures(opened, pictures), strict=True):
        assert other.familiarity == pytest.approx(own.familiarity, abs=1e-3)
        assert other.set == own.set
        assert other.abstained == (other.label == "tanks" and other.probability < 0.8)


@pytest.mark.slow
def test_where_familiarity_does_not_survive_the_format_is_written_without_it(run, data, pictures, monkeypatch):
    monkeypatch.setattr(check, "tells_strangers", lambda figures: False)
    again = bundle.load(run.folder)  # whose network was never asked without its second output
    with pytest.warns(UserWarning, match="is written without familiarity: it calls 100.0%"):
        outcome, other = export.write(again, data, to=["litert-float16", "onnx"], max_loss=1.0).outcomes
    opened = runtime.load(outcome.file)
    assert runtime.load(other.file).ask(pictures).familiarity is None
    assert opened.ask(pictures).familiarity is None
    assert not opened.tells_familiarity
    row = json.loads((run.folder / "export" / "export.json").read_text())["artifacts"]["litert-float16"]
    assert row["familiarity"] is None and row["verdicts"] is None
    assert predict.picture(opened, pictures[0]).familiar is None


@pytest.mark.slow
def test_a_format_that_is_refused_either_way_is_not_said_to_be_written(run, data, monkeypatch):
    monkeypatch.setattr(check, "tells_strangers", lambda figures: False)
    monkeypatch.setattr(check, "objection", lambda *_, **__: "too much is lost")
    with warnings.catch_warnings(action="error", category=UserWarning):
        (outcome,) = export.write(bundle.load(run.folder), data, to=["litert-float16"]).outcomes
    assert (outcome.file, outcome.reason) == (None, "too much is lost; take litert-float32 instead")


@pytest.mark.parametrize(("flipped", "tells"), [(0, True), (2, True), (3, False)])
def test_a_model_tells_strangers_if_it_calls_nearly_all_pictures_what_the_original_does(flipped, tells, run, pictures):
    class Other:
        def ask(self, shown):
            known = np.where(np.arange(100) < flipped, 0.4, 0.5)[: len(shown)]
            return Outputs(np.full((len(shown), 2), 0.5), known)

    shown = np.zeros((100, 32, 32, 3), np.uint8)
    expected = Outputs(np.full((100, 2), 0.5), np.full(100, 0.5))
    figures, _ = check.measure(Other(), shown, np.zeros(100, int), expected=expected)
    assert figures.verdicts == 1 - flipped / 100
    assert figures.familiarity == pytest.approx(0.1 if flipped else 0)
    assert check.tells_strangers(figures) == tells
