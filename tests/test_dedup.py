"""Finding the pictures that are the same picture, and no others."""

import pandas as pd
import pytest
from helpers import cropped, dataset, encoded, textured
from PIL import Image, ImageEnhance

from toolkit import dedup, practice, signatures, verify
from toolkit.errors import DatasetError

CHANGES = {
    "re-encoded": lambda picture: encoded(picture, "JPEG", quality=30),
    "half the size": lambda picture: encoded(picture.reduce(2), "JPEG"),
    "double the size": lambda picture: encoded(picture.resize((2 * picture.width, 2 * picture.height)), "JPEG"),
    "brighter": lambda picture: encoded(ImageEnhance.Brightness(picture).enhance(1.15), "JPEG"),
    "cropped by 2 %": lambda picture: encoded(cropped(picture, 0.02), "JPEG"),
    "cropped by 4 %": lambda picture: encoded(cropped(picture, 0.04), "JPEG"),
}


def verified(root, files):
    return verify.check(dataset(root, files))


def jpeg(seed, label="cars", **options):
    return label, "jpg", encoded(textured(seed, **options), "JPEG", quality=90)


@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_is_found(tmp_path, change):
    pictures = [textured(seed) for seed in range(4)] + [practice.vehicle("cars", seed=1).picture]
    files = [("cars", "png", encoded(picture, compress_level=1)) for picture in pictures]
    files += [("cars", "jpg", CHANGES[change](picture)) for picture in pictures]
    table = dedup.group(verified(tmp_path, files))
    assert table.counts().loc["cars", ["ok", "duplicate"]].tolist() == [5, 5]
    assert (table.table.groupby("group").size() == 2).all()


def test_unlike_pictures_are_left_alone(tmp_path):
    table = dedup.group(verified(tmp_path, [jpeg(seed) for seed in range(40)]))
    assert set(table.table["status"]) == {"ok"}
    assert table.table["group"].nunique() == 40


def test_flat_pictures_of_different_grey_are_not_the_same(tmp_path):
    greys = [Image.new("RGB", (64, 64), (value, value, value)) for value in (20, 60, 128, 200, 250)]
    table = dedup.group(verified(tmp_path, [("cars", "png", encoded(grey)) for grey in greys]))
    assert set(table.table["status"]) == {"ok"}


def test_equal_hashes_alone_are_no_proof(tmp_path):
    table = verified(tmp_path, [jpeg(1), jpeg(2)])
    table = table.assign(phash=table.table["phash"].iloc[:1].tolist() * 2)
    assert dedup.pairs(table).empty
    assert len(dedup.pairs(table, max_difference=4)) == 1


def test_copies_of_copies_are_one_group(tmp_path):
    picture = textured(3)
    chain = [encoded(cropped(picture, share), "JPEG", quality=90) for share in (0, 0.05, 0.1)]
    table = verified(tmp_path, [("cars", "jpg", content) for content in chain] + [jpeg(9)])
    names = {len(content): place for place, content in enumerate(chain)}
    table_of = table.table.set_index("path")["bytes"].map(names)
    found = dedup.pairs(table, max_difference=0.01)
    linked = {
        frozenset((table_of[path], table_of[other])) for path, other in zip(found["path"], found["other"], strict=True)
    }
    assert frozenset((0, 1)) in linked
    groups = dedup.group(table, max_difference=0.01).table.groupby("group").size()
    assert sorted(groups) == [1, 3]


def test_the_copy_with_the_most_pixels_then_the_sharpest_is_kept(tmp_path):
    picture = textured(5, width=200, height=150)
    small, large = encoded(picture.reduce(2)), encoded(picture.resize((400, 300)), "JPEG", quality=60)
    table = dedup.group(verified(tmp_path / "size", [("cars", "png", small), ("cars", "jpg", large)]))
    assert table.where(status="ok").table["bytes"].tolist() == [len(large)]
    assert table.left_out()["reason"].tolist() == [f"the same picture as {table.where(status='ok').table['path'][0]}"]
    sharp, soft = encoded(picture), encoded(picture.resize((100, 75)).resize((200, 150)))
    table = dedup.group(verified(tmp_path / "sharp", [("cars", "png", soft), ("cars", "png", sharp)]))
    assert table.where(status="ok").table["bytes"].tolist() == [len(sharp)]


