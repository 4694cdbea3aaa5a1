"""Tanks and their relatives, built from profiles in metres, front to the left."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import numpy as np

from toolkit.practice.sketch import Colour, Sketch, circle, shade, smooth

STEEL, RUBBER = (62, 60, 56), (30, 30, 30)


def tank(sketch: Sketch, kind: str, *, paint: Colour, rng: Random) -> None:
    """Add a tank of one of KINDS to `sketch`."""
    KINDS[kind](sketch, paint, rng)


def _battle_tank(sketch: Sketch, paint: Colour, rng: Random) -> None:
    skirt = rng.random() < 0.35
    _running_gear(sketch, paint, length=6.8, width=3.5, height=1.05, wheels=7, radius=0.34, skirt=skirt)
    hull = [(0.1, 0.85), (1.0, 1.3), (6.6, 1.36), (6.7, 0.8), (6.2, 0.5), (0.7, 0.45)]
    _hull(sketch, hull, paint, 3.5, rng)
    turret = [(1.5, 1.55), (2.6, 2.12), (5.5, 2.0), (5.5, 1.5), (5.2, 1.34), (1.9, 1.35)]
    _turret(sketch, turret, paint, rng, centre=(3.5, 1.75), breadth=2.5, gun=rng.uniform(3.8, 5.2), calibre=0.1)


def _old_tank(sketch: Sketch, paint: Colour, rng: Random) -> None:
    wheels = rng.choice([5, 5, 6, 8])
    _running_gear(sketch, paint, length=5.9, width=3.0, height=1.05, wheels=wheels, radius=2.0 / wheels, skirt=False)
    hull = [(0.1, 0.8), (0.9, 1.6), (5.2, 1.62), (5.9, 1.1), (5.5, 0.5), (0.6, 0.4)]
    _hull(sketch, hull, paint, 3.0, rng)
    turret = smooth([(1.5, 1.58), (1.7, 2.2), (2.2, 2.38), (3.6, 2.38), (4.0, 2.2), (4.1, 1.6)], 1)
    _turret(sketch, turret, paint, rng, centre=(2.8, 1.5), breadth=1.8, gun=rng.uniform(1.8, 3.4), calibre=0.08)


def _light_tank(sketch: Sketch, paint: Colour, rng: Random) -> None:
    _running_gear(sketch, paint, length=4.4, width=2.3, height=0.9, wheels=4, radius=0.36, skirt=False)
    hull = [(0.1, 0.75), (0.8, 1.05), (1.2, 1.5), (4.1, 1.5), (4.4, 0.8), (4.1, 0.4), (0.5, 0.35)]
    _hull(sketch, hull, paint, 2.3, rng)
    turret = smooth([(1.5, 1.48), (1.65, 2.05), (2.9, 2.1), (3.05, 1.5)], 1)
    _turret(sketch, turret, paint, rng, centre=(2.25, 1.15), breadth=1.2, gun=rng.uniform(0.9, 1.7), calibre=0.05)


def _rhomboid_tank(sketch: Sketch, paint: Colour, rng: Random) -> None:
    """The first tanks: the tracks run all the way round, the guns stand out at the side."""
    loop = smooth([(0.1, 1.5), (1.3, 2.4), (4.9, 2.3), (7.6, 1.1), (7.8, 0.5), (6.8, 0), (2.0, 0), (0.5, 0.9)], 2)
    sketch.stand(7.8, 3.6)
    sketch.solid(loop, 2.9, 3.5, STEEL, ridged=True, painted=False)
    sketch.solid([(1.2, 0.6), (1.4, 2.5), (2.3, 2.9), (3.4, 2.85), (5.8, 1.9), (6.8, 0.8)], 0.6, 3.0, paint)
    side = sketch.solid(loop, 0.1, 0.7, shade(STEEL, 1.2), ridged=True, painted=False)
    plate = 0.9 * (loop - loop.mean(axis=0)) + loop.mean(axis=0)
    sketch.plate(side(plate), shade(paint, 0.9), painted=True)
    for x, y in plate[::2] * 0.97 + 0.03 * loop.mean(axis=0):
        sketch.disc(x, y, 0.08, 0.05, shade(paint, 0.6))
    sketch.solid([(2.9, 0.8), (2.9, 1.7), (4.7, 1.7), (4.7, 0.8)], -0.5, 0.2, shade(paint, 1.05))
    reach = rng.uniform(1.0, 1.9)
    sketch.tube(
        (3.0, 1.3, -0.3), (3.0 - reach, 1.25 + rng.uniform(0, 0.3), -0.6), 0.09, shade(paint, 0.7), painted=True
    )


def _assault_gun(sketch: Sketch, paint: Colour, rng: Random) -> None:
    """No turret: the gun looks straight out of a low hull."""
    skirt = rng.random() < 0.25
    _running_gear(sketch, paint, length=5.6, width=2.9, height=1.0, wheels=6, radius=0.33, skirt=skirt)
    hull = [(0.1, 0.8), (1.0, 1.15), (1.7, 1.95), (4.4, 2.0), (5.5, 1.3), (5.6, 0.8), (5.2, 0.45), (0.6, 0.4)]
    _hull(sketch, hull, paint, 2.9, rng)
    _gun(sketch, (1.5, 1.55, 1.45), rng.uniform(1.8, 3.2), rng.uniform(-8, 8), rng.uniform(0, 8), 0.09, paint)


def _howitzer(sketch: Sketch, paint: Colour, rng: Random) -> None:
    """Self-propelled artillery: a tall turret at the rear, a gun raised high."""
    _running_gear(sketch, paint, length=6.2, width=3.1, height=1.05, wheels=7, radius=0.3, skirt=False)
    hull = [(0.1, 0.85), (0.9, 1.5), (6.0, 1.55), (6.2, 0.8), (5.8, 0.5), (0.6, 0.45)]
    _hull(sketch, hull, paint, 3.1, rng)
    turret = [(2.9, 1.55), (3.2, 2.6), (6.0, 2.65), (6.1, 1.55)]
    elevation = rng.uniform(2, 40)
    _turret(
        sketch,
        turret,
        paint,
        rng,
        centre=(4.5, 1.55),
        breadth=2.6,
        gun=rng.uniform(2.5, 4.8),
        calibre=0.13,
        raised=elevation,
    )


def _carrier(sketch: Sketch, paint: Colour, rng: Random) -> None:
    """A tracked box for soldiers with a turret no bigger than a hat."""
    _running_gear(sketch, paint, length=5.4, width=2.8, height=0.95, wheels=5, radius=0.34, skirt=rng.random() < 0.3)
    hull = [(0.1, 0.85), (1.2, 1.85), (5.3, 1.9), (5.4, 0.7), (5.1, 0.45), (0.5, 0.4)]
    _hull(sketch, hull, paint, 2.8, rng)
    turret = [(2.4, 1.85), (2.6, 2.25), (3.5, 2.25), (3.6, 1.85)]
    _turret(sketch, turret, paint, rng, centre=(3.0, 1.4), breadth=1.0, gun=rng.uniform(0.8, 1.8), calibre=0.045)


def _armoured_car(sketch: Sketch, paint: Colour, rng: Random) -> None:
    """Wheels in place of tracks: the one that is easy to get wrong."""
    axles = {2: (1.0, 4.2), 3: (0.9, 3.3, 4.5), 4: (0.8, 2.0, 3.6, 4.7)}[rng.choice([2, 3, 4, 4])]
    sketch.stand(5.6, 2.5)
    for near in (2.2, 0.02):
        for x in axles:
            sketch.solid(circle(x, 0.5, 0.5, corners=12), near, near + 0.3, RUBBER, painted=False)
    hull = [(0, 0.95), (0.5, 1.25), (1.5, 1.75), (5.0, 1.8), (5.6, 1.2), (5.4, 0.6), (0.5, 0.55)]
    side = sketch.solid(hull, 0.15, 2.35, paint, lean=0.2)
    sketch.plate(side([(2.4, 0.8), (2.4, 1.5), (2.9, 1.5), (2.9, 0.8)]), shade(paint, 0.7), painted=True)
    for x in axles:
        sketch.disc(x, 0.52, 0.0, 0.6, (24, 24, 24))
        sketch.disc(x, 0.5, -0.01, 0.5, RUBBER)
        sketch.disc(x, 0.5, -0.02, 0.24, shade(paint, 0.8), painted=True)
    turret = [(2.0, 1.78), (2.3, 2.35), (3.5, 2.4), (3.8, 1.8)]
    _turret(sketch, turret, paint, rng, centre=(2.9, 1.25), breadth=1.5, gun=rng.uniform(1.2, 3.0), calibre=0.06)


KINDS: dict[str, Callable[[Sketch, Colour, Random], None]] = {
    "battle tank": _battle_tank,
    "old tank": _old_tank,
    "light tank": _light_tank,
    "rhomboid tank": _rhomboid_tank,
    "assault gun": _assault_gun,
    "howitzer": _howitzer,
    "carrier": _carrier,
    "armoured car": _armoured_car,
}


def _running_gear(sketch: Sketch, paint: Colour, *, length, width, height, wheels, radius, skirt: bool) -> None:
    """Both tracks, the road wheels on the near one, and side plates that hide the upper half."""
    sketch.stand(length, width)
    corners = [(0, height * 0.7), (0.35, height), (length - 0.35, height), (length, height * 0.65)]
    loop = smooth([*corners, (length - 0.9, 0), (0.9, 0)], 2)
    broad = 0.17 * width
    sketch.solid(loop, width - broad, width, STEEL, ridged=True, painted=False)
    side = sketch.solid(loop, 0, broad, STEEL, ridged=True, painted=False)
    inner = (loop - loop.mean(axis=0)) * (0.95, 0.8) + loop.mean(axis=0)
    sketch.plate(side(inner), (34, 33, 31))
    xs = np.linspace(0.95, length - 0.95, wheels)
    ends = [(0.5, height * 0.62, height * 0.26), (length - 0.5, height * 0.6, height * 0.26)]
    for x, y, size in [*ends, *((x, radius + 0.08, radius) for x in xs)]:
        sketch.disc(x, y, -0.01, size, RUBBER)
        sketch.disc(x, y, -0.02, size * 0.8, shade(paint, 0.95), painted=True)
        sketch.disc(x, y, -0.03, size * 0.28, shade(paint, 0.5))
    guard = [(0.1, height), (0.1, height + 0.07), (length - 0.1, height + 0.07), (length - 0.1, height)]
    sketch.solid(guard, -0.04, width + 0.04, shade(paint, 0.95))
    if skirt:
        for start in np.arange(0.3, length - 0.8, 1.0):
            panel = [
                (start, height * 0.45),
                (start, height + 0.05),
                (start + 0.96, height + 0.05),
                (start + 0.96, height * 0.45),
            ]
            sketch.solid(panel, -0.08, -0.04, shade(paint, 0.92))


def _hull(sketch: Sketch, outline: list, paint: Colour, width: float, rng: Random) -> None:
    near = 0.12 * width
    sketch.solid(outline, near, width - near, paint)
    top = max(y for _, y in outline)
    rear = max(x for x, _ in outline)
    for x in (rear * 0.62, rear * 0.8):
        if rng.random() < 0.6:
            long, tall = rng.uniform(0.5, 1.0), rng.uniform(0.12, 0.3)
            box = [(x, top - 0.25), (x, top + tall - 0.1), (x + long, top + tall - 0.1), (x + long, top - 0.25)]
            sketch.solid(box, 0.02, 0.3, shade(paint, rng.uniform(0.75, 1.0)))
    if rng.random() < 0.35:
        sketch.tube((rear * 0.9, top, 0.4), (rear, top + rng.uniform(1.0, 2.0), 0.4), 0.015, (40, 40, 38))


def _turret(sketch: Sketch, outline, paint: Colour, rng: Random, *, centre, breadth, gun, calibre, raised=None) -> None:
    """A turret that may look anywhere, its gun before or behind it, a hatch and sometimes a mark on its side."""
    heading = rng.gauss(0, 18) if rng.random() < 0.8 else rng.uniform(-180, 180)
    outline = np.asarray(outline, dtype=float)
    middle, top = np.array([centre[0], 0, centre[1]]), outline[:, 1].max()
    turn = _turning_about(middle, heading)
    front = outline[outline[:, 1] > outline[:, 1].mean() - 0.05][0]
    root = turn(np.array([[front[0] + 0.1, outline[:, 1].mean(), centre[1]]]))[0]
    raised = rng.uniform(-2, 12) if raised is None else raised

    def fire() -> None:
        _gun(sketch, root, gun, heading, raised, calibre, paint)

    away = math.cos(sketch.yaw) * math.sin(math.radians(heading)) + math.sin(sketch.yaw) * math.cos(
        math.radians(heading)
    )
    if away > 0.05:
        fire()
    half = breadth / 2
    side = sketch.solid(outline, centre[1] - half, centre[1] + half, paint, lean=0.16 * breadth, turn=turn)
    if rng.random() < 0.45:
        _mark(sketch, side, outline, rng)
    hatch = circle(centre[0] + 0.2, 0, 0.28, corners=10)
    lid = np.column_stack([hatch[:, 0], np.full(10, top + 0.06), centre[1] - hatch[:, 1]])
    sketch.plate(turn(lid)[::-1], shade(paint, 0.7), painted=True)
    if rng.random() < 0.5:
        sketch.tube(
            (centre[0] + 0.6, top, centre[1]),
            (centre[0] + 0.8, top + rng.uniform(0.6, 1.4), centre[1]),
            0.015,
            (40, 40, 38),
        )
    if away <= 0.05:
        fire()


def _turning_about(middle: np.ndarray, heading: float) -> Callable[[np.ndarray], np.ndarray]:
    cosine, sine = math.cos(math.radians(heading)), math.sin(math.radians(heading))
    matrix = np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])
    return lambda points: (points - middle) @ matrix + middle


def _gun(sketch: Sketch, root, length: float, heading: float, raised: float, calibre: float, paint: Colour) -> None:
    """The barrel, thicker at its root, with a muzzle brake."""
    level = math.cos(math.radians(raised)) * length
    step = np.array(
        [
            -level * math.cos(math.radians(heading)),
            math.sin(math.radians(raised)) * length,
            level * math.sin(math.radians(heading)),
        ]
    )
    root = np.asarray(root, dtype=float)
    metal = shade(paint, 0.8)
    sketch.tube(root, root + step, calibre, metal, painted=True)
    sketch.tube(root, root + 0.22 * step, calibre * 1.9, shade(paint, 0.95), painted=True)
    sketch.tube(root + 0.55 * step, root + 0.68 * step, calibre * 1.35, metal, painted=True)
    sketch.tube(root + 0.94 * step, root + step, calibre * 1.4, shade(paint, 0.55))


def _mark(sketch: Sketch, side, outline: np.ndarray, rng: Random) -> None:
    """A star or a white bar on the side of the turret."""
    x, y = outline.mean(axis=0)
    size = 0.3 * np.ptp(outline[:, 1])
    if rng.random() < 0.5:
        angles = math.pi / 2 - np.arange(10) * math.pi / 5
        reach = np.where(np.arange(10) % 2, 0.4, 1.0) * size
        star = np.stack([x + reach * np.cos(angles), y + reach * np.sin(angles)], axis=1)
        sketch.plate(side(star), rng.choice([(238, 238, 230), (190, 36, 30)]))
    else:
        bar = [
            (x - 2 * size, y - size / 2),
            (x - 2 * size, y + size / 2),
            (x + size, y + size / 2),
            (x + size, y - size / 2),
        ]
        sketch.plate(side(bar), (232, 232, 224))
