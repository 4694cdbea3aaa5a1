"""Cross-validation: every picture judged once, by a network that has not seen it or anything like it."""

from contextlib import nullcontext
from dataclasses import replace

import joblib
import numpy as np
import pandas as pd
import pytest
from helpers import fake_table, ready_dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit import bundle, crossval, evaluate, paths, plot, train
from toolkit.errors import BundleError, DatasetError, ToolkitError
from toolkit.selection import folds
from toolkit.training import probe
from toolkit.training.train import Config

SMALL = {"style": "classic", "size": 32, "epochs": 2, "batch_size": 8, "learning_rate": 2e-3, "precision": "float32"}
TINY = Config("vgg", **SMALL, options={"width": 0.05})
pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(scope="module")
def table(place):
    return ready_dataset(place / "set", per_class=16)


@pytest.fixture(scope="module")
def config():
    return Config("xception", style="modern", size=32, options={"weights": "cifar10"})


@pytest.fixture(scope="module")
def outcome(place, table, config):
    return crossval.run(table, config, folds=4)


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(
    groups=st.lists(st.lists(st.integers(1, 3), min_size=6, max_size=20), min_size=2, max_size=3),
    folds=st.integers(2, 5),
    seed=st.integers(0, 1000),
)
def test_every_picture_is_judged_once_and_nothing_like_it_is_learned_from(groups, folds, seed):
    rows = [
        (f"class {place}", f"{place}-{number}" if size > 1 else "")
        for place, sizes in enumerate(groups)
        for number, size in enumerate(sizes)
        for _ in range(size)
    ]
    table = fake_table("nowhere", rows)
    judged = []
    for part in crossval.divided(table, folds=folds, seed=seed):
        where = part.table.set_index("path")["split"]
        assert set(where) == {"train", "val", "test"}
        judged += list(where.index[where == "test"])
        parts = part.table[part.table["group"] != ""].groupby("group")["split"].nunique()
        assert (parts == 1).all()
        for split in ("train", "test"):
            assert set(part.table.loc[part.table["split"] == split, "label"]) == set(table.classes)
    assert sorted(judged) == sorted(table.table["path"])


def of_groups(**sizes):
    """A table of groups of near-duplicates of these sizes."""
    numbered = [(label, number, count) for label, counts in sizes.items() for number, count in enumerate(counts)]
    return fake_table(
        "nowhere", [(label, f"{label}-{number}") for label, number, count in numbered for _ in range(count)]
    )


@pytest.fixture(params=["weighed", "by hash"])
def division(request, monkeypatch):
    """Folds of few pictures and of many are made in two ways."""
    if request.param == "by hash":
        monkeypatch.setattr(folds, "LARGE", 1)


def test_folds_go_by_hash_from_the_limit_on_and_never_by_source():
    assert [folds.are_by_hash(folds.LARGE + more, None) for more in (-1, 0, 1)] == [False, True, True]
    assert not folds.are_by_hash(2 * folds.LARGE, "source")


def test_large_groups_leave_pictures_of_every_class_to_learn_from(division):
    for part in crossval.divided(of_groups(cars=[5, 20, 20], tanks=[1, 20, 20]), folds=2, seed=7):
        assert set(part.where(split="train").table["label"]) == {"cars", "tanks"}


def test_many_pictures_are_judged_once_each_and_nothing_like_them_is_learned_from(monkeypatch):
    monkeypatch.setattr(folds, "LARGE", 200)
    rng, judged = np.random.default_rng(3), []
    rows = [(("cars", "tanks", "boats")[n % 7 % 3], f"g{rng.integers(90)}" if n % 3 else "") for n in range(400)]
    rows = [(label, name and f"{label} {name}") for label, name in rows]
    for part in crossval.divided(fake_table("nowhere", rows), folds=4, seed=9):
        judged += list(part.table["path"][part.table["split"] == "test"])
        assert part.table[part.table["group"] != ""].groupby("group")["split"].nunique().max() == 1
        counts = part.counts("split").iloc[:3]
        assert (abs(counts["test"] - counts["total"] / 4) <= 4).all()
        assert (abs(counts["val"] - counts["total"] * 3 / 4 / 7) <= 4).all()
    assert len(judged) == len(set(judged)) == 400


