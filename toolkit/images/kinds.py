"""Kinds of picture files: which are read, and what a file is by its first bytes, whatever its name says."""

import importlib.util
import io
import re
from functools import cache
from pathlib import Path

from PIL import UnidentifiedImageError

from toolkit.core import extras

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")  # an MPO is opened as JPEG
ALWAYS = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".mpo")
HEIC_ENDINGS = (".heic", ".heif", ".hif")  # of iPhones and some cameras
HEIC_READER = next((name for name in ("pi_heif", "pillow_heif") if importlib.util.find_spec(name)), "")
ENDINGS = (*ALWAYS, *(HEIC_ENDINGS if HEIC_READER else ()))
NOT_READ = f"not a picture in a format that is read ({', '.join(FORMATS)})"
HEAD = 64  # bytes that tell a kind
STARTS = {"jpg": (b"\xff\xd8\xff",), "png": (b"\x89PNG\r\n\x1a\n",), "gif": (b"GIF87a", b"GIF89a")}
STARTS |= {"bmp": (b"BM",), "tif": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")}
AVIF, HEIC = (b"avif", b"avis"), (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs")
EITHER = (b"mif1", b"msf1")  # brands that both use
NAMED = re.compile(rf"({'|'.join(re.escape(ending) for ending in ENDINGS)})[^a-z0-9.][^.]*$")  # query.jpg?width=640
HTML = (b"<!doctype", b"<html", b"<?xml", b"<svg")


def is_named(name: str) -> bool:
    """Whether a file's name is that of a picture, also with something behind the ending: `1.jpg?width=640`, `1.jpg~`.

    >>> is_named("1.JPG"), is_named("1.jpg_large"), is_named("1.jpg.xml")
    (True, True, False)
    """
    name = name.lower()
    return name.endswith(ENDINGS) or bool(NAMED.search(name))


def sniff(head: bytes) -> str | None:
    """The usual file ending for a picture that begins with these bytes, or None if they begin no picture we read.

    Args:
        head: the first `HEAD` bytes of a file, or more.

    >>> sniff(b"\\xff\\xd8\\xff\\xe0....JFIF")
    'jpg'
    """
    if head[4:8] == b"ftyp":
        kind = _of_brands(head)
        return kind if kind == "avif" or HEIC_READER else None
    if head[:4] == b"RIFF":
        return "webp" if head[8:12] == b"WEBP" else None
    return next((ending for ending, magics in STARTS.items() if head.startswith(magics)), None)


def _of_brands(head: bytes) -> str | None:
    """Of a file in boxes (ISO 14496-12), what its brands say: the first of them, and those that fit as well."""
    first, others = head[8:12], head[16 : min(len(head), int.from_bytes(head[:4]))]
    if first in AVIF or first in HEIC:
        return "avif" if first in AVIF else "heic"
    return ("heic" if any(brand in others for brand in HEIC) else "avif") if first in EITHER else None


def refusal(head: bytes) -> str:
    """Why a file that begins with these bytes is not read; "" if it is."""
    if sniff(head):
        return ""
    if not head:
        return "empty file"
    if head.lstrip().lower().startswith(HTML):
        return "a web page or drawing, not a picture"
    return heic_missing() if head[4:8] == b"ftyp" and _of_brands(head) == "heic" else NOT_READ


def reason(source: str | Path | bytes, error: Exception) -> str:
    """Why a file could not be opened, in words."""
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as file:
            head = file.read(512)
    except OSError as problem:
        return f"cannot be read: {problem.strerror or problem}"
    except ValueError as problem:  # a path that can be none, with a null character in it
        return f"cannot be read: {problem}"
    if said := refusal(head):
        return said
    if isinstance(error, UnidentifiedImageError):  # whose words hold the path, which differs from machine to machine
        return "damaged: its first bytes are those of a picture, what follows is not"
    detail = str(error) or type(error).__name__
    return "truncated" if "truncat" in detail.lower() or "unexpected end" in detail.lower() else f"damaged: {detail}"


@cache
def heic_missing() -> str:
    """Why a HEIC is not read, with the line that installs its reader."""
    return f"HEIC; `{extras.command('heic')}` reads it"


@cache
def heif() -> tuple[str, ...]:
    """Pillow's name of HEIC, once its reader is registered."""
    importlib.import_module(HEIC_READER).register_heif_opener()
    return ("HEIF",)
