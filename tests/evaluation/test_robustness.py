"""Worse pictures and nonsense: made as they should be, and counted as a person would."""

import numpy as np
import pandas as pd
import pytest
from helpers import ready_dataset, textured, untrained
from hypothesis import given
from hypothesis import strategies as st

from toolkit import evaluate, robustness
from toolkit.evaluation import corruptions
from toolkit.model import bundle

SURE = st.lists(st.floats(0, 1, width=32), min_size=1, max_size=60)


@pytest.fixture(scope="module")
def picture():
    return np.asarray(textured(3, width=48, height=48))


@pytest.mark.parametrize("name", corruptions.LEVELS)
def test_a_disturbance_changes_more_the_stronger_it_is(name, picture):
    levels = corruptions.LEVELS[name]
    change = [np.abs(corruptions.apply(picture, name, level).astype(float) - picture).mean() for level in levels]
    assert change[0] < 5
    assert all(one < other for one, other in zip(change, change[1:], strict=False))


@pytest.mark.parametrize("name", corruptions.LEVELS)
def test_a_disturbed_picture_is_still_a_picture_and_the_same_again(name, picture):
    level = corruptions.LEVELS[name][-1]
    one, other = (corruptions.apply(picture, name, level, seed=5) for _ in range(2))
    assert (one.shape, one.dtype) == (picture.shape, np.uint8)
    assert (one == other).all()


def test_an_unknown_disturbance_is_named(picture):
    with pytest.raises(ValueError, match="expected a disturbance of blur, .*, got 'rain'"):
        corruptions.apply(picture, "rain", 1)


@pytest.mark.slow
def test_curves_count_what_the_model_gets_right(tmp_path):
    table = ready_dataset(tmp_path / "set", per_class=12)
    run = untrained(tmp_path / "run")
    curves = robustness.curves(run, table, levels={"blur": (0, 3), "crop": (1.0, 0.5)})
    assert curves[["disturbance", "level"]].to_numpy().tolist() == [
        ["blur", 0],
        ["blur", 3],
        ["crop", 1],
        ["crop", 0.5],
    ]
    untouched = curves.loc[curves["level"].isin([0, 1]), "accuracy"]
    assert untouched.nunique() == 1
    assert (curves["low"] <= curves["accuracy"]).all() and (curves["accuracy"] <= curves["high"]).all()
    pd.testing.assert_frame_equal(curves, robustness.curves(run, table, levels={"blur": (0, 3), "crop": (1.0, 0.5)}))


def test_nonsense_is_of_many_kinds_and_the_same_for_the_same_seed():
    some = robustness.out_of_distribution(24, count=30)
    assert some.shape == (30, 24, 24, 3) and some.dtype == np.uint8
    assert len({one.tobytes() for one in some}) == 30
    assert (some == robustness.out_of_distribution(24, count=30)).all()
    assert not (some == robustness.out_of_distribution(24, count=30, seed=8)).all()


@given(SURE, SURE, st.floats(0, 1))
def test_the_threshold_lets_through_no_more_nonsense_than_allowed(right, nonsense, share):
    right, nonsense = np.array(right, np.float32), np.array(nonsense, np.float32)
    advice = robustness.threshold(right, nonsense, let_through=share)
    if (nonsense < 1).all():
        assert advice["let_through"] <= share + 1e-9
    assert advice["kept"] == (right >= advice["threshold"]).mean()
    assert 0 <= advice["threshold"] <= 1


def test_a_threshold_needs_answers_of_both_kinds():
    with pytest.raises(ValueError, match="got 0, 1 and 0.05"):
        robustness.threshold(np.array([]), np.array([0.5]))


@pytest.mark.slow
def test_what_was_measured_on_these_pictures_is_not_measured_again(tmp_path):
    table = ready_dataset(tmp_path / "set", per_class=12)
    run = untrained(tmp_path / "models" / "run")
    evaluate.measure(run, table)
    first = robustness.measure(run, table, count=4)
    assert (first.curves["pictures"] == 4).all()
    assert (robustness.measure(run, table, count=3).curves["pictures"] == 4).all()
    stored = (run.folder / robustness.FILE).read_text()
    (run.folder / robustness.FILE).write_text(stored.replace('"sure":', '"marked": 1, "sure":'))
    assert "marked" in robustness.measure(run, table, count=4).abstention
    assert "marked" not in robustness.measure(run, table, count=4, again=True).abstention
    assert (robustness.measure(run, table).curves["pictures"] == len(table.where(split="test"))).all()
    assert set(first.abstention) <= {"threshold", "kept", "let_through", "sure"}


@pytest.mark.slow
def test_what_is_known_of_untouched_pictures_is_taken_and_not_asked_again(tmp_path):
    table = ready_dataset(tmp_path / "set", per_class=12)
    run = untrained(tmp_path / "run")
    paths = table.where(split="test").table["path"]
    known = pd.Series([True] * (len(paths) - 1) + [False], index=list(paths))
    curves = robustness.curves(run, table, levels={"blur": (0, 3), "crop": (1.0,)}, right=known)
    untouched = curves.loc[curves["level"].isin([0, 1]), "accuracy"]
    assert untouched.tolist() == [(len(paths) - 1) / len(paths)] * 2
    asked = robustness.curves(run, table, levels={"blur": (0, 3)})
    assert curves["accuracy"][1] == asked["accuracy"][1]


@pytest.mark.slow
def test_levels_that_were_measured_are_enough_for_fewer_but_not_for_more(tmp_path):
    table = ready_dataset(tmp_path / "set", per_class=12)
    run = untrained(tmp_path / "models" / "run")
    evaluate.measure(run, table)
    few, more = {"blur": (0, 3)}, {"blur": (0, 3, 5), "crop": (0.5,)}
    assert len(robustness.measure(run, table, levels=more).curves) == 4
    stored = (run.folder / robustness.FILE).read_text()
    part = robustness.measure(run, table, levels=few).curves
    assert part["level"].tolist() == [0, 3] and (run.folder / robustness.FILE).read_text() == stored
    assert robustness.measure(run, table, levels={"blur": (0, 9)}).curves["level"].tolist() == [0, 9]


@pytest.mark.parametrize(("size", "pictures"), [(16, 32), (80, 32), (96, 22), (224, 4), (299, 2), (512, 1)])
def test_a_small_batch_holds_fewer_of_larger_pictures(tmp_path, size, pictures):
    assert bundle.Bundle(tmp_path, ("a", "b"), size).small_batch == pictures
