"""Solid shapes seen from an angle: profiles given in metres, pushed out to a width, lit, and painted as flat faces."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageChops, ImageDraw

Colour = tuple[int, int, int]
TREAD = 0.6  # every second face of a track is this much darker


def shade(colour: Colour, factor: float) -> Colour:
    """`colour` made lighter (`factor` above 1) or darker (below 1)."""
    red, green, blue = (min(255, max(0, int(channel * factor))) for channel in colour)
    return red, green, blue


def smooth(points: ArrayLike, rounds: int = 2) -> np.ndarray:
    """Round the corners of a closed outline by cutting them `rounds` times."""
    outline = np.asarray(points, dtype=float)
    for _ in range(rounds):
        following = np.roll(outline, -1, axis=0)
        outline = np.stack([0.8 * outline + 0.2 * following, 0.2 * outline + 0.8 * following], axis=1).reshape(-1, 2)
    return outline


def circle(x: float, y: float, radius: float, *, corners: int = 18) -> np.ndarray:
    """The outline of a circle, clockwise."""
    angles = -np.linspace(0, 2 * math.pi, corners, endpoint=False)
    return np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=1)


class Sketch:
    """A vehicle as a list of flat faces, the farthest first.

    x runs from the front to the rear, y up from the ground, z away from the viewer, all in metres. `yaw` and `pitch`
    (degrees) turn the viewer around and above. Outlines are clockwise, so that a face seen from behind can be left out.
    """

    def __init__(self, *, yaw: float, pitch: float, light: tuple[float, float, float] = (-0.45, 0.8, -0.4)):
        self.yaw, self.pitch = math.radians(yaw), math.radians(pitch)
        self.light = np.asarray(light) / np.linalg.norm(light)
        self.faces: list[tuple[np.ndarray, Colour, bool]] = []
        self.footprint = np.zeros((4, 2))
        self._matrix, self._offset = np.eye(2), np.zeros(2)

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points in space to points on the picture plane (y up), and their distance."""
        x, y, z = points[..., 0], points[..., 1], points[..., 2]
        away = z * math.cos(self.yaw) - x * math.sin(self.yaw)
        across = x * math.cos(self.yaw) + z * math.sin(self.yaw)
        up = y * math.cos(self.pitch) + away * math.sin(self.pitch)
        return np.stack([across, up], axis=-1), away * math.cos(self.pitch) - y * math.sin(self.pitch)

    def stand(self, length: float, width: float) -> None:
        """Say what ground the vehicle covers; its shadow falls there."""
        self.footprint, _ = self.project(
            np.array([(0, 0, 0), (length, 0, 0), (length, 0, width), (0, 0, width)], float)
        )

    def solid(
        self,
        profile: ArrayLike,
        near: float,
        far: float,
        colour: Colour,
        *,
        lean: float = 0.0,
        glass: tuple[Colour, float] | None = None,
        turn: Callable[[np.ndarray], np.ndarray] | None = None,
        ridged: bool = False,
        painted: bool = True,
    ) -> Callable[[ArrayLike], np.ndarray]:
        """Push `profile` (x, y) out from `near` to `far` and add the faces that can be seen.

        `lean` (metres) draws the sides in at the top. `glass` (colour, height) glazes what slopes above that height.
        `turn` moves points in space, as for a turret. `ridged` darkens every second face. Gives back a function that
        puts (x, y) points on the near side.
        """
        outline = np.asarray(profile, dtype=float)
        low, high = outline[:, 1].min(), max(outline[:, 1].max(), outline[:, 1].min() + 1e-6)
        turn = turn or (lambda points: points)

        def side(points: ArrayLike, z: float = near, inward: float = lean) -> np.ndarray:
            flat = np.asarray(points, dtype=float)
            depth = z + inward * (flat[:, 1] - low) / (high - low)
            return turn(np.column_stack([flat, depth]))

        front, back = side(outline), side(outline, far, -lean)
        quads = np.stack([front, back, np.roll(back, -1, axis=0), np.roll(front, -1, axis=0)], axis=1)
        self._quads(quads, colour, glass=glass, ridged=ridged, painted=painted)
        for cap in (back[::-1], front):
            self.plate(cap, colour, lit=True, painted=painted)
        return side

    def _quads(self, quads: np.ndarray, colour: Colour, *, glass, ridged: bool, painted: bool) -> None:
        flat, distance = self.project(quads)
        normals = np.cross(quads[:, 2] - quads[:, 0], quads[:, 1] - quads[:, 3])
        normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-9
        seen = np.flatnonzero(_turning(flat) < 0)
        for index in seen[np.argsort(-distance[seen].mean(axis=1))]:
            factor = self._brightness(normals[index]) * (TREAD if ridged and index % 2 else 1.0)
            self.faces.append((flat[index], shade(colour, factor), painted))
            sloping = abs(normals[index][0]) > 0.3
            if glass and sloping and quads[index, :, 1].mean() > glass[1]:
                pane = quads[index].mean(axis=0) + (quads[index] - quads[index].mean(axis=0)) * (1, 1, 0.86)
                self.faces.append((self.project(pane)[0], shade(glass[0], factor), False))

    def _brightness(self, normal: np.ndarray) -> float:
        return 0.62 + 0.5 * max(0.0, float(normal @ self.light))

    def plate(self, points: np.ndarray, colour: Colour, *, lit: bool = False, painted: bool = False) -> None:
        """A flat face through `points` in space; nothing is added when it is seen from behind."""
        flat, _ = self.project(points)
        if _turning(flat[None])[0] >= 0:
            return
        if lit:
            normal = np.cross(points[-1] - points[0], points[len(points) // 2] - points[0])
            colour = shade(colour, self._brightness(normal / (np.linalg.norm(normal) + 1e-9)))
        self.faces.append((flat, colour, painted))

    def disc(self, x: float, y: float, z: float, radius: float, colour: Colour, *, painted: bool = False) -> None:
        """A round plate that faces the near side."""
        outline = circle(x, y, radius)
        self.plate(np.column_stack([outline, np.full(len(outline), z)]), colour, painted=painted)

    def tube(self, start: ArrayLike, end: ArrayLike, radius: float, colour: Colour, *, painted: bool = False) -> None:
        """A round bar between two points in space: a gun, an aerial, a rail."""
        (a, b), _ = self.project(np.array([start, end], dtype=float))
        along = (b - a) / (np.linalg.norm(b - a) + 1e-9)
        across = np.array([-along[1], along[0]]) * radius
        across = across if across[1] > 0 else -across
        self.faces.append((np.array([a + across, b + across, b - across, a - across]), shade(colour, 0.75), painted))
        self.faces.append((np.array([a + across, b + across, b, a]), shade(colour, 1.1), painted))

    def place(self, *, width: float, anchor: tuple[float, float], mirror: bool, roll: float) -> None:
        """Fit the sketch to `width` pixels, its lowest middle point on `anchor`, tilted by `roll` degrees."""
        points = np.concatenate([flat for flat, _, _ in self.faces])
        scale = width / np.ptp(points[:, 0])
        angle = math.radians(roll)
        turned = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        self._matrix = turned @ np.diag([-scale if mirror else scale, -scale])
        moved = points @ self._matrix.T
        middle = (moved[:, 0].min() + moved[:, 0].max()) / 2
        self._offset = np.array([anchor[0] - middle, anchor[1] - moved[:, 1].max()])

    def on_picture(self, points: np.ndarray) -> np.ndarray:
        """Points on the picture plane to pixels, after `place`."""
        return points @ self._matrix.T + self._offset

    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of everything sketched, in pixels, after `place`."""
        points = self.on_picture(np.concatenate([flat for flat, _, _ in self.faces]))
        return (*points.min(axis=0), *points.max(axis=0))

    def paint(self, picture: Image.Image) -> None:
        """Put the faces on `picture`."""
        brush = ImageDraw.Draw(picture)
        for flat, colour, _ in self.faces:
            brush.polygon(self.on_picture(flat).ravel().tolist(), fill=colour)

    def tint(self, picture: Image.Image, patches: list[tuple[np.ndarray, Colour]]) -> None:
        """Multiply the painted faces by `patches` (outlines in shares of the box, colours): camouflage or dirt."""
        left, top, right, bottom = (int(edge) for edge in self.box())
        size = np.array([right - left + 1, bottom - top + 1])
        mask, film = Image.new("L", tuple(size)), Image.new("RGB", tuple(size), (255, 255, 255))
        brush = ImageDraw.Draw(mask)
        for flat, _, painted in self.faces:
            brush.polygon((self.on_picture(flat) - (left, top)).ravel().tolist(), fill=255 if painted else 0)
        brush = ImageDraw.Draw(film)
        for outline, colour in patches:
            brush.polygon((outline * size).ravel().tolist(), fill=colour)
        part = picture.crop((left, top, left + int(size[0]), top + int(size[1])))
        picture.paste(ImageChops.multiply(part, film), (left, top), mask)


def _turning(outlines: np.ndarray) -> np.ndarray:
    """Twice the signed area of each outline; below zero is clockwise, the side that can be seen."""
    following = np.roll(outlines, -1, axis=1)
    return (outlines[..., 0] * following[..., 1] - outlines[..., 1] * following[..., 0]).sum(axis=1)
