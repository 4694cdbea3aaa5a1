"""The work that a picture may cost is bounded by its structure, before a decoder sees it; honest files pass."""

import io
import struct
import time
import zlib

import pytest
import zoo
from helpers import encoded, textured
from PIL import Image

from toolkit import images
from toolkit.errors import ImageError
from toolkit.images import bounds, colour, luma, measure

GOOD = zoo.good()
SECONDS = 5.0  # in which what is refused is refused, many times what it takes


def segment(mark, data=b""):
    return b"\xff" + bytes([mark]) + struct.pack(">H", len(data) + 2) + data


def scans(count, *, width=64, height=64):
    """A progressive JPEG in grey, all blocks empty, that goes over them `count` times more than it has to."""
    blocks = -(-width // 8) * -(-height // 8)
    bits, left = "", blocks
    while left >= 16_384:
        take = min(left, 32_767)
        bits, left = bits + "0" + format(take - 16_384, "014b"), left - take
    bits += "10" * left
    bits += "1" * (-len(bits) % 8)
    runs = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    dc = bytes(blocks // 8) + (bytes([(1 << (8 - blocks % 8)) - 1]) if blocks % 8 else b"")
    out = b"\xff\xd8" + segment(0xDB, b"\0" + bytes([16] * 64))
    out += segment(0xC2, struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0")
    out += segment(0xC4, b"\0" + bytes([1] + [0] * 15) + b"\0") + segment(
        0xC4, b"\x10" + bytes([1, 1] + [0] * 14) + b"\xe0\0"
    )
    out += segment(0xDA, b"\1\1\0\0\0\0") + dc + segment(0xDA, b"\1\1\0\1\x3f\1") + runs
    return out + (segment(0xDA, b"\1\1\0\1\x3f\x10") + runs) * count + b"\xff\xd9"


def jpeg(parts):
    """A JPEG with these bytes before its own segments."""
    whole = encoded(textured(1, width=64, height=48), "JPEG")
    return whole[:2] + parts + whole[2:]


def chunk(kind, data=b""):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(parts=b"", *, between=b""):
    whole = encoded(textured(1, width=64, height=48))
    return whole[:33] + parts + whole[33:-12] + between + whole[-12:]


def exif(tags, *, size=60_000):
    """A block of EXIF whose tags each have all of its bytes as their value."""
    entries = b"".join(struct.pack("<HHII", 0x9000 + tag, 7, size, 0) for tag in range(tags))
    block = b"II*\0" + struct.pack("<IH", 8, tags) + entries + bytes(4)
    return block + bytes(max(0, size - len(block)))


def tiff(directories=0, *, tags=0, pages=1):
    """A TIFF of as many pages that are one pixel, with further tags that lead to other directories, or to all of it."""
    buffer = io.BytesIO()
    Image.new("L", (1, 1)).save(buffer, "TIFF")
    data = bytearray(buffer.getvalue())
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    entries = bytes(data[first + 2 : first + 2 + 12 * count])
    more = b"".join(struct.pack("<HHII", 50_000 + tag, 7, 1 << 20, 0) for tag in range(tags))
    for _ in range(pages):
        place = len(data)
        following = place + 2 + len(entries) + len(more) + 4
        data += struct.pack("<H", count + tags) + entries + more + struct.pack("<I", following)
    data += bytes(1 << 20 if tags else 8)
    struct.pack_into("<I", data, 4, place if pages == 1 else len(buffer.getvalue()))
    return bytes(data)


def gif(*, comments=0, frames=1, noise=0):
    buffer = io.BytesIO()
    Image.new("P", (4, 4)).save(buffer, "GIF")
    data = buffer.getvalue()
    head = 13 + (3 << (data[10] & 7) + 1)
    comment = b"\x21\xfe" + (b"\xff" + bytes(255)) * comments + b"\0" if comments else b""
    return data[:head] + bytes([7]) * noise + comment + data[head:-1] * frames + b";"


HOSTILE = {
    "scans": lambda: scans(500),
    "segments": lambda: jpeg(segment(0xFE) * 5_000),
    "padding": lambda: jpeg(b"\xff" * 5_000),
    "junk between segments": lambda: jpeg((segment(0xFE) + b"\0" * 60_000) * 20),
    "exif of a jpeg": lambda: jpeg(segment(0xE1, b"Exif\0\0" + exif(4_000))),
    "pictures of a jpeg": lambda: jpeg(segment(0xE2, b"MPF\0" + exif(4_000))),
    "chunks": lambda: png(chunk(b"teSt") * 5_000),
    "chunks at the end": lambda: png(between=chunk(b"teSt") * 5_000),
    "empty data": lambda: png(chunk(b"IDAT") * 50_000),
    "exif of a png": lambda: png(chunk(b"eXIf", exif(4_000))),
    "exif in a text": lambda: png(
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(bytes(100)) + bytes(70_000))
    ),
    "exif of a webp": lambda: (
        b"RIFF" + struct.pack("<I", 70_000) + b"WEBPEXIF" + struct.pack("<I", 60_000) + exif(4_000)
    ),
    "tags": lambda: tiff(tags=50),
    "pages": lambda: tiff(pages=3_000),
    "comments": lambda: gif(comments=5_000),
    "frames": lambda: gif(frames=60_000),
    "bytes that are no block": lambda: gif(noise=5_000),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_picture_that_costs_more_than_its_pixels_is_refused_wherever_it_is_opened(kind):
    content = HOSTILE[kind]()
    begun = time.process_time()
    with pytest.raises(ImageError, match="more than .* which no picture needs"):
        bounds.check(content)
    with pytest.raises(ImageError):
        images.prepare(content, 32)
    with pytest.raises(ImageError):
        measure.one(content)
    assert images.pixels(content) == 0
    assert time.process_time() - begun < SECONDS


def test_a_side_longer_than_any_picture_has_is_refused():
    with pytest.raises(ImageError, match="1x70000 pixels, a side of more than 65,535"):
        images.read(encoded(Image.new("1", (1, 70_000))))
    assert images.read(encoded(Image.new("1", (1, 65_535)))).height == 65_535


def test_a_file_larger_than_any_picture_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "MAX_BYTES", 1000)
    file = tmp_path / "large.png"
    file.write_bytes(encoded(textured(1)))
    for opened in (lambda: images.read(file), lambda: measure.one(measure._content(file))):
        with pytest.raises(ImageError, match="more than 1,000 bytes"):
            opened()


@pytest.mark.parametrize("kind", GOOD)
def test_an_honest_picture_is_within_all_bounds(kind):
    bounds.check(GOOD[kind][0])


def test_a_large_gif_may_have_more_blocks_than_a_small_one():
    bounds.check(encoded(Image.effect_noise((1200, 800), 90).convert("RGB"), "GIF"))


@pytest.mark.slow
def test_honest_pictures_with_a_lot_in_them_are_within_all_bounds():
    many = [Image.effect_noise((64, 48), 90).convert("RGB") for _ in range(150)]
    for format in ("GIF", "PNG", "WEBP", "TIFF"):
        content = encoded(many[0], format, save_all=True, append_images=many[1:])
        bounds.check(content)
        assert images.read(content).size == (64, 48)
    progressive = encoded(textured(3, width=800, height=600), "JPEG", progressive=True)
    with_preview = progressive[:2] + segment(0xE1, b"Exif\0\0" + bytes(8) + scans(2)) * 60 + progressive[2:]
    bounds.check(with_preview)
    bounds.check(progressive + b"\xff\xda" * 500)  # a film behind the picture, as telephones write it


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_damaged_structure_is_no_other_error(kind):
    content = HOSTILE[kind]()
    for length in (3, 11, 40, 200, 2_000, len(content) // 2):
        try:
            bounds.check(content[:length])
        except ImageError:
            continue


def test_luma_alone_is_as_careful():
    with pytest.raises(ImageError, match="more than 100 scans"):
        luma.decoded(scans(500), min_side=1)


def test_of_many_profiles_few_bytes_are_kept(monkeypatch):
    profile = colour.ImageCms.ImageCmsProfile(colour.SRGB).tobytes()
    for number in range(100):
        large = profile + bytes([number]) * 1_000_000
        picture = Image.new("RGB", (4, 4))
        picture.info["icc_profile"] = large
        colour.to_rgb(picture)
    assert colour._transforms._bytes <= 2 * colour.MAX_PROFILE
    assert len(colour._transforms) <= 64


def test_a_profile_larger_than_any_is_ignored():
    picture = Image.new("RGB", (4, 4), (200, 10, 10))
    picture.info["icc_profile"] = bytes(colour.MAX_PROFILE + 1)
    assert colour.to_rgb(picture)[0].getpixel((0, 0)) == (200, 10, 10)
