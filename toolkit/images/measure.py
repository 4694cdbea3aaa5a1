"""What a picture tells about itself, from opening its file once. Light to load, for it is what workers run."""

import os
import stat
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from toolkit import images
from toolkit.core import remote
from toolkit.errors import ImageError
from toolkit.images import luma

ENOUGH = 256  # pixels; a JPEG is decoded at a fraction of its size as long as the shortest side keeps this many
SIDE = 32  # pixels of a signature
GAP = 2.0  # times the side of a signature, to which a picture is shrunk quickly before it is scaled well
COMPARABLE = 512  # pixels of the longest side, at which sharpness, brightness and entropy are measured
TOGETHER = 4  # pictures of one shape from which on their signatures are made together
LEVELS = np.arange(256, dtype=np.float64)  # grey values
SKETCH = np.dtype(  # what finding copies takes; sha256 is empty where no other file has as many bytes
    [("width", "i4"), ("height", "i4"), ("sharpness", "f8"), ("sha256", "V32"), ("grey", "u1", (32, 32))]
)
HASHES = {"ahash": "average_hash", "dhash": "dhash", "whash": "whash", "colorhash": "colorhash"}  # names in imagehash


def of(
    source: images.Source, *, max_pixels: int = images.MAX_PIXELS, whole: bool = False, hashes: Sequence[str] = ()
) -> dict:
    """Size, format, sharpness, brightness, entropy, aspect, further hashes, and a grey signature.

    Args:
        source: a path, or the bytes of a file.
        max_pixels: width times height above which a file is not decoded.
        whole: decode a large JPEG whole and not at a fraction of its size.
        hashes: of "ahash", "dhash", "whash" and "colorhash", those to add.

    Returns:
        A dict of columns of the manifest, and "signature", a uint8 array of shape (32, 32).

    Raises:
        ImageError: with the reason in words.

    >>> of("holiday.jpg")["format"]  # doctest: +SKIP
    'JPEG'
    """
    if whole or hashes:
        picture, told = images.inspect(source, min_side=0 if whole else ENOUGH, max_pixels=max_pixels)
        pixels = np.asarray(picture.convert("L"))
    else:
        pixels, told = _grey(source, max_pixels)
    return {
        "width": told["width"],
        "height": told["height"],
        "format": told["format"],
        "aspect": round(told["width"] / told["height"], 4),
        "signature": _signature(pixels, whole=whole),
        **_measures(_comparable(pixels)),
        **{name: _hash(picture, name) for name in hashes},
    }


def of_many(root: Path, rows: Sequence[tuple[str, str]], **options: object) -> list[dict]:
    """The facts of several files; one that cannot be opened has a status and a reason instead.

    Args:
        root: folder of the dataset.
        rows: path and sha256 of each; a sha256 that is not known yet, "", is found out, and the size in bytes with it.
        options: as in `of`.
    """
    return [_guarded(root / path, known, options) for path, known in rows]


def sketches(files: Sequence[tuple[str, bool]], *, max_pixels: int = images.MAX_PIXELS) -> tuple[np.ndarray, dict]:
    """Of several files what finding copies takes, and no more.

    Args:
        files: path of each, and whether another file has as many bytes; it may then be the same file.
        max_pixels: width times height above which a file is not decoded.

    Returns:
        An array of `SKETCH`, a row per file, and why some could not be opened, by their place.
    """
    rows, reasons, seen, alike, shrunk = np.zeros(len(files), SKETCH), {}, {}, {}, {}
    for place, (file, perhaps_twice) in enumerate(files):
        try:
            source = _quickly(file)
            digest = sha256(source).digest() if perhaps_twice and isinstance(source, bytes) else b""
            first = seen.setdefault(digest, place) if digest else place
            if first != place and first not in reasons:
                alike.setdefault(first, []).append(place)
                continue
            pixels, told = _grey(source, max_pixels)
            rows[place] = told["width"], told["height"], round(sharpness(_comparable(pixels)), 1), digest, 0
            shrunk.setdefault(pixels.shape, []).append((place, _shrunk(pixels)))
        except ImageError as error:
            reasons[place] = error.reason
        except Exception as error:
            reasons[place] = f"{type(error).__name__}: {error}"
    for shape, some in shrunk.items():
        places, small = zip(*some, strict=True)
        rows["grey"][list(places)] = _signatures(small, shape)
    for first, others in alike.items():
        rows[others] = rows[first]
    return rows, reasons


def sharpness(grey: np.ndarray) -> float:
    """Variance of the Laplacian of a grey picture (Pech-Pacheco et al., 2000); low means blurred.

    Args:
        grey: uint8 array of shape (height, width).
    """
    edges = cv2.Laplacian(grey, cv2.CV_16S)
    return max(0.0, cv2.norm(edges, cv2.NORM_L2SQR) / edges.size - cv2.mean(edges)[0] ** 2)


def _grey(source: images.Source, max_pixels: int) -> tuple[np.ndarray, dict]:
    """The grey values of a picture, perhaps at a fraction of its size, and what the file is."""
    found = luma.decoded(source, min_side=ENOUGH, max_pixels=max_pixels) if isinstance(source, bytes) else None
    if found:
        return found
    picture, told = images.inspect(source, min_side=ENOUGH, max_pixels=max_pixels)
    return np.asarray(picture.convert("L")), told


