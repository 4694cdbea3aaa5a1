"""Measures of a picture, from opening its file once. Light to load, since workers run it."""

import os
import stat
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from toolkit import images
from toolkit.core import remote
from toolkit.errors import ImageError, is_of_the_machine
from toolkit.images import bounds, luma

ENOUGH = 256  # pixels; a JPEG is decoded at a fraction of its size as long as the shortest side keeps this many
SIDE = 32  # pixels of a signature
GAP = 2.0  # times the side of a signature, to which a picture is shrunk quickly before it is scaled well
COMPARABLE = 512  # pixels of the longest side, at which sharpness, brightness and entropy are measured
LEVELS = np.arange(256, dtype=np.float64)  # grey values
QUICK = np.dtype(  # what finding copies needs; sha256 is empty where no other file has as many bytes
    [("width", "i4"), ("height", "i4"), ("sharpness", "f8"), ("sha256", "V32"), ("grey", "u1", (32, 32))]
)
HASHES = {"ahash": "average_hash", "dhash": "dhash", "whash": "whash", "colorhash": "colorhash"}  # names in imagehash


def one(
    source: images.Source, *, max_pixels: int = images.MAX_PIXELS, whole: bool = False, hashes: Sequence[str] = ()
) -> dict[str, Any]:
    """Measures of a picture: size, format, sharpness, brightness, entropy, aspect, further hashes and a signature.

    Args:
        source: a path, or the bytes of a file.
        max_pixels: width times height above which a file is not decoded.
        whole: decode a large JPEG whole and not at a fraction of its size.
        hashes: of "ahash", "dhash", "whash" and "colorhash", those to add.

    Returns:
        A dict of columns of the manifest, and "signature", a uint8 array of shape (32, 32).

    Raises:
        ImageError: with the reason in words.

    >>> one("holiday.jpg")["format"]  # doctest: +SKIP
    'JPEG'
    """
    if whole or hashes:
        picture, info = images.inspect(source, min_side=0 if whole else ENOUGH, max_pixels=max_pixels)
        pixels = np.asarray(picture.convert("L"))
    else:
        pixels, info = _grey(source, max_pixels)
    return {
        "width": info["width"],
        "height": info["height"],
        "format": info["format"],
        "reason": info["note"],
        "aspect": round(info["width"] / info["height"], 4),
        "signature": _signature(pixels, whole=whole),
        **_measures(_comparable(pixels)),
        **{name: _hash(picture, name) for name in hashes},
    }


def many(root: Path, rows: Sequence[tuple[str, str]], **options: Any) -> list[dict[str, Any]]:
    """Measures of several files; one that cannot be opened has a status and a reason instead.

    Args:
        root: folder of the dataset.
        rows: path and sha256 of each; an empty sha256 is computed, and the size in bytes with it.
        options: as in `one`.
    """
    return [_guarded(root / path, sha256, options) for path, sha256 in rows]


def quick(
    files: Sequence[tuple[str, bool]], *, max_pixels: int = images.MAX_PIXELS
) -> tuple[np.ndarray, dict[int, str]]:
    """Quick measures of several files: what finding copies needs, and no more.

    Args:
        files: path of each, and whether another file has as many bytes; it may then be the same file.
        max_pixels: width times height above which a file is not decoded.

    Returns:
        An array of `QUICK`, a row per file, and by index why some could not be opened.
    """
    rows = np.zeros(len(files), QUICK)
    reasons: dict[int, str] = {}
    first_with: dict[bytes, int] = {}
    identical: dict[int, list[int]] = {}
    for index, (file, perhaps_twice) in enumerate(files):
        try:
            source = _quickly(file)
            digest = sha256(source).digest() if perhaps_twice and isinstance(source, bytes) else b""
            first = first_with.setdefault(digest, index) if digest else index
            if first != index and first not in reasons:
                identical.setdefault(first, []).append(index)
                continue
            pixels, info = _grey(source, max_pixels)
            signature = _signature(pixels, whole=False)
            rows[index] = info["width"], info["height"], round(sharpness(_comparable(pixels)), 1), digest, signature
        except ImageError as error:
            reasons[index] = error.reason
        except Exception as error:
            if is_of_the_machine(error):
                raise
            reasons[index] = f"{type(error).__name__}: {error}"
    for first, others in identical.items():
        rows[others] = rows[first]
    return rows, reasons


def sharpness(grey: np.ndarray) -> float:
    """Variance of the Laplacian of a grey picture (Pech-Pacheco et al., 2000); low means blurred.

    Args:
        grey: uint8 array of shape (height, width).
    """
    edges = cv2.Laplacian(grey, cv2.CV_16S)
    return max(0.0, cv2.norm(edges, cv2.NORM_L2SQR) / edges.size - cv2.mean(edges)[0] ** 2)


def _grey(source: images.Source, max_pixels: int) -> tuple[np.ndarray, images.Info]:
    """The grey values of a picture, perhaps at a fraction of its size, and what the file is."""
    brightness = luma.decoded(source, min_side=ENOUGH, max_pixels=max_pixels) if isinstance(source, bytes) else None
    if brightness:
        return brightness
    picture, info = images.inspect(source, min_side=ENOUGH, max_pixels=max_pixels)
    return np.asarray(picture.convert("L")), info


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


def _measures(grey: np.ndarray) -> dict[str, float]:
    counts = cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel().astype(np.float64)
    shares = counts[counts > 0] / grey.size
    return {
        "sharpness": round(sharpness(grey), 1),
        "brightness": round(float(counts @ LEVELS) / grey.size, 1),
        "entropy": round(abs(float(shares @ np.log2(shares))), 2),
    }


def _guarded(file: Path, digest: str, options: dict[str, Any]) -> dict[str, Any]:
    identity: dict[str, Any] = {}
    try:
        source = _content(file)
        if not digest and isinstance(source, bytes):
            identity = {"sha256": sha256(source).hexdigest(), "bytes": len(source)}
        return identity | one(source, **options)
    except ImageError as error:
        return identity | {"status": error.status, "reason": error.reason}
    except Exception as error:
        if is_of_the_machine(error):
            raise
        return identity | {"status": "failed", "reason": f"{type(error).__name__}: {error}"}


def _content(file: Path) -> images.Source:
    """The bytes of a file; the file itself where it has none, for then opening it says why."""
    if not isinstance(file, Path):
        return remote.content(file)
    try:
        return bounds.content(file) if file.is_file() else file
    except OSError:
        return file


def _quickly(file: str) -> images.Source:
    """The bytes of a file, or the file itself, as `_content` gives them, with as few calls as will do."""
    try:
        opened = os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError):  # opening it again will say why
        return Path(file)
    try:
        status = os.fstat(opened)
        is_file = stat.S_ISREG(status.st_mode) and status.st_size <= bounds.MAX_BYTES
        content = os.read(opened, status.st_size + 1) if is_file else b""
        return content if len(content) == status.st_size > 0 else _content(Path(file))
    finally:
        os.close(opened)


def _hash(picture: Image.Image, name: str) -> str:
    import imagehash  # here, since it is not needed for the perceptual hash, which all pictures have

    return str(getattr(imagehash, HASHES[name])(picture))
