"""The decisive look: a copy is called one, and nothing that shows another thing ever is."""

import cv2
import numpy as np
import pytest
from drawings import (
    gauge,
    icon,
    letter,
    moment,
    scene,
    shirt,
    specked,
    watermarked,
    with_object,
)
from helpers import cropped, encoded, textured
from PIL import Image, ImageEnhance

from toolkit import practice
from toolkit.duplicates import decisive, registration
from toolkit.duplicates.looks import Looks


def look(left, right):
    return Looks([left, right], [0, 1]).at(0, 1)


PICTURES = {
    "drawn": lambda seed: scene(seed),
    "textured": lambda seed: textured(seed),
    "vehicle": lambda seed: practice.vehicle("cars", seed=seed).picture,
}
COPIES = {
    "half": lambda picture: encoded(picture.reduce(2), "JPEG", quality=90),
    "double": lambda picture: encoded(picture.resize((2 * picture.width, 2 * picture.height)), "JPEG", quality=90),
    "quality 30": lambda picture: encoded(picture, "JPEG", quality=30),
    "brighter": lambda picture: encoded(ImageEnhance.Brightness(picture).enhance(1.25), "JPEG", quality=90),
    "cropped by 5 %": lambda picture: encoded(cropped(picture, 0.05), "JPEG", quality=90),
    "WebP": lambda picture: encoded(picture, "WEBP", quality=75),
    "grey": lambda picture: encoded(picture.convert("L"), "JPEG", quality=80),
    "salt and pepper": lambda picture: encoded(specked(picture, 0.02), "JPEG", quality=85),
}


@pytest.mark.parametrize("kind", PICTURES)
@pytest.mark.parametrize("change", COPIES)
def test_a_copy_is_a_copy(kind, change):
    looks = []
    for seed in range(3):
        picture = PICTURES[kind](seed)
        looks.append(look(encoded(picture, "JPEG", quality=92), COPIES[change](picture)))
    assert [told.verdict for told in looks] == ["copy"] * 3, looks


def test_the_same_pixels_in_another_file_are_identical():
    picture = scene(1)
    told = look(encoded(picture, "PNG"), encoded(picture, "PNG", compress_level=1))
    assert (told.verdict, told.score, told.identical) == ("copy", 0.0, True)


@pytest.mark.parametrize("share", [0.02, 0.06, 0.14])
def test_a_fixed_camera_that_sees_another_object_made_no_copy(share):
    rng = np.random.default_rng(3)
    for seed in range(4):
        back = scene(seed)
        empty = moment(back, rng)
        occupied, other = (moment(with_object(back, scene(seed + n), share, rng), rng) for n in (50, 90))
        assert not any(look(*pair).verdict == "copy" for pair in ((empty, occupied), (occupied, other)))


def test_the_worst_window_lies_on_what_differs():
    back = scene(1)
    changed = back.copy()
    changed.paste(scene(9, (60, 60)), (230, 30))
    told = look(encoded(back, "PNG"), encoded(changed, "PNG"))
    across, down, _ = told.where
    assert told.verdict == "alike"
    assert told.score > 1
    assert 230 / 320 <= across <= 290 / 320
    assert 30 / 240 <= down <= 90 / 240


@pytest.mark.parametrize("colour", [(60, 70, 210), (30, 120, 50), (88, 88, 88)])
def test_one_thing_in_another_colour_is_no_copy(colour):
    assert look(encoded(shirt((200, 40, 40))), encoded(shirt(colour))).verdict != "copy"


def test_of_equal_brightness_colour_tells_alone():
    texture = np.asarray(textured(1).convert("L"))[..., None] / 255
    red, blue = (Image.fromarray((texture * colour).astype(np.uint8)) for colour in ((220, 90, 80), (90, 120, 230)))
    assert look(encoded(red), encoded(blue)).verdict != "copy"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_letters_on_one_letterhead_are_no_copies(kind):
    pages = [encoded(letter(seed), kind) for seed in range(3)]
    assert all(look(pages[0], page).verdict != "copy" for page in pages[1:])
    assert look(pages[0], encoded(letter(0), "JPEG", quality=50)).verdict == "copy"


