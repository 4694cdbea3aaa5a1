"""Verifying: every file is opened once, every row filled, and what cannot be used says why."""

import imagehash
import numpy as np
import pandas as pd
import pytest
from helpers import dataset, encoded, textured
from PIL import Image

from toolkit import images, manifest, verify
from toolkit.dataset import signatures
from toolkit.images import hashes, measure

PICTURES = {
    "a jpeg": ("cars", "jpg", encoded(textured(1, width=200, height=150), "JPEG")),
    "a png": ("cars", "png", encoded(textured(2, width=90, height=120))),
    "a grey one": ("tanks", "png", encoded(textured(3, width=64, height=64).convert("L"))),
    "a large png": ("tanks", "png", encoded(textured(4, width=900, height=700), compress_level=1)),
}
BROKEN = {
    "cut off": ("cars", "jpg", encoded(textured(5), "JPEG")[:2000], "unreadable", "truncated"),
    "a page": ("cars", "bin", b"<!doctype html><title>gone</title>", "unreadable", "a web page"),
    "nothing": ("tanks", "bin", b"", "unreadable", "empty file"),
    "words": ("tanks", "bin", b"these are words" * 9, "unreadable", "not a picture"),
    "tiny": ("tanks", "png", encoded(textured(6, width=60, height=31)), "too small", "60x31 pixels"),
}


def made(root):
    return dataset(root, [*PICTURES.values(), *(entry[:3] for entry in BROKEN.values())])


def row_of(table, content):
    return table.table.set_index("bytes").loc[len(content)]


def test_every_row_is_filled(tmp_path):
    table = verify.check(made(tmp_path))
    assert len(table) == len(PICTURES) + len(BROKEN)
    assert "new" not in set(table.table["status"])
    used = table.where(status="ok").table
    assert len(used) == len(PICTURES)
    assert (used["phash"].str.len() == 16).all()
    assert (used[["width", "height", "sharpness", "brightness", "entropy", "aspect"]] > 0).all(axis=None)
    assert set(used["format"]) == {"JPEG", "PNG"}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_cannot_be_used_is_a_row_with_a_reason(tmp_path, name):
    label, ending, content, status, reason = BROKEN[name]
    table = verify.check(dataset(tmp_path, [(label, ending, content), PICTURES["a png"]]))
    row = table.left_out().iloc[0]
    assert row["status"] == status
    assert reason in row["reason"]
    assert (tmp_path / row["path"]).read_bytes() == content


def test_a_missing_file_is_a_row_too(tmp_path):
    table = made(tmp_path)
    table.files[0].unlink()
    assert "no file" in verify.check(table).table["reason"].iloc[0]


def test_the_perceptual_hash_is_that_of_imagehash_where_pictures_are_decoded_whole(tmp_path):
    table = verify.check(made(tmp_path), whole=True).where(status="ok")
    for file, phash in zip(table.files, table.table["phash"], strict=True):
        assert phash == str(imagehash.phash(images.read(file)))


def test_the_quick_way_moves_a_hash_by_a_few_bits_at_most(tmp_path):
    quick, whole = (hashes.from_text(verify.check(made(tmp_path), whole=how).table["phash"]) for how in (False, True))
    assert np.bitwise_count(quick ^ whole).max() <= 4


def test_width_and_height_are_upright_and_undivided(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded(textured(8, width=1300, height=1000), "JPEG", exif=exif)
    row = verify.check(dataset(tmp_path, [("cars", "jpg", turned)])).table.iloc[0]
    assert (row["width"], row["height"]) == (1000, 1300)


def test_brightness_is_the_mean_grey_and_blur_lowers_sharpness(tmp_path):
    grey = Image.new("RGB", (50, 50), (90, 90, 90))
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype=np.uint8))
    table = verify.check(dataset(tmp_path, [("a", "png", encoded(grey)), ("b", "png", encoded(noise))])).table
    assert table["brightness"].iloc[0] == 90
    assert table["sharpness"].iloc[0] == 0
    assert table["sharpness"].iloc[1] > 1000


def test_only_new_rows_are_looked_at_again(tmp_path, monkeypatch):
    table = verify.check(dataset(tmp_path, list(PICTURES.values())))
    opened = []
    one = measure.one
    monkeypatch.setattr(measure, "one", lambda source, **options: opened.append(source) or one(source, **options))
    assert verify.check(table).table.equals(table.table)
    assert opened == []
    one_new = table.update({table.table["path"].iloc[2]: {"status": "new"}})
    assert verify.check(one_new).table.equals(table.table)
    assert opened == [table.files[2].read_bytes()]


def test_excluded_rows_are_left_alone_even_when_all_are_checked_again(tmp_path):
    table = made(tmp_path)
    path = table.table["path"].iloc[0]
    table = table.update({path: {"status": "excluded", "reason": "not mine"}})
    for again in (False, True):
        row = verify.check(table, again=again).table.iloc[0]
        assert (row["status"], row["reason"], row["phash"]) == ("excluded", "not mine", "")


def test_the_order_of_the_files_and_the_number_of_workers_change_nothing(tmp_path):
    files = [*PICTURES.values(), *(entry[:3] for entry in BROKEN.values())]
    one = verify.check(dataset(tmp_path / "one", files), jobs=1)
    other = verify.check(dataset(tmp_path / "other", files[::-1]), jobs=3)
    pd.testing.assert_frame_equal(one.table, other.table)
    first, second = signatures.load(one.root), signatures.load(other.root)
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_every_picture_that_can_be_opened_has_a_signature(tmp_path):
    table = verify.check(made(tmp_path))
    assert set(signatures.load(tmp_path)) == set(table.where(status=("ok", "too small")).table["sha256"])