def test_groups_too_large_to_leave_any_are_refused_with_the_class_and_the_fold():
    with pytest.raises(DatasetError, match="in fold 2 of 2, got none of '(cars|tanks)'.*near-duplicates"):
        crossval.divided(of_groups(cars=[5, 5, 2], tanks=[2, 5, 2, 2]), folds=2, seed=7)


def test_too_few_pictures_are_not_called_copies_of_one_another():
    with pytest.raises(DatasetError, match="got none of 'class [012]': 3 pictures of it are too few; take another"):
        crossval.divided(fake_table("nowhere", [(f"class {n % 3}", "") for n in range(9)]), folds=2, seed=7)


@pytest.mark.parametrize("wrong", [{"folds": 50}, {"ask": 2}, {"folds": 1}])
def test_what_is_refused_leaves_no_record_that_the_mended_call_would_meet(table, config, wrong):
    with pytest.raises((DatasetError, ValueError)):
        crossval.run(table, config, name="mended", **{"folds": 2, **wrong})
    assert not (paths.models(table.root) / "crossval" / "mended").exists()


@pytest.mark.slow
def test_what_fails_before_it_has_a_result_does_not_block_other_settings(table, config, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(ToolkitError, match="fold 1 of 2 stopped: ValueError: no"):
        patch.setattr(probe, "learn", lambda *_: (_ for _ in ()).throw(ValueError("no")))
        crossval.run(table, config, folds=2, name="failed")
    assert len(crossval.run(table, replace(config, C=0.1), folds=3, name="failed").folds) == 3


@pytest.mark.slow
def test_an_earlier_result_is_not_lost_to_one_that_is_refused(table, config):
    kept = crossval.run(table, config, folds=2, name="kept").report.accuracy
    with pytest.raises(DatasetError):
        crossval.run(table, config, folds=50, name="kept", overwrite=True)
    assert crossval.load(table, "kept").report.accuracy == kept


@pytest.mark.slow
def test_each_fold_has_its_share_of_every_class_and_the_seed_says_which(division):
    table = fake_table("nowhere", [("cars", "")] * 60 + [("tanks", "")] * 30)
    parts = crossval.divided(table, folds=5, seed=1)
    for part in parts:
        assert part.counts("split")["test"].to_dict() == {"cars": 12, "tanks": 6, "total": 18}
    again, other = (crossval.divided(table, folds=5, seed=seed) for seed in (1, 2))
    assert all(one.table["split"].equals(two.table["split"]) for one, two in zip(parts, again, strict=True))
    assert not parts[0].table["split"].equals(other[0].table["split"])


@pytest.mark.slow
def test_all_answers_together_are_the_result(outcome, table, config):
    answers = outcome.report.predictions
    assert sorted(answers["path"]) == sorted(table.table["path"])
    right = answers["label"] == answers["predicted"]
    assert outcome.report.accuracy == right.mean() > 0.6
    assert outcome.report.interval == evaluate.wilson(int(right.sum()), len(table))
    assert outcome.folds["pictures"].tolist() == [8, 8, 8, 8]
    assert np.average(outcome.folds["accuracy"], weights=outcome.folds["pictures"]) == pytest.approx(right.mean())
    assert np.allclose(answers[["p_cars", "p_tanks"]].sum(axis=1), 1)
    assert set(outcome.history["fold"]) == {1, 2, 3, 4}
    assert "cross-validated pictures (95 % interval" in str(outcome)


@pytest.mark.slow
def test_it_is_kept_and_not_done_again(outcome, table, config, monkeypatch):
    monkeypatch.setattr(probe, "learn", lambda *_: pytest.fail("learned again"))
    again, loaded = crossval.run(table, config, folds=4), crossval.load(table, "xception")
    for one in (again, loaded):
        pd.testing.assert_frame_equal(one.report.predictions, outcome.report.predictions)
        pd.testing.assert_frame_equal(one.history, outcome.history)
    assert plot.png(plot.folds(loaded)).startswith(b"\x89PNG")


@pytest.mark.slow
def test_one_done_differently_is_replaced_only_if_allowed(table, config):
    crossval.run(table, config, folds=2, name="taken")
    with pytest.raises(BundleError, match="other settings or other pictures"):
        crossval.run(table, config, folds=3, name="taken")
    assert len(crossval.run(table, config, folds=3, name="taken", overwrite=True).folds) == 3
    with pytest.raises(BundleError, match="found none; run `toolkit crossval` first"):
        crossval.load(table, "never")


@pytest.mark.slow
def test_the_folds_of_a_training_go_on_where_they_were_interrupted(table, monkeypatch):
    fitted, fit = [], train.fit

    def stopping(config, part, **how):
        if len(fitted) == 1:
            raise KeyboardInterrupt
        fitted.append(how["into"].name)
        return fit(config, part, **how)

    monkeypatch.setattr(train, "fit", stopping)
    with pytest.raises(KeyboardInterrupt):
        crossval.run(table, TINY, folds=2)
    monkeypatch.setattr(train, "fit", lambda *a, **how: fitted.append(how["into"].name) or fit(*a, **how))
    outcome = crossval.run(table, TINY, folds=2)
    assert fitted == ["fold-1", "fold-2"]
    assert outcome.history.groupby("fold")["epoch"].max().tolist() == [2, 2]
    assert not list(outcome.folder.rglob(bundle.MODEL))
    assert len(outcome.report.predictions) == len(table)
    assert evaluate.test_looks(table).empty  # a fold is no look at the test pictures


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_the_seed_says_what_trainings_at_the_same_time_become(table, backend):
    short = replace(TINY, epochs=1, augmentation=None)
    one = crossval.run(table, short, folds=2, name="one").report.predictions
    with joblib.parallel_config(backend=backend) if backend != "loky" else nullcontext():
        two = crossval.run(table, short, folds=2, name=f"two by {backend}", jobs=2).report.predictions
    pd.testing.assert_frame_equal(one, two)


@pytest.mark.slow
def test_a_fold_that_fails_says_which_and_why(table):
    wild = Config(**{**vars(TINY), "learning_rate": 1e30})
    with pytest.raises(ToolkitError, match="fold 1 of 2 stopped: .*try a lower learning_rate"):
        crossval.run(table, wild, folds=2, name="wild")


@pytest.mark.slow
def test_an_answer_about_several_views_is_their_mean(table, config):
    config = replace(config, views=2, calibrate=False).resolved()
    told = crossval.run(table, config, folds=4, ask=2, name="both").report.predictions
    part, known = crossval.divided(table, folds=4, seed=7)[0], probe.features_for(config, table)
    head = probe.learn(replace(config, refit=True), part, known).probe
    judged = part.table["split"] == "test"
    straight, mirrored = (head.probabilities(known[judged, view])[:, 0] for view in (0, 1))
    answers = told.set_index("path").loc[part.table.loc[judged, "path"], "p_cars"]
    assert not np.allclose(straight, mirrored, atol=1e-4)
    assert np.allclose(answers, (straight + mirrored) / 2, atol=1e-6)


@pytest.mark.parametrize("ask", [0, 2])
def test_more_views_than_there_are_cannot_be_asked(table, config, ask):
    with pytest.raises(ValueError, match=f"ask about 1 to 1 views.*got {ask}"):
        crossval.run(table, config, folds=4, ask=ask, name="never")


@pytest.mark.parametrize("folds", [5, 1])
def test_too_many_folds_or_none_are_refused(folds):
    table = fake_table("nowhere", [("cars", "")] * 9 + [("tanks", "")] * 5)
    with pytest.raises((DatasetError, ValueError), match="expected (more than 5 pictures of every class|at least 2)"):
        crossval.divided(table, folds=folds, seed=1)
