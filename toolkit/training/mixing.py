"""MixUp, CutMix and RandAugment: stronger augmentation, a batch at a time, for training only.

They keep a network that learns for long from few pictures from overfitting. MixUp lays two pictures over one another
(Zhang et al., 2018, arXiv:1710.09412), CutMix puts a piece of one into another (Yun et al., 2019, arXiv:1905.04899),
with labels in the same shares; RandAugment draws changes from a list (Cubuk et al., 2020, arXiv:1909.13719). Worth it
from some dozens of epochs on; over a few epochs it does harm.
"""

import math
from dataclasses import dataclass

import numpy as np

from toolkit.core.framework import tf
from toolkit.training.augment import looped, resample

GREY = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Mixing:
    """How pictures of a batch are blended and changed; 0 leaves a part out.

    Args:
        mixup: share of the batches in which pictures are laid over one another, 0 to 1.
        cutmix: share of the batches in which a piece is cut out and replaced, 0 to 1; mixup + cutmix at most 1.
        alpha: of the beta distribution of the shares in MixUp, above 0; if small, one picture dominates.
        randaugment: changes drawn for each picture, 0 to 3.
        magnitude: of these changes, 0 to 1.
    """

    mixup: float = 0.0
    cutmix: float = 0.0
    alpha: float = 0.2
    randaugment: int = 0
    magnitude: float = 0.3

    def __post_init__(self) -> None:
        if not (0 <= self.mixup and 0 <= self.cutmix and self.mixup + self.cutmix <= 1):
            raise ValueError(
                f"expected mixup and cutmix of at least 0 and 1 together, got {self.mixup} and {self.cutmix}"
            )
        if self.alpha <= 0 or not 0 <= self.magnitude <= 1 or self.randaugment not in range(4):
            raise ValueError(
                f"expected alpha above 0, magnitude from 0 to 1 and randaugment from 0 to 3, got {self.alpha}, "
                f"{self.magnitude} and {self.randaugment}"
            )


