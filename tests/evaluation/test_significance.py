"""Tests of significance: exact, corrected, and the same as those of the reference libraries."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.evaluation import significance

ANSWERS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=80)
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@pytest.mark.parametrize(("wins", "losses", "p"), [(6, 0, 0.03125), (9, 2, 0.0654296875), (15, 5, 0.041389465332)])
def test_mcnemar_counts_only_the_pictures_that_tell_the_models_apart(wins, losses, p):
    first = [True] * wins + [False] * losses + [True] * 50 + [False] * 3
    second = [False] * wins + [True] * losses + [True] * 50 + [False] * 3
    assert significance.mcnemar(first, second) == pytest.approx(p, abs=1e-9)


@given(ANSWERS)
def test_mcnemar_is_that_of_statsmodels(answers):
    reference = pytest.importorskip("statsmodels.stats.contingency_tables", reason="statsmodels is not installed")
    first, second = np.array(answers).T
    table = [[np.sum(a & b) for b in (second, ~second)] for a in (first, ~first)]
    assert significance.mcnemar(first, second) == pytest.approx(reference.mcnemar(table, exact=True).pvalue, abs=1e-9)


@pytest.mark.slow
@settings(max_examples=20)  # the reference looks through all objects for garbage each time
@given(P_VALUES)
def test_holms_correction_is_that_of_statsmodels(values):
    reference = pytest.importorskip("statsmodels.stats.multitest", reason="statsmodels is not installed")
    assert significance.holm(values) == pytest.approx(reference.multipletests(values, method="holm")[1], abs=1e-9)


@given(P_VALUES)
def test_correction_never_makes_a_difference_surer_nor_changes_the_order(values):
    corrected = significance.holm(values)
    assert (corrected >= np.array(values)).all() and (corrected <= 1).all()
    assert (np.diff(corrected[np.argsort(values, kind="stable")]) >= 0).all()


def test_answers_about_different_numbers_of_pictures_are_refused():
    with pytest.raises(ValueError, match="the same pictures, got 2 and 3"):
        significance.mcnemar([True, False], [True, False, True])


def test_a_single_model_has_no_pairs_and_nothing_is_said():
    pairs = significance.pairs({"alone": [True, False]})
    assert len(pairs) == 0
    assert significance.in_words(pairs, 2) == ""


def test_a_bootstrap_draws_groups_whole_and_spreads_as_the_mean_of_as_many_would():
    values = np.random.default_rng(1).normal(5, 2, 400)
    alone = significance.bootstrap(values, np.arange(400), draws=3000, seed=1)
    assert alone.mean() == pytest.approx(values.mean(), abs=0.02)
    assert alone.std() == pytest.approx(2 / np.sqrt(400), rel=0.1)
    paired = significance.bootstrap(np.repeat(values[:40], 10), np.repeat(np.arange(40), 10), draws=3000, seed=1)
    assert paired.std() == pytest.approx(values[:40].std() / np.sqrt(40), rel=0.1)


def test_columns_are_drawn_alike_in_pieces_as_in_one_and_a_mean_weighs_pictures(monkeypatch):
    values = np.array([[1.0, 1.0, 0.0], [2.0, 2.0, 0.0]])
    drawn = significance.bootstrap(values, ["a", "a", "b"], draws=500, seed=3)
    assert drawn.shape == (500, 2) and np.allclose(drawn[:, 1], 2 * drawn[:, 0])
    assert set(np.unique(drawn[:, 0].round(3))) == {0, 0.667, 1}  # a group of two and one of one
    monkeypatch.setattr(significance, "TAKEN", 7)
    assert np.array_equal(significance.bootstrap(values, ["a", "a", "b"], draws=500, seed=3), drawn)
