"""Opening, cropping and scaling pictures, in the same way for cleaning, training, prediction and service."""

import io
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypedDict, cast

import numpy as np
from PIL import Image

from toolkit.core import remote
from toolkit.errors import ImageError, is_of_the_machine
from toolkit.images import arrays, bounds, colour, jpeg, kinds, mending
from toolkit.images.arrays import from_array as from_array
from toolkit.images.kinds import ENDINGS as ENDINGS
from toolkit.images.kinds import FORMATS, sniff
from toolkit.images.orientation import ORIENTATION as ORIENTATION
from toolkit.images.orientation import exif_orientation, upright

MODES = ("crop", "letterbox", "squash")
MAX_PIXELS = int(os.environ.get("TOOLKIT_MAX_PIXELS") or 89_478_485)  # Pillow's own, a quarter of a gigabyte of RGB
PADDING = (127, 127, 127)  # round a letterboxed picture: neither dark nor light
OVERSAMPLED = 2  # times the side of the result that a JPEG is decoded at, at least
OVERSAMPLED_EIGHTH = 1.45  # the same at 1/8 of its size, where most time is saved
RUN_LENGTHS = 3  # zlib's strategy: a fifth faster than its own choice on photographs, and no larger

Source = str | Path | bytes  # a file
Picture = Source | Image.Image | np.ndarray  # a file, or what is in memory already
Box = tuple[float, float, float, float]


class Info(TypedDict):
    """A picture file: width and height in pixels, upright; its format, frames (1 unless animated), and a note.

    The note says how what is shown was chosen, such as the range of deep grey values; "" where it had not to be.
    """

    width: int
    height: int
    format: str
    frames: int
    note: str


