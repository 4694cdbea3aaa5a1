"""What a training stores of what it promises: familiarity and sets, of a head on features and of a whole network."""

import json

import numpy as np
import pandas as pd
import pytest
from helpers import facts, ready_dataset, untrained

from toolkit import bundle, evaluate, images, train
from toolkit.errors import BundleError
from toolkit.model import familiarity
from toolkit.training import probe, promises
from toolkit.training.train import Config

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(scope="module")
def table(place):
    return ready_dataset(place / "many", per_class=60, val=0.2)


@pytest.mark.slow
def test_a_head_on_features_knows_what_is_familiar_by_folds_of_train_and_val(table):
    how = {"style": "modern", "size": 32, "precision": "float32", "options": {"weights": "cifar10"}}
    run = train.fit(Config("xception", **how), table, name="head")
    used = len(table.where(split=("train", "val"), status="ok"))
    assert len(run.familiarity.held_out) == used > 80
    features = probe.features_for(Config("xception", **how).resolved(), table)[:, 0]
    pictures = np.stack([images.prepare(file, 32) for file in table.files])
    assert np.abs(run.ask(pictures).familiarity - run.familiarity(features)).max() < 0.02
    assert run.facts["sets"]["coverage"] == 0.95
    assert 0 < run.set_limit < 1
    evaluate.measure(run, table)
    assert run.metrics["familiarity"]["pictures"] == run.metrics["sets"]["pictures"] == 30
    assert run.metrics["sets"]["per_class"].keys() == {"cars", "tanks"}


@pytest.mark.slow
def test_a_network_from_nothing_takes_its_limit_from_val_which_it_did_not_learn_from(table):
    how = {"style": "modern", "size": 32, "epochs": 2, "patience": 1, "precision": "float32"}
    run = train.fit(Config("small_cnn", **how, options={"width": 0.25}), table, name="own")
    assert len(run.familiarity.held_out) == len(table.where(split="val", status="ok")) >= 19
    pictures = np.stack([images.prepare(file, 32) for file in table.where(split="val").files])
    found = np.sort(run.ask(pictures).familiarity)[::-1]
    share = run.familiarity._share(run.familiarity.held_out, np)
    assert np.abs(found - share).max() < 1e-3
    assert (found > familiarity.FAMILIAR - 1e-3).sum() == familiarity.needed(len(found), 0.05)


def without_promises(run):
    """The run as an older version left it."""
    (run.folder / bundle.FAMILIARITY).unlink()
    facts = json.loads((run.folder / bundle.FACTS).read_text())
    (run.folder / bundle.FACTS).write_text(json.dumps({name: value for name, value in facts.items() if name != "sets"}))
    older = bundle.load(run.folder)
    assert older.set_limit is None and not older.tells_familiarity
    return older


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "how"),
    [
        ("xception", {"options": {"weights": "cifar10"}}),
        ("small_cnn", {"epochs": 2, "patience": 1, "options": {"width": 0.25}}),
    ],
)
def test_an_older_run_is_given_the_same_promises_later(table, network, how):
    config = Config(network, style="modern", size=32, precision="float32", **how)
    run = train.fit(config, table, name=f"late_{network}")
    known, sets = run.familiarity, run.facts["sets"]
    older = without_promises(run)
    given = promises.given(older, table)
    assert given.familiarity.limit == pytest.approx(known.limit, rel=1e-3)
    assert given.familiarity.held_out == pytest.approx(known.held_out, rel=1e-2, abs=1e-3)
    assert given.facts["sets"] == {**sets, "limit": pytest.approx(sets["limit"], abs=1e-3)}
    assert given.facts["sha256"] == run.facts["sha256"]
    assert promises.given(given, table) is given
    # pictures that were added meanwhile are not taken for ones it knows
    more = table.assign(split=["train" if split == "test" else split for split in table.table["split"]])
    again = promises.given(without_promises(given), more)
    assert len(again.familiarity.held_out) == len(known.held_out)
    (run.folder / bundle.PICTURES).unlink()
    with pytest.raises(BundleError, match="expected a run that noted its pictures"):
        promises.given(without_promises(again), more)


def test_a_run_of_other_classes_is_given_no_promises(table, tmp_path):
    run = untrained(tmp_path / "run", classes=("boats", "tanks"), **facts(table))
    with pytest.raises(BundleError, match="expected a dataset of boats, tanks, as run learned them, got many of cars"):
        promises.given(run, table)


def test_of_many_pictures_some_are_drawn_in_proportion_and_no_class_is_lost(monkeypatch):
    monkeypatch.setattr(promises, "MOST", 50)
    labels = pd.Series([0] * 400 + [1] * 99 + [2])
    chosen = promises._proportional(labels, seed=3)
    assert len(chosen) == len(set(chosen)) == 50
    assert (np.diff(chosen) > 0).all()
    counts = labels.iloc[chosen].value_counts().to_dict()
    assert counts[2] == 1 and 35 <= counts[0] <= 42
    assert promises._proportional(labels.head(50), seed=3).tolist() == list(range(50))


def test_too_few_pictures_promise_nothing_of_sets():
    shares = np.tile([0.7, 0.3], (19, 1))
    assert promises.covering(shares[:18], np.zeros(18, int)) is None
    assert promises.covering(shares, np.zeros(19, int)) == {"coverage": 0.95, "limit": 0.7, "pictures": 19}
