"""Bounds of the work that a picture file may cost, seen in its structure before a decoder gets it.

The pixels say what it takes to decode a picture once. But a progressive JPEG may go over all of them thousands of times
("Two Issues with the JPEG Standard", LJT-01-003), a TIFF may hold a million directories that point to the same bytes,
and decoders read segments, chunks and blocks one by one. Honest files are far below these bounds.
"""

import re
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

from toolkit.errors import ImageError
from toolkit.images import jpeg

MAX_SIDE = 65_535  # pixels, as in a JPEG; decoders keep something for every row
MAX_BYTES = 1 << 30  # of a file, more than the pixels of any that is decoded
SCANS = 100  # of a JPEG; encoders write 10 or so
PARTS = 2_000  # segments, chunks, blocks and pages that hold no pixels
SMALLEST = 64  # bytes of a part that holds pixels, on average, where there are more
TAGS = 100_000  # of all directories of a TIFF
METADATA = 16 << 20  # bytes that reading the tags of a picture may take, beyond twice its own
COMMENTS = 1 << 20  # bytes of the extensions of a GIF, which Pillow copies anew with every block of them
SIZES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)  # bytes of a value of each type of TIFF tag
DIRECTORIES = (34_665, 34_853, 40_965)  # tags that lead to a further directory: EXIF, GPS, interoperability
RAW_EXIF = re.compile(rb"Raw profile type (?:exif|APP1)\0", re.IGNORECASE)
PROGRESSIVE, MPF = (0xC2, 0xC6, 0xCA, 0xCE), 0xE2  # frames of a JPEG with many scans; where it lists further pictures


def content(source: str | Path | bytes) -> bytes:
    """The bytes of a file.

    Raises:
        ImageError: it would never end, or never begin, to be read, or is larger than any picture that is decoded.
        OSError: it cannot be read.
    """
    if isinstance(source, bytes):
        return source
    status = Path(source).stat()
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):  # opening says what a folder is
        raise ImageError("a pipe or device, not a file")
    _at_most(MAX_BYTES, status.st_size, "bytes")
    return Path(source).read_bytes()


def check(data: bytes) -> None:
    """Refuse a picture whose structure would cost more work than its pixels.

    Args:
        data: the bytes of a file, of any kind.

    Raises:
        ImageError: too many scans, segments, chunks, blocks, pages or tags.

    >>> check(b"no picture")
    """
    for start, look in KINDS.items():
        if data.startswith(start):
            try:
                look(data)
            except (IndexError, struct.error):  # it ends too early, which its decoder will say
                return


def _jpeg(data: bytes) -> None:
    position, parts, skipped, frame, exif = 2, 0, 0, 0, []
    while True:
        junk = data.find(b"\xff", position)
        if junk < 0:
            return
        skipped += junk - position
        _at_most(PARTS * SMALLEST, skipped, "bytes between its segments")
        position = junk
        while data[position + 1] == 0xFF:  # padding
            position += 1
            parts += 1
            _at_most(PARTS, parts, "segments")
        code, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4])
        if code == jpeg.SCAN or code == jpeg.END:
            break
        parts += 1
        _at_most(PARTS, parts, "segments")
        frame = code if code in PROGRESSIVE else frame
        if code == jpeg.EXIF and data.startswith(b"Exif\0", position + 4):
            exif.append(data[position + 10 : position + 2 + length])
        if code == MPF and data.startswith(b"MPF\0", position + 4):  # a directory of further pictures
            _exif(data[position + 8 : position + 2 + length])
        position += 2 if 0xD0 <= code <= 0xD8 or not code else 2 + max(2, length)
    if exif:
        _exif(b"".join(exif))
    if frame or data.count(b"\xff\xda") > SCANS:
        _scans(data)


def _scans(data: bytes) -> None:
    """Count scans and segments to the end of the picture; pictures within segments, such as previews, do not count."""
    scans = parts = 0
    marker = jpeg.MARKER.search(data, 2)
    while marker and data[marker.start() + 1] != jpeg.END:
        start = marker.start()
        scans, parts = scans + (data[start + 1] == jpeg.SCAN), parts + 1
        _at_most(SCANS, scans, "scans")
        _at_most(PARTS, parts, "segments")
        marker = jpeg.MARKER.search(data, start + 2 + int.from_bytes(data[start + 2 : start + 4]))


