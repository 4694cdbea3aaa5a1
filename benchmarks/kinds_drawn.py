"""Kinds of pictures that look alike and are all different: each is drawn from a number, and shows another thing."""

import math
import random
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from toolkit import practice

WORDS = ("the", "of", "and", "tank", "car", "road", "engine", "report", "value", "people", "letter", "invoice")
Colour = tuple[int, int, int]
INKS: list[Colour] = [(200, 40, 40), (60, 70, 210), (30, 120, 50), (110, 90, 60), (90, 90, 90), (210, 170, 30)]


def scene(seed: int, size: tuple[int, int] = (480, 360), grain: float = 5) -> Image.Image:
    """Shapes on a slope of colours, with grain."""
    rng, (width, height) = np.random.default_rng(seed), size
    down, across = np.mgrid[0:height, 0:width]
    slopes = [
        60 + 120 * rng.random() + 70 * np.sin(across / width * rng.uniform(1, 5) + down / height * rng.uniform(1, 5))
        for _ in range(3)
    ]
    picture = Image.fromarray(np.stack(slopes, axis=2).clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for _ in range(14):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        a, b = rng.uniform(0.04, 0.2) * width, rng.uniform(0.04, 0.2) * height
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape((x - a, y - b, x + a, y + b), fill=tuple(int(value) for value in rng.integers(0, 256, 3)))
    return grained(picture, rng, grain)


def grained(picture: Image.Image, rng: np.random.Generator, sigma: float, light: float = 1) -> Image.Image:
    """A picture with the grain and light of another moment."""
    values = np.asarray(picture).astype(float) * light
    return Image.fromarray((values + rng.normal(0, sigma, values.shape)).clip(0, 255).astype(np.uint8))


def specked(picture: Image.Image, share: float, rng: np.random.Generator) -> Image.Image:
    """Salt and pepper on a share of the pixels."""
    values, chance = np.asarray(picture).copy(), rng.random((picture.height, picture.width))
    values[chance < share / 2], values[chance > 1 - share / 2] = 0, 255
    return Image.fromarray(values)


def text(draw: ImageDraw.ImageDraw, place: tuple[float, float], words: str, size: int, **options: object) -> None:
    """Words in the font that Pillow brings along."""
    draw.text(place, words, font=ImageFont.load_default(size), **{"fill": "black", **options})


def camera(number: int, rng: np.random.Generator, share: tuple[float, float] = (0.03, 0.14)) -> Image.Image:
    """A fixed camera's picture: one of four places, another object in each, another moment."""
    back = scene(number % 4)
    side = round(math.sqrt(rng.uniform(*share) * back.width * back.height))
    place = [int(rng.uniform(0.1, 0.9) * (length - side)) for length in back.size]
    back.paste(scene(1000 + number, (side, side)), tuple(place))
    return grained(back, rng, 3, rng.uniform(0.95, 1.05))


def small_object(number: int, rng: np.random.Generator) -> Image.Image:
    """The same with an object of 2 %."""
    return camera(number, rng, (0.02, 0.02))


def speckled_camera(number: int, rng: np.random.Generator) -> Image.Image:
    """The same with salt and pepper."""
    return specked(camera(number, rng), 0.02, rng)


def burst(number: int, rng: np.random.Generator) -> Image.Image:
    """One scene in which the subject moves by 3 % of the width from picture to picture."""
    back = scene(number // 8)
    mask = Image.new("L", back.size, 0)
    width, height = back.size
    ImageDraw.Draw(mask).ellipse((0.25 * width, 0.2 * height, 0.75 * width, 0.85 * height), fill=255)
    moved = back.copy()
    moved.paste(back, (round(0.03 * (number % 8 - 4) * width), 0), mask)
    return grained(moved, rng, 3, rng.uniform(0.97, 1.03))


def garment(number: int, rng: np.random.Generator) -> Image.Image:
    """One of several forms, in one of six colours."""
    form = np.random.default_rng(number // 6)
    arm, hem = int(form.integers(50, 80)), int(form.integers(180, 250))
    picture = Image.new("RGB", (300, 300), "white")
    outline = [(90, 60), (210, 60), (210 + arm, 130), (215, 160), (215, hem), (85, hem), (85, 160), (90 - arm, 130)]
    ImageDraw.Draw(picture).polygon(outline, fill=INKS[number % 6])
    return picture


def fruit(number: int, rng: np.random.Generator) -> Image.Image:
    """One of several places, in one of six colours, ripe or not."""
    form = np.random.default_rng(number // 6)
    picture, (x, y, radius) = Image.new("RGB", (200, 200), (235, 235, 235)), form.uniform((80, 80, 45), (120, 120, 70))
    ImageDraw.Draw(picture).ellipse((x - radius, y - radius, x + radius, y + radius), fill=INKS[number % 6])
    return picture


def plain(number: int, rng: np.random.Generator) -> Image.Image:
    """A plain colour."""
    return Image.new("RGB", (64, 64), tuple(int(value) for value in rng.integers(0, 256, 3)))


def letter(number: int, rng: np.random.Generator, *, date: str = "") -> Image.Image:
    """Another letter on one letterhead; with a date, one letter of which nothing else changes."""
    chosen, page = random.Random(0 if date else number), Image.new("RGB", (850, 1100), "white")
    draw = ImageDraw.Draw(page)
    text(draw, (90, 90), "ACME Ltd.", 40)
    text(draw, (560, 200), date or f"{1 + number % 28}.{1 + number % 12}.2021", 18)
    for line in range(7):
        text(draw, (90, 300 + 26 * line), " ".join(chosen.choice(WORDS) for _ in range(8)), 18)
    return page


def dated(number: int, rng: np.random.Generator) -> Image.Image:
    """One letter with another date."""
    return letter(number, rng, date=f"{1 + number % 28}.{1 + number % 12}.{2000 + number}")


def screen(number: int, rng: np.random.Generator) -> Image.Image:
    """A table on a screen, in which one number differs."""
    page, chosen = Image.new("RGB", (1280, 720), (245, 246, 248)), random.Random(1)
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, 1280, 56), fill=(40, 60, 110))
    for row in range(14):
        draw.rectangle((24, 84 + 42 * row, 1256, 120 + 42 * row), fill="white" if row % 2 else (235, 238, 244))
        for column in range(5):
            value = f"{chosen.random() * 1000:.2f}"
            value = f"{137.31 * (number + 1) % 1000:.2f}" if (row, column) == (6, 2) else value
            text(draw, (40 + 250 * column, 90 + 42 * row), value, 20)
    return page


def gauge(number: int, rng: np.random.Generator, *, step: float = 0.022, side: int = 320) -> Image.Image:
    """A dial whose needle stands elsewhere in each picture."""
    picture, centre = Image.new("RGB", (side, side), (225, 225, 220)), side / 2
    draw = ImageDraw.Draw(picture)
    draw.ellipse((0.06 * side, 0.06 * side, 0.94 * side, 0.94 * side), fill="white", outline="black", width=5)
    for mark in range(11):
        turn = math.radians(135 + 27 * mark)
        place = (centre + 0.3 * side * math.cos(turn), centre + 0.3 * side * math.sin(turn))
        text(draw, place, str(10 * mark), 16, anchor="mm")
    turn = math.radians(135 + 270 * (step * number % 1))
    end = (centre + 0.33 * side * math.cos(turn), centre + 0.33 * side * math.sin(turn))
    draw.line((centre, centre, *end), fill=(190, 20, 20), width=4)
    return picture


def clock(number: int, rng: np.random.Generator) -> Image.Image:
    """A clock at another time in each picture."""
    picture, centre = Image.new("RGB", (224, 224), "white"), 112
    draw, minutes = ImageDraw.Draw(picture), 17 * number
    draw.ellipse((12, 12, 212, 212), outline="black", width=4)
    for turn, length, width in ((minutes / 720, 45, 6), (minutes / 60, 70, 4)):
        angle = 2 * math.pi * turn
        end = (centre + length * math.sin(angle), centre - length * math.cos(angle))
        draw.line((centre, centre, *end), "black", width)
    return picture


def meter(number: int, rng: np.random.Generator) -> Image.Image:
    """A meter that shows another number in each picture."""
    picture = Image.new("RGB", (320, 240), (200, 205, 200))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((80, 90, 240, 150), fill=(150, 165, 140))
    text(draw, (160, 120), f"{1000 + 37 * number:04d}", 48, anchor="mm")
    return picture


def chart(number: int, rng: np.random.Generator) -> Image.Image:
    """A chart of nine bars, of which one differs."""
    picture, chosen = Image.new("RGB", (400, 300), "white"), random.Random(number // 8)
    draw = ImageDraw.Draw(picture)
    for bar in range(9):
        height = chosen.uniform(40, 240) if bar != 4 else 40 + 25 * (number % 8)
        draw.rectangle((30 + 40 * bar, 280 - height, 58 + 40 * bar, 280), fill=(60, 90, 160))
    return picture


def texture(number: int, rng: np.random.Generator) -> Image.Image:
    """Grain of two sizes, in one colour; every second one with the same joints, as a wall."""
    fine, wide = (cv2.GaussianBlur(rng.normal(0, 1, (256, 256)), (0, 0), sigma) for sigma in (1.2, 6))
    grey = 120 + 22 * fine / fine.std() + 12 * wide / wide.std()
    if number % 2:
        grey[::32], grey[:, ::64] = 60, 60
    return Image.fromarray((grey[..., None] * (1.1, 0.9, 0.8)).clip(0, 255).astype(np.uint8))


def face(number: int, rng: np.random.Generator) -> Image.Image:
    """A face of one kind before one background, each a little other than the others."""
    picture, jitter = scene(number // 20, (256, 256), 3), rng.uniform(-4, 4, 8)
    draw = ImageDraw.Draw(picture)
    skin = tuple(int(value) for value in np.array((224, 178, 150)) + rng.integers(-8, 9, 3))
    draw.ellipse((60 + jitter[0], 40 + jitter[1], 196 + jitter[2], 226 + jitter[3]), fill=skin)
    for x in (100, 156):
        draw.ellipse((x - 12, 105 + jitter[4], x + 12, 121 + jitter[4]), fill="white")
        draw.ellipse((x - 5 + jitter[5], 107, x + 5 + jitter[5], 119), fill=(40, 30, 20))
    draw.arc((100, 150 + 2 * jitter[6], 156, 195 + 2 * jitter[7]), 20, 160, fill=(150, 40, 40), width=5)
    return picture


def icon(number: int, rng: np.random.Generator) -> Image.Image:
    """A white shape on transparency."""
    shape = scene(5000 + number, (96, 96)).convert("L").point(lambda value: 255 if value > 120 else 0)
    return Image.merge("RGBA", (*(Image.new("L", (96, 96), 255),) * 3, shape))


def vehicle(number: int, rng: np.random.Generator) -> Image.Image:
    """A drawn vehicle."""
    return practice.vehicle(practice.LABELS[number % 2], seed=number).picture


Draw = Callable[[int, np.random.Generator], Image.Image]
CHOSEN: dict[str, Draw] = {
    "fixed camera": camera,
    "colour variants": garment,
    "documents": letter,
    "gauges": gauge,
    "textures": texture,
    "icons": icon,
    "vehicles": vehicle,
    "fixed camera, salt and pepper": speckled_camera,
}
UNSEEN: dict[str, Draw] = {
    "fixed camera, objects of 2 %": small_object,
    "colour variants of fruit": fruit,
    "plain colours": plain,
    "documents, another date": dated,
    "screenshots, another number": screen,
    "clocks": clock,
    "meters": meter,
    "charts, another bar": chart,
    "faces of one kind": face,
    "bursts of one scene": burst,
}
