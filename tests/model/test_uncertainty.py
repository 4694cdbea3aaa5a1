"""Uncertainty: only dropout is at work, the rest of the network stays as it is, and doubt is told from disagreement."""

import numpy as np
import pytest
from helpers import textured, untrained

from toolkit import bundle, calibrate, predict
from toolkit.core.framework import keras
from toolkit.model import uncertainty
from toolkit.model.uncertainty import Answers, entropy


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    made = untrained(tmp_path_factory.mktemp("uncertain") / "models" / "photos" / "small")
    calibrate.apply_temperature(made.model, 0.05)  # or it would have no opinion to change
    return made


@pytest.fixture(scope="module")
def pictures():
    return np.stack([np.asarray(textured(n, width=32, height=32)) for n in range(5)])


def test_entropy_in_bits():
    assert entropy(np.array([0.25] * 4)) == pytest.approx(2)
    assert entropy(np.array([0.9, 0.1])) == pytest.approx(0.4690, abs=1e-4)
    assert entropy(np.array([1.0, 0.0])) == 0


def test_doubt_is_told_from_disagreement():
    doubt = Answers(np.tile([0.5, 0.5], (4, 1, 1)))
    assert (doubt.entropy[0], doubt.disagreement[0]) == pytest.approx((1, 0))
    quarrel = Answers(np.array([[[1.0, 0.0]], [[0.0, 1.0]]]))
    assert (quarrel.entropy[0], quarrel.disagreement[0]) == pytest.approx((1, 1))


@pytest.mark.slow
def test_passes_differ_by_dropout_alone(run, pictures):
    statistics = [weight.copy() for weight in run.model.get_weights()]
    plain = run.probabilities(pictures)
    answers = uncertainty.dropout(run, pictures, passes=8)
    assert answers.each.shape == (8, 5, 2)
    assert len(np.unique(answers.each[:, 0, 0])) == 8
    assert all(np.array_equal(*pair) for pair in zip(run.model.get_weights(), statistics, strict=True))
    assert np.array_equal(run.probabilities(pictures), plain)
    alone = uncertainty.dropout(run, pictures[:1], passes=8).each  # a batch's own statistics would tell the two apart
    assert np.abs(alone.mean(axis=0) - plain[:1]).max() < 0.35


def test_without_anything_dropped_every_pass_gives_the_plain_answer(run, pictures, monkeypatch):
    (dropping,) = [layer for layer in run.model.layers if isinstance(layer, keras.layers.Dropout)]
    monkeypatch.setattr(dropping, "rate", 1e-9)
    answers = uncertainty.dropout(run, pictures, passes=3)
    assert np.allclose(answers.each, run.probabilities(pictures), atol=1e-5)
    assert answers.disagreement == pytest.approx(0, abs=1e-6)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_answers(run, pictures):
    one, same, other = (uncertainty.dropout(run, pictures, passes=2, seed=seed).each for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_the_views_of_a_picture_are_it_its_mirror_image_and_five_crops(run, pictures):
    answers = uncertainty.views(run, pictures)
    assert answers.each.shape == (7, 5, 2)
    assert np.array_equal(answers.each[0], run.probabilities(pictures))
    assert np.array_equal(answers.each[1], run.probabilities(pictures[:, :, ::-1]))
    assert np.allclose(answers.probabilities.sum(axis=1), 1, atol=1e-5)
    flat = np.full((1, 32, 32, 3), 90, np.uint8)
    assert uncertainty.views(run, flat).disagreement == pytest.approx(0, abs=1e-6)


def test_a_model_without_dropout_is_refused(tmp_path, pictures):
    keras.Sequential(
        [keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")]
    ).save(tmp_path / "plain.keras")
    with pytest.raises(ValueError, match="has none; ask with several views"):
        uncertainty.dropout(bundle.load(tmp_path / "plain.keras"), pictures)


def test_an_answer_that_is_not_sure_enough_is_none(run, pictures, tmp_path):
    file = tmp_path / "one.png"
    textured(1).save(file)
    plain = predict.picture(run, file)
    assert not plain.abstained
    assert predict.picture(run, file, abstain_below=plain.probability).abstained is False
    shy = predict.picture(run, file, abstain_below=min(1.0, plain.probability + 1e-4))
    assert shy.abstained
    assert str(shy).startswith("one.png: not sure  (cars ")
    assert shy.label == plain.label
    for how in ({"views": True}, {"passes": 5}):
        asked = predict.picture(run, file, **how)
        assert 0 <= asked.disagreement <= asked.entropy <= 1
    assert plain.disagreement == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("wrong", [{"abstain_below": 1.1}, {"passes": -1}, {"passes": 2, "views": True}])
def test_wrong_ways_to_ask_are_refused(run, wrong):
    with pytest.raises(ValueError, match="expected (abstain_below|passes|views)"):
        predict.pictures(run, [], **wrong)
