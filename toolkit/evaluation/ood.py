"""Out-of-distribution pictures: pictures of nothing that a network knows, which it has to give a name all the same."""

from random import Random

import cv2
import numpy as np
from PIL import Image

from toolkit.practice import scenes


def out_of_distribution(size: int, *, count: int = 100, seed: int = 7) -> np.ndarray:
    """Out-of-distribution pictures: fine and coarse noise, plain colours, gradients, stripes, empty landscapes.

    Args:
        size: side in pixels.
        count: how many, at least 1.
        seed: another one gives others.

    Returns:
        uint8 array of shape (count, size, size, 3).

    >>> out_of_distribution(32, count=6).shape
    (6, 32, 32, 3)
    """
    rng = np.random.default_rng(seed)
    kinds = (_noise, _clouds, _colour, _gradient, _stripes, _landscape)
    return np.stack([kinds[number % len(kinds)](size, rng) for number in range(count)]).clip(0, 255).astype(np.uint8)


def _noise(size: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (size, size, 3)).astype(np.float32)


def _clouds(size: int, rng: np.random.Generator) -> np.ndarray:
    coarse = rng.integers(0, 256, (rng.integers(2, 9), rng.integers(2, 9), 3)).astype(np.float32)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)


def _colour(size: int, rng: np.random.Generator) -> np.ndarray:
    return np.broadcast_to(rng.integers(0, 256, 3).astype(np.float32), (size, size, 3))


def _gradient(size: int, rng: np.random.Generator) -> np.ndarray:
    ends = rng.integers(0, 256, (2, 3)).astype(np.float32)
    share = np.linspace(0, 1, size, dtype=np.float32)[:, None, None]
    picture = np.broadcast_to(ends[0] * (1 - share) + ends[1] * share, (size, size, 3))
    return np.rot90(picture, int(rng.integers(4)))


def _stripes(size: int, rng: np.random.Generator) -> np.ndarray:
    across, down = np.meshgrid(np.arange(size), np.arange(size))
    angle, width = rng.uniform(0, np.pi), rng.uniform(2, size / 4)
    wave = (np.sin((across * np.cos(angle) + down * np.sin(angle)) * np.pi / width)[..., None] > 0).astype(np.float32)
    colours = rng.integers(0, 256, (2, 3)).astype(np.float32)
    return colours[0] * wave + colours[1] * (1 - wave)


def _landscape(size: int, rng: np.random.Generator) -> np.ndarray:
    """A street, a meadow, a forest, as the practice world has them, without anything in it."""
    chance = Random(int(rng.integers(2**31)))
    side = max(size, 64)
    drawn = scenes.scene(
        chance.choice(list(scenes.SCENES)), (side, side), round(side * chance.uniform(0.3, 0.58)), rng=chance
    )
    return np.asarray(drawn.convert("RGB").resize((size, size), Image.Resampling.LANCZOS), np.float32)
