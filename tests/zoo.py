"""Files of every kind that people put on the web as pictures, made by code: the odd but good, and the bad."""

import base64
import io
import os
import random
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms, ImageOps

WIDTH, HEIGHT = 60, 40
HEIC = base64.b85decode(  # the scene, by libheif; nothing here can write it
    "0000SW^{RQXk}?*00000ZE0pPXk}?*ZE0a<0004fZDn*}000000000XXk=`10000000000aA{+700000000000000000000B57=IV*mgE07O"
    "6l0RRC200001p#T8@0000000I91001LtX>Mi!000000RR916=`l}WdZ;I000310BCk&F#rGn01j|zbZr0t000010002}X>f9I0002pX>en20"
    "001XXm(>m0RwOV0058x000009`FGC{rLC*01pFT0096PKmiN^|NjGU00093kN^M!000939=ZZRVE_RDDnbDP18@KU0|1Z!00RI30{|YNAb|y"
    "z>g1-mxCm%4AOHXZ10VnZ0{|gn00967L;=Bbz=;3=025<xY;ta6Y<K_x01W^JfB*mh6lrsCWdHyG00000KmY&$KmY&$C}V74Z~y=RJOBUy0R"
    "R91C;$Ke0ssI1`~Uy|0{{R2=l}o!0ssI25O8UDX#fBK00RgJ2mk;87-?{AVE_OC000000RRC7fdT^sga7~n2W@0wbN~PW`zQgg1~~DM-Pn;p"
    "q={Sh*@MV0!2-YRI7%w@!2<}!a{jND3Aet!z}aEDoW;krXM*)l)~u7R8cvdajy-dDE}<Dmsg1vET6t3?(%5177xZXF*#EC}f1H2Pf7SnsHmW"
    "3DE<ek9+KjEjJ*jrdLa@I!=UlgD1=*e77v)Fh@0HKGj-sDMq$5*M;s(1fZXC6>a>O##f0jW#;<N;kUo-V)J<YtRJVk%?t7{QN^l|76S+jLfa"
    "aM_xa0OmO&2YewZAVg3fSg&+PFo#%N>+`pv~raM;Fn_fy`6pOEG-PQ+b0llM5~|Ip`8D-9c7ovBKR-ex@n3;d9v}|6AGlMG4D$cHGQGX>Qj3"
    "Sf<e?=sZEt<?W6f;UexK-n5cz8etd~L7l4T7Y}c4>qY9lQ3l1AnrB)-g=##B2XRmNL(A7~uGtbeun`No0De)~qK`EqcR*+cOh}0et*RtS>HN"
    "}}Iw;EwP5;Vgr0;LrDD9CP{VtB5oju!%g7>@1cg3d$RZ<<sdDa&f2J1>7M3Y1gqqanI+iQ>AVHO&($N1IRjs&)x6Gn*qK%aqZrk?hp6_&f?l"
    "Sl($I6khEeo4%^{;qMD|U#x=FP>{Ib#CmPhy|2$dcyJ}x$t|f2k16n0!SMC24r+uqJRTcNqiJC)-hZLM"
)
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


def profile_of(name, *, gamma, space=b"RGB "):
    """A profile of this name with sRGB's primaries, or of greys, and one gamma."""
    red, green, blue = (0.4360, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)
    curve, text = b"curv" + struct.pack(">IIH", 0, 1, round(gamma * 256)), name.encode() + b"\0"
    tags = {b"desc": b"desc" + struct.pack(">II", 0, len(text)) + text + bytes(78)}
    if space == b"GRAY":
        return profile(space, tags=tags | {b"kTRC": curve})
    tags |= {b"rXYZ": xyz(*red), b"gXYZ": xyz(*green), b"bXYZ": xyz(*blue)}
    return profile(space, tags=tags | {b"rTRC": curve, b"gTRC": curve, b"bTRC": curve})


def as_linear(picture):
    """What a picture looks like whose levels are amounts of light."""
    light = np.asarray(picture) / 255.0
    shown = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return Image.fromarray((255 * shown).round().astype(np.uint8))


def with_chunk(content, name, body, *, sum=None):
    """A PNG with one more chunk before its pixels, whose sum may be wrong."""
    made = chunk(name, body) if sum is None else chunk(name, body)[:-4] + sum
    at = content.index(b"IDAT") - 4
    return content[:at] + made + content[at:]


