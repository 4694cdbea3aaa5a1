"""Square copies: exact, as `predict` will see them, and made once."""

import numpy as np
import pytest
from helpers import dataset, encoded, textured
from PIL import Image

from toolkit import images, resize, verify

SHAPES = [(64, 48), (48, 64), (200, 61), (33, 33), (101, 57)]


@pytest.fixture
def table(tmp_path):
    files = [("cars", "jpg", encoded(textured(n, width=w, height=h), "JPEG")) for n, (w, h) in enumerate(SHAPES)]
    return verify.check(dataset(tmp_path / "set", [*files, ("tanks", "bin", b"words")]))


@pytest.mark.parametrize("size", [1, 7, 32, 90])
def test_every_usable_picture_has_a_square_of_exactly_the_size(table, size):
    squares = resize.write(table, size=size).where(status="ok").sized(size)
    assert len(squares) == len(SHAPES)
    for square in squares:
        with Image.open(square) as picture:
            assert (picture.size, picture.mode, picture.format) == ((size, size), "RGB", "PNG")


def test_the_squares_hold_what_prepare_gives_bit_for_bit(table):
    usable = resize.write(table, size=40).where(status="ok")
    for raw, square in zip(usable.files, usable.sized(40), strict=True):
        expected = images.prepare(raw, 40)
        assert np.array_equal(np.asarray(Image.open(square)), expected)
        assert np.array_equal(images.prepare(square, 40), expected)


def test_what_is_done_is_left_alone(table):
    squares = resize.write(table, size=16).where(status="ok").sized(16)
    squares[0].unlink()
    before = [file.stat().st_mtime_ns for file in squares[1:]]
    resize.write(table, size=16)
    assert [file.stat().st_mtime_ns for file in squares[1:]] == before
    assert squares[0].exists()


def test_pictures_not_in_use_get_no_square(table):
    resize.write(table, size=16)
    assert not (table.root / "sized" / "16" / "tanks").exists()


def test_a_picture_that_vanished_becomes_a_row(table):
    gone = table.where(status="ok").files[1]
    gone.unlink()
    result = resize.write(table, size=16)
    row = result.left_out().set_index("path").loc[gone.relative_to(table.root).as_posix()]
    assert (row["status"], "no file" in row["reason"]) == ("unreadable", True)
    assert len(result.where(status="ok")) == len(SHAPES) - 1
    assert len(list((table.root / "sized").rglob("*"))) == 2 + len(SHAPES) - 1  # folders 16 and cars, no half files


def test_the_pictures_themselves_are_not_touched(table):
    before = {file: file.read_bytes() for file in table.files}
    resize.write(table, size=16)
    assert {file: file.read_bytes() for file in table.files} == before


def test_a_size_below_one_is_refused(table):
    with pytest.raises(ValueError, match="at least 1 pixel"):
        resize.write(table, size=0)
