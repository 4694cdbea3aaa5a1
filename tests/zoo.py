"""Files of every kind that people put on the web as pictures, made by code: the odd but good, and the bad."""

import io
import os
import random
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms, ImageOps

WIDTH, HEIGHT = 60, 40
SRGB, LAB = (ImageCms.ImageCmsProfile(ImageCms.createProfile(name)) for name in ("sRGB", "LAB"))


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


def profile(space, *, tags):
    """A colour profile (ICC version 2) written by hand."""
    text = b"of this test\0"
    description = b"desc" + struct.pack(">II", 0, len(text)) + text + bytes(78)
    tags = {b"desc": description, b"cprt": b"text" + bytes(4) + text, b"wtpt": xyz(0.9642, 1, 0.8249), **tags}
    place, index, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        index += name + struct.pack(">II", place + len(body), len(content))
        body += content
    kind, through = (b"prtr", b"Lab ") if space == b"CMYK" else (b"mntr", b"XYZ ")
    head = struct.pack(">I4sI4s4s4s12s4s", place + len(body), b"", 0x02400000, kind, space, through, b"", b"acsp")
    head += bytes(28) + xyz(0.9642, 1, 0.8249)[8:]
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + index + body


def xyz(*values):
    """A colour, as a profile holds it."""
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in values))


def exchanging():
    """A profile of sRGB's primaries with red and green exchanged: whoever follows it sees the colours change places."""
    red, green, blue = (0.4360, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)
    curve = b"curv" + struct.pack(">IIH", 0, 1, round(2.2 * 256))
    colours = {b"rXYZ": xyz(*green), b"gXYZ": xyz(*red), b"bXYZ": xyz(*blue)}
    return profile(b"RGB ", tags=colours | {b"rTRC": curve, b"gTRC": curve, b"bTRC": curve})


def darkening():
    """A profile of greys that are darker than they look: a gamma of 4."""
    return profile(b"GRAY", tags={b"kTRC": b"curv" + struct.pack(">IIH", 0, 1, 4 * 256)})


def orange_for_cyan():
    """A profile of a printer that prints orange for cyan on white paper, and black for all other inks."""
    corners = [(255, 128, 128), *[(0, 128, 128)] * 7, (180, 150, 170), *[(0, 128, 128)] * 7]  # as Lab
    ramp, eye = bytes(range(256)), struct.pack(">9i", *(65536 * (n % 4 == 0) for n in range(9)))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + eye + 4 * ramp + bytes(np.ravel(corners).tolist()) + 3 * ramp
    return profile(b"CMYK", tags={b"A2B0": table})


def without(content, marker):
    """A JPEG without its first segment of this marker."""
    start = content.index(b"\xff" + bytes([marker]))
    return content[:start] + content[start + 2 + int.from_bytes(content[start + 2 : start + 4]) :]


def first_scan(content):
    """A progressive JPEG that ends, without saying so, after its first scan."""
    first = content.index(b"\xff\xda")
    return content[: content.index(b"\xff\xc4", first)]


def ycck():
    """The scene as a JPEG of four parts, the first three turned into brightness and colour."""
    parts = [ImageOps.invert(part) for part in ImageOps.invert(scene()).convert("YCbCr").split()]
    plain = encoded(Image.merge("CMYK", [*parts, Image.new("L", (WIDTH, HEIGHT))]), "JPEG", quality=95)
    return plain.replace(b"Adobe\0\x64\0\0\0\0\0", b"Adobe\0\x64\0\0\0\0\2")


def big_endian_tiff():
    """The grey ramp with 16 bits, most significant byte first."""
    pixels = (np.asarray(grey()).astype(">u2") * 257).tobytes()
    facts = {256: WIDTH, 257: HEIGHT, 258: 16, 259: 1, 262: 1, 273: 8, 277: 1, 278: HEIGHT, 279: len(pixels)}
    entries = b"".join(struct.pack(">HHII", tag, 4, 1, value) for tag, value in facts.items())
    index = struct.pack(">H", len(facts)) + entries + bytes(4)
    return b"MM\0*" + struct.pack(">I", 8 + len(pixels)) + pixels + index


def exchanged():
    """The scene with red and green in each other's place."""
    return Image.merge("RGB", [scene().getchannel(name) for name in "GRB"])


def dark_grey():
    """The grey ramp as its profile of gamma 4 shows it on a screen."""
    light = (np.asarray(grey()) / 255.0) ** 4
    shown = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return Image.fromarray((255 * shown).round().astype(np.uint8)).convert("RGB")


