"""The quick way to grey values: near those of the way that all pictures go, or no answer at all."""

import io

import numpy as np
import pytest
from helpers import encoded, textured
from PIL import Image

from toolkit import images
from toolkit.images import luma


def jpeg(width=150, height=100, mode="RGB", **options):
    return encoded(textured(3, width=width, height=height).convert(mode), "JPEG", **options)


@pytest.mark.parametrize("turned", range(1, 9))
@pytest.mark.parametrize("size", [(150, 100), (520, 1043)])
def test_it_is_upright_and_near_the_usual_grey_values(size, turned):
    exif = Image.Exif()
    exif[0x0112] = turned
    content = jpeg(*size, exif=exif)
    pixels, told = luma.decoded(content, min_side=256)
    picture, usual = images.inspect(content, min_side=256)
    assert told == usual
    gap = np.abs(pixels.astype(int) - np.asarray(picture.convert("L")))
    assert pixels.shape == picture.size[::-1]
    assert gap.mean() < 1
    assert np.percentile(gap, 99) <= 3


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"progressive": True}, {"mode": "L"}, {"quality": 30}, {"subsampling": 0}])
def test_common_kinds_of_jpeg_are_read(options):
    assert luma.decoded(jpeg(2100, 2100, **options), min_side=256)[0].shape == (263, 263)


def test_what_is_cut_off_anywhere_gets_no_answer():
    content = jpeg()
    assert all(luma.decoded(content[:end], min_side=256) is None for end in range(len(content)))


@pytest.mark.parametrize("content", [b"", b"\xff\xd8", b"\xff\xd8\xff\xd9", b"\xff\xd8\xff\xda\xff\xd9"])
def test_what_is_no_picture_gets_no_answer(content):
    assert luma.decoded(content, min_side=256) is None


def test_other_formats_and_kinds_of_colour_are_left_to_the_usual_way():
    assert luma.decoded(jpeg(mode="CMYK"), min_side=256) is None
    assert luma.decoded(encoded(textured(1), "PNG"), min_side=256) is None
    assert luma.decoded(jpeg(), min_side=256, max_pixels=14_999) is None


def test_an_orientation_told_by_xmp_is_left_to_the_usual_way():
    buffer = io.BytesIO()
    textured(1).save(buffer, "JPEG", xmp=b'<x tiff:Orientation="6"/>')
    assert luma.decoded(buffer.getvalue(), min_side=256) is None
