"""The bytes behind the practice pictures: whole, turned, cut, or broken on purpose."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageDraw, ImageOps

from toolkit.practice.draw import vehicle

KINDS = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp", "txt": "text/plain"}
PAGE = b"<!doctype html><title>Practice</title><p>This is a page, not a picture.</p>"
WORDS = {"html": PAGE, "empty": b"", "text": b"These are words, not a picture.\n" * 20}


@dataclass(frozen=True)
class File:
    """One address under /i/: how its bytes are made, and `kind`, what it is in words."""

    name: str
    kind: str
    label: str
    seed: int
    size: tuple[int, int]
    quality: int = 85
    turned: int = 1
    crop: float = 0.0
    source: tuple[int, int] | None = None  # the size it was drawn at, for a repost of another size

    @property
    def ending(self) -> str:
        """What follows the last dot of the name."""
        return self.name.rpartition(".")[2]


@lru_cache(maxsize=4096)  # the same pictures are asked for again and again, by every world of this process
def encode(file: File) -> bytes:
    """The bytes of `file`, whole or broken as its kind says."""
    if file.kind in WORDS:
        return WORDS[file.kind]
    if file.kind == "placeholder":
        return _placeholder()
    picture = picture_of(file)
    if file.turned != 1:
        # Stored lying on its side, with the mark that tells a viewer to set it upright.
        picture = picture.transpose({6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}[file.turned])
    data = _bytes(picture, file)
    return data[: len(data) * 3 // 5] if file.kind == "truncated" else data


def picture_of(file: File) -> Image.Image:
    """The picture behind `file`, upright."""
    width, height = file.source or file.size
    tiny = min(width, height) < 32
    picture = vehicle(file.label, seed=file.seed, width=max(32, width), height=max(32, height)).picture
    if file.crop:
        picture = ImageOps.crop(picture, round(file.crop * min(picture.size)))
    return picture.resize(file.size) if tiny or file.source not in (None, file.size) else picture


def _bytes(picture: Image.Image, file: File) -> bytes:
    buffer = io.BytesIO()
    if file.ending == "png":
        picture.save(buffer, "PNG", compress_level=1)
    elif file.ending == "webp":
        picture.save(buffer, "WEBP", quality=file.quality, method=0)
    else:
        exif = Image.Exif()
        if file.turned != 1:
            exif[0x0112] = file.turned
        picture.save(buffer, "JPEG", quality=file.quality, progressive=file.seed % 4 == 0, exif=exif)
    return buffer.getvalue()


@lru_cache(maxsize=1)
def _placeholder() -> bytes:
    picture = Image.new("RGB", (320, 160), (246, 246, 246))
    ImageDraw.Draw(picture).text((60, 70), "The image you are requesting was removed", fill=(120, 120, 120))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