def read(source: Picture, *, min_side: int = 0, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Open a picture as upright 8-bit RGB.

    EXIF orientation is applied; colour profiles are followed into sRGB; transparent pixels are laid over white, or
    over black if nothing is to be seen on white; palette and CMYK pictures are converted by value, those of 16 and 32
    bits from their lowest value to their highest; of an animation the first frame is taken.

    Args:
        source: a path, the bytes of a file, a PIL image, or an array, see `from_array`.
        min_side: shortest side in pixels that is still enough; a JPEG may then be decoded at 1/2, 1/4 or 1/8 of its
            size, many times faster. 0 decodes it whole.
        max_pixels: width times height above which the file is refused before it is decoded.

    Returns:
        A `PIL.Image.Image` in mode RGB, fully loaded.

    Raises:
        ImageError: with the reason in words.

    >>> read("holiday.jpg").mode  # doctest: +SKIP
    'RGB'
    """
    return _load(source, enough=(min_side, min_side), max_pixels=max_pixels).picture


def inspect(source: Picture, *, min_side: int = 0, max_pixels: int = MAX_PIXELS) -> tuple[Image.Image, Info]:
    """Like `read`, and also say what the file was.

    Returns:
        The picture, and a dict with `width` and `height` (pixels, upright, of the whole picture), `format` ("JPEG", …),
        `frames` (1 unless animated) and `note` (how what is shown was chosen; "" where it had not to be).
    """
    opened = _load(source, enough=(min_side, min_side), max_pixels=max_pixels)
    return opened.picture, opened.info


def square(picture: Image.Image, size: int, mode: str = "crop", *, area: Box | None = None) -> Image.Image:
    """Make a picture a square of `size` pixels, antialiased.

    What is kept is found as numbers with fractions and scaled in one go, so the result is exactly size × size, and its
    centre the picture's, whatever the input; rounding the longer side first, as `int(w * size / h)` does, is one pixel
    short for many inputs.

    Args:
        picture: any size from 1×1 up.
        size: side of the result in pixels, at least 1.
        mode: "crop" scales the shortest side and cuts the centre out of the longer one; "letterbox" scales the longest
            side and fills the rest with grey; "squash" scales each side on its own.
        area: left, top, right and bottom of what the picture is, in pixels; None for all of it.

    >>> square(Image.new("RGB", (20_000, 1)), 64).size
    (64, 64)
    """
    if size < 1:
        raise ValueError(f"expected a size of at least 1 pixel, got {size}")
    if mode not in MODES:
        raise ValueError(f"expected a mode of {', '.join(MODES)}, got {mode!r}")
    left, top, right, bottom = area or (0, 0, *picture.size)
    if mode == "crop":
        side = min(right - left, bottom - top)
        left, top = (left + right - side) / 2, (top + bottom - side) / 2
        right, bottom = left + side, top + side
    scale = size / max(right - left, bottom - top)
    shape = [max(1, round(scale * length)) for length in (right - left, bottom - top)]
    shape = shape if mode == "letterbox" else [size, size]
    scaled = picture.resize(shape, Image.Resampling.LANCZOS, box=(left, top, right, bottom), reducing_gap=3.0)
    if scaled.size == (size, size):
        return scaled
    page = Image.new("RGB", (size, size), PADDING)
    page.paste(scaled, ((size - shape[0]) // 2, (size - shape[1]) // 2))
    return page


def enlargement(width: int, height: int, size: int, mode: str = "crop") -> float:
    """By which factor `square` enlarges a picture, along the side it enlarges most; 1 or less if it does not.

    >>> enlargement(100, 50, 200)
    4.0
    """
    return size / max(1, max(width, height) if mode == "letterbox" else min(width, height))


def prepare(source: Picture, size: int, mode: str = "crop", *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Preprocessing of every network: a picture opened, and made a square.

    A JPEG is decoded at a fraction of its size where that is enough, of a progressive one only what that needs.

    Args:
        source: see `read`.
        size: side of the result in pixels.
        mode: see `square`.
        max_pixels: as in `read`.

    Returns:
        uint8 array of shape (size, size, 3), RGB, 0 to 255.

    Raises:
        ImageError: with the reason in words.
    """
    enough = (OVERSAMPLED * size, math.ceil(OVERSAMPLED_EIGHTH * size))
    opened = _load(source, enough=enough, max_pixels=max_pixels)
    return np.asarray(square(opened.picture, size, mode, area=opened.area))


def pixels(content: bytes) -> float:
    """Width times height as the header of a file tells them; 0 if it tells nothing, infinite beyond what Pillow opens.

    >>> pixels(b"no picture")
    0
    """
    _let_pillow(MAX_PIXELS)
    try:
        bounds.check(content)
        with Image.open(io.BytesIO(content), formats=_formats(content)) as image:
            return image.width * image.height
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        return math.inf
    except Exception:  # whatever is wrong with it, it is not its size
        return 0


@dataclass(frozen=True)
class _Opened:
    """A picture, the part of it that is no padding, and what the file was."""

    picture: Image.Image
    area: Box
    info: Info


def _load(source: Picture, *, enough: tuple[int, int], max_pixels: int) -> _Opened:
    """Open a picture; `enough` is the shortest side that will do, and that at 1/8; 0 for all of it."""
    if not isinstance(source, str | bytes) and not hasattr(source, "read_bytes"):  # no path, and no URL
        picture, note = arrays.upright_rgb(source, max_pixels)
        kind = getattr(source, "format", "") or ""
        facts = Info(width=picture.width, height=picture.height, format=kind, frames=1, note=note)
        return _Opened(picture, (0, 0, *picture.size), facts)
    source = remote.content(cast(Source, source))
    _let_pillow(max_pixels)
    try:
        source = bounds.content(source)
        bounds.check(source)
        try:
            return _opened(source, enough, max_pixels)
        except (ImageError, Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise
        except Exception as error:  # decoders raise a dozen kinds
            return _mended(source, error, enough, max_pixels)
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageError(f"no file at {source!s}") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        found = re.search(r"\d+", str(error))  # Pillow's first number; its words are about attacks
        many = f"{int(found[0]):,} pixels, more" if found else "more pixels"
        raise ImageError(f"{many} than the limit of {max_pixels:,}") from error
    except Exception as error:  # each means the same to the row it becomes
        if is_of_the_machine(error):
            raise
        raise ImageError(kinds.reason(source, error)) from error


def _let_pillow(max_pixels: int) -> None:
    """Raise Pillow's own limit where more was asked for, or it would refuse that."""
    if max_pixels > (Image.MAX_IMAGE_PIXELS or max_pixels):
        Image.MAX_IMAGE_PIXELS = max_pixels


def _mended(source: Source, error: Exception, enough: tuple[int, int], max_pixels: int) -> _Opened:
    """The picture of a file that could not be opened as it is."""
    mended = mending.mended(source)
    if mended is None:
        raise error
    try:
        return _opened(mended, enough, max_pixels)
    except ImageError:
        raise
    except Exception:
        raise error from None


def _opened(source: Source, enough: tuple[int, int], max_pixels: int) -> _Opened:
    with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=_formats(source)) as image:
        if image.width * image.height > max_pixels:
            raise ImageError(f"{image.width}x{image.height} pixels, more than the limit of {max_pixels:,}")
        if max(image.size) > bounds.MAX_SIDE:
            raise ImageError(f"{image.width}x{image.height} pixels, a side of more than {bounds.MAX_SIDE:,}")
        width, height = image.size
        kind, frames = image.format or "", getattr(image, "n_frames", 1)
        loaded, part = _decoded(image, enough)
        if kind == "JPEG":
            mending.check_whole(loaded, source)
        turned = exif_orientation(loaded)  # after loading: a TIFF is upright by then, and a PNG may say it last
        picture, note = colour.to_rgb(loaded)
        picture = upright(picture, turned)
    width, height, part = (height, width, part[::-1]) if turned >= 5 else (width, height, part)
    info = Info(width=width, height=height, format=kind, frames=frames, note=note)
    return _Opened(picture, _area(picture.size, part, turned), info)


def _formats(source: Source) -> tuple[str, ...]:
    """What a file may be, for Pillow: the reader of HEIC takes long to load, and is asked about its own files alone."""
    return kinds.heif() if isinstance(source, bytes) and sniff(source) == "heic" else FORMATS


def _decoded(image: Image.Image, enough: tuple[int, int]) -> tuple[Image.Image, tuple[float, float]]:
    """The picture loaded, a JPEG at 1/2, 1/4 or 1/8 of its size if that is enough; and how much of it is no padding.

    At 1/8 an edge of 3001 pixels becomes 376 whole ones, of which the picture fills 375.125.
    """
    side, side_at_eighth = enough
    if 0 < 8 * side_at_eighth <= min(image.size):
        side = side_at_eighth
        image = _only_eighth(image) if image.info.get("progressive") else image
    drawn = image.draft(None, (side, side)) if side else None
    image.load()
    return image, drawn[1][2:] if drawn else image.size


def _only_eighth(image: Image.Image) -> Image.Image:
    """A progressive JPEG without what an eighth of it does not need."""
    file: BinaryIO = image.fp  # type: ignore[attr-defined]  # the file that Pillow reads from, which its types lack
    file.seek(0)
    part = jpeg.eighth(file.read())
    return Image.open(io.BytesIO(part), formats=("JPEG",)) if part else image


def _area(size: tuple[int, int], part: tuple[float, float], orientation: int) -> Box:
    """Where in an upright picture that part is: at its left and top, or where turning it has brought those."""
    left = size[0] - part[0] if orientation in (2, 3, 6, 7) else 0.0
    top = size[1] - part[1] if orientation in (3, 4, 7, 8) else 0.0
    return left, top, left + part[0], top + part[1]


def to_png(array: np.ndarray) -> bytes:
    """The PNG bytes of a uint8 array of shape (height, width, 3), packed quickly rather than tightly."""
    return _encoded(array, "PNG", compress_level=1, compress_type=RUN_LENGTHS)


def to_jpeg(array: np.ndarray, *, quality: int = 95) -> bytes:
    """The JPEG bytes of a uint8 array of shape (height, width, 3); `quality` from 1 to 100."""
    return _encoded(array, "JPEG", quality=quality)


def _encoded(array: np.ndarray, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind, **options)
    return buffer.getvalue()
