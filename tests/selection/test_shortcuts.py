"""The thing or the place: what predicts the label without the thing, and the score on a source left out."""

import numpy as np
import pytest
from helpers import fake_table, ready_dataset

from toolkit import crossval
from toolkit.errors import DatasetError
from toolkit.selection import shortcuts
from toolkit.training.config import Config


def measured(count=120, *, lean=0.0, seed=0):
    """A table of two classes, two thirds cars, whose light leans to the class by so many grey values."""
    random = np.random.default_rng(seed)
    labels = np.array(["cars"] * (2 * count // 3) + ["tanks"] * (count // 3))
    light = random.normal(120, 10, len(labels)) + lean * (labels == "tanks")
    columns = {"brightness": light, "sharpness": random.uniform(50, 90, len(labels)), "source": "folder"}
    return fake_table("nowhere", [(label, "") for label in labels]).assign(**columns)


def test_light_that_tells_the_class_is_found_and_what_does_not_is_not():
    table = shortcuts.predictors(measured(lean=40)).set_index("property")
    assert list(table.index) == ["light", "sharpness", "all together"]  # the others are the same for all
    assert table.loc["light", "balanced accuracy"] > 0.9 and table.loc["light", "p"] < 0.001
    assert table.loc["light", "low"] < table.loc["light", "balanced accuracy"] < table.loc["light", "high"]
    assert table.loc["sharpness", "p"] > 0.05 and (table["chance"] == 0.5).all()
    told = shortcuts.in_words(table.reset_index())
    assert "can be told from light (9" in told and "sharpness" not in told and "this does not say" in told


@pytest.mark.slow
def test_chance_alone_is_called_so_in_nineteen_of_twenty_tables():
    found = [(shortcuts.predictors(measured(lean=0, seed=seed), seed=seed)["p"] < 0.05).any() for seed in range(10)]
    assert sum(found) <= 1
    assert "No property predicts the label better than chance (50%)" in shortcuts.in_words(
        shortcuts.predictors(measured(seed=1))
    )


def test_a_source_that_is_a_class_is_found_and_near_duplicates_are_no_proof():
    table = measured(60)
    told = table.assign(source=["a" if label == "cars" else "b" for label in table.table["label"]])
    alone = shortcuts.predictors(told).set_index("property")
    assert alone.loc["source", "balanced accuracy"] == 1 and alone.loc["source", "p"] < 0.001
    values = np.random.default_rng(4).uniform(0, 255, 20).repeat(3)
    copied = table.assign(brightness=values, group=[f"g{number // 3}" for number in range(60)])
    assert shortcuts.predictors(copied).set_index("property").loc["light", "p"] > 0.05


def test_too_few_pictures_of_a_class_give_no_figure():
    table = fake_table("nowhere", [("cars", "")] * 9 + [("tanks", "g")] * 5).assign(brightness=range(14))
    assert len(shortcuts.predictors(table)) == 0
    assert "too few pictures" in shortcuts.in_words(shortcuts.predictors(table))


def test_folds_by_a_column_judge_every_picture_without_its_value():
    table = measured(90).assign(source=[f"s{number % 7}" for number in range(90)])
    parts = crossval.divided(table, folds=4, seed=7, by="source")
    judged = []
    for part in parts:
        sides = part.table.assign(judged=part.table["split"] == "test").groupby("source")["judged"].nunique()
        assert (sides == 1).all()
        judged += list(part.where(split="test").table["path"])
    assert sorted(judged) == list(table.table["path"]) and len(parts) == 4
    assert len(crossval.divided(table.assign(source=["a", "b", "c"] * 30), folds=5, seed=7, by="source")) == 3


def test_one_value_or_a_class_that_is_in_one_value_only_cannot_be_left_out():
    table = measured(90)
    with pytest.raises(DatasetError, match="at least two values of source, got one"):
        crossval.divided(table, folds=3, seed=7, by="source")
    whole = table.assign(
        source=["a" if label == "cars" else f"b{n % 3}" for n, label in enumerate(table.table["label"])]
    )
    with pytest.raises(DatasetError, match="got none of 'cars': all of them are in one part by source"):
        crossval.divided(whole, folds=4, seed=7, by="source")


@pytest.mark.slow
def test_a_source_left_out_stands_beside_the_usual_score_and_is_found_again(tmp_path):
    table = ready_dataset(tmp_path / "pets", per_class=24)
    table = table.assign(source=[("web", "phone", "")[n % 3] for n in range(len(table))]).save()
    config = Config("xception", style="modern", size=32, options={"weights": "cifar10"})
    usual, without = crossval.run(table, config, folds=3), crossval.run(table, config, folds=3, by="source")
    assert without.folder.name == "xception-by-source" != usual.folder.name
    told = shortcuts.beside(table, usual, without, "source")
    values = told.values.set_index("value")
    assert dict(values["pictures"]) == {"phone": 16, "web": 16, "not known": 16}
    assert values["right"].sum() == without.report.right.sum()
    assert (values["low"] <= values["without"]).all()
    (found,) = shortcuts.stored(table)
    assert str(found) == str(told) and "of the same source" in str(told)
    assert shortcuts.stored(table.update({table.table["path"][0]: {"label": "tanks", "class_index": 1}})) == []
