"""One way to open a picture, whatever the file is; and a reason in words where it cannot be opened."""

import io
import os
import random
import re
import struct
import subprocess
import sys

import numpy as np
import pytest
import zoo
from helpers import textured
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from toolkit import images
from toolkit.errors import ImageError
from toolkit.images import jpeg, kinds

GOOD, BAD, CHOSEN = zoo.good(), zoo.bad(), zoo.chosen()
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # of damaged EXIF; the picture is read all the same


def difference(one, other):
    assert one.size == other.size
    return np.abs(np.asarray(one, float) - np.asarray(other, float)).mean(axis=(0, 1)).max()


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_file_is_read_as_rgb_and_looks_as_it_should(kind):
    content, shown, most = GOOD[kind]
    picture = images.read(content)
    assert picture.mode == "RGB"
    assert difference(picture, shown) <= most


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_refused_with_a_reason(kind):
    content, reason = BAD[kind]
    with pytest.raises(ImageError, match=reason) as caught:
        images.read(content)
    assert caught.value.status == "unreadable"


@pytest.mark.parametrize("kind", [*GOOD, *BAD])
def test_a_path_and_its_bytes_give_the_same(kind, tmp_path):
    content, file = (GOOD | BAD)[kind][0], tmp_path / "picture.jpg"
    file.write_bytes(content)

    def outcome(source):
        try:
            return np.asarray(images.read(source)).tolist()
        except ImageError as error:
            return error.reason

    assert outcome(file) == outcome(str(file)) == outcome(content)


@pytest.mark.parametrize("kind", CHOSEN)
def test_where_what_is_shown_has_to_be_chosen_a_note_says_how(kind):
    content, shown, note = CHOSEN[kind]
    picture, facts = images.inspect(content)
    assert difference(picture, shown) < 0.3
    assert re.search(note, facts["note"])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_a_turned_picture_is_set_upright(kind, orientation):
    lossless = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95}, "AVIF": {"quality": 95}}
    picture, facts = images.inspect(zoo.turned(orientation, kind, **lossless.get(kind, {})))
    assert difference(picture, zoo.scene()) < 8
    assert (facts["width"], facts["height"]) == (zoo.WIDTH, zoo.HEIGHT)


def test_a_mark_that_is_none_leaves_the_picture_as_it_is():
    exif = Image.Exif()
    exif[0x0112] = 77
    assert images.read(zoo.encoded(zoo.scene(), "PNG", exif=exif)).tobytes() == zoo.scene().tobytes()


def test_inspect_says_what_the_file_was():
    kinds = {"jpeg": ("JPEG", 1), "animated gif": ("GIF", 3), "animated webp": ("WEBP", 3), "animated png": ("PNG", 3)}
    kinds |= {"mpo": ("MPO", 2), "tiff of several pages": ("TIFF", 3), "avif": ("AVIF", 1)}
    for kind, (name, frames) in kinds.items():
        facts = images.inspect(GOOD[kind][0])[1]
        assert facts == {"width": zoo.WIDTH, "height": zoo.HEIGHT, "format": name, "frames": frames, "note": ""}


@pytest.mark.parametrize(("ink", "ground"), [(255, 0), (0, 255), (120, 255)])
def test_a_shape_on_transparency_is_laid_over_a_ground_on_which_it_is_seen(ink, ground):
    shape = Image.new("LA", (40, 40), (ink, 0))
    shape.paste((ink, 255), (10, 10, 30, 30))
    buffer = io.BytesIO()
    shape.save(buffer, "PNG")
    picture = images.read(buffer.getvalue())
    assert picture.getpixel((0, 0)) == (ground,) * 3
    assert picture.getpixel((20, 20)) == (ink,) * 3


def test_a_picture_that_is_transparent_all_over_is_white():
    buffer = io.BytesIO()
    Image.new("LA", (8, 8), (255, 0)).save(buffer, "PNG")
    assert images.read(buffer.getvalue()).getextrema() == ((255, 255),) * 3


