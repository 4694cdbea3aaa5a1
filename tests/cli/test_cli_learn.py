import json

import pytest
from helpers import class_folders

from toolkit.cli import main

SETTINGS = (
    "--network",
    "small_cnn",
    "--option",
    "width=0.1",
    "--size",
    "16",
    "--epochs",
    "2",
    "--precision",
    "float32",
)


@pytest.fixture
def pictures(tmp_path):
    return class_folders(tmp_path / "my pets", per_class=10)


@pytest.mark.slow
def test_learn_ends_with_the_accuracy_its_interval_and_what_to_do_next(pictures, capsys):
    assert main(["learn", str(pictures), "--into", "pets", *SETTINGS]) == 0
    printed = capsys.readouterr().out
    assert "right on" in printed and "95 % interval" in printed
    assert "  toolkit predict pets/small_cnn PICTURE\n  toolkit report pets\n  toolkit export pets/small_cnn" in printed


@pytest.mark.slow
def test_learn_tells_programs_the_figures_and_where_the_run_is(pictures, capsys):
    assert main(["learn", str(pictures), *SETTINGS, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["dataset"].endswith("data/my pets") and told["run"].endswith("models/my pets/small_cnn")
    assert 0 <= told["low"] <= told["accuracy"] <= told["high"] <= 1
    assert told["pictures"] > 0


def test_learn_says_what_it_wanted_where_there_is_no_folder(tmp_path, capsys):
    assert main(["learn", str(tmp_path / "picturez"), *SETTINGS]) == 2
    assert "expected a folder with a folder of pictures per class, found nothing at" in capsys.readouterr().err