def good():
    """Kind: (bytes, what it shows in RGB, largest mean difference per channel)."""
    shown, plain, mirrored = scene(), encoded(scene(), "JPEG", quality=95), ImageOps.mirror(scene())
    palette, clear = shown.quantize(32), half_clear()
    ramp = np.asarray(grey()).astype(np.uint16) * 257
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
        "jpeg with a colour profile": (encoded(shown, "JPEG", quality=95, icc_profile=SRGB.tobytes()), shown, 6),
        "jpeg with another profile": (encoded(shown, "JPEG", quality=95, icc_profile=exchanging()), exchanged(), 9),
        "jpeg with a damaged profile": (encoded(shown, "JPEG", quality=95, icc_profile=bytes(300)), shown, 6),
        "jpeg with a profile cut off": (encoded(shown, "JPEG", quality=95, icc_profile=exchanging()[:200]), shown, 6),
        "jpeg with a profile for greys": (encoded(shown, "JPEG", quality=95, icc_profile=darkening()), shown, 6),
        "grey jpeg with a profile": (encoded(grey(), "JPEG", quality=95, icc_profile=darkening()), dark_grey(), 4),
        "png with another profile": (encoded(shown, "PNG", icc_profile=exchanging()), exchanged(), 7),
        "rgba png with another profile": (
            encoded(clear, "PNG", icc_profile=exchanging()),
            over_white(Image.merge("RGBA", [*exchanged().split(), clear.getchannel("A")])),
            7,
        ),
        "cmyk jpeg with a profile": (
            encoded(Image.new("CMYK", (8, 8), (255, 0, 0, 0)), "JPEG", icc_profile=orange_for_cyan()),
            Image.new("RGB", (8, 8), (226, 157, 96)),
            4,
        ),
        "ycck jpeg": (ycck(), shown, 6),
        "cmyk jpeg without adobe's mark": (
            without(encoded(shown.convert("CMYK"), "JPEG", quality=95), 0xEE),
            shown,
            6,
        ),
        "jpeg after jpeg": (plain + encoded(mirrored, "JPEG"), shown, 6),
        "progressive jpeg with restarts": (
            encoded(shown, "JPEG", quality=95, progressive=True, restart_marker_blocks=3),
            shown,
            6,
        ),
        "lab tiff": (encoded(ImageCms.profileToProfile(shown, SRGB, LAB, outputMode="LAB"), "TIFF"), shown, 4),
        "big-endian 16-bit grey tiff": (big_endian_tiff(), grey().convert("RGB"), 0),
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
        "jpeg without its last two bytes": (whole["JPEG"][:-2], "truncated"),
        "progressive jpeg after its first scan": (first_scan(encoded(noise, "JPEG", progressive=True)), "truncated"),
        "lossless jpeg": (encoded(noise, "JPEG").replace(b"\xff\xc0", b"\xff\xc3"), "damaged"),
        "jpeg of 65,500 by 65,500 pixels": (
            encoded(noise, "JPEG").replace(struct.pack(">HH", HEIGHT, WIDTH), struct.pack(">HH", 65500, 65500)),
            "pixels",
        ),
        "icon": (encoded(noise, "ICO"), "not a picture"),
        "portable pixmap": (encoded(noise, "PPM"), "not a picture"),
        "targa": (encoded(noise, "TGA"), "not a picture"),
        "jpeg 2000": (encoded(noise, "JPEG2000"), "not a picture"),
        "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) (w) file\n", "not a picture"),
        "photoshop": (b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 9, 9, 8, 3) + bytes(90), "not a picture"),
        "javascript": (b"alert(1)//\xff\xd8\xff", "not a picture"),
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


def places(folder):
    """Put what is no picture, or has an odd name, into a folder; name: what is said of it, or None if it is read."""
    plain = encoded(scene(), "JPEG", quality=95)
    named = ["no ending", "UPPER.JPEG", "query.jpg?width=640", "ünïcode_日本.jpg", "sp ace #1%20.jpg", ".hidden.jpg"]
    named += [
        "-rf.jpg",
        "$(touch ran).jpg",
        "a.jpg",
        "a.JPEG2",
        "A.jpg",
        "new\nline.jpg",
        "n" * 251 + ".jpg",
        "m" * 255,
    ]
    for name in named:
        (folder / name).write_bytes(plain)
    (folder / "png in truth.jpg").write_bytes(encoded(scene(), "PNG"))
    (folder / "link.jpg").symlink_to(folder / "a.jpg")
    (folder / "dangling.jpg").symlink_to(folder / "nothing")
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    (folder / "folder.jpg").mkdir()
    (folder / "device.jpg").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.jpg")
    (folder / "forbidden.jpg").write_bytes(plain)
    (folder / "forbidden.jpg").chmod(0)
    bad = {"dangling.jpg": "no file", "loop.jpg": "symbolic links", "folder.jpg": "directory", "gone.jpg": "no file"}
    bad |= {"device.jpg": "pipe or device", "pipe.jpg": "pipe or device", "o" * 300 + ".jpg": "too long"}
    bad |= {"forbidden.jpg": None if os.access(folder / "forbidden.jpg", os.R_OK) else "Permission denied"}
    return dict.fromkeys([*named, "png in truth.jpg", "link.jpg"]) | bad


def fuzzed(count, *, seed):
    """So many damaged files, the same every time: small pictures of all kinds flipped, cut, stretched and spliced."""
    rng = random.Random(seed)
    kinds = {**{kind: entry[0] for kind, entry in good().items()}, "png": encoded(scene(), "PNG")}
    for _ in range(count):
        kind = rng.choice(sorted(kinds))
        yield kind, _damaged(kinds[kind], kinds[rng.choice(sorted(kinds))], rng)


def _damaged(content, other, rng):
    changed = bytearray(content)
    for _ in range(rng.choice([0, 1, 1, 2, 5, 30])):
        changed[rng.randrange(len(changed))] = rng.choice([0, 0xFF, 0x7F, rng.randrange(256)])
    how, at = rng.choice(["keep", "cut", "splice", "drop", "repeat"]), rng.randrange(len(changed))
    if how == "cut":
        return bytes(changed[:at])
    if how == "splice":
        return bytes(changed[:at] + other[rng.randrange(len(other)) :])
    if how == "drop":
        return bytes(changed[:at] + changed[at + rng.randrange(1, 64) :])
    if how == "repeat":
        return bytes(changed[:at] + changed[max(0, at - rng.randrange(1, 400)) :])
    return bytes(changed)
