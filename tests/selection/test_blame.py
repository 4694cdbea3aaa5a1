"""Which batch of changes made heads worse: each is undone in turn."""

import numpy as np
import pandas as pd
import pytest
from helpers import fake_table

from toolkit.dataset import changes
from toolkit.errors import DatasetError
from toolkit.selection import blame
from toolkit.training import probe
from toolkit.training.config import Config


@pytest.fixture
def world(monkeypatch):
    """Two clouds of 150 and 90 pictures, of which batches of marks and additions have changed some."""
    random = np.random.default_rng(5)
    truth = np.array(["cars"] * 150 + ["tanks"] * 90)
    vectors = random.normal(0, 1, (240, 1, 30)).astype(np.float32)
    vectors[truth == "tanks", 0, :2] += 2.2
    table = fake_table("nowhere", [(label, "") for label in truth]).assign(creator="same")
    known = dict(zip(table.table["path"], vectors, strict=True))
    monkeypatch.setattr(probe, "features_for", lambda _, part: np.stack([known[one] for one in part.table["path"]]))
    return table


def turned(table, rows):
    other = {"cars": ("tanks", 1), "tanks": ("cars", 0)}
    cells = {table.table["path"][row]: other[table.table["label"][row]] for row in rows}
    return table.update({one: {"label": label, "class_index": place} for one, (label, place) in cells.items()})


def batched(table, **rows):
    names = table.table["creator"].to_numpy(dtype=object).copy()
    for name, places in rows.items():
        names[list(places)] = name
    return table.assign(creator=names)


def test_the_batch_of_turned_labels_comes_first_and_good_ones_are_not_blamed(world):
    bad, mended, added = range(20, 38), range(60, 80), range(150, 180)
    start = turned(world, mended)  # these were wrong at first
    before = changes.noted(start)
    before = before[~before["path"].isin(world.table["path"].iloc[list(added)])]
    now = batched(turned(turned(start, mended), bad), bad=bad, mended=mended, added=added)
    found = blame.find(now, before, by="creator")
    told = found.batches.set_index("batch")
    assert found.batches["batch"][0] == "creator bad" and told.loc["creator bad", "verdict"] == "worse"
    assert told.loc["creator mended", "verdict"] == "better" and told.loc["creator mended", "low"] > 0
    assert dict(told["pictures"]) == {"creator bad": 18, "creator mended": 20, "creator added": 30}
    assert (told["low"] <= told["effect"]).all() and (told["effect"] <= told["high"]).all()
    assert found.judged == 240 - 68 and 0.5 < found.now <= 1
    assert "The first to look at: creator bad." in str(found) and "68 pictures changed in 3 batches" in str(found)


@pytest.mark.slow
def test_many_features_are_looked_at_in_their_main_directions_alone(world, monkeypatch):
    now = batched(turned(world, range(20, 44)), bad=range(20, 44), fine=range(50, 53))
    every = blame.find(now, changes.noted(world), by="creator").batches
    monkeypatch.setattr(blame, "DIRECTIONS", 12)
    heads = blame._Heads(now, changes.noted(world), Config("efficientnet_lite0").resolved(), 5, 7)
    assert heads.rows.shape == (240, 1, 12) and heads.rows.dtype == np.float32
    few = blame.find(now, changes.noted(world), by="creator").batches
    assert list(few["batch"]) == list(every["batch"]) == ["creator bad"] and few["verdict"][0] == "worse"


@pytest.mark.slow
def test_heads_that_begin_from_others_answer_as_those_that_begin_anew(world):
    now = turned(world, range(20, 38))
    heads = blame._Heads(now, changes.noted(world), Config("efficientnet_lite0").resolved(), 5, 7)
    C, answers = heads.best()
    assert C in blame.CS[:-1]
    anew = [probe.logistic(heads.weighted) for _ in heads._folds]
    for labels, warm in ((heads.now, answers), (heads.before, heads.ask(heads.before, C))):
        cold = heads._answers(labels, C, [probe.logistic(heads.weighted) for _ in anew])
        assert np.abs(warm - cold).max() < 0.02
        assert abs(heads._losses(warm).mean() - heads._losses(cold).mean()) < 1e-3


@pytest.mark.slow
def test_a_batch_that_changes_next_to_nothing_is_not_called_worse(world):
    now = world.update({world.table["path"][3]: {"status": "excluded", "reason": "why"}})
    found = blame.find(now, changes.noted(world))
    assert list(found.batches["verdict"]) == ["cannot be told"]
    assert str(found).endswith("No batch is seen to do harm.")


def test_a_copy_of_a_picture_that_is_asked_about_is_not_learned_from(world):
    """A changed picture that is in a group with an unchanged one is left out where that one is judged."""
    paired = world.assign(group=["pair" if row in (0, 1) else "" for row in range(240)])
    now = turned(paired, [1])
    heads = blame._Heads(now, changes.noted(paired), Config("efficientnet_lite0").resolved(), 5, 7)
    for may, asked in heads._folds:
        assert not (may[0] or may[1]) or 0 not in asked
        assert set(heads.groups[may]).isdisjoint(heads.groups[asked])
    assert len(heads.asked) == 239


def test_a_picture_that_has_no_label_now_or_had_none_then_is_learned_from_in_one_state_only(world):
    path = world.table["path"][7]
    waiting = world.update({path: {"label": "", "class_index": -1}})
    for before, now in ((waiting, world), (world, waiting)):
        heads = blame._Heads(now, changes.noted(before), Config("efficientnet_lite0").resolved(), 5, 7)
        row = list(heads.paths).index(path)
        assert (heads.before[row] >= 0, heads.now[row] >= 0) == (before is world, now is world)
        assert row not in heads.asked and len(heads.asked) == 239


@pytest.mark.slow
def test_a_new_class_has_its_batch_and_does_not_upset_the_others(world):
    rows = {one: {"label": "boats", "class_index": 2} for one in world.table["path"][200:230]}
    found = blame.find(world.update(rows), changes.noted(world))
    assert len(found.batches) == 1 and found.judged == 210


def test_no_change_and_too_few_pictures_that_stayed_are_refused(world):
    with pytest.raises(DatasetError, match="expected changes of nowhere since then, got none"):
        blame.find(world, changes.noted(world))
    with pytest.raises(DatasetError, match="more than 5 pictures of at least two classes that did not change, got 2"):
        blame.find(turned(world, range(148)), changes.noted(world))
    with pytest.raises(ValueError, match="expected a head on a frozen backbone"):
        blame.find(world, pd.DataFrame(), Config("vgg"))
