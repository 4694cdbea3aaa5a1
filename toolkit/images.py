"""Opening, cropping and scaling pictures: the one way, used in cleaning, training, prediction and service alike."""

import io
import math
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from toolkit import remote
from toolkit.errors import ImageError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")  # an MPO is opened as JPEG
MAX_PIXELS = 89_478_485  # Pillow's own limit, a quarter of a gigabyte of RGB
ORIENTATION = 0x0112
HTML = (b"<!doctype", b"<html", b"<?xml", b"<svg")

Source = str | Path | bytes


def read(source: Source, *, min_side: int = 0, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Open a picture as upright 8-bit RGB.

    EXIF orientation is applied; transparent pixels are laid over white; grey, palette, CMYK and 16-bit pictures are
    converted by value; of an animation the first frame is taken.

    Args:
        source: a path, or the bytes of a file.
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
    return _load(source, min_side=min_side, max_pixels=max_pixels)[0]


def inspect(source: Source, *, min_side: int = 0, max_pixels: int = MAX_PIXELS) -> tuple[Image.Image, dict]:
    """Like `read`, and also say what the file was.

    Returns:
        The picture, and a dict with `width` and `height` (pixels, upright, undivided), `format` ("JPEG", …), and
        `frames` (1 unless animated).
    """
    return _load(source, min_side=min_side, max_pixels=max_pixels)


def square(picture: Image.Image, size: int) -> Image.Image:
    """Scale the shortest side to `size` pixels and crop the centre, antialiased.

    The centre square is found in whole pixels and scaled in one go, so the result is exactly size × size whatever the
    input; rounding the longer side first, as `int(w * size / h)` does, is one pixel short for many inputs.

    Args:
        picture: any size from 1×1 up.
        size: side of the result in pixels, at least 1.

    >>> square(Image.new("RGB", (20_000, 1)), 64).size
    (64, 64)
    """
    if size < 1:
        raise ValueError(f"expected a size of at least 1 pixel, got {size}")
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    box = (left, top, left + side, top + side)
    return picture.resize((size, size), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)


def prepare(source: Source, size: int) -> np.ndarray:
    """A picture as every network sees it: `read`, then `square`.

    Args:
        source: a path, or the bytes of a file.
        size: side of the result in pixels.

    Returns:
        uint8 array of shape (size, size, 3), RGB, 0 to 255.

    Raises:
        ImageError: with the reason in words.
    """
    return np.asarray(square(read(source, min_side=2 * size), size))


def sniff(head: bytes) -> str | None:
    """The usual file ending for a picture that begins with these bytes, or None if they begin no picture we read.

    >>> sniff(b"\\xff\\xd8\\xff\\xe0....JFIF")
    'jpg'
    """
    if head[4:8] == b"ftyp":
        return "avif" if head[8:12] in (b"avif", b"avis", b"mif1") else None
    if head[:4] == b"RIFF":
        return "webp" if head[8:12] == b"WEBP" else None
    starts = {"jpg": (b"\xff\xd8\xff",), "png": (b"\x89PNG\r\n\x1a\n",), "gif": (b"GIF87a", b"GIF89a")}
    starts |= {"bmp": (b"BM",), "tif": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")}
    return next((ending for ending, magics in starts.items() if head.startswith(magics)), None)


def pixels(content: bytes) -> float:
    """Width times height as the header of a file tells them; 0 if it tells nothing, infinite beyond what Pillow opens.

    >>> pixels(b"no picture")
    0
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            return image.width * image.height
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        return math.inf
    except Exception:  # whatever is wrong with it, it is not its size
        return 0


def _load(source: Source, *, min_side: int, max_pixels: int) -> tuple[Image.Image, dict]:
    source = remote.content(source)
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS) as image:
            if image.width * image.height > max_pixels:
                raise ImageError(f"{image.width}x{image.height} pixels, more than the limit of {max_pixels:,}")
            width, height = image.size
            facts = {"format": image.format, "frames": getattr(image, "n_frames", 1)}
            if min_side:
                image.draft(None, (min_side, min_side))
            image.load()
            turned = _orientation(image)  # after loading: a TIFF is upright by then, and a PNG may say it last
            picture = _upright(_rgb(image), turned)
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageError(f"no file at {source}") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ImageError(f"too many pixels: {error}") from error
    except Exception as error:  # decoders raise a dozen kinds; each means the same to the row it becomes
        raise ImageError(_reason(source, error)) from error
    width, height = (height, width) if turned >= 5 else (width, height)
    return picture, {"width": width, "height": height, **facts}


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1 to 8; 1 where the tag is missing or damaged."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except Exception:  # a damaged EXIF block is no reason to lose the picture
        return 1
    return value if value in range(1, 9) else 1


def _upright(picture: Image.Image, orientation: int) -> Image.Image:
    turn = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # EXIF orientation to Pillow's Transpose
    return picture.transpose(Image.Transpose(turn[orientation])) if orientation in turn else picture


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return _from_deep(image)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        clear = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear).convert("RGB")
    return image.convert("RGB")


def _from_deep(image: Image.Image) -> Image.Image:
    """16-bit grey by value (Pillow's own conversion clips it to white); 32-bit and float from lowest to highest."""
    if image.mode.startswith("I;16"):
        return Image.fromarray(((np.asarray(image).astype(np.uint32) + 128) // 257).astype(np.uint8)).convert("RGB")
    values = np.asarray(image).astype(np.float64)
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    if 0 <= low and high <= 65_535 and (finite == np.floor(finite)).all():  # 8 or 16 bits in a wider number
        grey = values / 257 if high > 255 else values
    else:
        grey = (values - low) * (255 / max(high - low, 1e-12))
    grey = np.nan_to_num(grey, nan=0, posinf=255, neginf=0)
    return Image.fromarray(grey.clip(0, 255).round().astype(np.uint8)).convert("RGB")


def _reason(source: Source, error: Exception) -> str:
    """Why a file could not be opened, in words."""
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as file:
            head = file.read(512)
    except OSError as problem:
        return f"cannot be read: {problem.strerror or problem}"
    except ValueError as problem:  # a path that can be none, with a null character in it
        return f"cannot be read: {problem}"
    if not head:
        return "empty file"
    if head.lstrip().lower().startswith(HTML):
        return "a web page or drawing, not a picture"
    if sniff(head) is None:
        return "not a picture in a format that is read (JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF)"
    if isinstance(error, UnidentifiedImageError):  # whose words hold the path, which differs from machine to machine
        return "damaged: its first bytes are those of a picture, what follows is not"
    detail = str(error) or type(error).__name__
    return "truncated" if "truncat" in detail.lower() or "unexpected end" in detail.lower() else f"damaged: {detail}"


def to_png(array: np.ndarray) -> bytes:
    """The PNG bytes of a uint8 array of shape (height, width, 3)."""
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
