"""Where the vehicles stand: a street, a meadow, a desert, a forest, snow, a parking lot, a museum."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import numpy as np
from PIL import Image, ImageDraw

from toolkit.practice.obstacles import clump
from toolkit.practice.sketch import Colour, shade

SKIES = (
    ((92, 150, 214), (206, 226, 240)),
    ((128, 168, 206), (232, 236, 236)),
    ((168, 176, 184), (222, 224, 224)),
    ((110, 120, 134), (180, 184, 188)),
    ((236, 150, 92), (250, 222, 168)),
    ((92, 84, 132), (240, 170, 130)),
)


def gradient(size: tuple[int, int], top: Colour, bottom: Colour) -> Image.Image:
    """A picture that fades from `top` to `bottom`."""
    column = np.linspace(top, bottom, 64).astype(np.uint8)[:, None]
    return Image.fromarray(column).resize(size)


def scene(kind: str, size: tuple[int, int], horizon: int, *, rng: Random) -> Image.Image:
    """Paint one of SCENES: sky above `horizon` (pixels from the top), ground below, and what stands there."""
    width, height = size
    top, bottom = rng.choice(SKIES)
    ground, stand = SCENES[kind]
    near = shade(rng.choice(ground), rng.uniform(0.85, 1.1))
    picture = Image.new("RGB", size)
    picture.paste(gradient((width, horizon), top, bottom))
    picture.paste(gradient((width, height - horizon), shade(near, 1.12), shade(near, 0.86)), (0, horizon))
    brush = ImageDraw.Draw(picture)
    if kind != "hall" and rng.random() < 0.5:
        _clouds(brush, width, horizon, bottom, rng)
    stand(brush, width, height, horizon, rng)
    return _mottle(picture, horizon, rng)


def _mottle(picture: Image.Image, horizon: int, rng: Random) -> Image.Image:
    """Ground that is not of one colour: coarse noise over everything below the horizon."""
    width, height = picture.size
    noise = np.random.default_rng(rng.getrandbits(32)).integers(0, 255, (18, 30), dtype=np.uint8)
    mask = Image.fromarray(noise // 5).resize((width, height - horizon), Image.Resampling.BILINEAR)
    picture.paste(rng.choice([(40, 36, 26), (235, 230, 215)]), (0, horizon), mask)
    return picture


def _clouds(brush: ImageDraw.ImageDraw, width: int, horizon: int, colour: Colour, rng: Random) -> None:
    for _ in range(rng.randint(1, 4)):
        x, y = rng.uniform(0, width), rng.uniform(0, horizon * 0.7)
        for _ in range(5):
            radius = rng.uniform(0.02, 0.06) * width
            brush.ellipse((x - 2 * radius, y - radius / 2, x + 2 * radius, y + radius / 2), fill=shade(colour, 1.06))
            x, y = x + rng.uniform(-1.5, 1.5) * radius, y + rng.uniform(-0.5, 0.5) * radius


def _hills(brush: ImageDraw.ImageDraw, width: int, horizon: int, colour: Colour, rng: Random) -> None:
    phase, waves, rise = rng.uniform(0, 6), rng.uniform(2, 6), rng.uniform(0.1, 0.35) * horizon
    xs = np.linspace(0, width, 40)
    ys = horizon - rise * (0.6 + 0.4 * np.sin(phase + waves * xs / width))
    brush.polygon([*np.stack([xs, ys], axis=1).ravel().tolist(), width, horizon + 2, 0, horizon + 2], fill=colour)


def _tree(brush: ImageDraw.ImageDraw, x: float, ground: float, tall: float, rng: Random, *, bare: bool = False) -> None:
    trunk = rng.choice([(82, 62, 44), (66, 54, 44), (104, 88, 72)])
    brush.rectangle((x - tall * 0.03, ground - tall * 0.6, x + tall * 0.03, ground), fill=trunk)
    leaf = rng.choice([(52, 92, 44), (72, 110, 52), (38, 70, 42), (150, 110, 48)])
    if bare:
        for _ in range(7):
            angle, start = rng.uniform(-1.0, 1.0), rng.uniform(0.35, 0.65) * tall
            reach = rng.uniform(0.2, 0.42) * tall
            tip = (x + math.sin(angle) * reach, ground - start - math.cos(angle) * reach)
            brush.line((x, ground - start, *tip), fill=trunk, width=max(1, int(tall * 0.02)))
    elif rng.random() < 0.5:
        for level in range(3):
            y, half = ground - tall * (0.25 + 0.22 * level), tall * (0.25 - 0.06 * level)
            brush.polygon((x - half, y, x, y - tall * 0.36, x + half, y), fill=shade(leaf, 0.8 + 0.12 * level))
    else:
        clump(brush, x, ground - tall * 0.7, tall * 0.3, leaf, rng)


def _street(brush, width, height, horizon, rng) -> None:
    x, base = -rng.uniform(0, 60), horizon + 0.04 * height
    while x < width:
        wide, tall = rng.uniform(0.12, 0.3) * width, rng.uniform(0.35, 0.98) * horizon
        wall = shade(
            rng.choice([(168, 112, 88), (196, 180, 150), (150, 152, 158), (208, 204, 196), (128, 92, 80)]),
            rng.uniform(0.75, 1.1),
        )
        brush.rectangle((x, base - tall, x + wide, base), fill=wall)
        pane, step = shade(wall, rng.choice([0.5, 0.6, 1.3])), rng.uniform(0.045, 0.07) * width
        for left in np.arange(x + step * 0.4, x + wide - step * 0.6, step):
            for top in np.arange(base - tall + step * 0.4, base - step, step * 1.25):
                brush.rectangle((left, top, left + step * 0.5, top + step * 0.7), fill=pane)
        x += wide
    brush.rectangle((0, base, width, base + 0.05 * height), fill=(168, 166, 160))
    middle = rng.uniform(0.72, 0.95) * height
    for x in np.arange(-rng.uniform(0, 60), width, 0.18 * width):
        brush.polygon(
            (x, middle, x + 0.09 * width, middle, x + 0.1 * width, middle + 7, x, middle + 7), fill=(214, 212, 200)
        )


def _meadow(brush, width, height, horizon, rng) -> None:
    for colour in ((120, 146, 128), (92, 124, 84)):
        _hills(brush, width, horizon, shade(colour, rng.uniform(0.85, 1.15)), rng)
    for _ in range(rng.randint(0, 5)):
        _tree(brush, rng.uniform(0, width), horizon + 8, rng.uniform(0.25, 0.7) * horizon, rng)
    for _ in range(90):
        x, y = rng.uniform(0, width), rng.uniform(horizon, height)
        brush.line((x, y, x + rng.uniform(-5, 5), y - 12), fill=shade((104, 136, 62), rng.uniform(0.7, 1.2)), width=2)
    if rng.random() < 0.4:
        petal = rng.choice([(236, 210, 70), (222, 76, 66), (240, 240, 240)])
        for _ in range(40):
            x, y = rng.uniform(0, width), rng.uniform(horizon + 10, height)
            brush.ellipse((x, y, x + 5, y + 4), fill=petal)


def _desert(brush, width, height, horizon, rng) -> None:
    for factor in (0.82, 0.95):
        _hills(brush, width, horizon, shade((206, 170, 116), factor), rng)
    for _ in range(rng.randint(3, 12)):
        x, y = rng.uniform(0, width), rng.uniform(horizon, height)
        size = 4 + 26 * (y - horizon) / (height - horizon)
        stone = shade((150, 124, 92), rng.uniform(0.7, 1.1))
        brush.polygon((x, y, x + size * 0.2, y - size * 0.6, x + size * 0.8, y - size * 0.5, x + size, y), fill=stone)


def _forest(brush, width, height, horizon, rng) -> None:
    brush.rectangle((0, horizon * 0.35, width, horizon), fill=shade((58, 80, 56), rng.uniform(0.7, 1.2)))
    for _ in range(rng.randint(9, 16)):
        _tree(brush, rng.uniform(0, width), horizon + rng.uniform(0, 14), rng.uniform(0.6, 1.25) * horizon, rng)


def _winter(brush, width, height, horizon, rng) -> None:
    _hills(brush, width, horizon, (206, 214, 226), rng)
    for _ in range(rng.randint(2, 9)):
        _tree(brush, rng.uniform(0, width), horizon + 8, rng.uniform(0.4, 0.9) * horizon, rng, bare=rng.random() < 0.6)


def _parking(brush, width, height, horizon, rng) -> None:
    wall = rng.choice([(150, 146, 140), (112, 124, 134), (176, 152, 120)])
    brush.rectangle((0, horizon * rng.uniform(0.3, 0.7), width, horizon + 4), fill=wall)
    for x in np.arange(0, width, 0.09 * width):
        brush.line((x, horizon * 0.72, x, horizon + 4), fill=shade(wall, 0.85), width=2)
    slant = rng.uniform(-0.5, 0.5) * width
    for x in np.arange(-0.5 * width, 1.5 * width, rng.uniform(0.2, 0.35) * width):
        foot = x + (x - width / 2) * 0.5 + slant
        brush.polygon((x, horizon + 12, x + 4, horizon + 12, foot + 12, height, foot, height), fill=(220, 220, 214))
    for x in rng.sample(range(0, width), rng.randint(0, 2)):
        brush.rectangle((x - 3, 0.1 * height, x + 3, horizon + 10), fill=(70, 72, 76))


def _hall(brush, width, height, horizon, rng) -> None:
    wall = shade(rng.choice([(198, 192, 182), (120, 126, 134), (150, 118, 96), (224, 222, 216)]), rng.uniform(0.7, 1.0))
    brush.rectangle((0, 0, width, horizon), fill=wall)
    for x in np.arange(rng.uniform(0, 90), width, 0.3 * width):
        panel = rng.choice([shade(wall, 0.8), shade(wall, 1.15), (158, 54, 48), (52, 74, 110), (214, 196, 140)])
        brush.rectangle((x, 0.3 * horizon, x + 0.17 * width, 0.7 * horizon), fill=panel)
        brush.ellipse((x, -14, x + 0.16 * width, 16), fill=(255, 248, 220))
    for share in (0.2, 0.5, 0.9):
        y = horizon + share * (height - horizon)
        brush.line((0, y, width, y), fill=shade(wall, 0.7), width=2)
    for x in np.arange(-width, 2 * width, 0.2 * width):
        brush.line((x, height, width / 2 + (x - width / 2) * 0.4, horizon), fill=shade(wall, 0.7), width=2)


GREENS, SANDS = [(108, 132, 70), (124, 128, 72), (92, 112, 62)], [(206, 176, 122), (188, 154, 104), (214, 190, 150)]
GREYS, SNOWS = [(108, 108, 110), (136, 134, 130), (84, 86, 90)], [(232, 236, 242), (214, 220, 230), (196, 200, 206)]
EARTHS, FLOORS = [(104, 88, 62), (118, 104, 74), (82, 84, 56)], [(168, 160, 150), (122, 112, 104), (92, 96, 102)]
SCENES: dict[str, tuple[list[Colour], Callable]] = {
    "street": (GREYS, _street),
    "meadow": (GREENS + EARTHS, _meadow),
    "desert": (SANDS, _desert),
    "forest": (EARTHS + GREENS, _forest),
    "winter": (SNOWS, _winter),
    "parking": (GREYS + FLOORS, _parking),
    "hall": (FLOORS, _hall),
}
