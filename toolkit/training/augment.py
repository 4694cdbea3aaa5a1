"""Augmentation: random changes that keep the label, for training only.

They are drawn first (`draw`) and then applied (`apply`): the same draw on the same pictures always gives the same
result, on the graph of `tf.data` as well as in a notebook.
"""

import math
from dataclasses import dataclass

import numpy as np

from toolkit.core.framework import tf


@dataclass(frozen=True)
class Augmentation:
    """How far pictures may be changed; 0 or False leaves a change out.

    Args:
        rotation: degrees either way, 0 to 180.
        brightness: share by which all values are raised or lowered, 0 to 1.
        contrast: share by which values move from or to their mean, 0 to 1.
        horizontal_flip, vertical_flip: mirror half of the pictures.
        shift: share of the side, either way in both directions, 0 to 1.
        zoom: share by which the picture is enlarged or reduced, 0 up to but not 1.
        shear: degrees either way, 0 up to but not 90.
    """

    rotation: float = 10.0
    brightness: float = 0.1
    contrast: float = 0.0
    horizontal_flip: bool = True
    vertical_flip: bool = False
    shift: float = 0.0
    zoom: float = 0.0
    shear: float = 0.0

    def __post_init__(self) -> None:
        limits = {"rotation": 180, "brightness": 1, "contrast": 1, "shift": 1, "zoom": 0.99, "shear": 89}
        for name, largest in limits.items():
            if not 0 <= getattr(self, name) <= largest:
                raise ValueError(f"expected {name} from 0 to {largest}, got {getattr(self, name)}")


@dataclass(frozen=True)
class Draw:
    """Drawn changes for a batch; tensors with one row per picture."""

    transforms: tf.Tensor  # (n, 8): projective, output to input, as ImageProjectiveTransformV3 takes them
    brightness: tf.Tensor  # (n,): factor
    contrast: tf.Tensor  # (n,): factor


def draw(augmentation: Augmentation, count: int | tf.Tensor, *, size: int, seed: tuple | tf.Tensor) -> Draw:
    """Draw the changes for `count` pictures.

    Args:
        augmentation: how far they may go.
        count: pictures, a number or an integer tensor.
        size: side of the pictures in pixels.
        seed: two integers; the same two draw the same changes.
    """
    a = augmentation
    uniform = tf.random.stateless_uniform([10, count], seed=seed, minval=-1.0, maxval=1.0)
    angle, shear = uniform[0] * math.radians(a.rotation), uniform[1] * math.radians(a.shear)
    zoom = 1 + uniform[2] * a.zoom
    shift_x, shift_y = uniform[4] * a.shift * size, uniform[5] * a.shift * size
    flip_x = tf.where(uniform[6] < 0, -1.0, 1.0) if a.horizontal_flip else tf.ones_like(angle)
    flip_y = tf.where(uniform[7] < 0, -1.0, 1.0) if a.vertical_flip else tf.ones_like(angle)
    xx, xy = tf.cos(angle) * flip_x / zoom, -tf.sin(angle + shear) * flip_y / zoom
    yx, yy = tf.sin(angle) * flip_x / zoom, tf.cos(angle + shear) * flip_y / zoom
    centre = (size - 1) / 2
    x = centre - xx * (centre + shift_x) - xy * (centre + shift_y)
    y = centre - yx * (centre + shift_x) - yy * (centre + shift_y)
    zero = tf.zeros_like(x)
    return Draw(
        tf.stack([xx, xy, x, yx, yy, y, zero, zero], axis=1),
        1 + uniform[8] * a.brightness,
        1 + uniform[9] * a.contrast,
    )


def apply(pictures: tf.Tensor, drawn: Draw) -> tf.Tensor:
    """Apply drawn changes: one bilinear resampling for all that moves pixels, edges mirrored.

    Args:
        pictures: shape (n, side, side, 3), RGB, 0 to 255.
        drawn: from `draw`, for n pictures of that side.

    Returns:
        float32 tensor of the same shape, 0 to 255.
    """
    moved = resample(tf.cast(pictures, tf.float32), drawn.transforms)
    mean = tf.reduce_mean(moved, axis=(1, 2, 3), keepdims=True)
    contrast, brightness = (factor[:, None, None, None] for factor in (drawn.contrast, drawn.brightness))
    changed = (moved * contrast + mean * (1 - contrast)) * brightness  # in this form, factors of 1 change no bit
    return tf.clip_by_value(changed, 0.0, 255.0)


def resample(pictures: tf.Tensor, transforms: tf.Tensor) -> tf.Tensor:
    """Projective transforms, bilinear, edges mirrored.

    Args:
        pictures: float32 of shape (n, side, side, 3).
        transforms: of shape (n, 8), from output to input.
    """
    return looped("bilinear", pictures, transforms)


def looped(name: str, pictures: tf.Tensor, *numbers: tf.Tensor, channels: int = 3) -> tf.Tensor:
    """What a loop of `pixel_loops` makes of pictures: as many, of their side, with so many channels."""
    from toolkit.training import pixel_loops  # here, since it loads a compiler

    changed = tf.numpy_function(getattr(pixel_loops, name), [pictures, *numbers], tf.float32, stateful=False)
    changed.set_shape([*pictures.shape[:-1], channels])
    return changed


def examples(picture: np.ndarray, augmentation: Augmentation, *, count: int = 9, seed: int = 0) -> np.ndarray:
    """Preview: several draws of one picture.

    Args:
        picture: uint8 array of shape (side, side, 3).
        augmentation: what to draw from.
        count: how many.
        seed: any integer.

    Returns:
        uint8 array of shape (count, side, side, 3).
    """
    drawn = draw(augmentation, count, size=picture.shape[0], seed=(seed, 0))
    return apply(np.repeat(picture[None], count, axis=0), drawn).numpy().round().astype(np.uint8)
