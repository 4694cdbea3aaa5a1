"""Hashes of many pictures at once: bit for bit those of imagehash."""

import imagehash
import numpy as np
import pytest
from helpers import encoded, textured
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from toolkit.images import hashes, measure

MODES = ["RGB", "L", "RGBA", "P", "CMYK", "1"]


@st.composite
def pictures(draw):
    """Any mode and size; noise, flat grey, stripes, and symmetric pictures, half of whose frequencies are nothing."""
    width, height = draw(st.integers(1, 90)), draw(st.integers(1, 90))
    rng, kind = np.random.default_rng(draw(st.integers(0, 10**6))), draw(st.integers(0, 4))
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if kind == 1:
        pixels[:] = pixels[0, 0]
    if kind == 2:
        pixels[:] = pixels[:1]
    if kind == 3:
        pixels = np.maximum(pixels, pixels[:, ::-1])
    if kind == 4:
        pixels[:, : width // 2], pixels[:, width // 2 :] = 0, 255
    return Image.fromarray(pixels).convert(draw(st.sampled_from(MODES)))


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.lists(pictures(), min_size=1, max_size=6))
def test_the_perceptual_hash_is_that_of_imagehash(some):
    some = [picture.convert("RGB") for picture in some]
    grey = np.stack([np.asarray(picture.convert("L").resize((32, 32), Image.Resampling.LANCZOS)) for picture in some])
    assert hashes.to_text(hashes.perceptual(grey)) == [str(imagehash.phash(picture)) for picture in some]


def test_orientations_are_what_their_names_say():
    grey = np.random.default_rng(1).integers(0, 256, (1, 32, 32), dtype=np.uint8)
    made = {name: hashes.orient(grey, number)[0] for number, name in enumerate(hashes.ORIENTATIONS)}
    assert len({picture.tobytes() for picture in made.values()}) == 8
    assert np.array_equal(made["mirrored"], np.fliplr(grey[0]))
    assert np.array_equal(made["upside down"], np.flipud(grey[0]))
    assert np.array_equal(made["mirrored along the diagonal"], grey[0].T)
    for turns, name in ((1, "turned by 90°"), (2, "turned by 180°"), (3, "turned by 270°")):
        assert np.array_equal(made[name], np.rot90(grey[0], turns))


@given(st.lists(st.integers(0, 2**64 - 1)))
def test_a_hash_is_written_and_read_back(numbers):
    values = np.array(numbers, dtype=np.uint64)
    assert np.array_equal(hashes.from_text(hashes.to_text(values)), values)


@pytest.mark.parametrize("name", measure.HASHES)
@pytest.mark.parametrize("size", [(300, 200), (900, 700)])
def test_further_hashes_are_those_of_imagehash(name, size):
    picture = textured(1, width=size[0], height=size[1])
    content = encoded(picture, "PNG", compress_level=1)
    found = measure.one(content, whole=True, hashes=(name,))
    assert found[name] == str(getattr(imagehash, measure.HASHES[name])(picture))


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), quality=st.integers(40, 95), side=st.integers(100, 400))
def test_encoding_again_hardly_moves_the_hash(seed, quality, side):
    picture = textured(seed, width=side, height=side)
    copies = [encoded(picture), encoded(picture, "JPEG", quality=quality), encoded(picture, "WEBP", quality=quality)]
    grey = np.stack([measure.one(content)["signature"] for content in copies])
    found = hashes.perceptual(grey)
    assert (np.bitwise_count(found ^ found[0]) <= 10).all()
