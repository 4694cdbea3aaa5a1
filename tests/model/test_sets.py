"""Sets of labels that hold the truth as often as was promised."""

import numpy as np
import pytest

from toolkit.model import sets


def answers(count, *, seed, classes=4):
    """Probabilities that are right as often as they say, of classes of unequal size."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.linspace(0.2, 0.8, classes), count)
    labels = np.array([rng.choice(classes, p=row) for row in probabilities])
    return probabilities, labels


@pytest.mark.parametrize("coverage", [0.8, 0.95])
def test_sets_hold_the_truth_of_new_pictures_as_often_as_promised(coverage):
    shares = []
    for seed in range(20):
        least = sets.limit(*answers(300, seed=seed), coverage=coverage)
        shares.append(sets.covered(*answers(1000, seed=100 + seed), least).mean())
    assert np.mean(shares) == pytest.approx(coverage, abs=0.015)


@pytest.mark.parametrize(("pictures", "expected"), [(18, 0.0), (19, 0.01), (38, 0.01), (39, 0.02)])
def test_the_limit_leaves_as_many_below_as_the_promise_allows(pictures, expected):
    shares = np.arange(1, pictures + 1)[::-1] / 100
    probabilities = np.stack([shares, 1 - shares], axis=1)
    assert sets.limit(probabilities, np.zeros(pictures, int)) == expected


def test_the_likeliest_label_is_always_in_its_set_and_equal_ones_keep_their_order():
    shares = {"cars": 0.2, "tanks": 0.4, "trees": 0.4}
    assert sets.holding(shares, 0.9) == ("tanks",)
    assert sets.holding(shares, 0.4) == ("tanks", "trees")
    assert sets.holding(shares, 0.2) == ("tanks", "trees", "cars")


def test_size_and_coverage_are_those_of_the_sets():
    probabilities, labels = answers(200, seed=1)
    names = ["a", "b", "c", "d"]
    held = [sets.holding(dict(zip(names, row, strict=True)), 0.3) for row in probabilities]
    assert sets.sizes(probabilities, 0.3).tolist() == [len(one) for one in held]
    expected = [names[label] in one for label, one in zip(labels, held, strict=True)]
    assert sets.covered(probabilities, labels, 0.3).tolist() == expected


@pytest.mark.parametrize("coverage", [0.0, 1.0])
def test_a_coverage_out_of_range_is_refused(coverage):
    with pytest.raises(ValueError, match="above 0 and below 1"):
        sets.limit(*answers(30, seed=0), coverage=coverage)