def test_pages_that_differ_in_a_date_alone_are_no_copies():
    dates = [encoded(letter(1, date)) for date in ("1.2.2020", "17.9.2013")]
    assert look(*dates).verdict == "alike"
    noisy = [encoded(specked(letter(1, date), 0.01), "JPEG", quality=85) for date in ("1.2.2020", "17.9.2013")]
    assert look(*noisy).verdict == "alike"


def test_gauges_that_show_another_value_are_no_copies():
    assert all(look(encoded(gauge(0.3)), encoded(gauge(0.3 + step))).verdict != "copy" for step in (0.02, 0.1, 0.4))


def test_white_icons_on_transparency_are_told_apart_and_their_copies_found():
    assert all(look(encoded(icon(0)), encoded(icon(seed))).verdict != "copy" for seed in range(1, 5))
    assert look(encoded(icon(0)), encoded(icon(0).resize((192, 192)), "WEBP", lossless=True)).verdict == "copy"
    assert look(encoded(Image.new("RGB", (96, 96), "white")), encoded(icon(0))).verdict != "copy"


def test_plain_colours_are_told_apart():
    plain = [encoded(Image.new("RGB", (64, 64), colour)) for colour in ("red", (76, 76, 76), "blue")]
    assert not any(look(plain[n], plain[n - 1]).verdict == "copy" for n in range(3))


@pytest.mark.parametrize("seed", range(3))
def test_a_watermark_is_alike_and_never_certain(seed):
    picture = scene(seed)
    assert look(encoded(picture), encoded(watermarked(picture), "JPEG", quality=90)).verdict == "alike"


def test_noise_over_the_whole_frame_hides_no_other_object():
    rng = np.random.default_rng(5)
    for seed in range(3):
        back = scene(seed)
        other = with_object(back, scene(seed + 70), 0.06, rng)
        noisy = [encoded(specked(side, 0.02, number), "JPEG", quality=85) for number, side in enumerate((back, other))]
        assert look(*noisy).verdict != "copy"


def test_a_grey_picture_of_another_moment_is_no_copy():
    rng = np.random.default_rng(6)
    back = scene(4)
    assert look(encoded(back), encoded(with_object(back, scene(80), 0.06, rng).convert("L"))).verdict != "copy"


def test_of_a_tiny_picture_nothing_is_certain():
    letters = encoded(letter(1).convert("RGB"))
    tiny = encoded(letter(1).resize((31, 40)))
    assert look(letters, tiny).verdict == "alike"


def test_a_mirrored_picture_is_a_copy_if_it_is_said_to_be_mirrored():
    picture = textured(2)
    files = [encoded(picture), encoded(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT), "JPEG", quality=85)]
    looks = Looks(files, [0, 1])
    assert looks.at(0, 1).verdict != "copy"
    assert looks.at(0, 1, "mirrored").verdict == "copy"
    turned = Looks([files[0], encoded(picture.transpose(Image.Transpose.ROTATE_90))], [0, 1])
    assert {turned.at(0, 1, change).identical for change in ("turned by 90°", "turned by 270°")} == {True}
    assert looks.at(0, 1, "cropped to 80%").verdict == "alike"


def test_what_cannot_be_read_is_no_copy_and_the_same_bytes_need_no_look():
    assert Looks([b"", encoded(scene(1))], [0, 1]).at(0, 1).verdict == "alike"
    assert Looks([b"", b""], ["same", "same"]).at(0, 1).identical


def test_two_labels_take_the_stronger_evidence():
    assert decisive.Look("copy", 0.8).certain()
    assert not decisive.Look("copy", 0.8).certain(strict=True)
    assert not decisive.Look("alike", 0.1).certain()


def test_a_crop_is_laid_where_it_was_cut_out():
    picture = np.asarray(textured(3)).astype(np.float32)
    left, top = 12, 9
    crop = cv2.resize(picture[top : 240 - 15, left : 320 - 20], (320, 240), interpolation=cv2.INTER_AREA)
    moved = registration.register(crop, picture)
    assert registration.nested(moved, crop.shape)
    assert np.abs(moved @ [0, 0, 1] - [left, top, 1]).max() < 0.5
    assert not registration.nested(np.array([[1, 0, 8], [0, 1, 0], [0, 0, 1.0]]), crop.shape)  # a camera that moved
