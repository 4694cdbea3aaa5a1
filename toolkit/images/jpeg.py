"""The structure of a JPEG (ITU-T T.81): its header, and the part of a progressive one that an eighth of its size needs.

A progressive JPEG holds the picture several times over, each scan finer than the one before. At 1/8 every block of 8×8
pixels becomes one, its mean, which the first scan and its refinements hold (annex G). All other scans of the
brightness, most of the file, are left out; those of colour that is stored at half the size are needed and stay. The
result is to the last bit what the whole file gives, five times sooner; no library does this, so it is written here.
"""

import math
import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

START = b"\xff\xd8"  # SOI, start of image
END, EOI = 0xD9, b"\xff\xd9"  # end of image
SCAN = 0xDA  # SOS, start of scan
PROGRESSIVE = 0xC2  # SOF2, frame of a progressive JPEG
HUFFMAN_TABLE = b"\xff\xc4"  # DHT
RESTART_INTERVAL = b"\xff\xdd"  # DRI
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # not one within the data of a scan
RUN = 1 << 14  # blocks that the one code of an empty scan stands for
EXIF, ADOBE_XMP = 0xE1, b"tiff:Orientation"  # where the orientation is stored
FRAMES = (0xC0, 0xC1, PROGRESSIVE)  # Huffman coded, one picture, 8 or 12 bits
IGNORED = (0xC4, 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE)  # tables, application segments and comments
FRAME_HEADER = struct.Struct(">BHHB")  # P, Y, X, Nf


class Frame(NamedTuple):
    """Frame header (T.81, B.2.2)."""

    precision: int  # P: bits of a sample
    height: int  # Y
    width: int  # X
    sampling: dict[int, tuple[int, int]]  # Hi and Vi, across and down, of each component by its identifier Ci

    @classmethod
    def unpack(cls, segment: bytes) -> "Frame":
        """The header in a segment, which begins with its marker."""
        precision, height, width, count = FRAME_HEADER.unpack_from(segment, 4)
        components = (segment[start : start + 2] for start in range(10, 10 + 3 * count, 3))
        return cls(precision, height, width, {ident: (factors >> 4, factors & 15) for ident, factors in components})


class Scan(NamedTuple):
    """Scan header (T.81, B.2.3)."""

    components: list[int]  # Csj: the identifiers of its components
    spectral_start: int  # Ss: the first coefficient of each block, 0 for its mean
    spectral_end: int  # Se
    bits_before: int  # Ah: low bits that were missing before this scan
    bits_missing: int  # Al: low bits that are missing after it

    @classmethod
    def unpack(cls, segment: bytes) -> "Scan":
        """The header in a segment, which begins with its marker."""
        count = segment[4]
        spectral_start, spectral_end, bits = segment[-3:]
        components = [segment[start] for start in range(5, 5 + 2 * count, 2)]
        return cls(components, spectral_start, spectral_end, bits >> 4, bits & 15)


class Head(NamedTuple):
    """Header of a JPEG: width and height as stored, the block of EXIF, and whether it is progressive."""

    width: int
    height: int
    exif: bytes
    progressive: bool


def head(content: bytes) -> Head | None:
    """The header of a JPEG of the usual kind.

    Args:
        content: the bytes of a file.

    Returns:
        None if the file is no JPEG, not whole, or anything but grey or colour in 8 bits, and so needs the general way.

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
    start, frame, exif = len(START), None, b""
    while content[start] == 0xFF:
        code, end = content[start + 1], start + 2 + int.from_bytes(content[start + 2 : start + 4])
        if code in FRAMES and not frame:
            precision, height, width, components = FRAME_HEADER.unpack_from(content, start + 4)
            if precision != 8 or components not in (1, 3) or not width * height:
                return None
            frame = width, height, code == PROGRESSIVE
        elif code == SCAN:
            return Head(*frame[:2], exif, frame[2]) if frame else None
        elif code == EXIF and content.startswith(b"Exif\0", start + 4) and not exif:
            exif = content[start + 4 : end]
        elif code not in IGNORED or ADOBE_XMP in content[start:end]:
            return None
        start = end
    return None


def eighth(content: bytes) -> bytes | None:
    """The part of a progressive JPEG that decoding at 1/8 needs, as a JPEG of its own.

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
    except (IndexError, KeyError, ValueError, struct.error):  # a length or a number that cannot be
        return None


