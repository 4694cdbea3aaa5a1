"""Common corruptions of pictures, in rising severity: blur, noise, JPEG, light, rotation, crop.

The idea is that of ImageNet-C (Hendrycks and Dietterich, 2019, arXiv:1903.12261); the levels are fit to few pictures.
"""

import io
from collections.abc import Callable, Iterable

import cv2
import numpy as np
from PIL import Image

LEVELS: dict[str, tuple[float, ...]] = {
    "blur": (0.0, 1.0, 2.0, 4.0),
    "noise": (0.0, 10.0, 25.0, 50.0),
    "jpeg": (95.0, 50.0, 20.0, 8.0),
    "darker": (1.0, 0.7, 0.45, 0.25),
    "brighter": (1.0, 1.3, 1.7, 2.2),
    "rotation": (0.0, 10.0, 25.0, 45.0),
    "crop": (1.0, 0.85, 0.7, 0.5),
}
COARSE = {name: (mildest, *worse) for name, (mildest, _, *worse) in LEVELS.items()}  # without the second, felt by few
UNITS = {  # of the levels
    "blur": "standard deviation, % of the side",
    "noise": "standard deviation, of 255",
    "jpeg": "quality",
    "darker": "factor on the light",
    "brighter": "factor on the light",
    "rotation": "degrees",
    "crop": "share of either side that is left",
}


def apply(picture: np.ndarray, name: str, level: float, *, seed: int = 7) -> np.ndarray:
    """Apply a corruption to a picture.

    Args:
        picture: uint8 array of shape (side, side, 3).
        name: blur, noise, jpeg, darker, brighter, rotation or crop.
        level: severity, in the units of `UNITS`.
        seed: of the noise.

    Returns:
        uint8 array of the same shape.

    Raises:
        ValueError: there is no such corruption.

    >>> apply(np.full((2, 2, 3), 100, np.uint8), "darker", 0.5).max()
    np.uint8(50)
    """
    check([name])
    return CORRUPTIONS[name](picture, level, np.random.default_rng(seed))


def check(names: Iterable[str]) -> None:
    """Raise ValueError for a name that is no corruption."""
    unknown = sorted(set(names) - set(CORRUPTIONS))
    if unknown:
        raise ValueError(f"expected a disturbance of {', '.join(CORRUPTIONS)}, got {unknown[0]!r}")


def in_words(name: str, level: float) -> str:
    """A corruption as a phrase, for people who do not know its unit.

    >>> in_words("jpeg", 8), in_words("crop", 0.5)
    ('stored as JPEG of quality 8', 'cut to the middle 50 % of either side')
    """
    words = {
        "blur": f"blurred by {level:g} % of the side",
        "noise": f"noise of {level:g} of 255 on every pixel",
        "jpeg": f"stored as JPEG of quality {level:g}",
        "darker": f"darkened to {level:.0%} of its light".replace("%", " %"),
        "brighter": f"brightened to {level:.0%} of its light".replace("%", " %"),
        "rotation": f"turned by {level:g} degrees",
        "crop": f"cut to the middle {level:.0%} of either side".replace("%", " %"),
    }
    return words[name]


def _blur(picture: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    return cv2.GaussianBlur(picture, (0, 0), level / 100 * len(picture)) if level > 0 else picture


def _noise(picture: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    return _bytes(picture + level * rng.standard_normal(picture.shape, dtype=np.float32))


def _jpeg(picture: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=round(level))
    return np.asarray(Image.open(buffer))


def _light(picture: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    return _bytes(picture * np.float32(level))


def _rotation(picture: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    turn = cv2.getRotationMatrix2D(((len(picture) - 1) / 2,) * 2, level, 1)
    return cv2.warpAffine(
        picture, turn, picture.shape[1::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )


def _crop(picture: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    side = max(1, round(level * len(picture)))
    top = (len(picture) - side) // 2
    inner = Image.fromarray(picture[top : top + side, top : top + side])
    return np.asarray(inner.resize(picture.shape[1::-1], Image.Resampling.BICUBIC))


def _bytes(values: np.ndarray) -> np.ndarray:
    return values.round().clip(0, 255).astype(np.uint8)


CORRUPTIONS: dict[str, Callable[[np.ndarray, float, np.random.Generator], np.ndarray]] = {
    "blur": _blur,
    "noise": _noise,
    "jpeg": _jpeg,
    "darker": _light,
    "brighter": _light,
    "rotation": _rotation,
    "crop": _crop,
}
