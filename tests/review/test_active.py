"""Which pictures to label next, and how many labels are right: pure functions, on points in known places."""

import numpy as np
import pytest
from scipy.stats import binom

from toolkit.review import active, estimate, forecast

NONE = active.NONE


def islands(*sizes, seed=0, apart=10.0, dimensions=6):
    """Points in islands of these sizes, and the number of each one's island."""
    rng = np.random.default_rng(seed)
    middles = rng.permutation(np.eye(dimensions))[: len(sizes)] * apart
    of = np.repeat(np.arange(len(sizes)), sizes)
    return middles[of] + rng.normal(0, 0.5, (len(of), dimensions)), of


def person(vectors, truth, *, acts, seed=0):
    """Share of right labels after so many acts of an honest person."""
    labels, cluster, shares, done = np.full(len(truth), NONE), active.clusters(vectors, seed=seed), None, 0
    while done < acts and (labels == NONE).any():
        kind, indices, label, few = active.proposals(vectors, cluster, labels, labels == NONE, shares)[0]
        most = np.bincount(truth[indices]).argmax() if label == NONE else label
        wrong = int((truth[indices] != most).sum())
        rows = few if wrong > 0.2 * len(indices) and kind == "group" else indices
        labels[rows], done = truth[rows], done + (len(few) if rows is few else 1 + wrong)
        shares = active.head(vectors, labels, truth.max() + 1)
    answers = shares.argmax(axis=1) if shares is not None else np.zeros(len(truth))
    return np.mean(np.where(labels == NONE, answers, labels) == truth)


def test_features_become_vectors_of_length_one_that_do_not_depend_on_their_scale():
    features = np.random.default_rng(0).gamma(1, 1, (300, 200)).astype(np.float32)
    vectors = active.reduced(features)
    assert vectors.shape == (300, active.DIMENSIONS) and vectors.dtype == np.float32
    assert (vectors**2).sum(axis=1).mean() == pytest.approx(1, rel=1e-4)
    np.testing.assert_allclose(active.reduced(7 * features), vectors, atol=1e-3)
    assert active.reduced(features[:4]).shape == (4, 4)


def test_pictures_that_are_all_the_same_are_no_error():
    vectors = active.reduced(np.zeros((40, 8), np.float32))
    assert np.isfinite(vectors).all()
    found = active.proposals(vectors, np.zeros(40, int), np.full(40, NONE), np.ones(40, bool), None)
    assert sorted(found[0].indices) == list(range(40))


def test_clusters_are_the_same_for_a_seed_and_hold_what_lies_together():
    vectors, of = islands(60, 90, 40)
    cluster = active.clusters(vectors, seed=3)
    assert (cluster == active.clusters(vectors, seed=3)).all()
    assert all(len(set(of[cluster == number])) == 1 for number in set(cluster))


def test_at_first_whole_groups_are_asked_about_each_far_from_those_before():
    vectors, of = islands(100, 100, 100)
    cluster, labels = active.clusters(vectors), np.full(300, NONE)
    found = active.proposals(vectors, cluster, labels, labels == NONE, None)
    assert {proposal.kind for proposal in found} == {"group"}
    assert {of[proposal.indices[0]] for proposal in found[:3]} == {0, 1, 2}
    assert all(len(proposal.indices) <= active.PAGE and proposal.label == NONE for proposal in found)


def test_a_group_in_which_something_is_labelled_is_not_asked_about_again():
    vectors, _ = islands(100, 100)
    cluster, labels = active.clusters(vectors), np.full(200, NONE)
    labels[7] = 0
    found = active.proposals(vectors, cluster, labels, labels == NONE, None)
    assert all(cluster[7] not in cluster[proposal.indices] for proposal in found)


def test_a_few_pictures_of_a_page_lie_far_from_each_other():
    vectors, of = islands(30, 10, 5, 3)
    (group,) = active.proposals(vectors, np.zeros(48, int), np.full(48, NONE), np.ones(48, bool), None)
    assert sorted(of[group.few]) == [0, 1, 2, 3]


def test_a_head_waits_for_two_classes_and_gives_classes_without_pictures_nothing():
    vectors, of = islands(30, 30)
    labels = np.where(np.arange(60) % 10 == 0, of, NONE)
    assert active.head(vectors, np.where(labels == 0, 0, NONE), 3) is None
    shares = active.head(vectors, np.where(labels == 1, 2, labels), 3)
    assert shares.shape == (60, 3) and (shares[:, 1] == 0).all()
    assert (shares.argmax(axis=1) == np.where(of == 1, 2, 0)).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1)


def test_what_is_labelled_or_left_out_is_in_no_proposal():
    vectors, of = islands(200, 200, apart=1.5)
    rng = np.random.default_rng(1)
    labels = np.where(rng.random(400) < 0.4, of, NONE)
    is_open = (labels == NONE) & (rng.random(400) < 0.7)
    shares = active.head(vectors, labels, 2)
    lists = [
        proposal.indices for proposal in active.proposals(vectors, active.clusters(vectors), labels, is_open, shares)
    ]
    lists += [active.surest(is_open, shares, 1), active.doubtful(vectors, is_open, shares)]
    assert all(is_open[indices].all() and len(set(indices)) == len(indices) for indices in lists)


