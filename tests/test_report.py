import re

import pytest
from helpers import ready_dataset, untrained

from toolkit import evaluate, paths, report
from toolkit.errors import BundleError


@pytest.fixture
def table(tmp_path):
    return ready_dataset(tmp_path / "pets", per_class=10)


def facts(table):
    config = {"network": "vgg", "style": "modern", "batch_size": 8, "learning_rate": 1e-3, "patience": 2, "seed": 7}
    rest = {"best_epoch": 0, "train_seconds": 1.5, "pictures": 12, "precision": "float32", "versions": {"keras": "3"}}
    return {"config": config, **rest, "dataset": table.name}


@pytest.fixture
def runs(table):
    made = [untrained(paths.models(table.root) / name, seed=n, **facts(table)) for n, name in enumerate(("one", "two"))]
    for run in made:
        evaluate.measure(run, table)
    return made


def test_the_page_needs_nothing_but_itself(table, runs):
    page = report.write(table, runs).read_text()
    assert page.count("data:image/png;base64,") >= 9
    assert not re.search(r"<script|<link|@import|https?://", page)


def test_the_page_tells_of_every_run_and_class(table, runs):
    page = report.write(table, runs).read_text()
    for words in ("one", "two", *table.classes, "95 % interval"):
        assert words in page


def test_names_are_escaped(tmp_path, runs, table):
    runs[0].facts["precision"] = "<b>bold</b>"
    assert "<b>bold</b>" not in report.write(table, runs).read_text()


def test_the_page_lies_beside_the_models_or_where_it_is_wanted(tmp_path, table, runs):
    assert report.write(table, runs) == paths.models(table.root) / "report.html"
    assert report.write(table, runs, into=tmp_path / "page.html").exists()


def test_runs_that_were_not_evaluated_are_refused(tmp_path, table):
    with pytest.raises(BundleError, match="evaluate"):
        report.write(table, [untrained(tmp_path / "new", **facts(table))])