def mix(
    mixing: Mixing, pictures: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor, *, seed: tuple | tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """RandAugment, then CutMix or MixUp, of a batch.

    Args:
        mixing: the settings.
        pictures: float32 of shape (n, side, side, 3), RGB, 0 to 255.
        labels: one-hot, shape (n, classes).
        weights: shape (n,).
        seed: two integers; the same two give the same result.

    Returns:
        Pictures, labels and weights of the same shapes. Each picture is mixed with a partner in the batch; labels and
        weights are those of both, in the same shares.

    >>> pictures, labels, weights = mix(Mixing(cutmix=1), pictures, labels, weights, seed=(7, 0))  # doctest: +SKIP
    """
    seed = tf.cast(tf.convert_to_tensor(seed), tf.int64)
    if mixing.randaugment:
        pictures = _randaugment(mixing, pictures, seed + (1, 0))
    if not mixing.mixup and not mixing.cutmix:
        return pictures, labels, weights
    count, side = tf.shape(pictures)[0], pictures.shape[1]
    kind, size, x, y = tf.unstack(tf.random.stateless_uniform([4], seed=seed + (2, 0)))
    piece = _square(side, tf.sqrt(size) * side, x * side, y * side)
    a, b = tf.unstack(tf.random.stateless_gamma([2], seed=seed + (3, 0), alpha=mixing.alpha) + 1e-9)
    blend = tf.fill([side, side], tf.minimum(a, b) / (a + b))  # a / (a + b) is beta distributed
    mask = tf.where(kind < mixing.cutmix, piece, tf.where(kind < mixing.cutmix + mixing.mixup, blend, 0.0))
    order = tf.argsort(tf.random.stateless_uniform([count], seed=seed + (4, 0)))
    share = tf.reduce_mean(mask)
    shares = [weights * (1 - share), tf.gather(weights, order) * share]
    both = shares[0] + shares[1]
    labels = labels * shares[0][:, None] + tf.gather(labels, order) * shares[1][:, None]
    mask = mask[None, :, :, None]
    return pictures * (1 - mask) + tf.gather(pictures, order) * mask, tf.math.divide_no_nan(labels, both[:, None]), both


def examples(
    pictures: np.ndarray, labels: np.ndarray, mixing: Mixing, *, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Preview: a batch as a network gets it.

    Args:
        pictures: uint8 array of shape (n, side, side, 3).
        labels: one-hot, shape (n, classes).
        mixing: the settings.
        seed: any integer.

    Returns:
        Pictures as uint8 and labels in shares, of the same shapes.
    """
    values = tf.constant(pictures, tf.float32)
    mixed, shares, _ = mix(mixing, values, tf.constant(labels, tf.float32), tf.ones(len(pictures)), seed=(seed, 0))
    return mixed.numpy().round().astype(np.uint8), shares.numpy()


def _square(side: int, length: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """1 within a square around a point, cut off at the edges, 0 elsewhere."""
    pixels = tf.range(side, dtype=tf.float32) + 0.5
    across, down = (tf.cast(tf.abs(pixels - centre) < length / 2, tf.float32) for centre in (x, y))
    return down[:, None] * across[None, :]


def _randaugment(mixing: Mixing, pictures: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """As many changes of each picture, one after another, each drawn from the list; no picture is changed in vain."""
    count, kinds = tf.shape(pictures)[0], len(_CHANGES)
    for turn in range(mixing.randaugment):
        which = tf.random.stateless_uniform([count], seed + (10 + turn, 0), 0, kinds, tf.int32)
        far = mixing.magnitude * tf.random.stateless_uniform([count, 1, 1, 1], seed + (20 + turn, 0), -1.0, 1.0)
        divided = zip(*(tf.dynamic_partition(part, which, kinds) for part in (pictures, far)), strict=True)
        changed = [change(*part) for change, part in zip(_CHANGES, divided, strict=True)]
        rows = tf.dynamic_partition(tf.range(count), which, kinds)
        pictures = tf.clip_by_value(tf.dynamic_stitch(rows, changed), 0.0, 255.0)
    return pictures


def _grey(pictures: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(pictures * GREY, axis=-1, keepdims=True)


def _contrast(pictures: tf.Tensor, far: tf.Tensor) -> tf.Tensor:
    mean = tf.reduce_mean(_grey(pictures), axis=(1, 2), keepdims=True)
    return mean + (pictures - mean) * (1 + far)


def _colour(pictures: tf.Tensor, far: tf.Tensor) -> tf.Tensor:
    return looped("coloured", pictures, 1 + 2 * far)


def _sharpness(pictures: tf.Tensor, far: tf.Tensor) -> tf.Tensor:
    return looped("sharpened", pictures, 1 + 2 * far)


def _posterize(pictures: tf.Tensor, far: tf.Tensor) -> tf.Tensor:
    step = 2.0 ** tf.round(6 * tf.abs(far))
    return tf.floor(pictures / step) * step


def _solarize(pictures: tf.Tensor, far: tf.Tensor) -> tf.Tensor:
    return tf.where(pictures > 255 * (1 - tf.abs(far)), 255 - pictures, pictures)


def _autocontrast(pictures: tf.Tensor, far: tf.Tensor) -> tf.Tensor:
    return looped("stretched", pictures)


def _affine(
    pictures: tf.Tensor, xx: tf.Tensor, xy: tf.Tensor, yx: tf.Tensor, yy: tf.Tensor, x: tf.Tensor, y: tf.Tensor
) -> tf.Tensor:
    """Affine transform around the centre: output coordinates times the matrix, plus a shift in shares of the side."""
    side = pictures.shape[1]
    centre, zero = (side - 1) / 2, tf.zeros_like(xx)
    left = centre - (xx + xy) * centre + x * side
    top = centre - (yx + yy) * centre + y * side
    return resample(pictures, tf.concat([xx, xy, left, yx, yy, top, zero, zero], axis=1)[:, :, 0, 0])


def _rotate(pictures: tf.Tensor, far: tf.Tensor) -> tf.Tensor:
    angle, zero = far * math.radians(30), tf.zeros_like(far)
    return _affine(pictures, tf.cos(angle), -tf.sin(angle), tf.sin(angle), tf.cos(angle), zero, zero)


def _shear(pictures: tf.Tensor, far: tf.Tensor) -> tf.Tensor:
    one, zero = tf.ones_like(far), tf.zeros_like(far)
    return _affine(pictures, one, 0.3 * far, zero, one, zero, zero)


def _shift_across(pictures: tf.Tensor, far: tf.Tensor) -> tf.Tensor:
    one, zero = tf.ones_like(far), tf.zeros_like(far)
    return _affine(pictures, one, zero, zero, one, 0.3 * far, zero)


def _shift_down(pictures: tf.Tensor, far: tf.Tensor) -> tf.Tensor:
    one, zero = tf.ones_like(far), tf.zeros_like(far)
    return _affine(pictures, one, zero, zero, one, zero, 0.3 * far)


_CHANGES = (
    lambda pictures, far: pictures,
    lambda pictures, far: pictures * (1 + far),  # brightness
    _contrast,
    _colour,
    _sharpness,
    _posterize,
    _solarize,
    _autocontrast,
    _rotate,
    _shear,
    _shift_across,
    _shift_down,
)
