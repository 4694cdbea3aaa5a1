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
from toolkit.training.augment import looped

KINDS = 12  # of changes, see `pixel_loops`


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
    count = tf.shape(pictures)[0]
    for turn in range(mixing.randaugment):
        kinds = tf.random.stateless_uniform([count], seed + (10 + turn, 0), 0, KINDS, tf.int32)
        far = mixing.magnitude * tf.random.stateless_uniform([count], seed + (20 + turn, 0), -1.0, 1.0)
        pictures = _changed(pictures, kinds, far)
    return pictures


def _changed(pictures: tf.Tensor, kinds: tf.Tensor, far: tf.Tensor) -> tf.Tensor:
    """Each picture changed in its own way, see `pixel_loops.changed`.

    Args:
        pictures: float32 of shape (n, side, side, 3).
        kinds: int32 of shape (n,), 0 up to `KINDS`.
        far: float32 of shape (n,), -1 to 1.
    """
    from toolkit.training import pixel_loops  # here, since it loads a compiler

    rows = tf.where(kinds == pixel_loops.CONTRAST)
    means = tf.reduce_mean(looped("greyed", tf.gather_nd(pictures, rows), channels=1), axis=(1, 2))
    means = tf.scatter_nd(rows, means[:, 0], tf.shape(kinds, tf.int64))
    moves = (pixel_loops.ROTATE, pixel_loops.SHEAR, pixel_loops.ACROSS, pixel_loops.DOWN)
    angle, shear, x, y = (tf.where(kinds == kind, far, 0.0) for kind in moves)
    transforms = _affine(angle * math.radians(30), 0.3 * shear, 0.3 * x, 0.3 * y, side=pictures.shape[1])
    return looped("changed", pictures, kinds, far, means, transforms)


def _affine(angle: tf.Tensor, shear: tf.Tensor, x: tf.Tensor, y: tf.Tensor, *, side: int) -> tf.Tensor:
    """Transforms around the centre, of shape (n, 8): an angle, a shear, and shifts in shares of the side."""
    xx, xy, yx, yy = tf.cos(angle), shear - tf.sin(angle), tf.sin(angle), tf.cos(angle)
    centre, zero = (side - 1) / 2, tf.zeros_like(angle)
    left = centre - (xx + xy) * centre + x * side
    top = centre - (yx + yy) * centre + y * side
    return tf.stack([xx, xy, left, yx, yy, top, zero, zero], axis=1)
