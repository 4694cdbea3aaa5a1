"""Random changes: the same again for the same seed, within their limits, and exactly what they say."""

import numpy as np
import pytest
from helpers import textured

from toolkit import augment
from toolkit.core.framework import tf
from toolkit.training.augment import Augmentation, apply, draw, resample

NOTHING = Augmentation(rotation=0, brightness=0, horizontal_flip=False)
EVERYTHING = Augmentation(20, 0.3, 0.3, True, True, 0.1, 0.2, 10)


def batch(count=16, size=33):
    return np.stack([np.asarray(textured(seed, width=size, height=size)) for seed in range(count)])


def changed(pictures, augmentation, seed=(7, 3)):
    return apply(pictures, draw(augmentation, len(pictures), size=pictures.shape[1], seed=seed)).numpy()


def only(**options):
    return Augmentation(**{"rotation": 0, "brightness": 0, "horizontal_flip": False, **options})


@pytest.mark.slow
def test_the_same_seed_gives_the_same_and_another_one_another():
    pictures = batch()
    one, same = changed(pictures, EVERYTHING), changed(pictures, EVERYTHING)
    assert np.array_equal(one, same)
    for other in ((7, 4), (8, 3), (3, 7)):
        assert not np.array_equal(one, changed(pictures, EVERYTHING, seed=other))


@pytest.mark.parametrize("size", [8, 33])
def test_no_change_is_no_change_to_the_last_bit(size):
    whole = batch(size=size)
    between = np.random.default_rng(size).uniform(0, [[[[255]]], [[[20]]]] * 8, (16, size, size, 3)).astype(np.float32)
    for pictures in (whole, between):
        assert np.array_equal(changed(pictures, NOTHING), pictures.astype(np.float32))


@pytest.mark.parametrize("size", [8, 33, 64])
@pytest.mark.parametrize(("option", "axis"), [("horizontal_flip", 1), ("vertical_flip", 0)])
def test_a_flip_is_the_exact_mirror_of_about_half(size, option, axis):
    pictures = batch(40, size)
    result = changed(pictures, only(**{option: True}))
    mirrored = [np.array_equal(after, np.flip(before, axis)) for before, after in zip(pictures, result, strict=True)]
    same = [np.array_equal(after, before) for before, after in zip(pictures, result, strict=True)]
    assert all(one != other for one, other in zip(mirrored, same, strict=True))
    assert 10 <= sum(mirrored) <= 30


@pytest.mark.parametrize("size", [1, 2, 33])
@pytest.mark.parametrize("augmentation", [EVERYTHING, Augmentation(180, shift=1, zoom=0.9, shear=60), NOTHING])
def test_pixels_move_as_by_the_kernel_of_tensorflow(size, augmentation):
    pictures = np.random.default_rng(size).uniform(0, 255, (8, size, size + 1, 3)).astype(np.float32)
    transforms = draw(augmentation, 8, size=size, seed=(3, 4)).transforms
    how = {"interpolation": "BILINEAR", "fill_mode": "REFLECT", "fill_value": 0.0, "output_shape": (size, size + 1)}
    expected = tf.raw_ops.ImageProjectiveTransformV3(images=pictures, transforms=transforms, **how)
    # to the bit where it was written; other processors may round otherwise
    np.testing.assert_allclose(resample(tf.constant(pictures), transforms), expected, rtol=0, atol=1e-3)


def test_rotation_stays_within_its_limit_and_keeps_the_centre():
    dot = np.zeros((200, 41, 41, 3), np.uint8)
    dot[:, 20, 20] = dot[:, 20, 35] = 255
    transforms = draw(only(rotation=10), 200, size=41, seed=(1, 2)).transforms.numpy()
    angles = np.degrees(np.arctan2(transforms[:, 3], transforms[:, 0]))
    assert np.abs(angles).max() <= 10
    assert angles.min() < -8
    assert angles.max() > 8
    result = changed(dot, only(rotation=10), seed=(1, 2))
    assert np.allclose(result[:, 20, 20], 255, atol=0.1)
    y, x = np.mgrid[:41, :41]
    right = result[..., 0] * (x > 27)
    drop = (right * (y - 20)).sum(axis=(1, 2)) / right.sum(axis=(1, 2))
    assert np.abs(drop).max() <= 15 * np.sin(np.radians(10)) + 0.3


