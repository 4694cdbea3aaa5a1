"""Files of every kind that people put on the web as pictures, made by code: the odd but good, and the bad."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms, ImageOps

WIDTH, HEIGHT = 60, 40


def scene():
    """Four quarters, each of another colour, with a gradient: no turn or mirroring looks like another."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[:20, :30], pixels[:20, 30:], pixels[20:, :30], pixels[20:, 30:] = (
        (220, 40, 40),
        (40, 200, 60),
        (50, 60, 210),
        (240, 230, 60),
    )
    pixels[..., 1] += np.linspace(0, 20, WIDTH).astype(np.uint8)
    return Image.fromarray(pixels)


def encoded(picture, kind, **options):
    """The bytes of a file."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def turned(orientation, kind="JPEG", **options):
    """The scene stored turned or mirrored, with the mark that tells a viewer how to undo it."""
    undone = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # EXIF orientation to the Transpose that makes it necessary
    stored = scene() if orientation == 1 else scene().transpose(Image.Transpose(undone[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(stored, kind, exif=exif, **options)


def half_clear():
    """The scene with its upper half transparent."""
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    alpha[:20] = 0
    picture = scene().convert("RGBA")
    picture.putalpha(Image.fromarray(alpha))
    return picture


def over_white(picture):
    """What a transparent picture looks like on a white page."""
    page = Image.new("RGB", picture.size, "white")
    page.paste(picture, mask=picture.getchannel("A"))
    return page


def grey(levels=256):
    """A grey ramp from black to white in so many levels, 8 bits."""
    ramp = np.linspace(0, levels - 1, WIDTH).round() * (255 / (levels - 1))
    return Image.fromarray(np.tile(ramp.round().astype(np.uint8), (HEIGHT, 1)))


def chunk(name, content):
    """One chunk of a PNG."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width, height, *, depth, colour, rows, extra=b""):
    """A PNG written by hand: `rows` are its bytes before compression, filter bytes included."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress(rows)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def huge_png(side):
    """A black 1-bit PNG of side × side pixels: small on disk, large in memory."""
    return png(side, side, depth=1, colour=0, rows=bytes((side // 8 + 1) * side))


def sixteen_bit_rgb():
    """The scene with 16 bits per channel."""
    deep = (np.asarray(scene()).astype(">u2") * 257).tobytes()
    stride = WIDTH * 6
    rows = b"".join(b"\0" + deep[start : start + stride] for start in range(0, len(deep), stride))
    return png(WIDTH, HEIGHT, depth=16, colour=2, rows=rows)


def one_clear_colour():
    """An RGB PNG whose red is declared transparent, without an alpha channel."""
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[0] = (255, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    return png(2, 2, depth=8, colour=2, rows=rows, extra=chunk(b"tRNS", struct.pack(">HHH", 255, 0, 0)))


def damaged_exif():
    """A JPEG whose EXIF block is rubbish."""
    plain = encoded(scene(), "JPEG", quality=95)
    block = b"Exif\0\0II*\0" + b"\xff" * 40
    return plain[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + plain[2:]


def good():
    """Kind: (bytes, what it shows in RGB, largest mean difference per channel)."""
    shown, plain, mirrored = scene(), encoded(scene(), "JPEG", quality=95), ImageOps.mirror(scene())
    palette, clear = shown.quantize(32), half_clear()
    ramp = np.asarray(grey()).astype(np.uint16) * 257
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    later = {"save_all": True, "append_images": [mirrored, ImageOps.flip(shown)], "duration": 100}
    indexed = Image.fromarray(np.repeat([[0, 1]], 2, axis=0).astype(np.uint8)).convert("P")
    indexed.putpalette([255, 0, 0, 0, 0, 255])
    red_and_blue = Image.fromarray(np.array([[[255, 0, 0], [0, 0, 255]]] * 2, np.uint8))
    white_and_blue = Image.fromarray(np.array([[[255, 255, 255], [0, 0, 255]]] * 2, np.uint8))
    return {
        "jpeg": (plain, shown, 6),
        "progressive jpeg": (encoded(shown, "JPEG", quality=95, progressive=True), shown, 6),
        "grey jpeg": (encoded(grey(), "JPEG", quality=95), grey().convert("RGB"), 3),
        "cmyk jpeg": (encoded(shown.convert("CMYK"), "JPEG", quality=95), shown, 6),
        "jpeg with a colour profile": (encoded(shown, "JPEG", quality=95, icc_profile=profile), shown, 6),
        "jpeg with a tail": (plain + b"PK\x03\x04" * 1000, shown, 6),
        "jpeg with damaged exif": (damaged_exif(), shown, 6),
        "jpeg of 1x1": (encoded(Image.new("RGB", (1, 1), "red"), "JPEG"), Image.new("RGB", (1, 1), "red"), 4),
        "jpeg of 500x1": (encoded(Image.new("RGB", (500, 1), "red"), "JPEG"), Image.new("RGB", (500, 1), "red"), 4),
        "mpo": (encoded(shown, "MPO", save_all=True, append_images=[mirrored], quality=95), shown, 6),
        "png": (encoded(shown, "PNG"), shown, 0),
        "grey png": (encoded(grey(), "PNG"), grey().convert("RGB"), 0),
        "1-bit png": (encoded(grey(2).convert("1"), "PNG"), grey(2).convert("RGB"), 0),
        "16-bit grey png": (encoded(Image.fromarray(ramp), "PNG"), grey().convert("RGB"), 0),
        "dark 16-bit grey png": (
            encoded(Image.fromarray(np.full((4, 4), 200, np.uint16)), "PNG"),
            Image.new("RGB", (4, 4), (1, 1, 1)),
            0,
        ),
        "16-bit rgb png": (sixteen_bit_rgb(), shown, 0),
        "palette png": (encoded(palette, "PNG"), palette.convert("RGB"), 0),
        "palette png with one clear colour": (encoded(indexed, "PNG", transparency=0), white_and_blue, 0),
        "palette png with alpha": (encoded(indexed, "PNG", transparency=b"\x00\xff"), white_and_blue, 0),
        "palette png without": (encoded(indexed, "PNG"), red_and_blue, 0),
        "rgb png with one clear colour": (
            one_clear_colour(),
            Image.fromarray(np.array([[[255] * 3] * 2, [[0] * 3] * 2], np.uint8)),
            0,
        ),
        "rgba png": (encoded(clear, "PNG"), over_white(clear), 0),
        "la png": (encoded(clear.convert("LA"), "PNG"), over_white(clear.convert("LA").convert("RGBA")), 0),
        "animated png": (encoded(shown, "PNG", **later), shown, 0),
        "gif": (encoded(palette, "GIF"), palette.convert("RGB"), 0),
        "gif of 1x1": (encoded(Image.new("RGB", (1, 1), "red"), "GIF"), Image.new("RGB", (1, 1), "red"), 0),
        "gif with a clear colour": (encoded(indexed, "GIF", transparency=0), white_and_blue, 0),
        "animated gif": (encoded(shown, "GIF", **later), shown, 4),
        "webp": (encoded(shown, "WEBP", quality=95), shown, 8),
        "clear webp": (encoded(clear, "WEBP", lossless=True), over_white(clear), 0),
        "animated webp": (encoded(shown, "WEBP", lossless=True, **later), shown, 0),
        "bmp": (encoded(shown, "BMP"), shown, 0),
        "1-bit bmp": (encoded(grey(2).convert("1"), "BMP"), grey(2).convert("RGB"), 0),
        "tiff": (encoded(shown, "TIFF"), shown, 0),
        "packed tiff": (encoded(shown, "TIFF", compression="tiff_lzw"), shown, 0),
        "big tiff": (encoded(shown, "TIFF", big_tiff=True), shown, 0),
        "cmyk tiff": (encoded(shown.convert("CMYK"), "TIFF"), shown, 1),
        "float tiff": (encoded(Image.fromarray(ramp.astype(np.float32) / 65535), "TIFF"), grey().convert("RGB"), 0),
        "16-bit grey tiff": (encoded(Image.fromarray(ramp), "TIFF"), grey().convert("RGB"), 0),
        "32-bit grey tiff": (encoded(Image.fromarray(ramp.astype(np.int32)), "TIFF"), grey().convert("RGB"), 0),
        "tiff of several pages": (
            encoded(scene(), "TIFF", save_all=True, append_images=[scene(), mirrored.copy()]),
            shown,
            0,
        ),
        "avif": (encoded(shown, "AVIF", quality=95), shown, 8),
    }


def bad():
    """Kind: (bytes, a part of the reason it is refused for)."""
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))
    whole = {kind: encoded(noise, kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")}
    cut = {kind: content[: len(content) * 6 // 10] for kind, content in whole.items()}
    middle = len(whole["PNG"]) // 2
    flipped = whole["PNG"][:middle] + bytes([whole["PNG"][middle] ^ 0xFF]) + whole["PNG"][middle + 1 :]
    return {
        "empty file": (b"", "empty file"),
        "html": (b"<!DOCTYPE html><html><body>404 not found</body></html>", "web page"),
        "html after blank lines": (b"\n\n  <HTML><body>gone</body></html>", "web page"),
        "svg": (b'<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>', "drawing"),
        "json": (b'{"error": 429}', "not a picture"),
        "words": (b"These are words.\n" * 20, "not a picture"),
        "zeros": (bytes(1000), "not a picture"),
        "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "not a picture"),
        "zip": (b"PK\x03\x04" + bytes(100), "not a picture"),
        "film": (b"\0\0\0\x20ftypisom" + bytes(100), "not a picture"),
        "heic": (b"\0\0\0\x20ftypheic" + bytes(100), "not a picture"),
        "truncated jpeg": (cut["JPEG"], "truncated"),
        "jpeg cut in its header": (whole["JPEG"][:100], "truncated"),
        "start of a jpeg": (b"\xff\xd8\xff\xe0", "damaged"),
        "truncated png": (cut["PNG"], "truncated"),
        "start of a png": (b"\x89PNG\r\n\x1a\n", "damaged"),
        "png with a flipped byte": (flipped, "damaged"),
        "truncated webp": (cut["WEBP"], "damaged|truncated"),
        "truncated gif": (cut["GIF"], "truncated"),
        "truncated bmp": (cut["BMP"], "truncated"),
        "truncated tiff": (cut["TIFF"], "damaged|truncated"),
        "truncated avif": (cut["AVIF"], "damaged|truncated"),
        "png of 121 million pixels": (huge_png(11_000), "pixels"),
        "png of 400 million pixels": (huge_png(20_000), "pixels"),
        "png that claims 3600 million pixels": (png(60_000, 60_000, depth=8, colour=2, rows=bytes(100)), "pixels"),
        "png that has fewer rows than it claims": (png(100, 100, depth=8, colour=2, rows=bytes(900)), "truncated"),
        "png of no width": (png(0, 10, depth=8, colour=2, rows=b""), "damaged"),
    }