def test_the_surest_come_first_and_are_all_taken_for_the_class():
    shares = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.05, 0.95], [0.3, 0.7]])
    is_open = np.array([True, True, True, True, False])
    assert active.surest(is_open, shares, 1).tolist() == [3, 1, 2]
    assert active.surest(is_open, shares, 1, most=2).tolist() == [3, 1]


def test_doubtful_pictures_that_are_near_equal_are_asked_about_once():
    vectors = np.repeat(np.eye(4), 10, axis=0) + np.random.default_rng(0).normal(0, 1e-3, (40, 4))
    shares = np.tile([0.52, 0.48], (40, 1))
    chosen = active.doubtful(vectors, np.ones(40, bool), shares, most=4)
    assert sorted(chosen // 10) == [0, 1, 2, 3]


def test_nothing_open_gives_nothing_to_do():
    vectors, of = islands(20, 20)
    shares = active.head(vectors, of, 2)
    assert active.proposals(vectors, active.clusters(vectors), of, np.zeros(40, bool), shares) == []
    assert len(active.doubtful(vectors, np.zeros(40, bool), shares)) == 0


def test_labels_that_others_contradict_are_found_the_clearest_first():
    vectors, of = islands(60, 60)
    labels = of.copy()
    labels[[5, 80]] = 1 - labels[[5, 80]]
    assert sorted(active.disagreements(vectors, labels)[:2]) == [5, 80]
    assert len(active.disagreements(vectors, of)) == 0
    assert len(active.disagreements(vectors, np.where(np.arange(120) < 2, of, NONE))) == 0


@pytest.mark.slow
def test_a_few_acts_label_islands_and_more_acts_label_what_overlaps():
    vectors, of = islands(150, 60, 30)
    assert person(vectors, of, acts=8) > 0.98
    vectors, of = islands(150, 150, apart=0.9)
    few, many = (person(vectors, of, acts=acts) for acts in (12, 60))
    assert 0.8 < few < many and many > 0.95


def test_a_sample_is_drawn_without_putting_back_and_the_same_for_a_seed():
    candidates = np.arange(100, 200)
    sample = estimate.drawn(candidates, seed=5)
    assert len(set(sample)) == estimate.SAMPLE and set(sample) <= set(candidates)
    assert sample.tolist() == estimate.drawn(candidates, seed=5).tolist() != estimate.drawn(candidates, seed=6).tolist()
    assert sorted(estimate.drawn(candidates[:7], seed=5)) == candidates[:7].tolist()


def test_what_was_looked_at_one_by_one_counts_as_right_and_the_rest_by_the_sample():
    half = estimate.of([True, False] * 20, alone=0, candidates=1000)
    assert half.share == pytest.approx((40 + 960 * 0.5) / 1000)
    assert half.low < half.share < half.high
    assert estimate.of([True, False] * 20, alone=3000, candidates=1000).share == pytest.approx((3040 + 480) / 4000)
    assert estimate.of([False] * 40, alone=0, candidates=40) == estimate.Estimate(1.0, 1.0, 1.0, 40)


def test_a_person_can_stop_only_when_the_interval_says_so():
    assert not estimate.of([True] * 40, alone=0, candidates=1000).enough
    assert estimate.of([True] * 40, alone=500, candidates=500).enough
    assert estimate.of([True] * 100, alone=0, candidates=1000).enough
    with pytest.raises(ValueError, match="expected a sample of 1 to 3 pictures, got 4"):
        estimate.of([True] * 4, alone=0, candidates=3)


@pytest.mark.parametrize("share", [0.6, 0.9, 0.98])
def test_the_interval_holds_the_truth_in_at_least_90_of_100_samples(share):
    """Of 1,000 pictures, so many of which have their right label, whatever the sample hits."""
    total, asked = 800, 40
    wrong = round((1 - share) * total)
    hits = 0.0
    for missed in range(asked + 1):
        told = estimate.of([False] * missed + [True] * (asked - missed), alone=200, candidates=total)
        truth = 1 - (wrong - missed) / 1000
        if wrong >= missed and told.low <= truth <= told.high:
            hits += binom.pmf(missed, asked, wrong / total)
    assert hits >= 0.9


def test_what_is_like_one_comes_nearest_first_and_only_while_it_is_open():
    vectors = np.array([[0.0], [5.0], [1.0], [2.0], [-0.5]])
    is_open = np.array([True, True, False, True, True])
    assert active.alike(vectors, is_open, 0).tolist() == [0, 4, 3, 1]
    assert active.alike(vectors, is_open, 2).tolist() == [0, 3, 4, 1], "of equals the first"


def test_new_things_are_those_furthest_from_the_nearest_label_whatever_is_between():
    vectors, of = islands(30, 50, 20)
    labels, is_open = np.full(100, NONE), np.ones(100, bool)
    assert len(active.unlike(vectors, labels, is_open)) == 0, "to what would it be unlike"
    labels[[0, 30, 31]] = 0, 1, 1
    is_open[[0, 30, 31]] = False
    found = active.unlike(vectors, labels, is_open, most=25)
    assert set(of[found[:20]]) == {2} and 2 not in of[found[20:]] and len(found) == 25
    nearest = ((vectors[found][:, None] - vectors[[0, 30, 31]]) ** 2).sum(axis=2).min(axis=1)
    assert (np.diff(nearest) <= 1e-9).all()


def test_new_things_are_found_in_parts_and_beside_more_labels_than_are_compared():
    rng = np.random.default_rng(1)
    vectors = rng.normal(0, 0.1, (active.AT_ONCE + active.COMPARED + 500, 3)).astype(np.float32)
    vectors[-1] = 9
    labels = np.full(len(vectors), NONE)
    labels[: active.COMPARED + 200] = 0
    assert active.unlike(vectors, labels, labels == NONE)[0] == len(vectors) - 1


# What more marks bring


def measured(vectors, of, count, *, seed=0):
    """The learning curve on so many labels drawn by chance."""
    labels = np.full(len(of), NONE)
    known = np.random.default_rng(seed).permutation(len(of))[:count]
    labels[known] = of[known]
    return forecast.curve(vectors, labels, np.arange(len(of)), seed=seed)


@pytest.mark.slow
def test_a_learning_curve_rises_with_labels_and_judges_each_picture_without_itself():
    vectors, of = islands(300, 200, 100, apart=1.5)
    curve = measured(vectors, of, 240)
    assert curve.labelled == 240 and curve.right.shape == (3, 240)
    assert curve.pictures.tolist() == pytest.approx([40, 80, 160], abs=1)
    right = curve.right.mean(axis=1)
    assert right[0] < right[-1] < 1 and right[0] > 0.6
    mixed = forecast.curve(np.random.default_rng(0).normal(size=vectors.shape), of, np.arange(len(of)))
    assert mixed.right[-1].mean() < 0.55, "of noise nothing is learned by heart"


def test_near_duplicates_stay_on_one_side_of_a_curve():
    rng = np.random.default_rng(0)
    vectors = np.repeat(rng.normal(size=(60, 40)), 4, axis=0)  # four copies of each, whose labels say nothing
    of = np.repeat(rng.integers(0, 2, 60), 4)
    apart = forecast.curve(vectors, of, np.arange(240)).right[-1].mean()
    together = forecast.curve(vectors, of, np.repeat(np.arange(60), 4)).right[-1].mean()
    assert apart > 0.95 and together < 0.7


def test_there_is_no_curve_before_two_classes_have_labels_enough():
    vectors, of = islands(50, 50)
    labels = np.full(100, NONE)
    labels[: forecast.FEWEST + 5] = 0
    labels[50 : 50 + forecast.FEWEST - 1] = 1
    assert forecast.curve(vectors, labels, np.arange(100)) is None
    labels[50 + forecast.FEWEST] = 1
    assert forecast.curve(vectors, labels, np.arange(100)) is not None


def test_a_forecast_counts_what_is_marked_and_lets_old_labels_keep_their_mistakes():
    vectors, of = islands(300, 200, 100, apart=1.5)
    curve = measured(vectors, of, 100)
    right, is_open = np.array([True] * 15 + [False] * 5 + [True] * 16 + [False] * 4), np.arange(40) < 20
    told = forecast.of(right, is_open, curve, known=60, open=400, labelled=140)
    now = 1 - (400 * 5 / 20 + 140 * 4 / 20) / 600
    assert told.more == 50 and told.low < told.share < told.high
    assert now + 50 * 0.25 / 600 < told.share < 1 - 140 * 0.2 / 600, "no worse than the marks alone, no better than all"
    few = forecast.of(right, is_open, curve, known=60, open=30, labelled=140)
    assert few.more == 30 and few.share == pytest.approx(1 - 140 * 0.2 / 230)
    flat = forecast.Curve(curve.pictures, np.full_like(curve.right, 0.75), curve.groups, curve.labelled)
    assert forecast.of(right, is_open, flat, known=60, open=400, labelled=140).share < told.share


@pytest.mark.slow
def test_forecasts_hold_what_fifty_more_labels_brought():
    vectors, of = islands(500, 300, 200, apart=1.4)
    held, sittings = 0, 20
    for seed in range(sittings):
        rng = np.random.default_rng(seed)
        labels = np.full(1000, NONE)
        order = rng.permutation(1000)
        labels[order[:100]] = of[order[:100]]
        guess, sample = active.head(vectors, labels, 3).argmax(axis=1), order[100:140]
        labels[sample] = of[sample]
        curve = forecast.curve(vectors, labels, np.arange(1000), seed=seed)
        told = forecast.of(guess[sample] == of[sample], np.ones(40, bool), curve, known=140, open=860, labelled=0)
        labels[order[140:190]] = of[order[140:190]]
        answers = np.where(labels == NONE, active.head(vectors, labels, 3).argmax(axis=1), labels)
        held += told.low <= (answers == of).mean() <= told.high
    assert held >= 18
