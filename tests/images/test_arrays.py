"""Pictures in memory: whatever holds them, the same picture as the file would be."""

import io

import numpy as np
import pytest
from helpers import encoded, textured
from PIL import Image

from toolkit import images
from toolkit.errors import ImageError

RAMP = np.arange(40 * 50 * 3).reshape(40, 50, 3) % 251
PIXELS = RAMP.astype(np.uint8)


def read(array):
    return np.asarray(images.read(array))


@pytest.mark.parametrize(
    "array",
    [
        PIXELS,
        PIXELS.astype(np.int64),
        PIXELS.astype(np.uint16),
        PIXELS / 255,
        (PIXELS / 255).astype(np.float32),
        PIXELS.astype(np.float32),
        np.asfortranarray(PIXELS),
        np.dstack([PIXELS, np.full((40, 50, 1), 255, np.uint8)]),
        PIXELS[:, ::-1][:, ::-1],
    ],
    ids=["uint8", "int64", "uint16", "float64", "float32", "floats to 255", "fortran", "rgba", "views"],
)
def test_whatever_the_numbers_are_stored_as_the_picture_is_the_same(array):
    assert np.array_equal(read(array), PIXELS)


def test_grey_is_one_channel_or_none_and_bool_is_black_and_white():
    grey = PIXELS[:, :, 0]
    for array in (grey, grey[:, :, None], grey / 255, (grey / 255)[:, :, None]):
        assert np.array_equal(read(array), np.dstack([grey] * 3))
    assert set(read(grey > 100).ravel()) == {0, 255}
    assert read(grey > 300).max() == 0


def test_what_is_transparent_lies_over_white_as_in_a_file():
    alpha = np.dstack([PIXELS, np.where(RAMP[:, :, :1] > 120, 255, 0).astype(np.uint8)])
    assert np.array_equal(read(alpha), read(encoded(Image.fromarray(alpha))))
    assert np.array_equal(read(alpha / 255), read(alpha))
    with_grey = alpha[:, :, [0, 3]]
    assert np.array_equal(read(with_grey), read(encoded(Image.fromarray(with_grey, "LA"))))


def test_sixteen_bits_are_as_in_a_file():
    deep = (np.arange(40 * 50).reshape(40, 50) * 32).astype(np.uint16)
    assert deep.max() > 255
    for array in (deep, deep[:, :, None], deep.astype(np.int32)):
        assert np.array_equal(read(array), read(encoded(Image.fromarray(deep))))
    colours = np.dstack([deep, deep // 2, deep // 4])
    assert np.array_equal(read(colours), colours >> 8)


def test_white_can_be_said_where_the_numbers_do_not_tell():
    dark = np.full((4, 4, 3), 0.5)
    assert np.asarray(images.from_array(dark)).max() == 128
    assert np.asarray(images.from_array(dark, white=255)).max() == 0
    assert np.asarray(images.from_array(np.full((4, 4), 1023, np.uint16), white=1023)).min() == 255
    with pytest.raises(ValueError, match="got 1000 to 1000"):
        images.from_array(np.full((4, 4), 1000, np.uint16), white=255)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((3, 40, 50)), r"1 to 4 channels, got \(3, 40, 50\); put the channels last"),
        (np.zeros((2, 40, 50, 3)), r"got \(2, 40, 50, 3\)"),
        (np.zeros((0, 50, 3)), r"got \(0, 50, 3\)"),
        (np.zeros(7), r"got \(7,\)"),
        (np.full((4, 4), -1.0), "float64 numbers from 0 to 1 or 0 to 255, got -1 to -1"),
        (np.full((4, 4), 256.0), "0 to 255, got 256 to 256"),
        (np.full((4, 4), np.nan), "got nan to nan"),
        (np.full((4, 4), -1), "int64 numbers from 0 to 255 or 0 to 65,535, got -1 to -1"),
        (np.full((4, 4), 70_000), "0 to 65,535, got 70000 to 70000"),
        (np.full((4, 4), 1j), "uint8, uint16, bool or floats, got complex128"),
        (np.array([["a"]]), "got <U1"),
    ],
)
def test_what_is_no_picture_is_said_with_what_came(array, words):
    with pytest.raises(ValueError, match=words):
        images.from_array(array)
    with pytest.raises(ImageError, match=words):
        images.read(array)


def test_a_picture_that_pillow_opened_is_as_the_file(tmp_path):
    exif = Image.Exif()
    exif[images.ORIENTATION] = 6
    content = encoded(textured(3, width=60, height=90), "JPEG", exif=exif, quality=90)
    opened = Image.open(io.BytesIO(content))
    assert np.array_equal(read(opened), read(content))
    assert images.inspect(opened)[1] == {"width": 90, "height": 60, "format": "JPEG", "frames": 1, "note": ""}
    for mode in ("L", "CMYK", "P", "1"):
        assert images.read(textured(3).convert(mode)).mode == "RGB"


def test_a_damaged_or_huge_picture_of_pillow_is_one_reason():
    cut = Image.open(io.BytesIO(encoded(textured(4))[:3000]))
    with pytest.raises(ImageError, match="truncated"):
        images.read(cut)
    with pytest.raises(ImageError, match="40x50 pixels, expected at least 1 and at most 1,999"):
        images.read(Image.new("RGB", (40, 50)), max_pixels=1999)


def test_a_square_of_an_array_is_that_of_the_file():
    for mode in images.MODES:
        file, array = (images.prepare(source, 24, mode) for source in (encoded(Image.fromarray(PIXELS)), PIXELS))
        assert np.array_equal(file, array)
