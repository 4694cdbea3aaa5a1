"""A trained model as a folder: complete or refused, and never a file that could run code."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from helpers import untrained

from toolkit import bundle, predict
from toolkit.core.framework import keras
from toolkit.errors import BundleError, DatasetError


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TOOLKIT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def saved(home):
    return untrained(home / "models" / "set" / "small", seed=3, note="a fact")


@pytest.fixture
def elsewhere(tmp_path):
    """A plain model that another program might have saved."""
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")])
    model.save(tmp_path / "theirs.keras")
    return tmp_path / "theirs.keras"


def test_what_was_saved_is_read_back(saved):
    again = bundle.load("set/small")
    assert (again.name, again.classes, again.size) == ("small", ("cars", "tanks"), 32)
    assert again.facts["note"] == "a fact"
    pd.testing.assert_frame_equal(again.history, saved.history)
    pictures = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    assert np.array_equal(again.probabilities(pictures), saved.probabilities(pictures))
    assert again.metrics == {}


@pytest.mark.parametrize("name", ["set/small", "models/set/small"])
def test_a_run_is_found_by_its_name_below_models(saved, name):
    assert bundle.load(name).folder == saved.folder


def test_a_folder_holds_only_what_it_should(saved):
    assert {file.name for file in saved.folder.iterdir()} == {bundle.MODEL, bundle.FACTS, bundle.SEEN, bundle.HISTORY}


def test_probabilities_do_not_depend_on_the_size_of_the_batches(saved):
    pictures = np.random.default_rng(0).integers(0, 256, (7, 32, 32, 3), dtype=np.uint8)
    one, other = (saved.probabilities(pictures, batch_size=size) for size in (2, 32))
    assert np.allclose(one, other, atol=1e-6)
    assert one.shape == (7, 2)
    assert np.allclose(one.sum(axis=1), 1, atol=1e-6)


def test_other_processes_are_sent_a_run_without_its_network_and_get_the_same_answers(saved):
    run = bundle.load(saved.folder)
    pictures = np.random.default_rng(2).integers(0, 256, (3, run.size, run.size, 3), dtype=np.uint8)
    expected = run.ask(pictures).probabilities
    sent = pickle.dumps(run)
    assert len(sent) < 10_000
    assert np.array_equal(pickle.loads(sent).ask(pictures).probabilities, expected)


def test_no_pictures_have_no_probabilities(saved):
    assert saved.probabilities(np.zeros((0, 32, 32, 3))).shape == (0, 2)


@pytest.mark.parametrize("shape", [(32, 32, 3), (1, 31, 32, 3), (1, 32, 32, 1), (1, 3, 32, 32)])
def test_pictures_of_another_shape_are_refused(saved, shape):
    with pytest.raises(ValueError, match=r"expected pictures of shape \(n, 32, 32, 3\)"):
        saved.probabilities(np.zeros(shape))


def test_saving_over_a_run_forgets_what_was_measured_of_the_old_one(saved):
    for name in (bundle.METRICS, bundle.PREDICTIONS):
        (saved.folder / name).write_text("{}")
    untrained(saved.folder, seed=4)
    assert {file.name for file in saved.folder.iterdir()} == {bundle.MODEL, bundle.FACTS, bundle.SEEN, bundle.HISTORY}


def test_a_run_that_is_not_there_names_those_that_are(saved):
    with pytest.raises(BundleError, match="found none; there are: set/small"):
        bundle.load("set/large")


def test_a_folder_without_its_facts_is_no_run(saved):
    (saved.folder / bundle.FACTS).unlink()
    with pytest.raises(BundleError, match="expected a trained run at"):
        bundle.load("set/small")
    assert bundle.runs(saved.folder.parents[2] / "data" / "set") == []


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"classes": ["a", "b"]}', '{"classes": 3, "size": "x", "sha256": ""}']
)
def test_damaged_facts_are_said(saved, text):
    (saved.folder / bundle.FACTS).write_text(text)
    with pytest.raises(BundleError, match="bundle.json is damaged"):
        bundle.load("set/small")


@pytest.mark.parametrize("damage", ["cut", "gone", "changed"])
def test_a_model_that_is_not_the_one_saved_is_refused(saved, damage):
    file = saved.folder / bundle.MODEL
    content = file.read_bytes()
    file.unlink()
    if damage != "gone":
        file.write_bytes(content[: len(content) // 2] if damage == "cut" else content + b"\0")
    with pytest.raises(BundleError, match="missing or not the file that was saved"):
        bundle.load("set/small")


def test_a_changed_checksum_is_refused(saved):
    facts = json.loads((saved.folder / bundle.FACTS).read_text())
    (saved.folder / bundle.FACTS).write_text(json.dumps({**facts, "sha256": "0" * 64}))
    with pytest.raises(BundleError, match="not the file that was saved"):
        bundle.load("set/small")


def test_a_run_that_does_not_say_how_pictures_are_made_square_crops_them(saved):
    facts = json.loads((saved.folder / bundle.FACTS).read_text())
    del facts["resize_mode"]
    (saved.folder / bundle.FACTS).write_text(json.dumps(facts))
    assert bundle.load("set/small").resize_mode == "crop"


def test_an_unknown_way_to_make_pictures_square_is_refused(saved):
    facts = json.loads((saved.folder / bundle.FACTS).read_text())
    (saved.folder / bundle.FACTS).write_text(json.dumps({**facts, "resize_mode": "stretch"}))
    with pytest.raises(BundleError, match="expected a resize_mode of crop, letterbox, squash in .*, got 'stretch'"):
        bundle.load("set/small")


def test_runs_are_listed_by_name(saved):
    untrained(saved.folder.parent / "another")
    assert [run.name for run in bundle.runs(saved.folder.parents[2] / "data" / "set")] == ["another", "small"]


def test_a_plain_keras_file_has_numbered_classes(elsewhere):
    plain = bundle.load(elsewhere)
    assert (plain.classes, plain.size, plain.name) == (("class 0", "class 1", "class 2"), 8, "theirs.keras")
    assert plain.probabilities(np.zeros((2, 8, 8, 3))).shape == (2, 3)
    assert plain.metrics == {}


@pytest.mark.parametrize("ending", [".h5", ".pkl", ".pb", ".keras"])
def test_a_file_of_another_kind_is_refused_unread(tmp_path, ending):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    (tmp_path / f"model{ending}").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(BundleError, match="other kinds may run code"):
        bundle.load(tmp_path / f"model{ending}")
    assert not (tmp_path / "ran").exists()


def test_a_saved_model_folder_is_refused(tmp_path):
    (tmp_path / "saved" / "variables").mkdir(parents=True)
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"\x08\x01")
    with pytest.raises(BundleError, match="expected a trained run"):
        bundle.load(tmp_path / "saved")


def test_a_keras_file_that_holds_code_is_refused(tmp_path):
    flag = tmp_path / "ran"

    def trap(values):
        flag.touch()
        return values

    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Lambda(trap), keras.layers.Flatten()])
    model.save(tmp_path / "hostile.keras")
    flag.unlink()
    with pytest.raises(BundleError, match="hostile.keras cannot be read as a model"):
        bundle.load(tmp_path / "hostile.keras")
    assert not flag.exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "expected a run's folder or a .keras file, got bad.keras"),
        (b"words", "expected a run's folder or a .keras file, got bad.keras"),
        (b"PK\5\6" + bytes(18), "bad.keras cannot be read as a model: .*config.json"),
    ],
    ids=["nothing", "no zip", "an empty zip"],
)
def test_a_damaged_keras_file_is_refused_with_its_name_and_a_reason_of_one_line(tmp_path, content, reason):
    (tmp_path / "bad.keras").write_bytes(content)
    with pytest.raises(BundleError, match=reason) as caught:
        bundle.load(tmp_path / "bad.keras")
    assert "\n" not in str(caught.value)


def test_a_cut_off_keras_file_is_refused(elsewhere):
    elsewhere.write_bytes(elsewhere.read_bytes()[:-200])
    with pytest.raises(BundleError):
        bundle.load(elsewhere)


@pytest.mark.parametrize(
    ("shape", "layers"),
    [
        ((8, 6, 3), ["flatten", 3]),
        ((8, 8, 1), ["flatten", 3]),
        ((8,), [3]),
        ((8, 8, 3), ["flatten", 1]),
        ((8, 8, 3), [3]),
    ],
)
def test_a_model_of_something_else_is_refused(tmp_path, shape, layers):
    built = [keras.layers.Flatten() if layer == "flatten" else keras.layers.Dense(layer) for layer in layers]
    keras.Sequential([keras.Input(shape), *built]).save(tmp_path / "other.keras")
    with pytest.raises(BundleError, match="expected a model"):
        bundle.load(tmp_path / "other.keras")


def test_predictions_before_an_evaluation_say_what_to_run(saved):
    with pytest.raises(BundleError, match="run `toolkit evaluate set/small`"):
        _ = saved.predictions


def test_predictions_are_read_back_with_labels_that_look_like_numbers(saved):
    labels = ["007", "1.0", "NA"]
    table = pd.DataFrame(
        {"path": ["1", "2", "3"], "label": labels, "predicted": labels[::-1], "probability": [0.5, 1, 0]}
    )
    table.to_csv(saved.folder / bundle.PREDICTIONS, index=False)
    pd.testing.assert_frame_equal(saved.predictions, table, check_dtype=False)
    assert saved.predictions["label"].tolist() == labels


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"size": 6000}, "expected a size of 1 to 2048 pixels, got 6000"),
        ({"size": "32"}, "expected a size of"),
        ({"size": True}, "expected a size of"),
        ({"classes": ["a", "a"]}, "classes, each once, got 2"),
        ({"classes": [["a"], "b"]}, "expected a list of names"),
        ({"classes": {"a": 1, "b": 2}}, "expected a list of names"),
        ({"classes": []}, "expected a list of names"),
    ],
)
def test_metadata_that_cannot_be_are_refused_before_anything_is_made_of_them(saved, change, words):
    file = saved.folder / bundle.FACTS
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(BundleError, match=words):
        bundle.load(saved.folder)


@pytest.mark.parametrize(
    "text", ["1e999", '{"classes": ["a", "b"], "size": 1e999, "sha256": ""}', "[" * 100_000, "[]", ""]
)
def test_a_file_that_holds_no_metadata_is_refused_in_words(saved, text):
    (saved.folder / bundle.FACTS).write_text(text)
    with pytest.raises(BundleError, match="bundle.json is damaged"):
        bundle.load(saved.folder)


@pytest.mark.parametrize("change", [{"size": 64}, {"classes": ["a", "b", "c"]}, {"classes": ["a"]}])
def test_metadata_are_compared_with_what_the_network_computes_before_pictures_are_made(saved, change, monkeypatch):
    file = saved.folder / bundle.FACTS
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    trained = bundle.load(saved.folder)
    monkeypatch.setattr(bundle.Bundle, "prepare", lambda self, source: pytest.fail("expected to be refused first"))
    with pytest.raises(
        BundleError, match=r"it says .* pixels and .* classes, and computes \(None, 2\) of \(None, 32, 32, 3\)"
    ):
        predict.picture(trained, b"")


def test_predictions_that_name_files_elsewhere_are_refused(saved):
    (saved.folder / bundle.PREDICTIONS).write_text("path,label,predicted,probability\n../../x.png,cars,cars,0.9\n")
    with pytest.raises(DatasetError, match="expected paths of pictures such as raw/cars/1.jpg in .*predictions.csv"):
        _ = saved.predictions