def _png(data: bytes) -> None:
    position, parts, filled = 8, 0, 0
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind in (b"IDAT", b"fdAT", b"fcTL"):
            filled += 1
            _at_most(PARTS + len(data) // SMALLEST, filled, "chunks")
        else:
            parts += 1
            _at_most(PARTS, parts, "chunks")
        if kind == b"eXIf":
            _exif(data[position + 8 : position + 8 + length])
        if kind in (b"tEXt", b"zTXt", b"iTXt") and RAW_EXIF.match(data, position + 8):
            _at_most(1 << 16, length, "bytes of EXIF in a text")
        if kind == b"IEND":
            return
        position += 12 + length


def _gif(data: bytes) -> None:
    position, blocks, comments = 13 + _table(data[10]), 0, 0
    while data[position] != 0x3B:
        is_picture = data[position] == 0x2C
        if not is_picture and data[position] != 0x21:
            position += 1  # what Pillow passes over, too
            blocks += 1
            _at_most(PARTS, blocks, "blocks")
            continue
        begun = position + (11 + _table(data[position + 9]) if is_picture else 2)
        for block in _blocks(data, begun):
            blocks += 1
            _at_most(PARTS + len(data) // SMALLEST, blocks, "blocks")
            comments += 0 if is_picture else block - position
            _at_most(COMMENTS, comments, "bytes of comments")
            position = block


def _table(flags: int) -> int:
    """Bytes of the table of colours that these flags of a GIF announce."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _blocks(data: bytes, position: int) -> Iterator[int]:
    """Where each of the blocks of a GIF ends, until an empty one."""
    while length := data[position]:
        position += 1 + length
        yield position
    yield position + 1


def _webp(data: bytes) -> None:
    position, parts = 12, 0
    while position + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, position)
        parts += kind not in (b"ANMF", b"ALPH", b"VP8 ", b"VP8L")
        _at_most(PARTS, parts, "chunks")
        if kind == b"EXIF":
            _exif(data[position + 8 : position + 8 + length])
        position += 8 + length + length % 2


def _exif(block: bytes) -> None:
    block = block.removeprefix(b"Exif\0\0").removeprefix(b"Exif\0\0")
    if block[:4] in (b"II*\0", b"MM\0*"):
        try:
            _tiff(block)
        except (IndexError, struct.error):  # a damaged block is no reason to lose the picture
            return


def _tiff(data: bytes) -> None:
    """Count the directories of a TIFF, and the bytes that their tags would have read: a few bytes, a million times."""
    order, big = "<" if data[:2] == b"II" else ">", data[2:4] in (b"+\0", b"\0+")
    (first,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    todo, visited, read, tags = [first], set(), 0, 0
    while todo:
        place = todo.pop()
        if not 0 < place < len(data) or place in visited:
            continue
        visited.add(place)
        _at_most(PARTS, len(visited), "pages and directories")
        entries, following = _directory(data, place, order, big)
        tags += len(entries)
        _at_most(TAGS, tags, "tags")
        for tag, size, value in entries:
            read += min(size, len(data))
            _at_most(METADATA + 2 * len(data), read, "bytes of tags")
            todo += [value] if tag in DIRECTORIES else []
        todo.append(following)


def _directory(data: bytes, place: int, order: str, big: bool) -> tuple[list[tuple[int, int, int]], int]:
    """The tags of a directory, as far as they are there, with the bytes of their values; and where the next one is."""
    head, entry, last = (order + form for form in (("Q", "HHQQ", "Q") if big else ("H", "HHII", "I")))
    (count,) = struct.unpack_from(head, data, place)
    start, step = place + struct.calcsize(head), struct.calcsize(entry)
    whole = min(count, (len(data) - start) // step, TAGS + 1)
    rows = [struct.unpack_from(entry, data, start + step * index) for index in range(whole)]
    sizes = [(SIZES[kind] if kind < len(SIZES) else 0) * number for _, kind, number, _ in rows]
    end = start + step * count
    following = struct.unpack_from(last, data, end)[0] if end + struct.calcsize(last) <= len(data) else 0
    return [(tag, size, value) for (tag, _, _, value), size in zip(rows, sizes, strict=True)], following


def _at_most(most: int, count: int, what: str) -> None:
    if count > most:
        raise ImageError(f"more than {most:,} {what}, which no picture needs")


KINDS = {
    **dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), _tiff),
    **dict.fromkeys((b"GIF87a", b"GIF89a"), _gif),
    b"\xff\xd8\xff": _jpeg,
    b"\x89PNG\r\n\x1a\n": _png,
    b"RIFF": _webp,
}