def _eighth(content: bytes) -> bytes | None:
    kept = [START]
    frame = Frame(0, 0, 0, {})
    missing_bits: dict[int, int] = {}  # of the means of each component
    for code, segment, data in _segments(content):
        if code == END:
            if not frame.sampling or set(missing_bits) != set(frame.sampling) or any(missing_bits.values()):
                return None
            return b"".join([*kept, *_empty_scans(frame), b"\xff", bytes([END])])
        if code == PROGRESSIVE:
            frame = Frame.unpack(segment)
        if code == SCAN:
            scan = Scan.unpack(segment)
            if scan.spectral_start == 0:
                missing_bits |= dict.fromkeys(scan.components, scan.bits_missing)
            elif all(frame.sampling[component] == _finest(frame) for component in scan.components):
                continue
        kept += [segment, data]
    return None


def end(content: bytes) -> int:
    """Where the data of the picture ends: before the marker that says so, or with a file that lacks it."""
    marker = MARKER.search(content, len(START))
    while marker and content[marker.start() + 1] != END:
        segment = marker.start() + 2
        marker = MARKER.search(content, segment + int.from_bytes(content[segment : segment + 2]))
    return len(content[: marker.start() if marker else None].rstrip(b"\xff"))  # which begins a marker, and is no data


def has_all_scans(content: bytes) -> bool:
    """Whether a JPEG is not progressive, or has the scans of all of its detail, though perhaps not their ends."""
    frame = Frame(0, 0, 0, {})
    missing_bits: dict[tuple[int, int], int] = {}  # of each coefficient of each component
    try:
        for code, segment, _ in _segments(content[: end(content)] + EOI):
            if code in FRAMES and code != PROGRESSIVE:
                return True
            if code == PROGRESSIVE:
                frame = Frame.unpack(segment)
            if code == SCAN:
                scan = Scan.unpack(segment)
                band = range(scan.spectral_start, scan.spectral_end + 1)
                missing_bits |= {(part, place): scan.bits_missing for part in scan.components for place in band}
    except (IndexError, ValueError, struct.error):
        return False
    wanted = {(part, place) for part in frame.sampling for place in range(64)}
    return bool(wanted) and wanted <= set(missing_bits) and not any(missing_bits.values())


def _segments(content: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Code of each marker, its segment, and the data up to the next marker; ends where the file is cut off."""
    marker = MARKER.search(content, len(START))
    while marker:
        start, code = marker.start(), content[marker.start() + 1]
        end = start + 2 if code == END else start + 2 + int.from_bytes(content[start + 2 : start + 4])
        marker = None if code == END else MARKER.search(content, end)
        if marker or code == END:
            yield code, content[start:end], content[end : marker.start()] if marker else b""


def _finest(frame: Frame) -> tuple[int, int]:
    """The sampling of the components that are stored at full size."""
    across, down = zip(*frame.sampling.values(), strict=True)
    return max(across), max(down)


def _empty_scans(frame: Frame) -> Iterator[bytes]:
    """A scan for each component that was left out, with zeros for all of its detail.

    Without it libjpeg would see that detail is missing, and smooth the rest.
    """
    yield RESTART_INTERVAL + struct.pack(">HH", 4, 0)
    one_code = bytes([1, *[0] * 15, 0xE0])  # code 0: a run of empty blocks, whose length follows in 14 bits
    yield HUFFMAN_TABLE + struct.pack(">HB", 20, 0x10) + one_code
    for component, sampling in frame.sampling.items():
        if sampling == _finest(frame):
            blocks = math.ceil(frame.width / 8) * math.ceil(frame.height / 8)
            head = struct.pack(">BBHBBBBBB", 0xFF, SCAN, 8, 1, component, 0, 1, 63, 0)
            yield head + bytes(2 * (blocks // RUN + 1))
