"""Measuring: the figures are those a person would count by hand, and say how sure they are."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from helpers import ready_dataset, untrained
from sklearn import metrics

from toolkit import bundle, evaluate, images
from toolkit.errors import BundleError
from toolkit.evaluation.evaluate import Report, wilson
from toolkit.training import batches

NAMED = [("a", "a"), ("a", "a"), ("a", "b"), ("b", "b"), ("b", "a"), ("b", "c"), ("c", "c"), ("a", "a")]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return ready_dataset(tmp_path_factory.mktemp("evaluate") / "set", per_class=20)


@pytest.fixture
def run(tmp_path):
    return untrained(tmp_path / "home" / "models" / "set" / "small")


@pytest.fixture
def report():
    rows = pd.DataFrame({"path": [f"{n}.jpg" for n in range(8)], "label": [truth for truth, _ in NAMED]})
    places = ["abc".index(named) for _, named in NAMED]
    shares = np.array([[0.1, 0.1, 0.1]] * 8)
    shares[np.arange(8), places] = [0.5, 0.6, 0.7, 0.8, 0.9, 0.55, 0.65, 0.75]
    return Report("small", ("a", "b", "c"), evaluate.predictions(rows, shares, ("a", "b", "c")))


@pytest.mark.parametrize(("right", "count"), [(0, 1), (1, 1), (0, 30), (30, 30), (7, 9), (197, 200), (5000, 10_000)])
def test_the_interval_is_wilsons(right, count):
    proportion = pytest.importorskip("statsmodels.stats.proportion", reason="statsmodels is not installed")
    low, high = wilson(right, count)
    assert (low, high) == pytest.approx(proportion.proportion_confint(right, count, method="wilson"), abs=1e-12)
    assert 0 <= low <= right / count <= high <= 1


@pytest.mark.parametrize(("right", "count"), [(0, 0), (-1, 5), (6, 5)])
def test_an_interval_of_nothing_is_refused(right, count):
    with pytest.raises(ValueError, match="expected 0 <= right <= count"):
        wilson(right, count)


def test_accuracy_and_interval_are_counted(report):
    assert report.accuracy == 5 / 8
    assert report.interval == wilson(5, 8)


def test_confusion_has_the_truth_in_rows(report):
    assert report.confusion.loc["a"].tolist() == [3, 1, 0]
    assert report.confusion.loc["b"].tolist() == [1, 1, 1]
    assert report.confusion.loc["c"].tolist() == [0, 0, 1]


def test_figures_per_class_are_those_counted_by_hand(report):
    figures = report.per_class
    assert figures["precision"].tolist() == pytest.approx([3 / 4, 1 / 2, 1 / 2])
    assert figures["recall"].tolist() == pytest.approx([3 / 4, 1 / 3, 1])
    assert figures["f1"].tolist() == pytest.approx([3 / 4, 2 / 5, 2 / 3])
    assert figures["pictures"].tolist() == [4, 3, 1]


def test_a_class_that_is_never_named_has_a_precision_of_zero():
    rows = pd.DataFrame({"path": ["1", "2"], "label": ["a", "b"]})
    table = evaluate.predictions(rows, np.array([[0.9, 0.1], [0.8, 0.2]]), ("a", "b"))
    figures = Report("small", ("a", "b"), table).per_class
    assert figures.loc["b", ["precision", "recall", "f1"]].tolist() == [0, 0, 0]


def test_mistakes_come_with_the_surest_first(report):
    assert report.mistakes[["label", "predicted", "probability"]].to_numpy().tolist() == [
        ["b", "a", 0.9],
        ["a", "b", 0.7],
        ["b", "c", 0.55],
    ]


def test_more_figures_are_those_of_scikit_learn(report):
    truth, named = report.predictions["label"], report.predictions["predicted"]
    assert report.balanced_accuracy == pytest.approx(metrics.balanced_accuracy_score(truth, named), abs=1e-9)
    assert report.macro_f1 == pytest.approx(metrics.f1_score(truth, named, average="macro"), abs=1e-9)
    shares = report.predictions[["p_a", "p_b", "p_c"]].to_numpy()
    shares = shares / shares.sum(axis=1, keepdims=True)
    proper = evaluate.predictions(report.predictions[["path", "label"]], shares, report.classes)
    expected = metrics.log_loss(truth, shares, labels=["a", "b", "c"])
    assert Report("small", report.classes, proper).log_loss == pytest.approx(expected, abs=1e-9)


def drawn(classes, count, seed):
    """A report of random answers, of which about half are right."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(len(classes)), count)
    places = np.where(rng.random(count) < 0.5, shares.argmax(axis=1), rng.integers(0, len(classes), count))
    rows = pd.DataFrame({"path": [f"{n}.jpg" for n in range(count)], "label": np.array(classes)[places]})
    return Report("drawn", classes, evaluate.predictions(rows, shares, classes))


