"""Looking into a JPEG: what its header tells, and the part of a progressive one that an eighth of its size needs.

A progressive JPEG tells the picture several times over, each scan finer than the one before. At 1/8 every block of 8×8
pixels becomes one, its mean, which the first scan and its refinements hold (ITU-T T.81, annex G). All other scans of
the brightness, most of the file, are passed over; those of colour that is stored at half the size are needed and stay.
The result is to the last bit what the whole file gives, several times sooner.
"""

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

START, END, BASELINE_SCAN, TABLE, INTERVAL, PROGRESSIVE = b"\xff\xd8", 0xD9, 0xDA, b"\xff\xc4", b"\xff\xdd", 0xC2
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # not one within the data of a scan
RUN = 1 << 14  # blocks that the one code of an empty scan stands for
EXIF, ADOBE_XMP = 0xE1, b"tiff:Orientation"  # where the orientation is
USUAL = (0xC0, 0xC1, PROGRESSIVE)  # Huffman coded, one picture, 8 or 12 bits
PASSED_OVER = (0xC4, 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE)  # tables, and what applications wrote


class Head(NamedTuple):
    """What the header of a JPEG tells: width and height as stored, the block of EXIF, and whether it is progressive."""

    width: int
    height: int
    exif: bytes
    progressive: bool


def head(content: bytes) -> Head | None:
    """The header of a JPEG of the usual kind.

    Args:
        content: the bytes of a file.

    Returns:
        What it tells; None if the file is no JPEG, not whole, or anything but grey or colour in 8 bits, and
        so needs a closer look.

    >>> head(b"no picture") is None
    True
    """
    if not content.startswith(START) or content[-1:] != bytes([END]) or content[-2] != 0xFF:
        return None
    try:
        return _head(content)
    except (IndexError, struct.error):  # a length that cannot be
        return None


def _head(content: bytes) -> Head | None:
    place, frame, exif = len(START), None, b""
    while content[place] == 0xFF:
        code, end = content[place + 1], place + 2 + int.from_bytes(content[place + 2 : place + 4])
        if code in USUAL and not frame:
            precision, height, width, parts = struct.unpack_from(">BHHB", content, place + 4)
            if precision != 8 or parts not in (1, 3) or not width * height:
                return None
            frame = width, height, code == PROGRESSIVE
        elif code == BASELINE_SCAN:
            return Head(*frame[:2], exif, frame[2]) if frame else None
        elif code == EXIF and content.startswith(b"Exif\0", place + 4) and not exif:
            exif = content[place + 4 : end]
        elif code not in PASSED_OVER or ADOBE_XMP in content[place:end]:
            return None
        place = end
    return None


def eighth(content: bytes) -> bytes | None:
    """The part of a progressive JPEG that decoding at 1/8 looks at, as a JPEG of its own.

    Args:
        content: the bytes of a file.

    Returns:
        Fewer bytes that give the same picture at 1/8, with all of its metadata; None if the file is not progressive,
        not whole, or not built as usual, and has to be decoded as it is.

    >>> eighth(b"no picture") is None
    True
    """
    try:
        return _eighth(content)
    except (IndexError, struct.error, ZeroDivisionError):  # a length or a number that cannot be
        return None


def _eighth(content: bytes) -> bytes | None:
    kept, sampling, missing_bits, size = [START], {}, {}, (0, 0)
    for code, segment, data in _segments(content):
        if code == END:
            if not sampling or set(missing_bits) != set(sampling) or any(missing_bits.values()):
                return None
            return b"".join([*kept, *_empty_scans(sampling, size), b"\xff", bytes([END])])
        if code == PROGRESSIVE:
            size = struct.unpack(">HH", segment[5:9])
            sampling = {segment[10 + 3 * n]: divmod(segment[11 + 3 * n], 16) for n in range(segment[9])}
        if code == BASELINE_SCAN:
            parts = [segment[5 + 2 * n] for n in range(segment[4])]
            first, precision = segment[-3], segment[-1] & 15
            if first == 0:
                missing_bits |= dict.fromkeys(parts, precision)
            elif all(sampling[part] == _finest(sampling) for part in parts):
                continue
        kept += [segment, data]
    return None


def _segments(content: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Marker, its segment, and what follows up to the next marker; nothing more where the file is cut off."""
    found = MARKER.search(content, len(START))
    while found:
        start, code = found.start(), content[found.start() + 1]
        end = start + 2 if code == END else start + 2 + int.from_bytes(content[start + 2 : start + 4])
        found = None if code == END else MARKER.search(content, end)
        if found or code == END:
            yield code, content[start:end], content[end : found.start()] if found else b""


def _finest(sampling: dict[int, tuple[int, int]]) -> tuple[int, int]:
    across, down = zip(*sampling.values(), strict=True)
    return max(across), max(down)


def _empty_scans(sampling: dict[int, tuple[int, int]], size: tuple[int, int]) -> Iterator[bytes]:
    """A scan for each part that was passed over, which says that all of its detail is zero.

    Without it libjpeg would know that detail is missing, and smooth what it has.
    """
    height, width = size
    widest, highest = _finest(sampling)
    yield INTERVAL + struct.pack(">HH", 4, 0)
    yield (
        TABLE + struct.pack(">HB", 20, 0x10) + bytes([1, *[0] * 15, 0xE0])
    )  # code 0: a run, its 14 bits of length follow
    for part, (across, down) in sampling.items():
        if (across, down) == (widest, highest):
            blocks = -(-width // 8) * -(-height // 8)
            head = struct.pack(">BBHBBBBBB", 0xFF, BASELINE_SCAN, 8, 1, part, 0, 1, 63, 0)
            yield head + bytes(2 * (blocks // RUN + 1))