def test_min_side_and_max_pixels_are_respected(tmp_path):
    table = verify.check(made(tmp_path), min_side=100, max_pixels=100_000)
    assert row_of(table, PICTURES["a png"][2])["status"] == "too small"
    assert "limit" in row_of(table, PICTURES["a large png"][2])["reason"]
    assert row_of(table, PICTURES["a jpeg"][2])["status"] == "ok"


def test_the_limit_of_pixels_holds_for_jpeg_to_the_last_pixel(tmp_path):
    content = encoded(textured(1, width=100, height=80), "JPEG")
    for most, status in ((8000, "ok"), (7999, "unreadable")):
        (row,) = verify.check(
            dataset(tmp_path / status, [("cars", "jpg", content)]), max_pixels=most
        ).table.itertuples()
        assert (row.status, "limit of 7,999" in row.reason) == (status, status == "unreadable")


@pytest.mark.slow
def test_a_check_that_is_stopped_goes_on_where_it_was(tmp_path, monkeypatch):
    table = dataset(tmp_path, [("cars", "png", encoded(textured(seed, width=64, height=48))) for seed in range(8)])
    look, seen = measure.one, []

    def stopping(source, **options):
        if len(seen) == 7:
            raise KeyboardInterrupt
        seen.append(source)
        return look(source, **options)

    monkeypatch.setattr(verify, "SAVED_EVERY", 0)
    monkeypatch.setattr(verify, "SAVING_SHARE", 1e9)
    monkeypatch.setattr(verify, "BATCH", 1)
    monkeypatch.setattr(measure, "one", stopping)
    with pytest.raises(KeyboardInterrupt):
        verify.check(table, jobs=1)
    kept = manifest.load(tmp_path)
    assert (kept.table["status"] == "ok").sum() >= 5
    monkeypatch.setattr(measure, "one", look)
    whole = verify.check(kept, jobs=1)
    assert whole.table.equals(verify.check(table, jobs=1).table)
    assert len(signatures.load(tmp_path)) == 8


ODD = {
    "min_sharpness": (5, encoded(textured(3).reduce(8).resize((320, 240)))),
    "min_brightness": (20, encoded(Image.effect_noise((90, 90), 8).point(lambda value: value // 20))),
    "max_brightness": (245, encoded(Image.effect_noise((90, 90), 3).point(lambda value: 250 + value % 5))),
    "min_entropy": (3, encoded(Image.new("L", (90, 90), 120))),
    "max_aspect": (3, encoded(textured(6, width=400, height=60))),
}


@pytest.mark.parametrize("limit", ODD)
def test_a_picture_of_poor_quality_is_left_out_on_request_and_says_why(tmp_path, limit):
    value, content = ODD[limit]
    table = verify.check(dataset(tmp_path, [("cars", "png", content), PICTURES["a jpeg"]]))
    assert set(table.table["status"]) == {"ok"}
    judged = verify.judge(table, **{limit: value})
    assert judged.table.equals(verify.check(table, again=True, **{limit: value}).table)
    row = judged.left_out().iloc[0]
    assert len(judged.left_out()) == 1
    assert row["status"] == "poor quality"
    assert f"{value}" in row["reason"]
    assert judged.table.set_index("path").loc[row["path"], "phash"] != ""
    assert verify.judge(judged).table.equals(table.table)


def test_judging_opens_no_file_and_leaves_what_it_cannot_judge(tmp_path):
    table = verify.check(made(tmp_path))
    for file in table.files:
        file.unlink()
    assert verify.judge(table).table.equals(table.table)
    status = verify.judge(table, min_side=100).table["status"]
    assert (status == "too small").sum() == 3
    assert (status == "unreadable").sum() == 4


def test_entropy_is_in_bits_and_aspect_is_width_over_height(tmp_path):
    flat, halves = Image.new("L", (80, 40), 9), Image.new("L", (40, 80), 0)
    halves.paste(255, (0, 0, 20, 80))
    table = verify.check(dataset(tmp_path, [("a", "png", encoded(flat)), ("b", "png", encoded(halves))])).table
    assert table[["entropy", "aspect"]].to_numpy().tolist() == [[0, 2], [1, 0.5]]


def test_further_hashes_are_columns(tmp_path):
    table = verify.check(made(tmp_path), hashes=("ahash", "dhash", "whash", "colorhash"), whole=True)
    used = table.where(status="ok")
    for file, row in zip(used.files, used.table.itertuples(), strict=True):
        picture = images.read(file)
        assert row.ahash == str(imagehash.average_hash(picture))
        assert row.dhash == str(imagehash.dhash(picture))
        assert row.whash == str(imagehash.whash(picture))
        assert row.colorhash == str(imagehash.colorhash(picture))
    assert manifest.load(table.save().root).table["dhash"].tolist() == table.table["dhash"].tolist()
    with pytest.raises(ValueError, match="expected hashes of ahash"):
        verify.check(table, hashes=("md5",))


def test_a_file_whose_hash_is_not_known_gets_it(tmp_path):
    table = made(tmp_path)
    known = table.table[["sha256", "bytes"]]
    bare = verify.check(table.assign(sha256="", bytes=0))
    pd.testing.assert_frame_equal(bare.table[["sha256", "bytes"]], known)
    assert bare.table.equals(verify.check(table).table)


@pytest.mark.parametrize("limits", [{"min_side": 0}, {"max_aspect": 0.5}, {"min_brightness": 9, "max_brightness": 3}])
def test_a_limit_out_of_range_is_refused(tmp_path, limits):
    with pytest.raises(ValueError, match="expected min_side"):
        verify.check(made(tmp_path), **limits)
    with pytest.raises(TypeError, match="min_size"):
        verify.check(made(tmp_path), min_size=3)
