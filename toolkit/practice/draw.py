"""Draw pictures of cars and tanks, each different, each the same again for the same seed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from toolkit.practice.cars import BODIES, car
from toolkit.practice.obstacles import obstacle
from toolkit.practice.scenes import SCENES, scene
from toolkit.practice.sketch import Colour, Sketch
from toolkit.practice.tanks import KINDS, tank

LABELS = ("cars", "tanks")
FINE = 2  # everything is drawn this much larger and then reduced, which smooths the edges

BRIGHT = (
    (196, 34, 32),
    (34, 84, 168),
    (240, 186, 40),
    (232, 112, 34),
    (46, 132, 84),
    (120, 196, 220),
    (150, 40, 96),
    (18, 110, 120),
)
PLAIN = ((236, 236, 234), (178, 182, 186), (120, 124, 130), (58, 60, 66), (30, 30, 34), (206, 196, 174))
FIELD = ((96, 104, 66), (112, 104, 70), (76, 86, 60), (190, 166, 118), (168, 140, 98), (110, 114, 112), (222, 224, 222))
HABITS = {"cars": (0.62, 0.28, 0.1), "tanks": (0.07, 0.11, 0.82)}  # how often a paint is bright, plain, or of the field


@dataclass(frozen=True)
class Drawing:
    """A picture (RGB) and where the vehicle is on it: left, top, right, bottom in pixels."""

    picture: Image.Image
    box: tuple[int, int, int, int]


def vehicle(label: str, *, seed: int, width: int = 320, height: int = 240, share: float | None = None) -> Drawing:
    """Draw one vehicle somewhere in the world.

    `label` is one of LABELS, `seed` any whole number, `width` and `height` are pixels (32 or more). `share`, above 0
    and up to 1, is how much of the width the vehicle takes at most; None draws that too, from far away to nearly all.
    The same arguments give the same picture. Raises ValueError for another label, size or share.

    >>> vehicle("tanks", seed=3).picture.size
    (320, 240)
    """
    if label not in LABELS:
        raise ValueError(f"expected a label of {', '.join(LABELS)}, got {label!r}; choose one of them")
    if min(width, height) < 32:
        raise ValueError(f"expected at least 32 x 32 pixels, got {width} x {height}; ask for a larger picture")
    if share is not None and not 0 < share <= 1:
        raise ValueError(f"expected a share of the width above 0 and up to 1, got {share}")
    rng = Random(f"{label} {seed} {width} {height}")
    size = (FINE * width, FINE * height)
    horizon = int(size[1] * rng.uniform(0.3, 0.58))
    picture = scene(rng.choice(list(SCENES)), size, horizon, rng=rng)
    hard = rng.random() < 0.035
    sketch = _sketch(label, rng)
    _place(sketch, size, horizon, rng, far=hard and rng.random() < 0.5, share=share)
    _shadow(picture, sketch)
    sketch.paint(picture)
    _camouflage(picture, sketch, rng, likely=0.22 if label == "tanks" else 0.07)
    _hide(picture, sketch.box(), rng, hard=hard)
    box = [min(max(edge / FINE, 0), limit) for edge, limit in zip(sketch.box(), (width, height) * 2, strict=True)]
    left, top, right, bottom = math.floor(box[0]), math.floor(box[1]), math.ceil(box[2]), math.ceil(box[3])
    return Drawing(_light(picture.reduce(FINE), rng, fog=hard), (left, top, right, bottom))


def _sketch(label: str, rng: Random) -> Sketch:
    """One vehicle, seen from the side, at an angle, from an end, or from above."""
    yaw = rng.gauss(0, 18) if rng.random() < 0.8 else rng.uniform(-72, 72)
    pitch = rng.uniform(2, 12) if rng.random() < 0.85 else rng.uniform(12, 35)
    sketch = Sketch(yaw=yaw, pitch=pitch, light=(rng.uniform(-0.7, 0.7), 0.8, -0.45))
    paint = _paint(label, rng)
    if label == "cars":
        car(sketch, rng.choice(list(BODIES)), paint=paint, rng=rng)
    else:
        # The battle tank and the old tank come twice as often as their relatives.
        tank(sketch, rng.choice([*KINDS, "battle tank", "old tank"]), paint=paint, rng=rng)
    return sketch


def _paint(label: str, rng: Random) -> Colour:
    (palette,) = rng.choices([BRIGHT, PLAIN, FIELD], HABITS[label])
    red, green, blue = (int(min(250, max(16, channel * rng.uniform(0.95, 1.2)))) for channel in rng.choice(palette))
    return red, green, blue


def _place(sketch: Sketch, size: tuple[int, int], horizon: int, rng: Random, *, far: bool, share: float | None) -> None:
    """Somewhere on the ground, from far away to nearly filling the picture; now and then cut off at the edge."""
    wide, high = size
    sketch.place(width=100, anchor=(0, 0), mirror=False, roll=0)
    left, top, right, bottom = sketch.box()
    drawn = rng.uniform(0.1, 0.18) if far else rng.uniform(0.58, 0.98)
    width = min((share or drawn) * wide, 0.8 * high * (right - left) / (bottom - top))
    nearness = min(1.0, width / wide + rng.uniform(-0.1, 0.15))
    ground = horizon + (high - horizon) * max(0.12, min(0.95, nearness))
    slack = max(0.0, (wide - width) / 3) + 0.02 * wide
    sketch.place(
        width=width,
        anchor=(wide / 2 + rng.uniform(-slack, slack), ground),
        mirror=rng.random() < 0.5,
        roll=rng.gauss(0, 2.5),
    )


def _shadow(picture: Image.Image, sketch: Sketch) -> None:
    """Darken the ground under the vehicle, softly."""
    small = Image.new("L", (picture.width // 8, picture.height // 8))
    outline = sketch.on_picture(sketch.footprint)
    middle = outline.mean(axis=0)
    outline = middle + (outline - middle) * (1.1, 1.25) + (0, 0.015 * picture.height)
    ImageDraw.Draw(small).polygon((outline / 8).ravel().tolist(), fill=170)
    mask = small.filter(ImageFilter.GaussianBlur(1.6)).resize(picture.size, Image.Resampling.BILINEAR)
    picture.paste((18, 18, 20), (0, 0), mask)


def _camouflage(picture: Image.Image, sketch: Sketch, rng: Random, *, likely: float) -> None:
    """Patches of another colour on the paint, or dust on its lower half."""
    choice = rng.random()
    if choice < likely:
        first, second = rng.sample([(110, 120, 90), (140, 110, 80), (90, 90, 84), (200, 190, 150), (150, 165, 130)], 2)
        patches = [(_blob(rng), rng.choice([first, second])) for _ in range(rng.randint(7, 14))]
    elif choice < likely + 0.3:
        top = rng.uniform(0.5, 0.8)
        patches = [(np.array([(0, top), (1, top), (1, 1), (0, 1)]), (190, 172, 140))]
    else:
        return
    sketch.tint(picture, patches)


def _blob(rng: Random) -> np.ndarray:
    angles = np.linspace(0, 2 * math.pi, 9, endpoint=False)
    reach = np.array([rng.uniform(0.05, 0.17) for _ in angles])
    return np.stack([rng.random() + reach * np.cos(angles), rng.random() + 1.5 * reach * np.sin(angles)], axis=1)


def _hide(picture: Image.Image, box: tuple[float, ...], rng: Random, *, hard: bool) -> None:
    """Things in front of the vehicle or beside it; where it is to be `hard`, many of them."""
    left, top, right, bottom = box
    count = rng.randint(3, 5) if hard else rng.choice([0, 0, 0, 1, 1])
    for _ in range(count):
        spread = 0.1 if hard else 0.35
        x = rng.uniform(left - spread * (right - left), right + spread * (right - left))
        reach = (bottom - top) * rng.uniform(0.3, 0.6 if not hard else 0.9)
        obstacle(picture, (x, bottom + rng.uniform(0.02, 0.1) * (bottom - top)), reach, rng=rng)


def _light(picture: Image.Image, rng: Random, *, fog: bool) -> Image.Image:
    """The hour and the weather, and what a cheap camera adds."""
    if rng.random() < 0.2 or fog:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.4)))
    pixels: np.ndarray = np.asarray(picture, dtype=np.float32)
    (tone,) = rng.choices([(1, 1, 1), (1.12, 0.97, 0.8), (0.86, 0.95, 1.1), (0.42, 0.47, 0.62)], [14, 4, 4, 1])
    gain = np.array(tone, dtype=np.float32) * rng.uniform(0.85, 1.2)
    mist = rng.uniform(0.55, 0.75) if fog else rng.choice([0, 0, 0, 0, rng.uniform(0, 0.4)])
    pixels = pixels * (gain * (1 - mist)) + 200 * mist * float(gain.mean())
    noise = np.random.default_rng(rng.getrandbits(32))
    grain = noise.standard_normal((picture.height, picture.width, 1), dtype=np.float32)
    pixels += grain * rng.choice([1, 2, 3, 6])
    if rng.random() < 0.06:
        _snow(pixels, noise)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _snow(pixels: np.ndarray, noise: np.random.Generator) -> None:
    """Flakes, or the specks on an old print."""
    height, width, _ = pixels.shape
    count = width * height // 300
    rows, columns = noise.integers(0, height - 1, count), noise.integers(0, width - 1, count)
    for down, across in ((0, 0), (1, 0), (0, 1)):
        pixels[rows + down, columns + across] = 235
