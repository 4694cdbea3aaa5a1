"""The card says what was measured, and no more."""

import pytest
from helpers import ready_dataset, untrained

from toolkit import card, evaluate, paths, robustness

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
    assert "cars, tanks" in text and "batch size: 8" in text


def test_the_figures_are_those_that_were_measured(run, table):
    report = evaluate.measure(run, table)
    text = card.write(run, table).read_text()
    low, high = report.interval
    assert f"{report.accuracy:.1%} (95 % interval {low:.1%} to {high:.1%})" in text
    assert f"| {report.per_class.loc['cars', 'precision']:.1%} |" in text


def test_weaknesses_are_told_once_they_were_measured(run, table):
    evaluate.measure(run, table)
    found = robustness.measure(run, table, count=3)
    text = card.write(run, table).read_text()
    worst = found["curves"].sort_values("accuracy").iloc[0]
    assert f"{worst['accuracy']:.1%} right." in text
    assert text.count(" right.\n") == 3


def test_sources_and_licences_are_named(run, table):
    assert "| folder | unknown | 20 |" in card.write(run, table).read_text()
