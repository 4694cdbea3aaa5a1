"""How familiar a picture is: by features that are drawn, so that what is right is known."""

import numpy as np
import pytest
from helpers import untrained
from sklearn.metrics import roc_auc_score

from toolkit.errors import BundleError
from toolkit.model import bundle, familiarity

WIDTH, KINDS = 60, 8  # features, and directions in which pictures of the kind that is known differ


def drawn(counts, *, seed=0, width=WIDTH, offset=0.0):
    """Features and labels of classes of unequal size: means in a small space, and noise that is smaller outside it."""
    rng = np.random.default_rng(seed)
    means = np.random.default_rng(5).normal(size=(9, KINDS)) * 3
    labels = np.repeat(np.arange(len(counts)), counts)
    features = rng.normal(size=(len(labels), width)) * 0.1
    features[:, :KINDS] += means[labels] + rng.normal(size=(len(labels), KINDS)) + offset
    return features.astype(np.float32) + 1, labels


def folds(count, *, times=4):
    order = np.random.default_rng(3).permutation(count)
    return [(np.setdiff1d(order, held), np.sort(held)) for held in np.array_split(order, times)]


@pytest.fixture(scope="module")
def known():
    features, labels = drawn((200, 90, 60, 50))
    return familiarity.fit(features, labels, folds=folds(len(labels)))


def strangers(kind, count=300):
    """Pictures of a class that is not known, or of another kind altogether."""
    rng = np.random.default_rng(8)
    if kind == "another class":
        return drawn((0, 0, 0, 0, 0, 0, count))[0]
    features, _ = drawn((count,), seed=9)
    features[:, KINDS:] += rng.normal(size=(count, WIDTH - KINDS))
    return features


@pytest.mark.parametrize("kind", ["another class", "another kind"])
def test_strangers_are_less_familiar_than_new_pictures_of_what_is_known(known, kind):
    own, odd = known(drawn((100, 90, 30, 80), seed=1)[0]), known(strangers(kind))
    assert own.dtype == np.float32
    assert own.shape == (300,)
    assert 0 <= min(own.min(), odd.min()) and max(own.max(), odd.max()) <= 1
    assert roc_auc_score(np.repeat([1, 0], 300), np.concatenate([own, odd])) > 0.97
    assert (odd < familiarity.FAMILIAR).mean() > 0.8


def test_of_two_classes_the_space_they_span_alone_tells_strangers():
    features, labels = drawn((200, 90))
    known = familiarity.fit(features, labels, folds=folds(len(labels)))
    own = drawn((100, 60), seed=1)[0]
    between = known.distances(own)
    beyond = (familiarity.measured(own, known)[1] - known.usual[1, 0]) / known.usual[1, 1]
    assert between == pytest.approx(beyond, rel=1e-4, abs=1e-4)
    assert (known(own) < familiarity.FAMILIAR).mean() < 0.15
    assert (known(strangers("another kind")) < familiarity.FAMILIAR).mean() > 0.8


@pytest.mark.parametrize("false_alarms", [0, 1])
def test_a_promise_of_no_false_alarm_or_of_nothing_else_is_refused(false_alarms):
    features, labels = drawn((40, 30))
    with pytest.raises(ValueError, match=f"above 0 and below 1, got {false_alarms}"):
        familiarity.fit(features, labels, folds=folds(len(labels)), false_alarms=false_alarms)


@pytest.mark.parametrize("false_alarms", [0.02, 0.05, 0.3])
def test_the_share_of_false_alarms_on_new_pictures_is_the_one_that_was_asked_for(false_alarms):
    shares = []
    for seed in range(5):
        features, labels = drawn((120, 60, 40), seed=seed)
        known = familiarity.fit(features, labels, folds=folds(len(labels)), false_alarms=false_alarms)
        shares.append((known(drawn((400, 300, 300), seed=50 + seed)[0]) < familiarity.FAMILIAR).mean())
    assert np.mean(shares) == pytest.approx(false_alarms, abs=0.02)


def test_a_picture_at_the_limit_is_familiar_by_half_and_the_median_one_by_nine_tenths(known):
    middle = float(np.median(known.held_out))
    assert known._share(np.array([known.limit, middle]), np) == pytest.approx([0.5, 0.9], abs=1e-6)
    count = len(known.held_out)
    assert (known.held_out <= known.limit).sum() == familiarity.needed(count, 0.05) == 381 - (400 - count)


@pytest.mark.parametrize("held", [18, 19])
def test_a_promise_of_one_in_twenty_needs_nineteen_pictures_held_out(held):
    features, labels = drawn((60, 40))
    order = np.random.default_rng(0).permutation(100)
    known = familiarity.fit(features, labels, folds=[(order[held:], order[:held])])
    assert (known is not None) == (held == 19)


