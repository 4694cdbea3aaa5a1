"""The decisive look: whether two pictures that look alike are copies of one, or different pictures of one scene.

Near hashes and signatures make pictures *alike*: they share a group, and no split divides them. Only a *copy* may leave
use, and that must be certain. So both pictures are decoded once more, in colour, laid on each other, made equally
bright, and judged by their worst window: see `windows`. What is undecidable stays alike, such as a watermark, a caption
or a thing that moved.
"""

import io
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

import cv2
import numpy as np
from PIL import Image

from toolkit import images
from toolkit.core import remote
from toolkit.duplicates import registration, windows

FIRST, SIDE, SMALL_TYPE = 256, 512, 1024  # pixels of the longer side: looked at first, once more, and where drawn
SMALLEST, MUCH = 48, 3  # pixels of the longer side below which nothing is certain of a picture so many times larger
COARSE = 64  # pixels of the shorter side
HOPELESS = 4.0  # the score there which no closer registration makes a copy's
BLUR = 0.8  # pixels
COVER, SHAPE = 0.72, 1.25  # no copy shows less of the other, and no aspect changes more
PLAIN = 2.0  # standard deviation of every channel, up to which a picture shows nothing to be certain by
ALIKE = 0.8  # correlation of brightness, without which it is another picture
CERTAIN, STRICT = 1.0, 0.6  # the largest score of a copy; of a scene, and of pictures under two labels
SPECKS = (80.0, 40.0, 22.0, 20.0)  # times the noise that lies evenly, at each size; see `windows.worst`
FILTERED = (10.0, 10.0, 10.0, 10.0)  # the same once a median filter has taken the specks away
COLOURLESS, COLOURED = 2.0, 8.0  # mean distance from grey of a picture without colour; least of a coloured pixel
TEXTURED, TONES = 0.5, 25.0  # share of coloured pixels with texture, or range of their grey values, that prove a copy
GREY = 0.8  # the largest score of a copy without colour
NEUTRAL = 0.5  # what OpenCV calls chroma 0 in floating point
DRAWN = 0.55  # share of the two commonest grey values, of 32, in a drawing or a page; photographs have up to 0.45
NO_COLOUR = "one has no colour"

