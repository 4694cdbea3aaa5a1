"""Whether promises are kept: shares and intervals, of all pictures and of each class."""

import numpy as np
import pytest
from helpers import untrained

from toolkit.evaluation import kept
from toolkit.evaluation.significance import wilson
from toolkit.model.classifier import Outputs

PROBABILITIES = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8], [0.35, 0.65]])
LABELS = np.array([0, 1, 1, 1, 0])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return untrained(tmp_path_factory.mktemp("kept") / "run", sets={"coverage": 0.95, "limit": 0.36, "pictures": 40})


def test_coverage_is_told_of_all_pictures_and_of_each_class(run):
    measured = kept.measured(run, Outputs(PROBABILITIES), LABELS)
    assert measured["familiarity"] is None
    held = measured["sets"]
    assert (held["coverage"], held["size"], held["promised"], held["pictures"]) == (0.6, 1.2, 0.95, 5)
    assert (held["low"], held["high"]) == wilson(3, 5)
    assert {name: own["coverage"] for name, own in held["per_class"].items()} == pytest.approx(
        {"cars": 1 / 2, "tanks": 2 / 3}
    )
    assert kept.in_words(measured).startswith("sets: 60.0% of 5 hold the true label (95 % interval 23.1% to 88.2%; 95%")


def test_a_run_that_promises_nothing_is_not_judged(tmp_path):
    plain = untrained(tmp_path / "plain")
    measured = kept.measured(plain, Outputs(PROBABILITIES, np.full(5, 0.2)), LABELS)
    assert measured == {"familiarity": None, "sets": None}
    assert kept.in_words(measured) == ""