def test_with_one_fold_nothing_is_learned_from_the_pictures_held_out():
    features, labels = drawn((60, 40))
    order = np.random.default_rng(0).permutation(100)
    one = familiarity.fit(features, labels, folds=[(order[30:], order[:30])])
    features[order[:30]] += 5
    other = familiarity.fit(features, labels, folds=[(order[30:], order[:30])])
    assert np.array_equal(one.centre, other.centre)
    assert not np.array_equal(one.held_out, other.held_out)


@pytest.mark.slow
def test_what_is_stored_is_small_and_answers_the_same(known, tmp_path):
    familiarity.save(known, tmp_path / "one.npz")
    again = familiarity.load(tmp_path / "one.npz")
    features = strangers("another kind")
    assert np.array_equal(again(features), known(features))
    wide, labels = drawn((500, 300), width=2000)
    familiarity.save(familiarity.fit(wide, labels, folds=folds(800)), tmp_path / "wide.npz")
    assert 500_000 < (tmp_path / "wide.npz").stat().st_size < 1_000_000


@pytest.mark.parametrize(
    "fault",
    [
        {"span": np.zeros((WIDTH + 1, 8), np.float32)},
        {"centre": np.full(WIDTH, np.nan, np.float32)},
        {"held_out": np.zeros(3, np.float32)},
        {"usual": np.array(["a"], object)},
        {"parts": 0},
        {"false_alarms": 1.0},
        {"means": np.zeros(2_000_000, np.float32)},
    ],
    ids=lambda fault: next(iter(fault)),
)
def test_a_damaged_file_is_refused_and_runs_no_code(known, tmp_path, fault):
    from dataclasses import asdict

    file = tmp_path / "familiarity.npz"
    np.savez_compressed(file, **(asdict(known) | fault), allow_pickle=True)
    with pytest.raises(BundleError, match="familiarity.npz is damaged"):
        familiarity.load(file)
    file.write_bytes(b"PK nothing")
    with pytest.raises(BundleError, match="damaged"):
        familiarity.load(file)


def test_features_that_lie_in_places_are_averaged_over_them_and_the_first_may_be_left_out():
    features, labels = drawn((80, 50))
    spread = np.random.default_rng(1).normal(size=(130, 3, WIDTH)).astype(np.float32)
    spread += (features[:, None] * 1 - spread.mean(axis=1, keepdims=True)) - 0  # whose mean is that of the features
    places = np.concatenate([np.full((130, 3, 7), 9, np.float32), spread], axis=2).reshape(130, -1)
    plain = familiarity.fit(features, labels, folds=folds(130))
    placed = familiarity.fit(places, labels, folds=folds(130), channels=WIDTH + 7, first=7)
    assert (placed.parts, placed.first, len(placed.centre)) == (3, 7, WIDTH)
    assert np.abs(placed(places) - plain(features)).max() < 1e-3


@pytest.mark.slow
def test_many_features_without_places_are_averaged_too_until_they_are_few():
    features = np.random.default_rng(0).normal(size=(60, 5000)).astype(np.float32)
    known = familiarity.fit(features, np.arange(60) % 2, folds=folds(60))
    assert known.parts * len(known.centre) == 5000
    assert len(known.centre) <= familiarity.MOST


@pytest.mark.slow
def test_the_second_output_of_a_network_is_the_familiarity_of_its_last_features(tmp_path):
    run = untrained(tmp_path / "run", seed=2)
    pictures = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3)).astype(np.uint8)
    assert run.ask(pictures).familiarity is None
    from toolkit.core.framework import keras

    body = keras.Model(run.model.inputs, run.model.layers[-1].input)
    features = body.predict_on_batch(pictures.astype(np.float32))
    known = familiarity.fit(features, np.arange(40) % 2, folds=folds(40))
    familiarity.save(known, run.folder / bundle.FAMILIARITY)
    outputs = bundle.load(run.folder).ask(pictures, batch_size=16)
    assert np.abs(outputs.familiarity - known(features)).max() < 1e-3
    assert outputs.familiarity.std() > 0.02
    assert np.abs(outputs.probabilities - run.probabilities(pictures)).max() < 1e-6

    other = familiarity.fit(features[:, 1:], np.arange(40) % 2, folds=folds(40))
    familiarity.save(other, run.folder / bundle.FAMILIARITY)
    with pytest.raises(BundleError, match="expected features of shape"):
        bundle.load(run.folder).ask(pictures)
