"""The card says what was measured, and no more."""

import pytest
from helpers import ready_dataset, untrained

from toolkit import evaluate, paths, robustness
from toolkit.report import card

CONFIG = {"network": "vgg", "style": "modern", "batch_size": 8, "learning_rate": 1e-3, "class_weights": True, "seed": 7}


@pytest.fixture
def table(tmp_path):
    return ready_dataset(tmp_path / "pets", per_class=10)


@pytest.fixture
def run(table):
    return untrained(paths.models(table.root) / "one", config=CONFIG, pictures=12)


def test_a_run_that_was_not_measured_has_a_card_without_figures(run, table):
    text = card.write(run, table).read_text()
    assert "It was not measured yet" in text and "named right" not in text
    assert "cars, tanks" in text and "| batch size | 8 |" in text and "| class weights | yes |" in text
    assert all(line.count("- ") <= 1 for line in text.splitlines() if line.startswith("- "))


def test_settings_are_words_without_what_was_off_or_where_files_lay(tmp_path):
    config = {
        "network": "xception",
        "patience": 3,
        "optimizer": "adam",
        "momentum": 0.9,
        "ema": 0.0,
        "mixing": None,
        "features_once": False,
    }
    config |= {
        "augmentation": {"rotation": 10.0, "horizontal_flip": True, "zoom": 0.0},
        "options": {"weights": "/my/own/x.h5"},
    }
    told = card.settings(untrained(tmp_path / "run", config=config))
    assert told == [
        ("patience", "3"),
        ("optimizer", "adam"),
        ("augmentation", "rotation 10, horizontal flip yes"),
        ("weights", "x.h5"),
    ]


def test_the_figures_are_those_that_were_measured(run, table):
    report = evaluate.measure(run, table)
    text = card.write(run, table).read_text()
    low, high = report.interval
    assert f"{report.accuracy:.1%} (95 % interval {low:.1%} to {high:.1%})" in text
    assert f"| {report.per_class.loc['cars', 'precision']:.1%} |" in text


@pytest.mark.slow
def test_weaknesses_are_told_once_they_were_measured(run, table):
    evaluate.measure(run, table)
    found = robustness.measure(run, table, count=3)
    text = card.write(run, table).read_text()
    worst = found.curves.sort_values("accuracy").iloc[0]
    assert f"{worst['accuracy']:.1%} right, of 3 test pictures." in text
    assert text.count(" right, of 3 test pictures.\n") == 3


def test_sources_and_licences_are_named(run, table):
    assert "| folder | unknown | 20 |" in card.write(run, table).read_text()
