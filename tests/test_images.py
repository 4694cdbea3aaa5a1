"""One way to open a picture, whatever the file is; and a reason in words where it cannot be opened."""

import random

import numpy as np
import pytest
import zoo
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from toolkit import images
from toolkit.errors import ImageError

GOOD, BAD = zoo.good(), zoo.bad()
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
        assert facts == {"width": zoo.WIDTH, "height": zoo.HEIGHT, "format": name, "frames": frames}


def test_a_float_picture_without_numbers_is_black_not_an_error():
    values = np.array([[np.nan, np.inf], [-np.inf, np.nan]], np.float32)
    picture = images.read(zoo.encoded(Image.fromarray(values), "TIFF"))
    assert np.asarray(picture)[..., 0].tolist() == [[0, 255], [0, 0]]


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


def test_a_square_of_no_pixels_is_a_wrong_argument():
    with pytest.raises(ValueError, match="at least 1 pixel"):
        images.square(Image.new("RGB", (2, 2)), 0)


def test_a_picture_decoded_small_differs_little_from_one_decoded_whole():
    photo = zoo.scene().resize((1200, 800), Image.Resampling.BICUBIC)
    content = zoo.encoded(photo, "JPEG", quality=95)
    reduced, facts = images.inspect(content, min_side=128)
    assert reduced.size == (300, 200)
    assert (facts["width"], facts["height"]) == (1200, 800)
    assert difference(Image.fromarray(images.prepare(content, 64)), images.square(images.read(content), 64)) < 2


def test_a_prepared_picture_is_an_array_of_bytes():
    array = images.prepare(zoo.encoded(zoo.scene(), "PNG"), 48)
    assert array.shape == (48, 48, 3)
    assert array.dtype == np.uint8
    assert np.array_equal(np.asarray(images.read(images.to_png(array))), array)


def test_the_first_bytes_tell_the_ending():
    endings = {"jpeg": "jpg", "mpo": "jpg", "png": "png", "gif": "gif", "webp": "webp", "bmp": "bmp", "tiff": "tif"}
    endings |= {"big tiff": "tif", "avif": "avif"}
    assert {kind: images.sniff(GOOD[kind][0][:16]) for kind in endings} == endings
    assert [images.sniff(BAD[kind][0][:16]) for kind in ("empty file", "html", "json", "film", "heic", "zip")] == [
        None
    ] * 6