def long_text():
    """The scene as PNG with a packed text of 1.5 MB, as programs that draw leave it."""
    return with_chunk(encoded(scene(), "PNG"), b"iTXt", b"workflow\0\1\0\0\0" + zlib.compress(b"node " * 300_000))


def clear_greys():
    """The grey ramp, opaque but with an alpha channel, and a profile of gamma 4."""
    ramp = grey().convert("LA")
    return encoded(ramp, "PNG", icc_profile=darkening())


def filled(content, fill):
    """A JPEG whose second half was replaced."""
    half = len(content) // 2
    return content[:half] + (fill * len(content))[: len(content) - half - 2] + b"\xff\xd9"


def _halved(content):
    """The first half of the data of a JPEG, and the marker of its end."""
    data = content.index(b"\xff\xda")
    return content[: (data + len(content)) // 2] + b"\xff\xd9"


def without_end(content, *, more=b""):
    """A JPEG without the marker of its end."""
    return content[:-2] + more


def longer_webp(picture):
    """A WebP whose head tells of two bytes more than there are."""
    plain = encoded(picture, "WEBP", quality=95)
    return plain[:4] + (len(plain) - 6).to_bytes(4, "little") + plain[8:]


def deep_noise(low, high, *, seed=3, odd=None):
    """Noise of 16 bits within a range, and perhaps one value far from it in a corner."""
    values = np.random.default_rng(seed).integers(low, high + 1, (HEIGHT, WIDTH)).astype(np.uint16)
    values[0, :2] = low, high
    if odd is not None:
        values[-1, -1] = odd
    return values


def stretched(values, low, high):
    """Levels from black to white."""
    levels = ((values.astype(float) - low) * 255 / (high - low)).clip(0, 255).round()
    return Image.fromarray(levels.astype(np.uint8)).convert("RGB")


def columns(*values):
    """As many upright bands as there are values."""
    return np.array(values).repeat(WIDTH // len(values))[None].repeat(HEIGHT, axis=0)


def chosen():
    """Kind: (bytes, what it shows, the note), where what is shown has to be chosen."""
    warm, hot, hollow = (deep_noise(7200, 7800, odd=odd) for odd in (None, 65_535, None))
    hotter = deep_noise(7200, 7800)
    hotter[-1, -30:-27] = 21_000, 43_000, 65_535  # which are not far from one another
    hollow[10:] = 0  # nothing was measured there
    cold = np.linspace(-40, 35, WIDTH * HEIGHT).reshape(HEIGHT, WIDTH).astype(np.float32)
    lacking = cold.copy()
    lacking[:5] = -9999
    few, shades = columns(0, 1, 2), stretched(columns(0, 1, 2), 0, 2)
    palette = Image.fromarray(few.astype(np.uint8)).convert("P")
    palette.putpalette([0, 0, 0, 1, 1, 1, 2, 2, 2])
    far = columns(0, 1, 2, 60_000).astype(np.uint16)
    shape = Image.merge("LA", [Image.new("L", (WIDTH, HEIGHT), 255), grey(2)])
    warm_note, few_note = "values from 7200 to 7800 shown", "values from 0 to 2 shown"
    return {
        "thermal 16-bit png": (encoded(Image.fromarray(warm), "PNG"), stretched(warm, 7200, 7800), warm_note),
        "16-bit png with a hot pixel": (encoded(Image.fromarray(hot), "PNG"), stretched(hot, 7200, 7800), warm_note),
        "16-bit png with hot pixels": (
            encoded(Image.fromarray(hotter), "PNG"),
            stretched(hotter, 7200, 7800),
            r"values from 720\d to 7\d\d\d shown",
        ),
        "16-bit tiff with holes": (encoded(Image.fromarray(hollow), "TIFF"), stretched(hollow, 7200, 7800), warm_note),
        "float tiff of degrees": (encoded(Image.fromarray(cold), "TIFF"), stretched(cold, -40, 35), "from -40 to 35"),
        "float tiff with a number for nothing": (
            encoded(Image.fromarray(lacking), "TIFF"),
            stretched(lacking, cold[5, 0], 35),
            r"from -30\.6\d+ to 35",
        ),
        "mask of 8 bits": (encoded(Image.fromarray(few.astype(np.uint8)), "PNG"), shades, few_note),
        "mask of 16 bits": (encoded(Image.fromarray(few.astype(np.uint16)), "PNG"), shades, few_note),
        "mask of 32 bits": (encoded(Image.fromarray(few.astype(np.int32)), "TIFF"), shades, few_note),
        "mask with a palette of greys": (encoded(palette, "PNG"), shades, few_note),
        "mask with one far value": (
            encoded(Image.fromarray(far), "PNG"),
            stretched(columns(0, 1, 2, 3), 0, 3),
            "4 different values shown as shades of their own",
        ),
        "scene that is transparent all over": (
            encoded(Image.merge("RGBA", [*scene().split(), Image.new("L", (WIDTH, HEIGHT))]), "PNG"),
            scene(),
            "shown without its transparency",
        ),
        "white on nothing": (encoded(shape, "PNG"), grey(2).convert("RGB"), "shown on black"),
    }


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
        "jpeg without its last two bytes": (without_end(plain), shown, 6),
        "jpeg without its end, and zeros": (without_end(plain, more=bytes(500)), shown, 6),
        "jpeg that ends within the marker of its end": (plain[:-1], shown, 6),
        "progressive jpeg without its end": (
            without_end(encoded(shown, "JPEG", quality=95, progressive=True)),
            shown,
            6,
        ),
        "grey jpeg of the fill of cut ones": (
            encoded(Image.new("RGB", (64, 64), (128,) * 3), "JPEG"),
            Image.new("RGB", (64, 64), (128,) * 3),
            0,
        ),
        "jpeg and zeros after its end": (plain + bytes(1000), shown, 6),
        "png with a long text": (long_text(), shown, 0),
        "png with a damaged text": (with_chunk(encoded(shown, "PNG"), b"tEXt", b"a\0b", sum=b"oops"), shown, 0),
        "png with a damaged profile": (with_chunk(encoded(shown, "PNG"), b"iCCP", b"a\0\0oops", sum=b"oops"), shown, 0),
        "png without its end": (encoded(shown, "PNG")[:-12], shown, 0),
        "gif without its end": (encoded(palette, "GIF")[:-1], palette.convert("RGB"), 0),
        "png with a profile that is linear and called sRGB": (
            encoded(shown, "PNG", icc_profile=profile_of("sRGB-elle-V2-g10.icc", gamma=1)),
            as_linear(shown),
            2,
        ),
        "jpeg with a profile called sRGB that is near it": (
            encoded(shown, "JPEG", quality=95, icc_profile=profile_of("sRGB of a camera", gamma=2.2)),
            shown,
            6,
        ),
        "grey png with alpha and a profile": (clear_greys(), dark_grey(), 4),
        "16-bit grey png with a profile": (
            encoded(Image.fromarray(ramp), "PNG", icc_profile=darkening()),
            dark_grey(),
            4,
        ),
        "heic": (HEIC, shown, 8),
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
        "webp that claims to be longer": (longer_webp(shown), shown, 8),
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
        "start of a heic": (HEIC[:200], "damaged"),
        "truncated jpeg": (cut["JPEG"], "truncated"),
        "jpeg half filled with zeros": (filled(whole["JPEG"], b"\0"), "truncated"),
        "jpeg half filled with ones": (filled(whole["JPEG"], b"\xff"), "truncated"),
        "jpeg cut in half, and ended": (_halved(whole["JPEG"]), "truncated"),
        "cmyk jpeg cut in half, and ended": (_halved(encoded(noise.convert("CMYK"), "JPEG")), "truncated"),
        "ycck jpeg cut in half, and ended": (_halved(ycck()), "truncated"),
        "grey jpeg cut in half, and ended": (_halved(encoded(noise.convert("L"), "JPEG")), "truncated"),
        "jpeg with restarts cut in half, and ended": (
            _halved(encoded(noise, "JPEG", restart_marker_blocks=2)),
            "truncated",
        ),
        "progressive jpeg cut early, and ended": (
            encoded(noise, "JPEG", progressive=True)[: len(whole["JPEG"]) // 5] + b"\xff\xd9",
            "truncated|damaged",
        ),
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