@pytest.mark.parametrize(("classes", "count"), [("ab", 165), ("abcd", 40), ("abcdefghij", 9)])
@pytest.mark.parametrize("seed", range(3))
def test_all_figures_are_those_of_scikit_learn_for_any_answers(classes, count, seed):
    classes = tuple(classes)
    report = drawn(classes, count, seed)
    truth, named = report.predictions["label"], report.predictions["predicted"]
    there = sorted(set(truth))
    assert report.accuracy == pytest.approx(metrics.accuracy_score(truth, named), abs=1e-9)
    recalls = metrics.recall_score(truth, named, labels=there, average="macro")
    assert report.balanced_accuracy == pytest.approx(recalls, abs=1e-9)
    assert report.macro_f1 == pytest.approx(metrics.f1_score(truth, named, average="macro"), abs=1e-9)
    expected = metrics.log_loss(truth, report.probabilities, labels=classes)
    assert report.log_loss == pytest.approx(expected, abs=1e-9)
    matrix = metrics.confusion_matrix(truth, named, labels=classes)
    assert (report.confusion.to_numpy() == matrix).all()
    names = ("precision", "recall", "f1")
    for name, score in zip(names, (metrics.precision_score, metrics.recall_score, metrics.f1_score), strict=True):
        expected = score(truth, named, labels=classes, average=None, zero_division=0)
        assert report.per_class[name].to_numpy() == pytest.approx(expected, abs=1e-9)


def test_the_calibration_error_is_that_of_its_probabilities(report):
    gaps = {0.5: 0.5, 0.55: -0.55, 0.6: 0.4, 0.65: 0.35, 0.7: -0.7, 0.75: 0.25, 0.8: 0.2, 0.9: -0.9}
    bins = [(0.5,), (0.55,), (0.6, 0.65), (0.7,), (0.75,), (0.8,), (0.9,)]  # edges at 8/15, 9/15, 10/15, …
    by_hand = sum(abs(sum(gaps[sure] for sure in some)) for some in bins) / 8
    assert report.ece == pytest.approx(by_hand, abs=1e-9)


def test_a_notebook_shows_the_figure_with_its_interval(report):
    assert "62.5% right on 8 test pictures" in report._repr_html_()
    assert "95 % interval" in report._repr_html_()


def test_a_measurement_asks_about_every_test_picture_in_order(run, table):
    report = evaluate.measure(run, table)
    chosen = table.where(split="test")
    assert report.predictions["path"].tolist() == chosen.table["path"].tolist()
    assert report.predictions["label"].tolist() == chosen.table["label"].tolist()
    shown = np.stack([images.prepare(file, 32) for file in chosen.files])
    expected = run.probabilities(shown)
    assert np.allclose(report.predictions[["p_cars", "p_tanks"]], expected, atol=1e-6)
    assert report.predictions["predicted"].tolist() == [run.classes[place] for place in expected.argmax(axis=1)]
    assert np.allclose(report.predictions["probability"], expected.max(axis=1), atol=1e-6)
    assert report.milliseconds > 0


