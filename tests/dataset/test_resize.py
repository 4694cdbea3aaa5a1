"""Square copies: exact, as `predict` will see them, and made once."""

import numpy as np
import pytest
from helpers import dataset, encoded, textured
from PIL import Image

from toolkit import images, manifest, resize, verify

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


@pytest.mark.parametrize("mode", images.MODES)
def test_squares_of_every_mode_hold_what_prepare_gives_and_lie_apart(table, mode):
    for way in images.MODES:
        resize.write(table, size=40, mode=way)
    usable = table.where(status="ok")
    for raw, square in zip(usable.files, usable.sized(40, mode=mode), strict=True):
        assert np.array_equal(np.asarray(Image.open(square)), images.prepare(raw, 40, mode))
    assert len({tuple(usable.sized(40, mode=way)) for way in images.MODES}) == 3


def test_jpeg_copies_of_every_quality_lie_apart_and_the_better_are_larger(table):
    for quality in (30, 95):
        resize.write(table, size=40, format="jpeg", quality=quality)
    resize.write(table, size=40)
    usable = table.where(status="ok")
    small, large = ([file.stat().st_size for file in usable.sized(40, quality=q)] for q in (30, 95))
    assert sum(small) < sum(large)
    with Image.open(usable.sized(40, quality=95)[0]) as picture:
        assert (picture.format, picture.size) == ("JPEG", (40, 40))
    assert len(list((table.root / "sized").iterdir())) == 3


def test_what_is_enlarged_is_written_down(table):
    result = resize.write(table, size=48)
    found = result.where(status="ok").table
    for row in found.itertuples():
        factor = 48 / min(row.width, row.height)
        assert row.enlarged == (pytest.approx(factor, abs=0.01) if factor > 1 else 0)
    assert sorted(found["enlarged"] > 0) == [False] * 4 + [True]
    larger = resize.write(resize.write(result, size=96), size=16).where(status="ok").table
    assert larger["enlarged"].max() == pytest.approx(96 / 33, abs=0.01)


def test_nothing_is_enlarged_if_it_is_not_allowed(table):
    result = resize.write(table, size=60, enlarge=False)
    left = result.left_out()
    reasons = left[left["status"] == "too small"]["reason"]
    assert sorted(reasons) == [
        f"{w}x{h} pixels, too few for a square of 60"
        for w, h in sorted([(33, 33), (48, 64), (64, 48), (101, 57)], key=lambda shape: f"{shape[0]}x{shape[1]}")
    ]
    assert (result.table["enlarged"] == 0).all()
    assert len(resize.write(table, size=60, mode="letterbox", enlarge=False).where(status="ok")) == 4


def test_what_was_left_out_before_keeps_its_reason_when_nothing_may_be_enlarged(table):
    small = table.where(status="ok").table["path"].iloc[0]
    excluded = table.update({small: {"status": "excluded", "reason": "by a person"}})
    after = resize.write(excluded, size=90, enlarge=False).table.set_index("path")
    assert tuple(after.loc[small, ["status", "reason"]]) == ("excluded", "by a person")
    assert "unreadable" in set(after["status"]) and "too small" in set(after["status"])


def test_a_picture_of_just_the_size_of_its_square_is_neither_enlarged_nor_too_small(table):
    for enlarge in (True, False):
        result = resize.write(table, size=33, enlarge=enlarge).table.set_index(["width", "height"])
        assert tuple(result.loc[(33, 33), ["status", "enlarged"]]) == ("ok", 0)


@pytest.mark.parametrize("quality", [1, 100])
def test_the_lowest_and_the_highest_quality_are_taken(table, quality):
    done = resize.write(table, size=16, format="jpeg", quality=quality).where(status="ok")
    assert all(file.exists() for file in done.sized(16, quality=quality))


@pytest.mark.parametrize("wrong", [{"mode": "stretch"}, {"format": "gif"}, {"quality": 0}, {"quality": 101}])
def test_wrong_arguments_are_said(table, wrong):
    with pytest.raises(ValueError, match=f"expected a {next(iter(wrong))}"):
        resize.write(table, **wrong)


def test_pictures_whose_names_differ_by_their_ending_do_not_share_a_square(tmp_path):
    (tmp_path / "raw" / "cars").mkdir(parents=True)
    for number, name in enumerate(("a.jpg", "a.png")):
        (tmp_path / "raw" / "cars" / name).write_bytes(encoded(textured(number, width=50, height=50)))
    rows = [{"path": f"raw/cars/{name}", "label": "cars", "status": "ok"} for name in ("a.jpg", "a.png")]
    result = resize.write(manifest.from_rows(tmp_path, rows), size=16)
    assert list(result.table["status"]) == ["ok", "failed"]
    assert result.table["reason"][1] == "its square would be that of raw/cars/a.jpg; rename it"


def test_a_size_below_one_is_refused(table):
    with pytest.raises(ValueError, match="at least 1 pixel"):
        resize.write(table, size=0)


def test_a_picture_that_verify_allowed_more_pixels_is_resized(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 64 * 48)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 64 * 48)
    files = [("cars", "png", encoded(textured(1, width=width, height=48))) for width in (64, 65, 200)]
    made = dataset(tmp_path / "set", [*files, ("tanks", "png", encoded(textured(2, width=40, height=40)))])
    checked = verify.check(made, max_pixels=65 * 48)
    assert sorted(checked.table["status"]) == ["ok", "ok", "ok", "unreadable"]
    done = resize.write(checked, size=16)
    assert done.table["status"].equals(checked.table["status"])
    assert all(square.exists() for square in done.where(status="ok").sized(16))
