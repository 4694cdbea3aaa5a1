"""Cars of many bodies, built from profiles in metres, front to the left."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import numpy as np

from toolkit.practice.sketch import Colour, Sketch, circle, shade, smooth

RUBBER, GLASS = (32, 32, 35), (96, 122, 140)


@dataclass(frozen=True)
class Body:
    """The shape of one kind of car: outlines (x, y), wheels, and where the windows are divided."""

    width: float
    body: list
    wheels: tuple[float, ...]
    radius: float
    panes: list
    cabin: list = field(default_factory=list)
    fenders: bool = False
    bed: bool = False

    @property
    def length(self) -> float:
        """Metres from bumper to bumper."""
        return max(x for x, _ in self.body)


BODIES = {
    "saloon": Body(
        width=1.8,
        body=[(0, 0.3), (0, 0.64), (0.2, 0.8), (1.3, 0.92), (3.7, 0.96), (4.45, 0.9), (4.55, 0.6), (4.5, 0.3)],
        cabin=[(1.1, 0.88), (1.85, 1.42), (3.05, 1.45), (3.9, 0.9)],
        wheels=(0.85, 3.65),
        radius=0.34,
        panes=[(1.5, 2.4), (2.5, 3.5)],
    ),
    "hatchback": Body(
        width=1.75,
        body=[(0, 0.3), (0, 0.66), (0.2, 0.82), (1.0, 0.97), (3.6, 1.02), (3.8, 0.9), (3.85, 0.6), (3.8, 0.3)],
        cabin=[(0.8, 0.93), (1.5, 1.5), (3.1, 1.54), (3.7, 0.98)],
        wheels=(0.7, 3.1),
        radius=0.32,
        panes=[(1.2, 2.15), (2.25, 3.35)],
    ),
    "estate": Body(
        width=1.8,
        body=[(0, 0.3), (0, 0.64), (0.2, 0.8), (1.3, 0.92), (4.4, 0.98), (4.65, 0.9), (4.7, 0.6), (4.65, 0.3)],
        cabin=[(1.1, 0.88), (1.85, 1.44), (4.1, 1.46), (4.6, 0.95)],
        wheels=(0.85, 3.7),
        radius=0.33,
        panes=[(1.5, 2.4), (2.5, 3.4), (3.5, 4.3)],
    ),
    "pickup": Body(
        width=1.9,
        body=[(0, 0.42), (0, 0.88), (0.15, 1.05), (1.4, 1.1), (5.2, 1.1), (5.25, 0.95), (5.25, 0.42)],
        cabin=[(1.25, 1.05), (1.85, 1.78), (3.0, 1.8), (3.15, 1.05)],
        wheels=(0.95, 4.2),
        radius=0.4,
        panes=[(1.6, 2.3), (2.4, 2.98)],
        bed=True,
    ),
    "van": Body(
        width=1.95,
        body=[(0, 0.35), (0, 0.85), (0.25, 1.1), (0.85, 1.3), (1.5, 2.1), (4.8, 2.2), (5.0, 2.0), (5.05, 0.35)],
        wheels=(0.9, 4.0),
        radius=0.36,
        panes=[(1.15, 2.0)],
    ),
    "minibus": Body(
        width=2.1,
        body=[(0, 0.35), (0, 1.2), (0.2, 2.3), (0.5, 2.5), (6.2, 2.5), (6.4, 2.3), (6.4, 0.35)],
        wheels=(1.2, 5.0),
        radius=0.42,
        panes=[(0.4, 1.2), (1.3, 2.4), (2.5, 3.6), (3.7, 4.8), (4.9, 6.1)],
    ),
    "sports car": Body(
        width=1.85,
        body=[(0, 0.2), (0.05, 0.42), (0.5, 0.6), (1.3, 0.74), (3.4, 0.86), (4.3, 0.84), (4.35, 0.5), (4.3, 0.22)],
        cabin=[(1.3, 0.7), (2.1, 1.14), (2.7, 1.16), (3.75, 0.84)],
        wheels=(0.85, 3.5),
        radius=0.34,
        panes=[(1.75, 2.8)],
    ),
    "old car": Body(
        width=1.55,
        body=[(0, 0.4), (0.05, 0.7), (0.5, 0.95), (1.2, 1.02), (3.4, 1.02), (3.9, 0.75), (4.0, 0.4)],
        cabin=[(1.0, 0.95), (1.35, 1.6), (2.7, 1.66), (3.5, 0.95)],
        wheels=(0.75, 3.25),
        radius=0.36,
        panes=[(1.3, 1.95), (2.05, 2.9)],
        fenders=True,
    ),
    "jeep": Body(
        width=1.75,
        body=[(0, 0.45), (0, 0.95), (0.1, 1.08), (1.2, 1.12), (3.7, 1.12), (3.75, 0.95), (3.75, 0.45)],
        cabin=[(1.1, 1.08), (1.35, 1.8), (3.5, 1.84), (3.7, 1.08)],
        wheels=(0.75, 2.95),
        radius=0.42,
        panes=[(1.35, 2.1), (2.2, 2.85), (2.95, 3.5)],
        fenders=True,
    ),
}


def car(sketch: Sketch, kind: str, *, paint: Colour, rng: Random) -> None:
    """Add a car of one of BODIES to `sketch`."""
    shape = BODIES[kind]
    stretch = rng.uniform(0.93, 1.08)
    roof = np.array([(x, y * stretch) for x, y in (shape.cabin or shape.body)])
    sketch.stand(shape.length, shape.width)
    _tyres(sketch, shape)
    belt = roof[0, 1] + 0.06 if shape.cabin else 0.55 * roof[:, 1].max()
    glaze = None if shape.cabin else (GLASS, belt + 0.1)
    outline = smooth(shape.body if shape.cabin else roof)
    side = sketch.solid(outline, 0, shape.width, paint, lean=0.06, glass=glaze)
    if shape.cabin:
        inset = 0.1 * shape.width
        cabin_paint = paint if rng.random() < 0.8 else rng.choice([(245, 245, 240), (25, 25, 28)])
        lean = rng.uniform(0.1, 0.2)
        cabin = smooth(roof)
        top = sketch.solid(cabin, inset, shape.width - inset, cabin_paint, lean=lean, glass=(GLASS, belt))
        _windows(sketch, top, roof, shape.panes, belt)
    else:
        _windows(sketch, side, roof, shape.panes, belt)
    _trim(sketch, shape, side, paint)
    _wheels(sketch, shape, rng, paint)
    _extras(sketch, shape, roof[:, 1].max(), rng)


def _tyres(sketch: Sketch, shape: Body) -> None:
    for near in (shape.width - 0.25, 0.02):
        for x in shape.wheels:
            wheel = circle(x, shape.radius, shape.radius, corners=12)
            sketch.solid(wheel, near, near + 0.23, RUBBER, painted=False)


def _windows(sketch: Sketch, side, roof: np.ndarray, panes: list, belt: float) -> None:
    for start, stop in panes:
        xs = np.linspace(start, stop, 6)
        top = np.maximum(np.interp(xs, roof[:, 0], roof[:, 1]) - 0.14, belt)
        pane = np.concatenate([np.stack([xs, top], axis=1), [(stop, belt), (start, belt)]])
        sketch.plate(side(pane), shade(GLASS, 0.62))
        glare = np.array([(start, belt), (xs[1], top[1]), (xs[3], top[3]), (xs[2], belt)])
        sketch.plate(side(glare), shade(GLASS, 0.95))


def _trim(sketch: Sketch, shape: Body, side, paint: Colour) -> None:
    """Sill, doors, bumpers, lights and number plate."""
    end, width, waist = shape.length, shape.width, min(0.9, shape.body[1][1])
    sketch.plate(side([(0.1, 0.3), (0.1, 0.42), (end - 0.1, 0.42), (end - 0.1, 0.3)]), shade(paint, 0.45), painted=True)
    stripe = [(0.15, waist - 0.04), (0.15, waist), (end - 0.1, waist + 0.06), (end - 0.1, waist + 0.02)]
    sketch.plate(side(stripe), shade(paint, 1.2), painted=True)
    for _, stop in shape.panes:
        sketch.plate(side([(stop, 0.4), (stop, 0.95), (stop + 0.03, 0.95), (stop + 0.03, 0.4)]), shade(paint, 0.5))
        sketch.plate(side([(stop - 0.25, 0.8), (stop - 0.25, 0.84), (stop - 0.08, 0.84), (stop - 0.08, 0.8)]), RUBBER)
    bumper = shade((120, 120, 124), 0.9)
    low = shape.body[0][1]
    for x, front in ((-0.06, True), (end - 0.02, False)):
        outline = [(x, low), (x, low + 0.16), (x + 0.08, low + 0.16), (x + 0.08, low)]
        sketch.solid(outline, -0.02, width + 0.02, bumper, painted=False)
        lamp = (250, 244, 205) if front else (200, 30, 28)
        for near in (0.1, width - 0.45):
            _patch(sketch, x, low + 0.24, near, 0.35, 0.16, lamp, front=front)
        _patch(sketch, x, low + 0.04, width / 2 - 0.26, 0.52, 0.11, (235, 235, 225), front=front)
        if front:
            _patch(sketch, x, low + 0.2, 0.5, width - 1.0, 0.17, (42, 42, 45), front=True)
    sketch.plate(side([(0.02, low + 0.26), (0.02, low + 0.4), (0.32, low + 0.4), (0.25, low + 0.26)]), (250, 244, 205))
    sketch.plate(
        side([(end - 0.25, low + 0.28), (end - 0.25, low + 0.48), (end, low + 0.48), (end, low + 0.28)]), (196, 34, 30)
    )


def _patch(sketch: Sketch, x, y, z, wide, high, colour: Colour, *, front: bool) -> None:
    """A small rectangle on the front or the rear."""
    corners = np.array([(x, y, z + wide), (x, y + high, z + wide), (x, y + high, z), (x, y, z)], dtype=float)
    sketch.plate(corners if front else corners[::-1], colour)


def _wheels(sketch: Sketch, shape: Body, rng: Random, paint: Colour) -> None:
    rim = rng.choice([(190, 192, 196), (150, 150, 155), (90, 92, 96), (225, 225, 225)])
    for x in shape.wheels:
        if shape.fenders:
            arch = circle(x, shape.radius + 0.06, shape.radius * 1.5, corners=24)
            arch = arch[arch[:, 1] > shape.radius * 0.8]
            arch = arch[np.argsort(arch[:, 0])]
            sketch.plate(np.column_stack([arch, np.full(len(arch), -0.02)]), shade(paint, 0.9), painted=True)
        sketch.disc(x, shape.radius + 0.03, -0.03, shape.radius * 1.16, (18, 18, 20))
        sketch.disc(x, shape.radius, -0.04, shape.radius, RUBBER)
        sketch.disc(x, shape.radius, -0.05, shape.radius * 0.62, rim)
        sketch.disc(x, shape.radius, -0.05, shape.radius * 0.22, shade(rim, 0.5))


def _extras(sketch: Sketch, shape: Body, height: float, rng: Random) -> None:
    """What people put on their cars; a pole on a pickup looks a little like a gun."""
    middle, width = shape.length * 0.5, shape.width
    choice = rng.random()
    if shape.bed:
        sketch.solid(
            [(3.3, 1.08), (3.3, 1.12), (5.1, 1.12), (5.1, 1.08)], 0.12, width - 0.12, (48, 46, 44), painted=False
        )
        if choice < 0.3:
            tilt, colour = rng.uniform(0.1, 0.9), rng.choice([(60, 66, 50), (120, 90, 50), (70, 70, 74)])
            sketch.tube((4.6, 1.2, width / 2), (0.4, 1.9 + tilt, width / 2), rng.uniform(0.05, 0.1), colour)
        elif choice < 0.75:
            tall = rng.uniform(0.25, 0.9)
            box = [(3.4, 1.1), (3.4, 1.1 + tall), (4.9, 1.1 + tall), (4.9, 1.1)]
            sketch.solid(
                box, 0.2, width - 0.2, rng.choice([(150, 118, 72), (84, 96, 66), (130, 130, 134)]), painted=False
            )
    elif choice < 0.12:
        luggage = smooth(
            [
                (middle - 0.8, height),
                (middle - 0.7, height + 0.32),
                (middle + 0.8, height + 0.3),
                (middle + 0.8, height),
            ]
        )
        sketch.solid(luggage, width * 0.3, width * 0.7, (52, 54, 58), painted=False)
    elif choice < 0.2:
        for z in (width * 0.3, width * 0.7):
            sketch.tube((middle - 1.2, height + 0.12, z), (middle + 1.1, height + 0.12, z), 0.04, (70, 70, 72))
    elif choice < 0.26:
        sign = [
            (middle - 0.2, height - 0.02),
            (middle - 0.15, height + 0.18),
            (middle + 0.15, height + 0.18),
            (middle + 0.2, height - 0.02),
        ]
        sketch.solid(sign, width * 0.35, width * 0.65, (250, 214, 70), painted=False)
    if rng.random() < 0.25:
        sketch.tube((middle, height - 0.05, width / 2), (middle + 0.3, height + 0.5, width / 2), 0.015, (30, 30, 30))