def test_a_float_picture_without_numbers_is_black_not_an_error():
    values = np.array([[np.nan, np.inf], [-np.inf, np.nan]], np.float32)
    picture = images.read(zoo.encoded(Image.fromarray(values), "TIFF"))
    assert np.asarray(picture)[..., 0].tolist() == [[0, 255], [0, 0]]


@pytest.mark.parametrize(
    ("values", "grey"),
    [
        (np.array([[-1, -0.5, 0, 0.5, 1]], np.float32), [0, 64, 128, 191, 255]),  # from lowest to highest
        (np.array([[0, 4000, 20_000]], np.int32), [0, 51, 255]),
        (np.array([[0, 4000, 65_535]], np.float32), [0, 16, 255]),
        (np.array([[0, 4000, 65_536]], np.int32), [0, 16, 255]),
        (np.array([[0, 7, 255]], np.int32), [0, 7, 255]),
        (np.array([[0, 128, 256]], np.int32), [0, 128, 255]),
        (np.array([[0, 128, 129, 65_535]], np.uint16), [0, 85, 170, 255]),  # which would be one shade otherwise
        (np.array([[0.0, 0.25, 1.0]], np.float32), [0, 64, 255]),  # no whole numbers
        (np.array([[5, 5]], np.float32), [5, 5]),
    ],
)
def test_a_ramp_of_deep_grey_values_keeps_its_steps(values, grey):
    picture = images.read(zoo.encoded(Image.fromarray(values), "TIFF"))
    assert np.asarray(picture)[0].tolist() == [[value] * 3 for value in grey]


def test_things_that_are_no_files_are_refused_in_words(tmp_path):
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "nothing")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    reasons = {"folder.jpg": "directory", "dangling.jpg": "no file", "loop.jpg": "symbolic", "none.jpg": "no file"}
    reasons |= {"x" * 300: "too long", "null\0character": "null"}
    for name, reason in reasons.items():
        with pytest.raises(ImageError, match=reason):
            images.read(tmp_path / name)


