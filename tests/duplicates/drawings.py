"""Pictures that look alike and are not the same, drawn by code."""

import math
import random

import numpy as np
from helpers import encoded
from PIL import Image, ImageDraw, ImageFont

WORDS = ("the", "of", "and", "tank", "car", "road", "engine", "report", "value", "people", "letter", "invoice")


def scene(seed, size=(320, 240), grain=5):
    """A picture like no other: shapes on a slope of colours, with grain."""
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


def grained(picture, rng, sigma, light=1.0):
    values = np.asarray(picture).astype(float) * light
    return Image.fromarray((values + rng.normal(0, sigma, values.shape)).clip(0, 255).astype(np.uint8))


def moment(picture, rng):
    """A fixed camera's picture a moment later: other light, other grain."""
    return encoded(grained(picture, rng, 3, rng.uniform(0.95, 1.05)), "JPEG", quality=90)


def with_object(picture, thing, share, rng):
    side = round(math.sqrt(share * picture.width * picture.height))
    changed = picture.copy()
    place = [int(rng.uniform(0.1, 0.9) * (length - side)) for length in picture.size]
    changed.paste(thing.resize((side, side)), tuple(place))
    return changed


def specked(picture, share, seed=0):
    """Salt and pepper on a share of all pixels."""
    values, chance = np.asarray(picture).copy(), np.random.default_rng(seed).random((picture.height, picture.width))
    values[chance < share / 2], values[chance > 1 - share / 2] = 0, 255
    return Image.fromarray(values)


def letter(seed, date="1.2.2020"):
    chosen, page = random.Random(seed), Image.new("L", (850, 1100), 255)
    draw = ImageDraw.Draw(page)
    draw.text((90, 90), "ACME Ltd.", 0, ImageFont.load_default(40))
    draw.text((560, 200), date, 0, ImageFont.load_default(18))
    for line in range(7):
        words = " ".join(chosen.choice(WORDS) for _ in range(8))
        draw.text((90, 300 + 26 * line), words, 0, ImageFont.load_default(18))
    return page


def shirt(colour):
    picture = Image.new("RGB", (300, 300), "white")
    ImageDraw.Draw(picture).polygon(
        [(90, 60), (210, 60), (270, 130), (215, 160), (215, 240), (85, 240), (85, 160), (30, 130)], fill=colour
    )
    return picture


def gauge(angle):
    picture = Image.new("RGB", (320, 320), (225, 225, 220))
    draw, centre = ImageDraw.Draw(picture), 160
    draw.ellipse((20, 20, 300, 300), fill="white", outline="black", width=5)
    for number in range(11):
        turn = math.radians(135 + 27 * number)
        place = (centre + 96 * math.cos(turn), centre + 96 * math.sin(turn))
        draw.text(place, str(10 * number), "black", ImageFont.load_default(16), anchor="mm")
    turn = math.radians(135 + 270 * angle)
    end = (centre + 106 * math.cos(turn), centre + 106 * math.sin(turn))
    draw.line((centre, centre, *end), fill=(190, 20, 20), width=4)
    return picture


def icon(seed):
    """A white shape on transparency."""
    mask = scene(seed, (96, 96)).convert("L").point(lambda value: 255 if value > 120 else 0)
    return Image.merge("RGBA", (*(Image.new("L", (96, 96), 255),) * 3, mask))


def watermarked(picture):
    marked = picture.copy()
    width, height = picture.size
    ImageDraw.Draw(marked).text(
        (width / 2, 0.7 * height), "sample.org", "white", ImageFont.load_default(height // 8), anchor="mm"
    )
    return marked
