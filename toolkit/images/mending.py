"""Files that have all of their pixels, though a decoder stumbles over something else; and those that only seem to.

A picture is what its pixels say: a JPEG without the two bytes that end it is whole, one whose second half is filled
with zeros or grey is not. What stands in a file beside the pixels, such as texts, is no reason to lose it.
"""

import io
import os
import random
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from PIL import Image

from toolkit.errors import ImageError
from toolkit.images import jpeg, kinds

NOISE = bytes(random.Random(1).choices(range(1, 255), k=4096))  # data of a scan that says nothing
FILLED = 64  # zeros in a row at the end of a scan, from which on they may be no data
TAIL = FILLED + len(jpeg.EOI)
SPARE = 16  # bytes that no picture has to spare
GREY = {(128, 128), (127, 127)}  # what a decoder shows where data is missing, the second of inks
CORNER = 4  # pixels at the lower right, which are missing first
PNG_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"gAMA", b"sRGB")
PNG_SMALL = (b"iCCP", b"eXIf")  # kept where they are whole and small
LARGEST = 1 << 20  # bytes of a colour profile or a block of EXIF


def mended(source: str | Path | bytes) -> bytes | None:
    """The bytes of a file without what a decoder stumbles over; None if pixels are missing, or nothing can be done.

    Args:
        source: a file that could not be opened.
    """
    content = _promising(source)
    kind = kinds.sniff(content)
    if kind == "heic":
        return content  # which is opened by its first bytes, whatever its name
    if kind == "png":
        chunks = list(_chunks(content))
        kept = b"".join(chunk for name, chunk in chunks if name in PNG_KEPT or _is_sound(name, chunk))
        return content[:8] + kept if chunks and 8 + len(kept) < len(content) else None
    if kind == "webp" and int.from_bytes(content[4:8], "little") != len(content) - 8:
        return content[:4] + (len(content) - 8).to_bytes(4, "little") + content[8:]
    if kind == "jpg" and jpeg.has_all_scans(content) and not is_cut(content):
        return content[: jpeg.end(content)] + jpeg.EOI
    return None


def _promising(source: str | Path | bytes) -> bytes:
    """All bytes of a file that begins as a picture does, or the first ones of any other."""
    if isinstance(source, bytes):
        return source
    with Path(source).open("rb") as file:
        head = file.read(kinds.HEAD)
        return head + file.read() if kinds.sniff(head) else head


def check_whole(picture: Image.Image, source: str | Path | bytes) -> None:
    """Refuse a JPEG that was filled up.

    Args:
        picture: what was decoded, as it is stored.
        source: the file.

    Raises:
        ImageError: it was.
    """
    width, height = picture.size
    corner = picture.crop((max(0, width - CORNER), max(0, height - CORNER), width, height)).getextrema()
    extremes = corner if isinstance(corner[0], tuple) else (corner,)
    if may_be_cut(extremes, _tail(source)) and is_cut(_promising(source)):
        raise ImageError("truncated: what is missing was filled with zeros or grey")


def may_be_cut(corner: Iterable[tuple], tail: bytes) -> bool:
    """Whether a JPEG has to be looked at more closely: it is grey where data runs out, or ends in zeros.

    Args:
        corner: the lowest and the highest level of each channel in its lower right `CORNER`.
        tail: its last `TAIL` bytes.
    """
    return all(extremes in GREY for extremes in corner) or not any(tail.removesuffix(jpeg.EOI)[-FILLED:])


def _tail(source: str | Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[-TAIL:]
    with Path(source).open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
        return file.read()


def is_cut(content: bytes) -> bool:
    """Whether pixels of a JPEG are missing, and a decoder fills in for them.

    If all of them are there, noise behind the data changes nothing; if some are missing, it shows in their place.
    """
    data = content[: jpeg.end(content)]
    before = data.rstrip(b"\0")
    filled = len(data) - len(before) >= FILLED
    if filled and _alike(before, before + NOISE):
        return False  # the picture is complete before the zeros
    if not _alike(data, data + NOISE):
        return True
    return filled and _alike(data, data[:-SPARE] + NOISE)


def _alike(data: bytes, other: bytes) -> bool:
    """Whether two versions of a JPEG give the same picture."""
    return _pixels(data) == _pixels(other)


def _pixels(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data + jpeg.EOI), formats=("JPEG",)) as image:
        return image.tobytes()


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The name and the bytes of every chunk of a PNG that is there in full."""
    start = 8
    while start + 12 <= len(content):
        end = start + 12 + int.from_bytes(content[start : start + 4])
        if end > len(content):
            return
        yield content[start + 4 : start + 8], content[start:end]
        start = end


def _is_sound(name: bytes, chunk: bytes) -> bool:
    """Whether a colour profile or a block of EXIF can be read."""
    if name not in PNG_SMALL or zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:]):
        return False
    if name == b"eXIf":
        return len(chunk) <= LARGEST
    unpacked = zlib.decompressobj()
    try:
        unpacked.decompress(chunk[8:-4].partition(b"\0")[2][1:], LARGEST)
    except zlib.error:
        return False
    return unpacked.eof
