"""Side by side: only what was judged on the same pictures, and no more than the figures allow."""

import json

import pandas as pd
import pytest
from helpers import untrained

from toolkit import bundle, compare
from toolkit.errors import BundleError
from toolkit.evaluation import significance
from toolkit.evaluation.evaluate import wilson


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return tmp_path_factory.mktemp("compare")


def judged(folder, name, right, *, count=100, test="same", **facts):
    """A run that named so many pictures right."""
    run = untrained(folder / name, **facts)
    low, high = wilson(right, count)
    metrics = {
        "accuracy": right / count,
        "low": low,
        "high": high,
        "pictures": count,
        "milliseconds": 2.5,
        "milliseconds_p95": 4.0,
        "balanced_accuracy": right / count,
        "macro_f1": right / count,
        "log_loss": 0.5,
        "ece": 0.04,
        "test": test,
    }
    (run.folder / bundle.METRICS).write_text(json.dumps(metrics))
    return run


def test_the_most_accurate_comes_first_and_of_equals_the_smaller(models):
    runs = [
        judged(models, "poor", 60),
        judged(models, "big", 90, parameters=9000),
        judged(models, "small", 90, parameters=5),
    ]
    assert compare.table(runs).index.tolist() == ["small", "big", "poor"]
    assert compare.table(runs[::-1]).index.tolist() == ["small", "big", "poor"]


def test_every_row_tells_what_the_run_achieved_and_cost(models):
    run = judged(models, "told", 80, parameters=1234, train_seconds=5.5)
    row = compare.table([run]).loc["told"]
    assert (row["accuracy"], row["low"], row["high"]) == (0.8, *wilson(80, 100))
    assert (row["pictures"], row["parameters"], row["train_seconds"], row["milliseconds"]) == (100, 1234, 5.5, 2.5)
    assert (row["milliseconds_p95"], row["log_loss"], row["ece"]) == (4.0, 0.5, 0.04)
    assert row["megabytes"] == (run.folder / bundle.MODEL).stat().st_size / 1e6


def test_what_an_older_run_was_not_measured_for_is_left_blank(models):
    run = judged(models, "older", 80)
    kept = {"accuracy", "low", "high", "pictures", "test"}
    metrics = {name: value for name, value in run.metrics.items() if name in kept}
    (run.folder / bundle.METRICS).write_text(json.dumps(metrics))
    row = compare.table([run]).loc["older"]
    assert row["accuracy"] == 0.8
    assert row[["macro_f1", "log_loss", "ece", "milliseconds", "milliseconds_p95", "memory"]].isna().all()


@pytest.mark.parametrize(
    ("network", "options", "start"),
    [
        ("vgg", {}, "nothing"),
        ("mobilenet", {}, "ImageNet"),
        ("xception", {"weights": "none"}, "nothing"),
        ("xception", {"weights": "cifar10"}, "CIFAR-10"),
        ("vgg16", {"weights": "/somewhere/mine.h5"}, "mine.h5"),
    ],
)
def test_what_a_network_started_from_is_told_whether_or_not_it_was_said(models, network, options, start):
    run = judged(models, "started", 80, config={"network": network, "options": options})
    assert compare.table([run]).loc["started", "start"] == start


def test_runs_judged_on_other_pictures_are_not_compared(models):
    runs = [judged(models, "here", 80), judged(models, "there", 90, test="other")]
    for compared in (compare.table, compare.pairs):
        with pytest.raises(BundleError, match="same pictures, there and here were not"):
            compared(runs)


@pytest.mark.slow
def test_a_run_that_was_not_evaluated_is_named(models):
    with pytest.raises(BundleError, match="fresh is not; run `toolkit evaluate"):
        compare.table([judged(models, "done", 80), untrained(models / "fresh")])


def test_nothing_to_compare_is_said(models):
    with pytest.raises(BundleError, match="at least one trained run"):
        compare.table([])


def rows(**right):
    table = {name: (count / 100, *wilson(count, 100), 100) for name, count in right.items()}
    return pd.DataFrame.from_dict(table, orient="index", columns=["accuracy", "low", "high", "pictures"])


def told(rows, **right):
    """What is said of models that named the given pictures right."""
    answers = {name: [number in places for number in range(100)] for name, places in right.items()}
    return compare.in_words(rows, significance.pairs(answers))


def test_the_words_name_the_best_and_whom_it_beats():
    words = told(rows(one=95, two=60, three=58), one=range(95), two=range(60), three=range(58))
    assert words.startswith("one is right most often (95.0% of 100 test pictures). ")
    assert "one is better than two (p < 0.001) and three (p < 0.001)" in words
    assert words.endswith("two and three cannot be told apart on 100 pictures.")


def test_a_lead_that_may_be_luck_is_not_called_better():
    words = told(rows(one=90, two=88), one=range(90), two=range(2, 90))
    assert words.startswith("one is right most often (90.0% of 100 test pictures). one and two cannot be told apart")


def test_equals_are_named_together_and_one_alone_is_not_compared():
    assert told(rows(one=90, two=90), one=range(90), two=range(90)).startswith("one and two are right equally often")
    assert told(rows(one=90), one=range(90)) == "one is right (90.0% of 100 test pictures)."


def test_a_figure_from_a_few_pictures_is_told_as_one():
    few = rows(one=90).assign(pictures=29)
    assert compare.in_words(few, significance.pairs({"one": [True]})).endswith("So few pictures say little.")
    assert "few" not in compare.in_words(few.assign(pictures=30), significance.pairs({"one": [True]}))


def test_runs_are_paired_picture_by_picture_whatever_their_order(models):
    runs = []
    for name, wrong in (("left", {0, 1, 2, 3, 4, 5}), ("right", {6})):
        run = untrained(models / name)
        table = pd.DataFrame({"path": [f"{n}.jpg" for n in range(20)], "label": ["cars"] * 20})
        table["predicted"] = ["tanks" if n in wrong else "cars" for n in range(20)]
        table = table[::-1] if name == "left" else table
        (run.folder / bundle.PREDICTIONS).write_text(table.to_csv(index=False))
        (run.folder / bundle.METRICS).write_text(json.dumps({"test": "same"}))
        runs.append(run)
    (pair,) = compare.pairs(runs).to_dict(orient="records")
    assert (pair["first"], pair["second"], pair["wins"], pair["losses"]) == ("right", "left", 6, 1)
    assert pair["p"] == pytest.approx(0.125)


def test_an_xception_without_the_weights_of_imagenet_is_said_to_be_small():
    table = pd.DataFrame({"start": ["nothing", "ImageNet"]}, index=["vgg", "xception"])
    assert compare.untrained(table) == ""
    table.loc["xception", "start"] = "nothing"
    assert "small network" in compare.untrained(table)
    table.loc["xception", "start"] = "CIFAR-10"
    assert "small backbone that comes with the toolkit" in compare.untrained(table)
