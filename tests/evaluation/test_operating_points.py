"""Operating points: from which probability on the answers of a class are right often enough."""

import numpy as np
import pandas as pd
import pytest

from toolkit.evaluation import operating_points
from toolkit.evaluation.evaluate import Report

CLASSES = ("cars", "tanks", "trees")


def answered(*rows):
    """A report of (label, predicted, probability)."""
    table = pd.DataFrame(rows, columns=["label", "predicted", "probability"])
    shares = {
        f"p_{name}": np.where(table["predicted"] == name, table["probability"], (1 - table["probability"]) / 2)
        for name in CLASSES
    }
    return Report("run", CLASSES, table.assign(path=[f"{row}.jpg" for row in range(len(table))], **shares))


@pytest.fixture
def report():
    """Of the answers "cars" the surest four are right, then one is wrong, then two are right."""
    cars = [("cars", "cars", share) for share in (0.99, 0.95, 0.9, 0.8)]
    cars += [("tanks", "cars", 0.7), ("cars", "cars", 0.62), ("cars", "cars", 0.6)]
    return answered(*cars, ("tanks", "tanks", 0.9), ("tanks", "tanks", 0.5), ("cars", "tanks", 0.97))


def test_the_lowest_threshold_is_taken_at_which_enough_answers_are_right(report):
    points = operating_points.found(report, 0.95)
    assert points.loc["cars", "threshold"] == pytest.approx(0.75)  # between 0.8, which is taken, and 0.7
    assert points.loc["cars", ["answers", "precision"]].tolist() == [4, 1]
    assert points.loc["cars", "recall"] == pytest.approx(4 / 7)
    assert points.loc["cars", "low"] == pytest.approx(0.5101, abs=1e-4) and points.loc["cars", "high"] == 1


def test_a_dip_in_precision_is_passed_where_more_right_answers_follow(report):
    points = operating_points.found(report, 6 / 7)
    assert points.loc["cars", ["threshold", "answers"]].tolist() == [0, 7]


def test_a_class_whose_surest_answer_is_wrong_may_have_no_threshold(report):
    points = operating_points.found(report, 0.9)
    assert np.isnan(points.loc["tanks", "threshold"]) and points.loc["tanks", "answers"] == 0
    assert points.loc["tanks", ["precision", "low", "high"]].isna().all() and points.loc["tanks", "recall"] == 0
    assert operating_points.found(report, 0.5).loc["tanks", "threshold"] == 0


def test_a_class_that_is_never_named_has_no_figures(report):
    assert operating_points.found(report).loc["trees"].drop("answers").isna().all()


def test_answers_of_one_probability_are_taken_together_or_not_at_all():
    report = answered(("cars", "cars", 0.9), ("cars", "cars", 0.8), ("tanks", "cars", 0.8))
    assert operating_points.found(report, 1.0).loc["cars", ["threshold", "answers"]].tolist() == pytest.approx(
        [0.85, 1]
    )


def test_what_is_below_the_threshold_of_its_class_is_not_sure_and_the_limit_itself_is_an_answer(report):
    points = operating_points.at(report, {"cars": 0.8, "tanks": 0.91})
    assert points["answers"].tolist() == [4, 1, 0] and points["threshold"].tolist() == [0.8, 0.91, 0]
    assert points.loc["tanks", "precision"] == 0


def test_a_report_finds_its_own_and_a_precision_out_of_range_is_refused(report):
    pd.testing.assert_frame_equal(report.operating_points(0.9), operating_points.found(report, 0.9))
    for wrong in (0, 1.01):
        with pytest.raises(ValueError, match=f"expected a precision above 0 and up to 1, got {wrong}"):
            report.operating_points(wrong)
