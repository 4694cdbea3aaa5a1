"""Where networks fail: sorted as a person would, and explained by what they learned from."""

import numpy as np
import pandas as pd
import pytest
from helpers import ready_dataset, untrained

from toolkit import evaluate, failures
from toolkit.errors import DatasetError
from toolkit.evaluation.evaluate import Report


def report(run, named, sure):
    rows = pd.DataFrame({"path": [f"{n}.jpg" for n in range(len(named))], "label": ["a", "b"] * (len(named) // 2)})
    shares = np.array([[p, 1 - p] if name == "a" else [1 - p, p] for name, p in zip(named, sure, strict=True)])
    return Report(run, ("a", "b"), evaluate.predictions(rows, shares, ("a", "b")))


@pytest.fixture
def first():
    return report("first", "abbaab", (0.9, 0.8, 0.7, 0.95, 0.6, 0.55))


@pytest.fixture
def second():
    return report("second", "abaaab", (0.9, 0.8, 0.7, 0.95, 0.6, 0.55))


def test_the_surest_mistake_comes_first(first):
    assert failures.most_confident_wrong(first)["path"].tolist() == ["3.jpg", "2.jpg"]
    assert len(failures.most_confident_wrong(first, count=1)) == 1


def test_the_least_sure_right_answer_comes_first(first):
    assert failures.least_confident_right(first)["path"].tolist() == ["5.jpg", "4.jpg", "1.jpg", "0.jpg"]


def test_only_pictures_named_differently_are_disagreements(first, second):
    (row,) = failures.disagreements([first, second]).to_dict(orient="records")
    assert row == {"path": "2.jpg", "label": "a", "first": "b", "second": "a", "wrong": 1}


def test_models_asked_about_other_pictures_cannot_disagree(first):
    with pytest.raises(ValueError, match="the same pictures"):
        failures.disagreements([first, report("short", "ab", (0.9, 0.9))])
    with pytest.raises(ValueError, match="at least two"):
        failures.disagreements([first])


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return ready_dataset(tmp_path_factory.mktemp("failures") / "set", per_class=12, noise=10)


def test_pictures_of_one_colour_are_nearest_to_one_another(table, tmp_path):
    run = untrained(tmp_path / "run")
    asked = table.where(split="test").table
    near = failures.nearest(run, table, asked["path"], count=3)
    assert len(near) == 3 * len(asked)
    true = near["path"].map(asked.set_index("path")["label"])
    assert (near["label"] == true).mean() > 0.9
    assert near["similarity"].between(-1.0001, 1.0001).all()
    falling = near.groupby("path")["similarity"].apply(lambda some: (some.diff().dropna() <= 0).all())
    assert falling.all()


@pytest.mark.slow
def test_a_training_picture_is_not_its_own_neighbour(table, tmp_path):
    path = table.where(split="train").table["path"].iloc[0]
    near = failures.nearest(untrained(tmp_path / "run"), table, [path], count=4)
    assert path not in set(near["neighbour"]) and len(near) == 4


def test_a_picture_that_is_not_in_the_dataset_is_named(table, tmp_path):
    with pytest.raises(DatasetError, match=r"got no raw/cars/none\.png"):
        failures.nearest(untrained(tmp_path / "run"), table, ["raw/cars/none.png"])
