"""What a picture tells about itself, from opening its file once. Light to load, for it is what workers run."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from toolkit import images, luma, remote, signatures
from toolkit.errors import ImageError

ENOUGH = 256  # pixels; a JPEG is decoded at a fraction of its size as long as the shortest side keeps this many
GAP = 2.0  # times the side of a signature, to which a picture is shrunk quickly before it is scaled well
COMPARABLE = 512  # pixels of the longest side, at which sharpness, brightness and entropy are measured
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
    rows, reasons, seen = np.zeros(len(files), SKETCH), {}, {}
    for place, (file, perhaps_twice) in enumerate(files):
        try:
            source = _content(Path(file))
            digest = sha256(source).digest() if perhaps_twice and isinstance(source, bytes) else b""
            if digest in seen:
                rows[place] = rows[seen[digest]]
                continue
            pixels, told = _grey(source, max_pixels)
            sharp = round(sharpness(_comparable(pixels)), 1)
            rows[place] = told["width"], told["height"], sharp, digest, _signature(pixels, whole=False)
            seen |= {digest: place} if digest else {}
        except ImageError as error:
            reasons[place] = error.reason
        except Exception as error:
            reasons[place] = f"{type(error).__name__}: {error}"
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
    side, gap = (signatures.SIDE, signatures.SIDE), None if whole else GAP
    return np.asarray(Image.fromarray(grey).resize(side, Image.Resampling.LANCZOS, reducing_gap=gap))


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


def _hash(picture: Image.Image, name: str) -> str:
    import imagehash  # here, since it is not needed for the perceptual hash, which all pictures have

    return str(getattr(imagehash, HASHES[name])(picture))