def test_every_change_leaves_the_centre_where_it_is_but_for_a_shift():
    transforms = draw(Augmentation(90, 0, 0, True, True, 0, 0.5, 45), 50, size=41, seed=(1, 2)).transforms.numpy()
    assert np.allclose(transforms[:, :3] @ [20, 20, 1], 20, atol=1e-4)
    assert np.allclose(transforms[:, 3:6] @ [20, 20, 1], 20, atol=1e-4)
    shifted = draw(only(shift=0.1), 50, size=41, seed=(1, 2)).transforms.numpy()
    assert 3 < np.abs(shifted[:, [2, 5]]).max() <= 4.1


def test_changes_together_are_one_matrix_turn_shear_zoom_and_shift_about_the_centre():
    size, seed, count = 41, (5, 6), 30
    how = Augmentation(90, 0, 0, True, True, 0.2, 0.5, 45)
    drawn = draw(how, count, size=size, seed=seed).transforms.numpy().astype(float)
    turn, shear, zoom, _, right, down, flip_x, flip_y = tf.random.stateless_uniform(
        [10, count], seed, -1.0, 1.0
    ).numpy()[:8]
    angle, shear, zoom, centre = turn * np.pi / 2, shear * np.pi / 4, 1 + zoom * 0.5, (size - 1) / 2
    for n in range(count):
        slanted = np.array([[1, -np.sin(shear[n])], [0, np.cos(shear[n])]])
        turned = np.array([[np.cos(angle[n]), -np.sin(angle[n])], [np.sin(angle[n]), np.cos(angle[n])]])
        matrix = turned @ slanted @ np.diag([-1 if flip < 0 else 1 for flip in (flip_x[n], flip_y[n])]) / zoom[n]
        moved = np.array([right[n], down[n]]) * 0.2 * size  # the place of the output that shows the centre of the input
        expected = np.column_stack([matrix, centre - matrix @ (centre + moved)])
        assert np.allclose(drawn[n, :6].reshape(2, 3), expected, atol=1e-3)


def test_brightness_stays_within_its_limit():
    grey = np.full((300, 8, 8, 3), 100, np.uint8)
    factors = changed(grey, only(brightness=0.1))[:, 0, 0, 0] / 100
    assert 0.9 <= factors.min() < 0.92
    assert 1.08 < factors.max() <= 1.1 + 1e-6


def test_contrast_keeps_the_mean():
    pictures = batch().clip(60, 190)
    result = changed(pictures, only(contrast=0.2))
    assert np.allclose(result.mean(axis=(1, 2, 3)), pictures.mean(axis=(1, 2, 3)), rtol=1e-4)
    ratio = result.std(axis=(1, 2, 3)) / pictures.std(axis=(1, 2, 3))
    assert 0.8 <= ratio.min() < 1 < ratio.max() <= 1.2


def test_values_stay_within_0_and_255_and_shapes_are_kept():
    pictures = np.random.default_rng(0).integers(0, 2, (20, 17, 17, 3)).astype(np.uint8) * 255
    result = changed(pictures, EVERYTHING)
    assert (result.shape, result.dtype) == (pictures.shape, np.float32)
    assert result.min() >= 0
    assert result.max() <= 255


def test_the_changes_of_a_picture_do_not_depend_on_each_other():
    drawn = draw(EVERYTHING, 2000, size=32, seed=(0, 0))
    angle = np.arctan2(drawn.transforms.numpy()[:, 3], drawn.transforms.numpy()[:, 0])
    table = np.corrcoef([np.tan(angle), drawn.brightness, drawn.contrast])
    assert np.abs(table - np.eye(3)).max() < 0.1


def test_examples_are_whole_pictures_to_look_at():
    picture = np.asarray(textured(1, width=24, height=24))
    result = augment.examples(picture, EVERYTHING, count=5, seed=1)
    assert (result.shape, result.dtype) == ((5, 24, 24, 3), np.uint8)
    assert np.array_equal(result, augment.examples(picture, EVERYTHING, count=5, seed=1))
    assert np.array_equal(augment.examples(picture, NOTHING, count=1)[0], picture)


@pytest.mark.parametrize("option", ["rotation", "brightness", "contrast", "shift", "zoom", "shear"])
@pytest.mark.parametrize("value", [-0.1, 181])
def test_an_option_out_of_range_is_refused(option, value):
    with pytest.raises(ValueError, match=f"expected {option} from 0 to"):
        Augmentation(**{option: value})