def test_one_picture_under_two_labels_is_a_conflict_of_all_its_copies(tmp_path):
    picture = textured(7)
    copies = [("cars", "png", encoded(picture)), ("cars", "jpg", encoded(picture, "JPEG"))]
    copies += [("tanks", "jpg", encoded(picture, "JPEG", quality=50)), jpeg(8)]
    table = dedup.group(verified(tmp_path, copies))
    assert table.counts().loc["total", ["ok", "label conflict"]].tolist() == [1, 3]
    conflicts = table.where(status="label conflict").table
    for path, label, reason in conflicts[["path", "label", "reason"]].itertuples(index=False):
        assert all(other in reason for other in conflicts.loc[conflicts["label"] != label, "path"]), path


def test_the_same_bytes_under_two_labels_are_a_conflict(tmp_path):
    _, ending, content = jpeg(1)
    table = dedup.group(verified(tmp_path, [("cars", ending, content), ("tanks", ending, content), jpeg(2)]))
    assert table.counts().loc["total", "label conflict"] == 2


def test_running_it_twice_gives_the_same_and_removes_nothing(tmp_path):
    files = [
        jpeg(1),
        jpeg(2),
        ("cars", "jpg", encoded(textured(1), "JPEG", quality=40)),
        jpeg(1, label="tanks", width=160),
    ]
    table = verified(tmp_path, files)
    once = dedup.group(table)
    pd.testing.assert_frame_equal(dedup.group(once).table, once.table)
    assert all(file.exists() for file in once.files)
    assert list(once.table["path"]) == list(table.table["path"])


def test_a_person_who_excludes_one_side_of_a_conflict_frees_the_other(tmp_path):
    table = dedup.group(verified(tmp_path, [jpeg(1), jpeg(1, label="tanks"), jpeg(2)]))
    wrong = table.where(status="label conflict", label="tanks").table["path"].iloc[0]
    table = dedup.group(table.update({wrong: {"status": "excluded", "reason": "a car"}}))
    assert table.table.set_index("label")["status"].to_dict()["tanks"] == "excluded"
    assert set(table.where(label="cars").table["status"]) == {"ok"}


def test_every_usable_row_has_a_group_and_others_have_none(tmp_path):
    table = dedup.group(verified(tmp_path, [jpeg(1), jpeg(2), ("cars", "bin", b"words")]))
    assert (table.where(status="ok").table["group"] != "").all()
    assert (table.where(status="unreadable").table["group"] == "").all()


def test_a_dataset_with_nothing_usable_stays_as_it_is(tmp_path):
    table = verified(tmp_path, [("cars", "bin", b"words")])
    assert dedup.group(table).table.equals(table.table)
    assert dedup.pairs(table).empty


@pytest.mark.parametrize("limits", [{"max_distance": -1}, {"max_distance": 65}, {"max_difference": 4.1}])
def test_a_limit_out_of_range_is_refused(tmp_path, limits):
    with pytest.raises(ValueError, match="max_distance from 0 to 64"):
        dedup.pairs(verified(tmp_path, [jpeg(1)]), **limits)


def test_lost_signatures_are_said_and_not_taken_for_equal_ones(tmp_path):
    table = verified(tmp_path, [jpeg(1), jpeg(2)])
    (tmp_path / signatures.FILE).unlink()
    with pytest.raises(DatasetError, match="2 are missing; verify all pictures again"):
        dedup.group(table)
    assert set(dedup.group(verify.check(table, again=True)).table["status"]) == {"ok"}


def test_precision_and_recall_on_drawn_pictures(tmp_path):
    kinds = {"original": lambda picture: encoded(picture, "JPEG", quality=90)}
    kinds |= {name: CHANGES[name] for name in ("re-encoded", "half the size")}
    kinds["cropped by 3 %"] = lambda picture: encoded(cropped(picture, 0.03), "JPEG")
    files, truth = [], {}
    for label in practice.LABELS:
        for seed in range(50):
            picture = practice.vehicle(label, seed=seed).picture
            for change in kinds.values():
                files.append((label, "jpg", change(picture)))
                truth[files[-1][2]] = (label, seed)
    table = verified(tmp_path, files)
    named = {path: truth[file.read_bytes()] for path, file in zip(table.table["path"], table.files, strict=True)}
    found = dedup.pairs(table)
    right = sum(named[path] == named[other] for path, other in zip(found["path"], found["other"], strict=True))
    precision, recall = right / len(found), right / (100 * 6)
    print(f"precision {precision:.4f}, recall {recall:.4f}, {len(found)} pairs")  # noqa: T201 - seen with pytest -s
    assert precision >= 0.99
    assert recall >= 0.95
