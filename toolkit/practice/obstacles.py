"""Things that get in the way of a clear view."""

from __future__ import annotations

from random import Random

import numpy as np
from PIL import Image, ImageDraw

from toolkit.practice.sketch import Colour, shade


def obstacle(picture: Image.Image, at: tuple[float, float], reach: float, *, rng: Random) -> None:
    """Put a bush, a pole, a fence, a person, a stone or grass in front, its foot on `at`, about `reach` pixels tall."""
    rng.choice([_bush, _bush, _pole, _fence, _person, _person, _stone, _grass])(
        ImageDraw.Draw(picture), *at, reach, rng
    )


def _bush(brush, x, y, reach, rng) -> None:
    leaf = rng.choice([(58, 88, 44), (84, 108, 56), (120, 116, 64), (44, 66, 46)])
    for step in range(rng.randint(1, 3)):
        clump(brush, x + step * reach * 0.6, y - reach * 0.25, reach * 0.55, leaf, rng)


def _pole(brush, x, y, reach, rng) -> None:
    colour = rng.choice([(92, 94, 98), (116, 88, 62), (52, 54, 58)])
    brush.rectangle((x - reach * 0.05, y - reach * 3, x + reach * 0.05, y), fill=colour)
    brush.rectangle((x, y - reach * 3, x + reach * 0.015, y), fill=shade(colour, 1.3))
    if rng.random() < 0.4:
        brush.ellipse(
            (x - reach * 0.3, y - reach * 2.1, x + reach * 0.3, y - reach * 1.5),
            fill=rng.choice([(190, 40, 36), (42, 84, 160)]),
        )


def _fence(brush, x, y, reach, rng) -> None:
    colour = rng.choice([(136, 104, 70), (206, 204, 198), (84, 86, 88)])
    for step in np.arange(-6, 6):
        left = x + step * reach * 0.5
        brush.rectangle((left, y - reach * 0.55, left + reach * 0.07, y), fill=colour)
    for high in (0.2, 0.45):
        brush.rectangle((x - 3 * reach, y - high * reach - 4, x + 3 * reach, y - high * reach), fill=shade(colour, 0.9))


def _person(brush, x, y, reach, rng) -> None:
    tall = reach * rng.uniform(0.8, 1.1)
    coat = rng.choice([(168, 52, 46), (48, 72, 120), (66, 74, 52), (210, 200, 180), (40, 40, 44), (196, 150, 60)])
    for side in (-1, 1):
        brush.polygon(
            (x, y - tall * 0.48, x + side * tall * 0.1, y, x + side * tall * 0.04, y), fill=shade(coat, 0.45), width=3
        )
    brush.rounded_rectangle(
        (x - tall * 0.11, y - tall * 0.84, x + tall * 0.11, y - tall * 0.42), tall * 0.05, fill=coat
    )
    brush.ellipse(
        (x - tall * 0.065, y - tall, x + tall * 0.065, y - tall * 0.86),
        fill=rng.choice([(226, 188, 160), (142, 98, 70)]),
    )


def _stone(brush, x, y, reach, rng) -> None:
    stone = shade((134, 130, 124), rng.uniform(0.7, 1.15))
    outline = (
        x - reach * 0.5,
        y,
        x - reach * 0.4,
        y - reach * 0.35,
        x,
        y - reach * 0.5,
        x + reach * 0.4,
        y - reach * 0.3,
        x + reach * 0.5,
        y,
    )
    brush.polygon(outline, fill=stone)
    brush.polygon((*outline[2:8], x, y - reach * 0.25), fill=shade(stone, 1.15))


def _grass(brush, x, y, reach, rng) -> None:
    for _ in range(60):
        left, lean = x + rng.gauss(0, 0.9) * reach, rng.gauss(0, 0.15) * reach
        blade = shade(rng.choice([(112, 132, 66), (150, 140, 82)]), rng.uniform(0.75, 1.15))
        brush.line((left, y, left + lean, y - rng.uniform(0.2, 0.6) * reach), fill=blade, width=3)


def clump(brush: ImageDraw.ImageDraw, x: float, y: float, radius: float, leaf: Colour, rng: Random) -> None:
    """Leaves: round spots around (x, y), darker below and lighter above."""
    spots = [(rng.gauss(0, 0.45), rng.gauss(0, 0.35), rng.uniform(0.3, 0.55)) for _ in range(12)]
    for across, up, size in sorted(spots, key=lambda spot: spot[1]):
        left, top, reach = x + across * radius, y - up * radius, size * radius
        brush.ellipse((left - reach, top - reach, left + reach, top + reach), fill=shade(leaf, 0.85 + 0.25 * up))
