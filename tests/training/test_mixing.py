"""Mixing: the label says what the picture shows, weights are kept, and the same seed mixes the same."""

import math

import numpy as np
import pytest
from helpers import textured

from toolkit import mixing, plot
from toolkit.core.framework import tf
from toolkit.training import pixel_loops
from toolkit.training.augment import resample
from toolkit.training.mixing import Mixing, mix

COUNT, SIDE = 6, 32


@pytest.fixture(scope="module")
def pictures():
    return np.stack([np.asarray(textured(n, width=SIDE, height=SIDE)) for n in range(COUNT)]).astype(np.float32)


def flat():
    """Every picture one value, so that its mean tells what it was mixed from."""
    return np.ones((COUNT, SIDE, SIDE, 3), np.float32) * (20 * np.arange(COUNT, dtype=np.float32))[:, None, None, None]


def mixed(how, pictures, *, seed=(3, 5), weights=None):
    weights = np.ones(COUNT, np.float32) if weights is None else weights
    results = mix(how, tf.constant(pictures), tf.eye(COUNT), tf.constant(weights), seed=seed)
    return [part.numpy() for part in results]


@pytest.mark.parametrize("how", [Mixing(mixup=1), Mixing(mixup=1, alpha=2.0), Mixing(cutmix=1)])
@pytest.mark.parametrize("seed", range(8))
def test_a_label_has_the_shares_that_the_picture_has(how, seed):
    seen, labels, weights = mixed(how, flat(), seed=(seed, 1))
    assert np.allclose(labels.sum(axis=1), 1, atol=1e-5)
    assert np.allclose(seen.mean(axis=(1, 2, 3)), labels @ (20.0 * np.arange(COUNT)), atol=1e-2)
    assert np.allclose(weights, 1, atol=1e-6)


def test_weights_go_with_the_pictures_they_belong_to():
    given = np.array([1, 2, 0, 1, 3, 1], np.float32)
    for seed in range(6):
        _, labels, weights = mixed(Mixing(cutmix=1), flat(), seed=(seed, 1), weights=given)
        assert weights.sum() == pytest.approx(given.sum(), rel=1e-5)
        assert np.allclose((labels * weights[:, None]).sum(axis=0), given, atol=1e-5)
        assert (labels[:, 2] == 0).all()  # it weighs nothing, so nothing is learned from it


def test_mixup_leaves_one_picture_in_front_and_cutmix_leaves_pixels_as_they_are(pictures):
    for seed in range(6):
        _, labels, _ = mixed(Mixing(mixup=1), pictures, seed=(seed, 0))
        assert (np.diag(labels) >= 0.5 - 1e-6).all()
        seen, _, _ = mixed(Mixing(cutmix=1), pictures, seed=(seed, 0))
        known = pictures.reshape(COUNT, -1, 3)
        here = seen.reshape(COUNT, -1, 3)
        assert (np.abs(known[:, None] - here[None]).max(axis=-1).min(axis=0) == 0).all()


@pytest.mark.slow
def test_the_share_of_a_cutmix_piece_is_even_and_its_centre_anywhere():
    shares = []
    for seed in range(150):
        seen, labels, _ = mixed(Mixing(cutmix=1), flat(), seed=(seed, 9))
        changed = (seen != flat()).any(axis=(0, 3))
        shares.append(changed.mean())
        if changed.any():
            down, across = np.nonzero(changed)
            assert changed[down.min() : down.max() + 1, across.min() : across.max() + 1].all()  # one rectangle
    assert 0.2 < np.mean(shares) < 0.4  # of even shares from 0 to 1, a third is lost at the edges
    assert min(shares) < 0.02 and max(shares) > 0.7


def test_a_square_piece_has_the_side_asked_for_and_is_cut_off_at_the_edges():
    piece = mixing._square(8, tf.constant(4.0), tf.constant(4.0), tf.constant(1.0)).numpy()
    assert piece.sum(axis=0).tolist() == [0, 0, 3, 3, 3, 3, 0, 0]
    assert piece.sum(axis=1).tolist() == [4, 4, 4, 0, 0, 0, 0, 0]


