"""Settings of a training, as they are said on the command line or in a file: none is taken in silence to no effect."""

import dataclasses
import json
import re
from pathlib import Path

import pytest
from helpers import ready_dataset

from toolkit import networks, paths, recipes
from toolkit.cli import main, options
from toolkit.training.augment import Augmentation
from toolkit.training.config import Config, config_from
from toolkit.training.finetune import FineTune
from toolkit.training.mixing import Mixing

HEAD = ("--network", "xception", "--weights", "cifar10", "--style", "modern", "--size", "32")
SMALL = ("--network", "vgg", "--style", "classic", "--size", "32", "--option", "width=0.05")


@pytest.fixture
def pets():
    return ready_dataset(paths.dataset("pets"), per_class=14)


def complaint(capsys, *words):
    """The one line that a command prints on standard error when it fails."""
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.startswith("toolkit: ") and said.count("\n") == 1
    return said


def written(tmp_path, values):
    (tmp_path / "settings.json").write_text(json.dumps(values))
    return str(tmp_path / "settings.json")


@pytest.mark.parametrize(
    ("verb", "given"),
    [
        *(("train", given) for given in (("--views", "4"), ("--C", "0.1"), ("--refit",))),
        *((verb, ("--views", "4")) for verb in ("crossval", "labels", "tune")),
    ],
)
def test_what_only_a_head_on_features_uses_is_refused_elsewhere(capsys, verb, given):
    said = complaint(capsys, verb, "pets", *SMALL, *given)
    assert f"expected {given[0][2:]} for one dense layer on a frozen backbone alone" in said
    assert "got it for vgg as set; leave it out" in said


