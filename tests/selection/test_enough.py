"""Are there pictures enough: learning curves, the forecast of a score, and the regions that are thin."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers import fake_table, ready_dataset

from toolkit import enough, plot
from toolkit.errors import DatasetError
from toolkit.selection import learning_curve, regions
from toolkit.training.config import Config

POWERS = np.array([100.0, 200.0, 400.0, 800.0])


def clouds(per_class, *, apart=2.0, seed=0):
    """A table and features: a cloud of points for each class, of so many pictures each."""
    random = np.random.default_rng(seed)
    labels = [place for place, count in enumerate(per_class) for _ in range(count)]
    table = fake_table("nowhere", [(f"class {place}", "") for place in labels])
    vectors = random.normal(0, 1, (len(labels), 1, 40)).astype(np.float32)
    vectors[np.arange(len(labels)), 0, labels] += apart
    return table, vectors


def falling(power, *, count=4000, start=0.3):
    """Answers whose share of wrong ones falls with that power of the pictures learned from."""
    wrong = start * (POWERS / POWERS[0]) ** -power
    places = np.random.default_rng(1).permutation(count) / count
    return (places >= wrong[:, None]).astype(float)


@pytest.mark.slow
def test_each_step_learns_from_its_share_and_more_pictures_make_it_better():
    table, vectors = clouds((200, 120))
    steps = []
    curve = learning_curve.measure(table, vectors, folds=4, log=steps.append)
    assert curve.pictures == pytest.approx([30, 60, 120, 240], rel=0.04)
    shares = curve.right.mean(axis=1)
    assert shares[0] < shares[1] < shares[-1] and len(steps) == 4
    assert curve.right.shape == (4, 320) and set(curve.right[-1]) == {0.0, 1.0}


@pytest.mark.slow
def test_shares_that_leave_a_class_hardly_a_picture_are_left_out():
    curve = learning_curve.measure(*clouds((60, 12)), folds=3)
    assert len(curve.pictures) == 3
    with pytest.raises(DatasetError, match="expected at least 6 pictures of every class.*, got 4; add"):
        learning_curve.measure(*clouds((60, 4)), folds=3)


@pytest.mark.slow
def test_copies_of_a_picture_are_never_learned_from_where_it_is_judged():
    """Labels are by chance, so only a head that has seen the copy of a picture can name it."""
    rows = [(f"class {number % 2}", f"pair {number}") for number in range(120) for _ in range(2)]
    vectors = np.random.default_rng(3).normal(0, 1, (120, 1, 300)).repeat(2, axis=0).astype(np.float32)
    curve = learning_curve.measure(fake_table("nowhere", rows), vectors)
    assert curve.right[-1].mean() < 0.65


@pytest.mark.slow
@pytest.mark.parametrize("power", [0.2, 0.6])
def test_a_score_that_follows_a_power_of_the_pictures_is_foretold(power):
    drawn = enough.errors(POWERS, falling(power), np.arange(4000), times=4)
    truth = 0.3 * (8 * 4) ** -power
    low, high = np.quantile(drawn, (0.05, 0.95))
    assert low < truth < high
    assert abs(np.median(drawn) - truth) < 0.35 * truth


@pytest.mark.slow
def test_further_away_and_with_fewer_pictures_the_interval_is_wider():
    def width(count, times):
        drawn = enough.errors(POWERS, falling(0.5, count=count), np.arange(count), times=times)
        return float(np.diff(np.quantile(np.log(drawn + 1e-3), (0.05, 0.95)))[0])

    assert width(2000, 2) < width(2000, 8) and width(2000, 2) < width(200, 2)


def test_pictures_of_a_group_are_drawn_together():
    right = falling(0.5, count=400)
    right = right[:, np.argsort(right.sum(axis=0), kind="stable")]  # those that are wrong lie side by side
    alone, paired = (enough.errors(POWERS, right, groups, times=2) for groups in (np.arange(400), np.arange(400) // 20))
    assert paired.std() > 1.3 * alone.std()


@pytest.mark.slow
def test_a_row_for_all_is_followed_by_one_for_each_class():
    table, vectors = clouds((100, 60, 80))
    curve = learning_curve.measure(table, vectors)
    told = enough.expected(table, curve, times=3)
    assert list(told["class"]) == ["all", "class 0", "class 1", "class 2"]
    assert list(told["pictures"]) == [240, 100, 60, 80]
    assert (told["low"] <= told["then"]).all() and (told["then"] <= told["high"]).all()
    assert told["now"][0] == pytest.approx(np.average(told["now"][1:], weights=told["pictures"][1:]))


def test_the_thin_region_is_where_few_pictures_lie_far_apart_and_are_doubted():
    table, vectors = clouds((100, 100), apart=9)
    far = np.arange(92, 100)
    vectors[far, 0] = np.random.default_rng(2).normal(0, 1.5, (8, 40))
    vectors[far, 0, 5] += 10
    own = np.full(200, 0.95)
    own[far] = 0.3
    right = np.ones((2, 200))
    right[1, far[:5]] = 0
    curve = learning_curve.Curve(np.array([80.0, 160.0]), right, own, np.ones(2))
    thin = regions.thin(table, vectors[:, 0], curve)
    assert thin["label"][0] == "class 0" and thin["wrong"][0] == 5 and thin["pictures"][0] == 8
    assert set(thin["paths"][0]) <= set(table.table["path"][far]) and len(thin["paths"][0]) == 6
    assert thin["apart"][0] > 1.2 and (thin["doubt"] > 0.05).all()


def test_a_forecast_for_no_more_pictures_or_from_a_network_that_learns_whole_is_refused(tmp_path):
    table = fake_table(tmp_path, [("a", "")] * 20)
    with pytest.raises(ValueError, match="more than 1 times the pictures, got 1"):
        enough.forecast(table, times=1)
    with pytest.raises(ValueError, match="expected a head on a frozen backbone"):
        enough.forecast(table, Config("vgg"))
    with pytest.raises(DatasetError, match="labelled pictures of .* in use, got none"):
        enough.forecast(table.assign(status="excluded"))


def test_words_say_who_gains_only_where_the_interval_does():
    rows = [
        ("all", 300, 0.9, 0.92, 0.89, 0.95),
        ("cars", 200, 0.95, 0.96, 0.94, 0.98),
        ("6", 100, 0.8, 0.9, 0.85, 0.95),
    ]
    table = pd.DataFrame(rows, columns=["class", "pictures", "now", "then", "low", "high"])
    result = enough.Enough(2.0, pd.DataFrame(), table, pd.DataFrame(), 500)
    assert str(result) == (
        "90.0% right on 300 pictures in cross-validation; with 2 times as many of the same kind, 92.0% are expected "
        "(90 % interval 89.0% to 95.0%). “6” gains most: 80.0% now, 90.0% then."
    )
    none = replace(result, forecast=table.assign(low=0.5))
    assert str(none).endswith("No class is sure to gain.")


@pytest.mark.slow
def test_a_dataset_is_told_whether_it_is_enough_and_drawn(tmp_path):
    table = ready_dataset(tmp_path / "pets", per_class=30, noise=150)
    result = enough.forecast(
        table, Config("xception", style="modern", size=32, options={"weights": "cifar10"}), folds=3
    )
    assert list(result.curve["pictures"]) == sorted(result.curve["pictures"]) and result.learned > 60
    assert result.forecast["pictures"][0] == 60
    assert len(plot.png(plot.learning_curve(result))) > 5000
    shown = plot.regions(replace(result, regions=result.regions.head(2)), table)
    assert len(shown.rows) <= 2