@pytest.mark.slow
def test_mixup_shares_are_those_of_a_beta_distribution_folded_at_a_half():
    def mean_share(alpha):
        return np.mean(
            [1 - np.diag(mixed(Mixing(mixup=1, alpha=alpha), flat(), seed=(n, 3))[1]).min() for n in range(150)]
        )

    assert mean_share(0.2) == pytest.approx(0.12, abs=0.05)
    assert mean_share(20.0) == pytest.approx(0.44, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("how", [Mixing(mixup=1), Mixing(cutmix=1), Mixing(randaugment=2), Mixing(0.5, 0.5, 0.3, 1)])
def test_the_same_seed_mixes_the_same_and_another_one_differently(how, pictures):
    one, same = mixed(how, pictures), mixed(how, pictures)
    assert all(np.array_equal(*pair) for pair in zip(one, same, strict=True))
    others = [mixed(how, pictures, seed=(4, n)) for n in range(3)]
    assert any(not np.array_equal(one[0], other[0]) for other in others)
    assert one[0].min() >= 0
    assert one[0].max() <= 255


@pytest.mark.slow
def test_shares_of_batches_are_kept_to(pictures):
    kinds = [np.count_nonzero(mixed(Mixing(mixup=0.2, cutmix=0.3), flat(), seed=(n, 0))[1] > 0) for n in range(80)]
    assert 20 <= sum(kind > COUNT for kind in kinds) <= 60
    plain = mixed(Mixing(), pictures)
    assert np.array_equal(plain[0], pictures)
    assert np.array_equal(plain[1], np.eye(COUNT))


def changed(kind, pictures, far):
    """One kind of change of all pictures."""
    return mixing._changed(tf.constant(pictures), tf.fill([len(pictures)], kind), tf.constant(far, tf.float32)).numpy()


@pytest.mark.parametrize("kind", range(mixing.KINDS))
def test_no_change_of_randaugment_does_anything_at_distance_0_and_all_stay_pictures(kind, pictures):
    if kind != pixel_loops.AUTOCONTRAST:
        assert np.allclose(changed(kind, pictures, np.zeros(COUNT)), pictures, atol=0.01)
    far = changed(kind, pictures, np.full(COUNT, 0.5))
    assert far.shape == pictures.shape
    assert 0 <= far.min() <= far.max() <= 255
    assert (kind == pixel_loops.NOTHING) == np.array_equal(far, pictures)


@pytest.mark.parametrize(
    "wrong",
    [{"mixup": -0.1}, {"mixup": 0.6, "cutmix": 0.6}, {"alpha": 0}, {"randaugment": 4}, {"magnitude": 2}],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        Mixing(**wrong)


@pytest.mark.slow
def test_a_batch_can_be_looked_at(pictures):
    shown, labels = mixing.examples(pictures.astype(np.uint8), np.eye(COUNT, dtype=np.float32), Mixing(cutmix=1))
    assert shown.dtype == np.uint8
    figure = plot.mixed(pictures.astype(np.uint8), shown, labels=labels, classes=[f"kind {n}" for n in range(COUNT)])
    assert plot.png(figure).startswith(b"\x89PNG")
    assert plot.png(plot.reliability(np.array([[0.9, 0.1], [0.3, 0.7], [0.6, 0.4]]), np.array([0, 1, 1])))


def as_tensorflow_does(pictures, far):
    """The changes of RandAugment in operations of TensorFlow, in the order of their numbers."""
    grey = tf.reduce_sum(pictures * (0.299, 0.587, 0.114), axis=-1, keepdims=True)
    mean = tf.reduce_mean(grey, axis=(1, 2), keepdims=True)
    blurred = tf.nn.avg_pool2d(pictures, 3, 1, "SAME")
    low, high = (reduce(pictures, axis=(1, 2), keepdims=True) for reduce in (tf.reduce_min, tf.reduce_max))
    step, angle = 2.0 ** tf.round(6 * abs(far)), far * math.radians(30)
    one, zero = tf.ones_like(far), tf.zeros_like(far)
    return [
        pictures,
        pictures * (1 + far),
        mean + (pictures - mean) * (1 + far),
        grey + (pictures - grey) * (1 + 2 * far),
        blurred + (pictures - blurred) * (1 + 2 * far),
        tf.floor(pictures / step) * step,
        tf.where(pictures > 255 * (1 - abs(far)), 255 - pictures, pictures),
        tf.where(high > low, tf.math.divide_no_nan(pictures - low, high - low) * 255, pictures),
        moved(pictures, tf.cos(angle), -tf.sin(angle), tf.sin(angle), tf.cos(angle), zero, zero),
        moved(pictures, one, 0.3 * far, zero, one, zero, zero),
        moved(pictures, one, zero, zero, one, 0.3 * far, zero),
        moved(pictures, one, zero, zero, one, zero, 0.3 * far),
    ]


def moved(pictures, xx, xy, yx, yy, x, y):
    """An affine transform around the centre, plus a shift in shares of the side."""
    side = pictures.shape[1]
    centre, zero = (side - 1) / 2, tf.zeros_like(xx)
    left, top = centre - (xx + xy) * centre + x * side, centre - (yx + yy) * centre + y * side
    return resample(pictures, tf.concat([xx, xy, left, yx, yy, top, zero, zero], axis=1)[:, :, 0, 0])


@pytest.mark.parametrize("shape", [(24, 33, 34), (3, 2, 2), (2, 1, 4), (2, 4, 1), (1, 1, 1), (0, 8, 8)])
def test_changes_in_compiled_code_are_those_of_tensorflow(shape):
    rng = np.random.default_rng(shape[1])
    pictures = tf.constant(rng.uniform(0, 255, (*shape, 3)).astype(np.float32))
    far = rng.uniform(-0.3, 0.3, shape[0]).astype(np.float32)
    expected = as_tensorflow_does(pictures, tf.constant(far)[:, None, None, None])
    expected = [np.clip(part, 0, 255) for part in expected]
    for kind in range(mixing.KINDS):
        # to the bit where it was written; other processors may sum in another order
        np.testing.assert_allclose(changed(kind, pictures, far), expected[kind], rtol=0, atol=5e-3)
    kinds = rng.integers(0, mixing.KINDS, shape[0]).astype(np.int32)
    each = [expected[kind][number] for number, kind in enumerate(kinds)]
    np.testing.assert_allclose(
        mixing._changed(pictures, tf.constant(kinds), tf.constant(far)), each or pictures, atol=5e-3
    )
    plain = np.full((1, 5, 5, 3), 7, np.float32)
    assert np.array_equal(changed(pixel_loops.AUTOCONTRAST, plain, [0.2]), plain)