Verdict = Literal["copy", "alike", "different"]


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture: uint8 pixels of shape (height, width, 3 or 4), and the whole picture's width and height."""

    pixels: np.ndarray
    width: int
    height: int

    @cached_property
    def drawn(self) -> bool:
        """Whether it is a drawing, a page or a screen: two tones cover most of it, and small type is what it shows."""
        grey = cv2.cvtColor(cv2.medianBlur(_before(self, 255).astype(np.uint8), 3), cv2.COLOR_RGB2GRAY)
        counts = np.bincount(grey.ravel() // 8, minlength=32)
        return bool(np.sort(counts)[-2:].sum() > DRAWN * grey.size)


@dataclass(frozen=True)
class Look:
    """What the decisive look says of two pictures.

    Args:
        verdict: "copy", "alike" (nobody knows: both stay, in one group) or "different".
        score: dissimilarity of the worst window over its limit; a copy has 1 at most.
        where: centre across and down, and side, of the worst window, as shares of the frame.
        why: what differs there, in words.
        identical: whether the pixels, or the files, are the same.
    """

    verdict: Verdict
    score: float = np.inf
    where: tuple[float, float, float] = (0.5, 0.5, 1.0)
    why: str = ""
    identical: bool = False

    @property
    def words(self) -> str:
        """How much differs, and where, for a person; "" if nothing does."""
        if self.identical:
            return ""
        across, down, _ = self.where
        return f"differs by {self.score:.2f} of 1 at {across:.0%} across and {down:.0%} down"

    def certain(self, *, strict: bool = False) -> bool:
        """Whether it is a copy; `strict` asks for the stronger evidence that a scene, or two labels, take."""
        return self.verdict == "copy" and self.score <= (STRICT if strict else CERTAIN)


def decode(source: images.Source, *, side: int = SIDE) -> Picture:
    """Decode a picture for a look: upright, with its transparency, its longer side `side` at most.

    Args:
        source: a path, or the bytes of a file.
        side: pixels; a large JPEG is decoded at a fraction of its size.

    Raises:
        ImageError: with the reason in words.
    """
    source = remote.content(source)
    picture, facts = images.inspect(source, min_side=side * 3 // 4)
    if facts["format"] != "JPEG":
        picture = _transparent(source) or picture
    return Picture(registration.sized(np.asarray(picture), side), facts["width"], facts["height"])


def _transparent(source: images.Source) -> Image.Image | None:
    """The same picture with its transparency, if it has any."""
    with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=images.FORMATS) as opened:
        if not opened.has_transparency_data:
            return None
        return images.upright(opened.convert("RGBA"), images.exif_orientation(opened))


def compare(left: Picture, right: Picture) -> Look:
    """Look at two decoded pictures; transparent ones before white and before black.

    >>> compare(decode("holiday.jpg"), decode("copy.jpg")).verdict  # doctest: +SKIP
    'copy'
    """
    if (look := identical(left, right)).identical:
        return look
    transparent = (left.pixels.shape[2] == 4) + (right.pixels.shape[2] == 4)
    pairs = [(_before(left, ground), _before(right, ground)) for ground in ((255, 0) if transparent else (255,))]
    if (
        transparent
    ):  # of a white shape before white nothing is to be seen; where one has a ground of its own, it is that
        seen = min if transparent == 1 else max
        pairs = [pair for pair in pairs if seen(registration.spread(side) for side in pair) > windows.FLAT]
    looks = [_opaque(*pair, drawn=left.drawn or right.drawn) for pair in pairs]
    looks = looks or [Look("alike", why="nothing to be seen")]
    return (max if transparent == 2 else min)(looks, key=lambda look: look.score)


def identical(left: Picture, right: Picture) -> Look:
    """Look only whether two pictures have the same pixels: "copy" or "alike"."""
    same_size = (left.width, left.height) == (right.width, right.height)
    if same_size and np.array_equal(left.pixels, right.pixels):
        return Look("copy", 0.0, identical=True)
    return Look("alike")


def _before(picture: Picture, ground: int) -> np.ndarray:
    """A picture before a ground of one grey value: float32, shape (height, width, 3)."""
    values = picture.pixels[..., :3].astype(np.float32)
    if picture.pixels.shape[2] == 3:
        return values
    alpha = picture.pixels[..., 3:].astype(np.float32) / 255
    return values * alpha + ground * (1 - alpha)


def _opaque(left: np.ndarray, right: np.ndarray, *, drawn: bool) -> Look:
    """Look at two pictures without transparency, at the size of the smaller one at most."""
    if left.size > right.size:
        left, right = right, left
    sides, shape = (max(left.shape[:2]), max(right.shape[:2])), left.shape
    if not 1 / SHAPE < shape[1] / shape[0] * right.shape[0] / right.shape[1] < SHAPE:
        return Look("different", why="another shape")
    if max(registration.spread(side) for side in (left, right)) < PLAIN:
        return Look("alike", why="nothing to be seen")
    right = registration.resized(right, shape)
    coloured, left, right = _without_colour(left, right)
    look = _despite_specks(left, right, drawn=drawn)
    if look.verdict == "copy" and coloured is not None:
        look = replace(look, score=look.score / GREY, why=NO_COLOUR)
        if look.score > CERTAIN or not _telling(coloured):
            look = replace(look, verdict="alike", score=max(look.score, 1.01))
    if look.verdict == "copy" and sides[0] < min(SMALLEST, sides[1] / MUCH):
        return Look("alike", 1.01, look.where, "one is too small to tell")
    return look


def _despite_specks(left: np.ndarray, right: np.ndarray, *, drawn: bool) -> Look:
    """Look at two pictures of one shape, and where noise lies evenly over a photograph, once more in spite of it.

    The specks of salt and pepper, in whatever number they fall into a window, are no evidence; and what a median filter
    leaves must be that of a copy too. On a page of small type either would hide what differs.
    """
    look, _ = found = _sizes(left, right)
    if look.verdict == "copy" or drawn or not found.evenly:
        return look
    look = _sizes(left, right, specks=SPECKS)[0]
    if look.verdict != "copy":
        return look
    filtered = _sizes(*(cv2.medianBlur(side, 3) for side in (left, right)), specks=FILTERED)[0]
    return max(look, filtered, key=lambda look: look.score)


class _Laid(NamedTuple):
    """A look at two pictures as they were laid on each other, and where noise may lie evenly over them."""

    look: Look
    levels: tuple[windows.Level, ...] = ()

    @property
    def evenly(self) -> bool:
        """Whether noise lies evenly over them, as salt and pepper; told only where somebody asks."""
        return any(map(windows.lies_evenly, self.levels))


def _sizes(left: np.ndarray, right: np.ndarray, *, specks: tuple[float, ...] = ()) -> _Laid:
    """Look at two pictures of one shape: coarsely, then small, and at what seems a copy once more as large as it is."""
    small, other = (registration.sized(side, FIRST) for side in (left, right))
    moved, large = np.eye(3), min(small.shape[:2]) > 2 * COARSE
    look, levels = (_coarsely if large else _laid)(small, other, moved, specks)
    if large and look.score <= HOPELESS:
        look, levels = _laid(small, other, moved, specks)
    if look.verdict != "copy":
        found = _registered(small, other, specks)
        if found is not None:
            closer = _laid(small, other, found, specks).look
            moved, look = min((moved, look), (found, closer), key=lambda pair: pair[1].score)
    if look.verdict == "copy" and small is not left:
        whole = _laid(left, right, registration.rescaled(moved, small.shape, left.shape), specks)
        look, levels = max(look, whole.look, key=lambda look: look.score), levels + whole.levels
    return _Laid(look, levels)


def _coarsely(left: np.ndarray, right: np.ndarray, moved: np.ndarray, specks: tuple[float, ...]) -> _Laid:
    """Look at two pictures at a size at which little is to be seen, and little is to be computed."""
    small, other = (registration.sized(side, _coarse(left.shape)) for side in (left, right))
    return _laid(small, other, registration.rescaled(moved, left.shape, small.shape), specks)


def _coarse(shape: tuple[int, ...]) -> int:
    """The longer side where the shorter one is coarse."""
    return round(COARSE * max(shape[:2]) / min(shape[:2]))


def _registered(left: np.ndarray, right: np.ndarray, specks: tuple[float, ...]) -> np.ndarray | None:
    """How the right picture lies on the left one, if one is a crop of the other."""
    moved = registration.register(left, right, most=_coarse(left.shape))
    if not registration.nested(moved, left.shape, loose=3 * registration.LOOSE):
        return None
    if _coarsely(left, right, moved, specks).look.score > HOPELESS:
        return None
    moved = registration.register(left, right, start=moved, least=COARSE)
    return moved if registration.nested(moved, left.shape) else None


def _laid(left: np.ndarray, right: np.ndarray, moved: np.ndarray, specks: tuple[float, ...]) -> _Laid:
    """Look at two pictures of one shape, the right one moved."""
    right, shown = registration.laid(right, moved)
    if cv2.countNonZero(shown) < COVER * shown.size:
        return _Laid(Look("different", why="little in common"))
    left, right = registration.as_bright(left, right, shown)
    left, right = (cv2.GaussianBlur(side, (0, 0), BLUR) for side in (left, right))
    worst = windows.worst(left, right, shown, specks=specks)
    if worst is None:
        return _Laid(Look("alike", why="too small to tell"))
    verdict: Verdict = "copy" if worst.score <= CERTAIN else "alike" if worst.correlation >= ALIKE else "different"
    near = (worst.finest,) if worst.finest and worst.score <= windows.ENOUGH else ()
    return _Laid(Look(verdict, worst.score, worst.where, worst.what), near)


def _without_colour(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:
    """Where just one picture has no colour, the coloured one, and both by their brightness alone."""
    coloured = [side for side in (left, right) if _chroma(registration.sized(side, COARSE)).mean() > COLOURLESS]
    if len(coloured) != 1:
        return None, left, right
    left, right = (cv2.cvtColor(cv2.cvtColor(side, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB) for side in (left, right))
    return coloured[0], left, right


def _chroma(picture: np.ndarray) -> np.ndarray:
    """How far each pixel is from grey."""
    return np.abs(cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb)[..., 1:] - NEUTRAL).max(axis=2)


def _telling(picture: np.ndarray) -> bool:
    """Whether brightness tells what is coloured: of a plain shirt it proves nothing, whatever the colour."""
    small = registration.sized(picture, FIRST)
    grey, coloured = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), _chroma(small) > COLOURED
    if not coloured.any():
        return False
    mean, square = (cv2.blur(side, (windows.WINDOW, windows.WINDOW)) for side in (grey, grey * grey))
    low, high = np.quantile(grey[coloured], (0.1, 0.9))
    textured = (square - mean * mean > windows.NOISE[0])[coloured].mean()
    return bool(textured >= TEXTURED or high - low >= TONES)