@pytest.mark.slow
def test_every_look_at_the_test_pictures_is_written_down_and_looks_at_val_are_not(tmp_path, run):
    table = ready_dataset(tmp_path / "looked", per_class=20)
    assert len(evaluate.test_looks(table)) == 0
    evaluate.measure(run, table, split="val")
    evaluate.measure(run, table)
    evaluate.measure(run, table)
    looks = evaluate.test_looks(table)
    assert looks["run"].tolist() == ["small", "small"]
    assert (looks["pictures"] == len(table.where(split="test"))).all()
    assert looks["when"].str.match(r"\d{4}-\d\d-\d\dT").all()


@pytest.mark.slow
def test_pictures_that_do_not_fit_into_memory_give_the_same(run, table, monkeypatch):
    one = evaluate.measure(run, table)
    monkeypatch.setattr(batches, "MEMORY", 0)
    pd.testing.assert_frame_equal(evaluate.measure(run, table).predictions, one.predictions)


@pytest.mark.slow
def test_a_report_is_read_back_as_it_was(run, table):
    report = evaluate.measure(run, table)
    again = evaluate.load(bundle.load(run.folder))
    pd.testing.assert_frame_equal(again.predictions, report.predictions, check_dtype=False, rtol=1e-6)
    assert (again.run, again.classes, again.split) == (report.run, report.classes, report.split)
    assert (again.accuracy, again.interval) == (report.accuracy, report.interval)
    assert again.confusion.equals(report.confusion)
    assert again.milliseconds == report.milliseconds


def test_the_metrics_on_disk_agree_with_the_report(run, table):
    report = evaluate.measure(run, table)
    stored = json.loads((run.folder / bundle.METRICS).read_text())
    assert (stored["accuracy"], stored["low"], stored["high"]) == (report.accuracy, *report.interval)
    assert stored["pictures"] == len(report.predictions)
    assert stored["confusion"] == report.confusion.to_numpy().tolist()
    assert stored["test"] == evaluate.test_fingerprint(table.where(split="test"))
    assert stored["per_class"]["cars"]["recall"] == report.per_class.loc["cars", "recall"]


@pytest.mark.slow
def test_measuring_on_val_writes_nothing(run, table):
    before = {file.name for file in run.folder.iterdir()}
    report = evaluate.measure(run, table, split="val")
    assert report.split == "val"
    assert len(report.predictions) == len(table.where(split="val"))
    assert {file.name for file in run.folder.iterdir()} == before


def test_no_report_before_a_measurement(run):
    with pytest.raises(BundleError, match="run `toolkit evaluate .*`"):
        evaluate.load(run)


@pytest.mark.parametrize("classes", [("tanks", "cars"), ("cars", "tanks", "boats"), ("class 0", "class 1")])
def test_a_model_of_other_classes_is_refused(tmp_path, table, classes):
    other = untrained(tmp_path / "other", classes=classes)
    with pytest.raises(BundleError, match="expected a model of cars, tanks, got other of"):
        evaluate.measure(other, table)


def test_the_fingerprint_of_a_test_split_follows_its_pictures_and_labels(table):
    test = table.where(split="test")
    assert evaluate.test_fingerprint(test) == evaluate.test_fingerprint(table.where(split="test"))
    assert evaluate.test_fingerprint(test) != evaluate.test_fingerprint(table.where(split="val"))


def test_a_report_without_a_time_says_so(report):
    assert math.isnan(report.milliseconds)


def test_a_model_is_not_judged_on_pictures_it_has_seen(tmp_path):
    table = ready_dataset(tmp_path / "pets", per_class=10)
    made = untrained(tmp_path / "run")
    (made.folder / bundle.SEEN).write_text("\n".join(table.where(split="test").table["sha256"]))
    with pytest.raises(BundleError, match="has not seen"):
        evaluate.measure(made, table)