@pytest.mark.slow
def test_settings_that_a_head_on_features_has_no_use_for_are_told_once(pets, capsys):
    assert main(["train", "pets", *HEAD, "--epochs", "50", "--ema", "0.9", "--no-augmentation"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "not used" in line]
    assert line.startswith("xception: the backbone is frozen and its head is found at once")
    assert "not used: augmentation, ema, epochs (" in line
    assert main(["train", "pets", *HEAD, "--name", "other"]) == 0
    assert "not used" not in capsys.readouterr().out


@pytest.mark.slow
def test_the_best_settings_of_a_search_are_trained_and_what_is_said_besides_goes_first(pets, capsys):
    assert main(["tune", "pets", *HEAD, "--folds", "2", "--trials", "2", "--vary", "views=1,2", "--json"]) == 0
    file = json.loads(capsys.readouterr().out)["config"]
    best = json.loads(Path(file).read_text())
    assert main(["train", "pets", "--config", file, "--C", "0.5", "--json"]) == 0
    trained = json.loads(capsys.readouterr().out)
    assert trained["config"]["views"] == best["views"]
    assert (trained["config"]["C"], trained["config"]["size"]) == (0.5, 32)
    stored = str(paths.models(pets.root) / "xception" / "bundle.json")
    assert main(["crossval", "pets", "--config", stored, "--folds", "2", "--json"]) == 0
    identity = json.loads((paths.models(pets.root) / "crossval" / "xception" / "crossval.json").read_text())["identity"]
    assert identity["config"] == trained["config"]


@pytest.mark.slow
def test_a_file_sets_what_has_no_option(pets, tmp_path, capsys):
    values = {"augmentation": {"rotation": 3}, "class_weights": False, "calibrate": False, "epochs": 3, "patience": 2}
    file = written(tmp_path, {**values, "mixing": {"cutmix": 0.5, "alpha": 0.4}, "fine_tune": None})
    words = ("--config", file, *SMALL, "--epochs", "1", "--json")
    assert main(["train", "pets", *words]) == 0
    config = json.loads(capsys.readouterr().out)["config"]
    assert config["augmentation"] == dataclasses.asdict(Augmentation(rotation=3))
    assert config["mixing"] == dataclasses.asdict(Mixing(cutmix=0.5, alpha=0.4))
    assert (config["class_weights"], config["calibrate"], config["epochs"], config["patience"]) == (False, False, 1, 1)


@pytest.mark.parametrize(
    ("values", "complained"),
    [
        ({"epoch": 3}, "expected the keys C, augmentation"),
        ({"epochs": "3"}, "expected a value of the kind int | None for epochs, got '3'"),
        ({"augmentation": {"rotation": "much"}}, "expected a value of the kind float for rotation, got 'much'"),
        ({"options": {"droput": 0.5}}, "expected options of vgg from width, got 'droput'"),
        ([3], "expected names and values in"),
    ],
)
def test_a_file_that_makes_no_sense_is_one_clear_line(tmp_path, capsys, values, complained):
    assert complained in complaint(capsys, "train", "pets", "--network", "vgg", "--config", written(tmp_path, values))


def test_a_file_that_cannot_be_read_is_one_clear_line(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("milk")
    for name in ("notes.txt", "gone.json"):
        said = complaint(capsys, "train", "pets", "--config", str(tmp_path / name))
        assert f"expected a JSON file of settings at {tmp_path / name}" in said


def test_the_file_in_the_documentation_can_be_trained_and_sets_every_inner_value():
    page = Path(__file__).parents[2] / "docs" / "training.md"
    (example,) = re.findall(r"```json\n(.*?)```", page.read_text(), re.DOTALL)
    values = json.loads(example)
    assert config_from(values).resolved().fine_tune == FineTune(**values["fine_tune"])
    for name, kind in {"augmentation": Augmentation, "mixing": Mixing, "fine_tune": FineTune}.items():
        assert set(values[name]) == {entry.name for entry in dataclasses.fields(kind)}
    networks.get(values["network"]).check(size=64, style="modern", **{**values["options"], "weights": "none"})


def test_what_the_documentation_says_of_the_styles_is_so():
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text()
    rows = [line.strip("| ").split(" | ") for line in page.partition("| setting |")[2].splitlines()[2:8]]
    models = [("vgg", "classic"), ("vgg", "modern"), ("mobilenet", "modern"), ("deep_cnn", "modern")]
    for name, *told in rows:
        for said, (network, style) in zip([*told, told[-1]], models, strict=True):
            config = Config(network, style=style).resolved()
            value = (config.mixing.cutmix if config.mixing else 0) if name == "cutmix" else getattr(config, name)
            assert said == (value if isinstance(value, str) else f"{value:g}"), (name, network)


def test_help_names_all_that_a_file_can_say_and_every_option_of_every_network():
    flags = set(options.TRAINING_OPTIONS) | {"network", "options"}
    inner = {entry.name for kind in (Augmentation, Mixing, FineTune) for entry in dataclasses.fields(kind)}
    outer = {entry.name for entry in dataclasses.fields(Config)} - flags
    assert all(name in options.CONFIG_HELP for name in outer | inner)
    known = {option for name in ("vgg", "dual_stack", "mobilenet") for option in networks.get(name).options}
    assert all(option in options.OPTION_HELP for option in known)


def test_an_option_that_no_network_has_is_answered_with_those_there_are(capsys):
    said = complaint(capsys, "train", "pets", "--network", "mobilenet", "--option", "droput=.5")
    assert "expected options of mobilenet from weights, trainable_layers, frozen_below, pooling" in said
    assert "got 'droput'" in said


@pytest.mark.slow
def test_folds_are_those_of_the_recipe_unless_they_are_given(pets, capsys, monkeypatch):
    config = Config("xception", style="modern", size=32, options={"weights": "cifar10"})
    monkeypatch.setitem(recipes.RECIPES, "hands", recipes.Recipe("hands", (config,), folds=3))
    for words, folds in (((), 3), (("--folds", "2", "--overwrite"), 2)):
        assert main(["crossval", "pets", "--recipe", "hands", *words, "--json"]) == 0
        assert len(json.loads(capsys.readouterr().out)["folds"]) == folds