def _comparable(grey: np.ndarray) -> np.ndarray:
    """The picture at the size at which pictures are measured."""
    if max(grey.shape) <= COMPARABLE:
        return grey
    picture = Image.fromarray(grey)
    picture.thumbnail((COMPARABLE, COMPARABLE), Image.Resampling.BOX)
    return np.asarray(picture)


def _signature(grey: np.ndarray, *, whole: bool) -> np.ndarray:
    """The picture at 32×32 pixels, as imagehash makes it for its perceptual hash, or a little sooner."""
    side, gap = (SIDE, SIDE), None if whole else GAP
    return np.asarray(Image.fromarray(grey).resize(side, Image.Resampling.LANCZOS, reducing_gap=gap))


def _shrunk(grey: np.ndarray) -> np.ndarray:
    """The first, quick step of making a signature, as Pillow takes it for a `reducing_gap`."""
    factors, (high, wide) = _factors(grey.shape), grey.shape
    if factors == (1, 1):
        return grey
    if factors == (2, 2) and high % 2 == wide % 2 == 0:  # OpenCV rounds as Pillow does here, and is sooner done
        return cv2.resize(grey, (wide // 2, high // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(Image.fromarray(grey).reduce(factors))


def _factors(shape: tuple[int, int]) -> tuple[int, int]:
    return int(shape[1] / SIDE / GAP) or 1, int(shape[0] / SIDE / GAP) or 1


def _signatures(pictures: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """The signatures of shrunk pictures that had this shape, to the bit those of `_signature`.

    Pillow finds out its weights anew for each picture, which takes longer than using them.
    """
    if len(pictures) >= TOGETHER and max(shape) <= 4 * COMPARABLE:
        small = np.stack(pictures)
        for scaled in (_across_first, _down_first):
            if _as_pillow(scaled, shape):
                return scaled(small, shape)
    box = 0, 0, shape[1] / _factors(shape)[0], shape[0] / _factors(shape)[1]
    side, filter = (SIDE, SIDE), Image.Resampling.LANCZOS
    return np.stack([np.asarray(Image.fromarray(small).resize(side, filter, box)) for small in pictures])


@cache
def _as_pillow(scaled: Callable, shape: tuple[int, int]) -> bool:
    """Whether Pillow scales pictures of this shape in this order; its choice differs with shape and version."""
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return np.array_equal(scaled(_shrunk(noise)[None], shape)[0], _signature(noise, whole=False))


def _across_first(small: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Scale many pictures at once: laid below one another across, then beside one another down."""
    (count, high, wide), side, (across, down) = small.shape, SIDE, _factors(shape)
    box = 0, 0, shape[1] / across, count * high
    below = Image.fromarray(small.reshape(count * high, wide))
    below = np.asarray(below.resize((side, count * high), Image.Resampling.LANCZOS, box))
    beside = Image.fromarray(below.reshape(count, high, side).transpose(1, 0, 2).reshape(high, count * side))
    box = 0, 0, count * side, shape[0] / down
    beside = np.asarray(beside.resize((count * side, side), Image.Resampling.LANCZOS, box))
    return beside.reshape(side, count, side).transpose(1, 0, 2)


def _down_first(small: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    turned = np.ascontiguousarray(small.transpose(0, 2, 1))
    return _across_first(turned, shape[::-1]).transpose(0, 2, 1)


def _measures(grey: np.ndarray) -> dict[str, float]:
    counts = cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel().astype(np.float64)
    shares = counts[counts > 0] / grey.size
    return {
        "sharpness": round(sharpness(grey), 1),
        "brightness": round(float(counts @ LEVELS) / grey.size, 1),
        "entropy": round(abs(float(shares @ np.log2(shares))), 2),
    }


def _guarded(file: Path, known: str, options: dict) -> dict:
    found: dict[str, object] = {}
    try:
        source = _content(file)
        if not known and isinstance(source, bytes):
            found = {"sha256": sha256(source).hexdigest(), "bytes": len(source)}
        return found | of(source, **options)
    except ImageError as error:
        return found | {"status": error.status, "reason": error.reason}
    except Exception as error:
        return found | {"status": "failed", "reason": f"{type(error).__name__}: {error}"}


def _content(file: Path) -> images.Source:
    """The bytes of a file; the file itself where it has none, for then opening it says why."""
    if not isinstance(file, Path):
        return remote.content(file)
    try:
        return file.read_bytes() if file.is_file() else file
    except OSError:
        return file


def _quickly(file: str) -> images.Source:
    """The bytes of a file, or the file itself, as `_content` gives them, with as few calls as will do."""
    try:
        opened = os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError):  # opening it again will say why
        return Path(file)
    try:
        told = os.fstat(opened)
        content = os.read(opened, told.st_size + 1) if stat.S_ISREG(told.st_mode) else b""
        return content if len(content) == told.st_size > 0 else _content(Path(file))
    finally:
        os.close(opened)


def _hash(picture: Image.Image, name: str) -> str:
    import imagehash  # here, since it is not needed for the perceptual hash, which all pictures have

    return str(getattr(imagehash, HASHES[name])(picture))