def test_a_limit_of_pixels_is_kept():
    content = zoo.encoded(zoo.scene(), "PNG")
    assert images.read(content, max_pixels=zoo.WIDTH * zoo.HEIGHT)
    with pytest.raises(ImageError, match="60x40 pixels, more than the limit of 2,399"):
        images.read(content, max_pixels=zoo.WIDTH * zoo.HEIGHT - 1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF"])
def test_flipped_and_cut_files_are_read_or_refused_and_nothing_else(kind):
    rng = random.Random(kind)
    picture = zoo.scene()
    whole = zoo.encoded(picture, kind, **({"save_all": True, "append_images": [picture]} if kind == "GIF" else {}))
    for _ in range(80):
        content = bytearray(whole)
        for _ in range(rng.choice([0, 1, 3, 20])):
            content[rng.randrange(len(content))] = rng.randrange(256)
        content = content[: rng.randrange(1, len(content))] if rng.random() < 0.4 else content
        try:
            assert images.read(bytes(content)).mode == "RGB"
        except ImageError as error:
            assert error.reason


# Squares


@given(width=st.integers(1, 900), height=st.integers(1, 900), size=st.sampled_from([1, 32, 64, 71]))
@example(width=20_000, height=1, size=64)
@example(width=1, height=20_000, size=64)
@example(width=1, height=1, size=299)
def test_a_square_has_exactly_the_size_asked_for(width, height, size):
    assert images.square(Image.new("RGB", (width, height)), size).size == (size, size)


@pytest.mark.parametrize("side", [55, 71, 83, 98, 103, 107, 161, 187, 718])
def test_sides_that_come_out_one_pixel_short_when_multiplied_do_not(side):
    for picture in (Image.new("RGB", (side, side)), Image.new("RGB", (side, side + 1))):
        assert images.square(picture, 64).size == (64, 64)


@pytest.mark.parametrize("size", [(200, 100), (100, 200), (301, 100), (100, 100)])
def test_a_square_is_the_centre_of_the_picture(size):
    picture = Image.new("RGB", size, "red")
    left, top = (size[0] - 100) // 2, (size[1] - 100) // 2
    picture.paste((0, 0, 255), (left, top, left + 100, top + 100))
    picture.paste((255, 255, 255), (left + 40, top + 40, left + 60, top + 60))
    square = np.asarray(images.square(picture, 50))[3:-3, 3:-3]  # pixels at the edge look a little beyond it
    assert (square[17:27, 17:27].min(axis=2) > 200).mean() > 0.6
    assert (square[:13] == (0, 0, 255)).all() and (square[-13:] == (0, 0, 255)).all()
    assert (square[:, :13] == (0, 0, 255)).all() and (square[:, -13:] == (0, 0, 255)).all()


MODES = st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
KINDS = {"1": "PNG", "P": "PNG", "LA": "PNG", "RGBA": "PNG", "I;16": "PNG", "I": "TIFF", "F": "TIFF", "CMYK": "TIFF"}


@settings(max_examples=60)
@given(mode=MODES, width=st.integers(1, 70), height=st.integers(1, 70), way=st.sampled_from(images.MODES))
def test_a_picture_of_any_mode_and_size_becomes_a_square_in_any_way(mode, width, height, way):
    picture = Image.new("L", (width, height), 200)
    content = zoo.encoded(
        Image.new("I;16", picture.size, 200 * 257) if mode == "I;16" else picture.convert(mode), KINDS.get(mode, "JPEG")
    )
    pixels = images.prepare(content, 24, way)
    assert pixels.shape == (24, 24, 3)
    middle = pixels[12, 12].astype(int)
    if mode != "1":  # which is made of black and white dots
        assert (abs(middle - 200) < 4).all()


@given(width=st.integers(1, 300), height=st.integers(1, 300), size=st.sampled_from([16, 33, 64]))
def test_a_letterbox_keeps_everything_and_its_shape(width, height, size):
    square = np.asarray(images.square(Image.new("RGB", (width, height), "white"), size, "letterbox"))
    inside = (square != images.PADDING[0]).all(axis=2)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    scale = size / max(width, height)
    assert (len(columns), len(rows)) == (max(1, round(scale * width)), max(1, round(scale * height)))
    assert inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    for places in (rows, columns):
        assert abs(places[0] - (size - 1 - places[-1])) <= 1


def test_a_squashed_picture_has_all_four_corners():
    square = images.square(zoo.scene(), 40, "squash")
    for corner in ((3, 3), (36, 3), (3, 36), (36, 36)):
        place = (corner[0] * zoo.WIDTH // 40, corner[1] * zoo.HEIGHT // 40)
        assert np.allclose(square.getpixel(corner), zoo.scene().getpixel(place), atol=12)


@pytest.mark.parametrize("way", images.MODES)
def test_a_square_that_is_made_square_again_stays_as_it_is(way):
    once = images.square(zoo.scene(), 32, way)
    assert images.square(once, 32, way).tobytes() == once.tobytes()


@pytest.mark.parametrize(("shape", "centre"), [((301, 100), (150.5, 50)), ((100, 301), (50, 150.5))])
def test_the_centre_is_right_to_half_a_pixel(shape, centre):
    across, down = np.meshgrid(np.arange(shape[0]) + 0.5 - centre[0], np.arange(shape[1]) + 0.5 - centre[1])
    spot = np.exp(-(across**2 + down**2) / (2 * 15**2))
    square = np.asarray(images.square(Image.fromarray((255 * spot).astype(np.uint8)).convert("RGB"), 50))[..., 0]
    weights = square / square.sum()
    places = np.arange(50) + 0.5
    assert abs((weights.sum(axis=0) * places).sum() - 25) < 0.1
    assert abs((weights.sum(axis=1) * places).sum() - 25) < 0.1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("side", [800, 803, 807])
def test_a_reduced_picture_is_cut_where_the_whole_one_is(side, orientation):
    photo = textured(5, width=side + 129, height=side)
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = zoo.encoded(photo, "JPEG", quality=95, subsampling=0, exif=exif)
    whole, reduced = images.square(images.read(content), 48), Image.fromarray(images.prepare(content, 48))
    assert difference(whole, reduced) < 0.7


def test_how_much_a_picture_is_enlarged():
    assert images.enlargement(100, 50, 200) == 4
    assert images.enlargement(100, 50, 200, "letterbox") == 2
    assert images.enlargement(100, 50, 200, "squash") == 4
    assert images.enlargement(400, 300, 200) < 1


def test_a_square_of_no_pixels_is_a_wrong_argument():
    with pytest.raises(ValueError, match="at least 1 pixel"):
        images.square(Image.new("RGB", (2, 2)), 0)
    with pytest.raises(ValueError, match="a mode of crop, letterbox, squash, got 'stretch'"):
        images.square(Image.new("RGB", (2, 2)), 8, "stretch")


def test_a_picture_decoded_small_differs_little_from_one_decoded_whole():
    photo = zoo.scene().resize((1200, 800), Image.Resampling.BICUBIC)
    content = zoo.encoded(photo, "JPEG", quality=95)
    reduced, facts = images.inspect(content, min_side=128)
    assert reduced.size == (300, 200)
    assert (facts["width"], facts["height"]) == (1200, 800)
    assert difference(Image.fromarray(images.prepare(content, 64)), images.square(images.read(content), 64)) < 2


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("size", [(3000, 400), (400, 3000)])
def test_a_panorama_is_decoded_at_no_smaller_size_than_its_short_side_needs(size, progressive):
    photo = textured(3, width=size[0], height=size[1])
    content = zoo.encoded(photo, "JPEG", quality=95, progressive=progressive)
    whole = images.square(images.read(content), 64)
    assert difference(Image.fromarray(images.prepare(content, 64)), whole) < 0.5


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"restart_marker_blocks": 7}, {"quality": 20}])
def test_a_part_of_a_progressive_jpeg_gives_the_eighth_that_all_of_it_gives(subsampling, mode, options):
    photo = textured(3, width=413, height=301).convert(mode)
    content = zoo.encoded(photo, "JPEG", progressive=True, subsampling=subsampling, **options)
    part = jpeg.eighth(content)
    assert len(part) < 0.8 * len(content)
    assert np.array_equal(at_an_eighth(part), at_an_eighth(content))


