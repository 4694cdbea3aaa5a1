"""Folds are scikit-learn's."""

import warnings

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from toolkit.dataset import stratified


@given(
    pictures=st.integers(20, 120),
    classes=st.integers(2, 6),
    groups=st.integers(8, 120),
    folds=st.integers(2, 7),
    rare=st.booleans(),
    seed=st.integers(0, 99),
)
def test_folds_are_those_of_scikit_learn(pictures, classes, groups, folds, rare, seed):
    numbers = np.random.default_rng(seed)
    labels, of = numbers.integers(0, classes, pictures), numbers.integers(0, groups, pictures)
    labels[: pictures // 2] *= not rare
    labels, of = np.append(labels, [0] * folds), np.append(of, np.arange(folds) + groups)
    expected = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # of a class of fewer pictures than folds
        same = list(expected.split(labels, labels, of))
        found = list(stratified.divide(labels, of, folds=folds, seed=seed))
    assert [[rows.tolist() for rows in fold] for fold in found] == [[rows.tolist() for rows in fold] for fold in same]
