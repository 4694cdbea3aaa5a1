"""The automatic choice of a backbone: which are at hand, which is taken, and by which figures."""

import json

import pandas as pd
import pytest
from helpers import backbone_weights, class_folders, ready_dataset

import toolkit
from toolkit import bundle, paths, split
from toolkit.cli import main
from toolkit.errors import DatasetError
from toolkit.selection import auto
from toolkit.training import features
from toolkit.training.config import Config

LITE = ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"]


def small(network, options):
    return Config(network, size=32, precision="float32", options=options)


def judged(**rows):
    """A table of backbones by (accuracy, million parameters, p)."""
    return pd.DataFrame.from_dict(rows, orient="index", columns=["accuracy", "parameters", "p"])


def test_the_smallest_of_those_that_cannot_be_told_apart_from_the_best_is_taken():
    table = judged(large=(0.97, 20, 1.0), middle=(0.96, 5, 0.05), small=(0.95, 4, 0.049))
    assert auto.smallest(table) == "middle"
    assert auto.smallest(table.assign(p=[1.0, 0.01, 0.002])) == "large"
    assert auto.smallest(table.assign(parameters=[3, 5, 4])) == "large"


def test_a_choice_says_why_it_fell():
    table = judged(large=(0.97, 20, 1.0), small=(0.96, 5, 0.4))
    assert str(auto.Choice(Config("vgg"), table, "large")) == "large, which is right most often"
    words = "small, which is smaller than large and cannot be told apart from it, p = 0.40"
    assert str(auto.Choice(Config("vgg"), table, "small")) == words


def test_installed_backbones_are_at_hand_and_the_smallest_one_for_tiny_pictures_alone(tmp_path):
    tiny = ready_dataset(tmp_path / "tiny", per_class=8)
    large = ready_dataset(tmp_path / "large", per_class=8, side=65)
    assert list(auto.candidates(large, small)) == LITE
    assert list(auto.candidates(tiny, small)) == [*LITE, "xception, cifar10"]


@pytest.mark.slow
def test_a_backbone_is_at_hand_where_its_features_and_its_weights_are(tmp_path):
    table = ready_dataset(tmp_path / "pets", per_class=8, side=65)
    file = tmp_path / "mine.weights.h5"
    half = {"weights": backbone_weights(file)}
    features.of(table.where(label="cars"), "mobilenet", size=32, pooling="pyramid", precision="float32", **half)
    assert "mobilenet, mine.weights.h5" not in auto.candidates(table, small)
    features.of(table, "mobilenet", size=32, pooling="pyramid", precision="float32", **half)
    assert auto.candidates(table, small)["mobilenet, mine.weights.h5"].options == {"weights": str(file)}
    assert "mobilenet, mine.weights.h5" not in auto.candidates(table, lambda *what: Config(*what[:1], size=64))
    file.unlink()
    assert "mobilenet, mine.weights.h5" not in auto.candidates(table, small)


def test_what_is_not_split_or_has_no_head_on_a_frozen_backbone_is_refused(tmp_path):
    table = ready_dataset(tmp_path / "pets", per_class=8)
    with pytest.raises(ValueError, match="expected settings that leave one dense layer on a frozen backbone"):
        auto.choose(table, lambda network, options: Config(network, size=32, features_once=False, options=options))
    with pytest.raises(DatasetError, match="none of pets split; run split first"):
        auto.choose(table.assign(split=""), small)


@pytest.mark.slow
def test_every_backbone_at_hand_is_judged_on_all_pictures_but_those_of_the_test(tmp_path):
    table = split.assign(ready_dataset(tmp_path / "pets", per_class=12), seed=3, again=True)
    lines = []
    choice = auto.choose(table, small, folds=2, log=lines.append)
    used = table.where(split=("train", "val"), status="ok")
    assert set(choice.table.index) == {*LITE, "xception, cifar10"}
    assert (choice.table["pictures"] == len(used)).all()
    assert choice.table["accuracy"].is_monotonic_decreasing and choice.table["p"].iloc[0] == 1
    assert (choice.table["low"] <= choice.table["accuracy"]).all()
    assert choice.table["parameters"].idxmin() == "xception, cifar10"
    assert len(lines) == 4 and "95 % interval" in lines[0]
    answers = pd.read_csv(paths.models(table.root) / "auto" / LITE[0] / "predictions.csv")
    assert sorted(answers["path"]) == sorted(used.table["path"])
    assert choice.name == auto.smallest(choice.table)


@pytest.mark.slow
def test_the_chosen_network_is_trained_by_both_verbs_and_in_python(tmp_path, capsys):
    pictures = class_folders(tmp_path / "pets", per_class=14)
    settings = ("--size", "32", "--precision", "float32")
    assert main(["learn", str(pictures), "--network", "auto", *settings]) == 0
    printed = capsys.readouterr().out
    assert "auto      efficientnet_lite2: " in printed and "auto      takes " in printed
    assert main(["train", "pets", "--network", "auto", "--name", "again", *settings, "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    (run,) = [run for run in bundle.runs(paths.dataset("pets")) if run.name != "again"]
    assert again["network"] == bundle.load(run).facts["network"]
    lines = []
    model = toolkit.learn(pictures, network="auto", size=32, precision="float32", log=lines.append)
    assert model.bundle.folder == run and any(line.startswith("auto      takes ") for line in lines)
    assert main(["train", "pets", "--network", "auto", "--weights", "cifar10"]) == 2
    assert "expected no --weights with --network auto" in capsys.readouterr().err