def at_an_eighth(content):
    with Image.open(io.BytesIO(content)) as image:
        image.draft(None, (image.width // 8, image.height // 8))
        assert image.size == (52, 38)
        return np.asarray(image)


def test_a_progressive_picture_is_prepared_as_a_plain_one_is_and_turned(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"quality": 95, "exif": exif, "icc_profile": zoo.exchanging()}
    photo = textured(3, width=700, height=500)
    plain, content = (zoo.encoded(photo, "JPEG", progressive=yes, **options) for yes in (False, True))
    (tmp_path / "progressive.jpg").write_bytes(content)
    prepared = images.prepare(content, 32)
    assert difference(prepared, images.prepare(plain, 32)) < 2
    assert np.array_equal(prepared, images.prepare(tmp_path / "progressive.jpg", 32))
    assert images.inspect(content, min_side=32)[1]["height"] == 700


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5, 0.8, 0.99])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_cut_anywhere_is_refused_at_every_size(share, progressive):
    content = zoo.encoded(textured(3, width=400, height=300), "JPEG", progressive=progressive)
    cut = content[: int(share * len(content))]
    for size in (8, 16, 64, 300):
        with pytest.raises(ImageError, match="truncated|damaged"):
            images.prepare(cut, size)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xd8", b"\xff\xd8\xff\xc2\0", b"\xff\xd8\xff\xc2\0\0\xff\xd9", b"\xff\xd8\xff\xd9"]
)
def test_no_part_of_what_is_no_progressive_jpeg(content):
    assert jpeg.eighth(content) is None
    assert jpeg.eighth(zoo.encoded(zoo.scene(), "JPEG")) is None


def test_a_prepared_picture_is_an_array_of_bytes():
    array = images.prepare(zoo.encoded(zoo.scene(), "PNG"), 48)
    assert array.shape == (48, 48, 3)
    assert array.dtype == np.uint8
    assert np.array_equal(np.asarray(images.read(images.to_png(array))), array)


