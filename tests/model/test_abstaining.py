"""Operating points: when an answer is "not sure", for all classes and for one."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import untrained

from toolkit import predict
from toolkit.model import abstaining, familiarity
from toolkit.model.prediction import Prediction, counted_as


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return untrained(tmp_path_factory.mktemp("points") / "run", thresholds={"tanks": 0.6})


@pytest.mark.parametrize(
    ("below", "given", "expected"),
    [
        (None, None, {"cars": 0.0, "tanks": 0.6}),
        (0.3, None, {"cars": 0.3, "tanks": 0.3}),
        (None, {"cars": 0.9}, {"cars": 0.9, "tanks": 0.6}),
        (0.3, {"tanks": 1}, {"cars": 0.3, "tanks": 1}),
    ],
)
def test_what_is_said_for_a_class_counts_before_what_is_said_for_all(run, below, given, expected):
    assert abstaining.limits(run, below, given) == expected


@pytest.mark.parametrize(
    ("below", "given", "words"),
    [
        (1.1, None, "abstain_below from 0 to 1"),
        (None, {"cats": 0.5}, "thresholds of cars, tanks"),
        (None, {"tanks": -0.1}, "got tanks=-0.1"),
    ],
)
def test_points_that_make_no_sense_are_refused(run, below, given, words):
    with pytest.raises(ValueError, match=words):
        abstaining.limits(run, below, given)


def test_an_answer_abstains_by_the_point_of_its_class(run):
    picture = np.full((32, 32, 3), 90, np.uint8)
    answer = predict.picture(run, picture)
    for point, abstained in ((answer.probability, False), (np.nextafter(answer.probability, 2), True)):
        asked = predict.picture(run, picture, thresholds={answer.label: float(point)})
        assert asked.abstained == abstained


@pytest.mark.parametrize(
    ("known", "abstained", "said"),
    [
        (None, False, "tanks"),
        (None, True, "not sure"),
        (familiarity.FAMILIAR, False, "tanks"),
        (0.49, False, "unlike anything it learned"),
        (0.49, True, "unlike anything it learned"),
    ],
)
def test_a_stranger_is_told_apart_from_an_answer_that_is_not_sure(run, known, abstained, said):
    shares = {"cars": 0.4, "tanks": 0.6}
    answer = Prediction("a.jpg", "tanks", 0.6, shares, np.zeros((2, 2, 3), np.uint8), familiarity=known)
    answer = replace(answer, abstained=abstained, set=("tanks", "cars"))
    assert answer.answer == said
    assert str(answer).startswith(f"a.jpg: {said}  (cars 0.400")
    cells = predict.row(run, "a.jpg", answer)
    assert counted_as(cells) == said
    assert cells["set"] == "tanks|cars"
    assert cells["familiarity"] == ("" if known is None else known)
    assert cells["familiar"] == ("" if known is None else answer.familiar)