def test_the_first_bytes_tell_the_ending():
    endings = {"jpeg": "jpg", "mpo": "jpg", "png": "png", "gif": "gif", "webp": "webp", "bmp": "bmp", "tiff": "tif"}
    endings |= {"big tiff": "tif", "avif": "avif"}
    assert {kind: images.sniff(GOOD[kind][0][:16]) for kind in endings} == endings
    assert [images.sniff(BAD[kind][0][:16]) for kind in ("empty file", "html", "json", "film", "zip")] == [None] * 5


@pytest.mark.parametrize(
    ("brands", "kind"),
    [
        ([b"heic", b"mif1"], "heic"),
        ([b"hevc", b"msf1"], "heic"),
        ([b"mif1", b"miaf", b"heic"], "heic"),
        ([b"mif1", b"miaf", b"avif"], "avif"),
        ([b"avis", b"msf1"], "avif"),
        ([b"mif1", b"miaf"], "avif"),
        ([b"isom", b"mp42"], None),
    ],
)
def test_the_brands_of_a_file_in_boxes_tell_heic_from_avif_and_films(brands, kind, monkeypatch):
    head = struct.pack(">I4s4sI", 16 + 4 * len(brands[1:]), b"ftyp", brands[0], 0) + b"".join(brands[1:]) + bytes(40)
    assert images.sniff(head) == kind
    monkeypatch.setattr(kinds, "HEIC_READER", "")
    assert images.sniff(head) == (kind if kind == "avif" else None)
    assert kinds.refusal(head) == {"avif": "", "heic": kinds.heic_missing(), None: kinds.NOT_READ}[kind]


@pytest.mark.parametrize(
    ("name", "is_picture"),
    [
        ("1.JPG", True),
        ("1.jpg?width=640", True),
        ("1.jpeg~", True),
        ("1.png (2)", True),
        ("1.jpg_large", True),
        ("1.jpg.xml", False),
        ("1.jpgx", False),
        ("jpg", False),
        ("notes.txt", False),
    ],
)
def test_a_picture_is_named_by_its_ending_though_something_follows_it(name, is_picture):
    assert kinds.is_named(name) == is_picture


@pytest.mark.parametrize(("kind", "width"), [(1, 1), (3, 2), (4, 4)])
def test_an_orientation_counts_whatever_number_it_is_written_as(kind, width):
    """As BYTE, SHORT or LONG; the standard wants SHORT."""
    value = (6).to_bytes(width, "little").ljust(4, b"\0")
    block = b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHI", 0x0112, kind, 1) + value + bytes(4)
    plain = zoo.encoded(zoo.scene(), "JPEG", quality=95)
    segment = b"\xff\xe1" + struct.pack(">H", len(block) + 8) + b"Exif\0\0" + block
    assert images.read(plain[:2] + segment + plain[2:]).size == (zoo.HEIGHT, zoo.WIDTH)


def test_one_limit_of_pixels_holds_everywhere_and_can_be_set():
    program = """
import inspect, io, warnings
from PIL import Image
warnings.simplefilter("error")
Image.MAX_IMAGE_PIXELS = 500  # Pillow's own, which gives way
from toolkit import images
def png(width):
    buffer = io.BytesIO()
    Image.new("RGB", (width, 30)).save(buffer, "PNG")
    return buffer.getvalue()
print(inspect.signature(images.prepare).parameters["max_pixels"].default, images.pixels(png(30)))
print(images.read(png(30)).size)
try:
    images.read(png(40))
except images.ImageError as error:
    print(error)
"""
    environment = os.environ | {"TOOLKIT_MAX_PIXELS": "1000"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    told = done.stdout.splitlines()
    assert told[:2] == ["1000 900", "(30, 30)"] and told[2] == "1,200 pixels, more than the limit of 1,000"


def test_without_a_word_the_limit_is_that_of_pillow():
    assert images.MAX_PIXELS == 89_478_485
