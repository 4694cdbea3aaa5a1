"""What leaves use: only what a look confirms, and never so much that a class is lost without a word."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from drawings import icon, letter, moment, scene, shirt, watermarked, with_object
from helpers import cropped, dataset, encoded
from PIL import ImageEnhance

from toolkit import copies, dedup, manifest, verify
from toolkit.cli import main
from toolkit.duplicates import brake, confirmation
from toolkit.duplicates.decisive import NO_COLOUR, Look

COPIES = {
    "half": lambda picture: encoded(picture.reduce(2), "JPEG", quality=90),
    "double": lambda picture: encoded(picture.resize((2 * picture.width, 2 * picture.height)), "JPEG", quality=90),
    "quality 30": lambda picture: encoded(picture, "JPEG", quality=30),
    "brighter": lambda picture: encoded(ImageEnhance.Brightness(picture).enhance(1.25), "JPEG", quality=90),
    "cropped by 5 %": lambda picture: encoded(cropped(picture, 0.05), "JPEG", quality=90),
}


def grouped(root, files, **options):
    return dedup.group(verify.check(dataset(root, files)), **options).table


def camera(label, count, *, start, share=0.08, back=1):
    """Pictures of a fixed camera, with another object in each."""
    rng = np.random.default_rng(start)
    empty = scene(back)
    return [
        (label, "jpg", moment(with_object(empty, scene(start + number), share, rng), rng)) for number in range(count)
    ]


def copied(pictures, *, label="cars"):
    """Different pictures, and a copy of each."""
    files = [(label, "png", encoded(scene(seed), compress_level=1)) for seed in range(pictures)]
    return files + [(label, "jpg", encoded(scene(seed), "JPEG", quality=40)) for seed in range(pictures)]


def test_two_objects_before_one_fixed_camera_stay_in_use_and_form_one_group(tmp_path):
    table = grouped(tmp_path, camera("cars", 4, start=100, share=0.04) + camera("tanks", 4, start=200, share=0.04))
    assert set(table["status"]) == {"ok"}
    assert table["group"].nunique() == 1


def test_classes_that_differ_in_colour_alone_stay_in_use(tmp_path):
    colours = {"red": (200, 40, 40), "blue": (60, 70, 210), "grey": (88, 88, 88)}
    table = grouped(tmp_path, [(label, "png", encoded(shirt(colour))) for label, colour in colours.items()])
    assert set(table["status"]) == {"ok"}


def test_letters_and_icons_stay_in_use(tmp_path):
    files = [("letters", "png", encoded(letter(seed))) for seed in range(4)]
    files += [("icons", "png", encoded(icon(seed))) for seed in range(4)]
    assert set(grouped(tmp_path, files)["status"]) == {"ok"}


@pytest.mark.parametrize("change", COPIES)
def test_a_copy_leaves_use_and_its_original_is_named(tmp_path, change):
    files = [("cars", "png", encoded(scene(seed), compress_level=1)) for seed in range(3)]
    table = grouped(tmp_path, [*files, *(("cars", "jpg", COPIES[change](scene(seed))) for seed in range(3))])
    assert sorted(table["status"]) == ["duplicate"] * 3 + ["ok"] * 3
    originals = [dedup.original_of(reason) for reason in table.loc[table["status"] == "duplicate", "reason"]]
    assert set(originals) == set(table.loc[table["status"] == "ok", "path"])


def test_a_watermark_is_in_the_group_and_in_use(tmp_path):
    table = grouped(tmp_path, [("cars", "png", encoded(picture)) for picture in (scene(1), watermarked(scene(1)))])
    assert table["status"].tolist() == ["ok", "ok"]
    assert table["group"].nunique() == 1


def test_one_picture_under_two_labels_is_a_conflict_and_two_pictures_of_one_scene_are_none(tmp_path):
    files = camera("empty", 2, start=100) + camera("occupied", 2, start=300)
    table = grouped(tmp_path, [*files, ("occupied", "png", files[0][2] + b" ")])
    assert sorted(table["status"]) == ["label conflict"] * 2 + ["ok"] * 3


@pytest.mark.slow
def test_beyond_the_brake_only_identical_pictures_leave_use_and_a_warning_says_why(tmp_path):
    files = copied(brake.ENOUGH // 2)
    files += [(label, ending, content + b" ") for label, ending, content in files[:3]]
    with pytest.warns(UserWarning, match=r"20 of 43 pictures .*several versions.*raw/cars/.*--max-share 1"):
        table = grouped(tmp_path, files)
    assert (table["status"] == "duplicate").sum() == 3
    assert "differs" not in "".join(table["reason"])
    assert table["group"].nunique() == brake.ENOUGH // 2  # nothing is divided by a split all the same
    table = grouped(tmp_path, files, max_share=1)
    assert (table["status"] == "duplicate").sum() == 23


@pytest.mark.slow
def test_a_class_is_not_halved_though_few_of_all_would_leave(tmp_path):
    files = copied(brake.ENOUGH_OF_CLASS // 2, label="tanks")
    files += [("tanks", "jpg", encoded(scene(seed), "JPEG", quality=60)) for seed in range(brake.ENOUGH_OF_CLASS // 2)]
    files += [("cars", "png", encoded(scene(seed, (64, 48)))) for seed in range(1000, 1080)]
    with pytest.warns(UserWarning, match="20 of the 30 pictures of tanks"):
        assert set(grouped(tmp_path, files)["status"]) == {"ok"}


@pytest.mark.slow
@pytest.mark.filterwarnings("always")
def test_the_command_line_says_aloud_that_it_left_copies_in_use(tmp_path, capsys):
    root = dataset(tmp_path / "set", copied(brake.ENOUGH // 2)).root
    verify.check(manifest.load(root)).save()
    assert main(["dedup", str(root)]) == 0
    assert "warning: 20 of 40 pictures" in capsys.readouterr().err
    assert set(manifest.load(root).table["status"]) == {"ok"}
    assert main(["copies", str(root / "raw")]) == 0
    assert "warning: 20 of 40 pictures" in capsys.readouterr().err
    assert main(["dedup", str(root), "--max-share", "1"]) == 0
    assert not capsys.readouterr().err
    assert (manifest.load(root).table["status"] == "duplicate").sum() == 20
    assert len(copies.among(root / "raw", max_share=1).redundant) == 20


def judged(looks, pictures, labels=None):
    """What a group of pictures comes to, all alike, with these looks at pairs; others say "alike"."""
    names = np.array(labels or ["cars"] * pictures, object)
    near = {signature: [confirmation._Near(0, other, "") for other in range(pictures)] for signature in range(pictures)}
    taken = []

    def look(left, right, change):
        taken.append((left, right))
        return looks.get((left, right), Look("alike", 3.0))

    return confirmation._Group(list(range(pictures)), np.arange(pictures), near, names, look).judge(), taken


def test_in_a_scene_a_copy_takes_the_stronger_evidence():
    weak, strong = Look("copy", 0.9), Look("copy", 0.3)
    assert set(judged({(0, 1): weak, (0, 2): strong}, 3)[0].copies) == {1, 2}
    assert set(judged({(0, 1): weak, (0, 2): strong}, 8)[0].copies) == {2}


def test_two_labels_take_the_stronger_evidence():
    labels = ["cars", "tanks"]
    assert not judged({(0, 1): Look("copy", 0.9)}, 2, labels)[0].conflicts
    assert set(judged({(0, 1): Look("copy", 0.3)}, 2, labels)[0].conflicts) == {0, 1}
    assert not judged({(0, 1): Look("copy", 0.9)}, 2, labels)[0].copies


def test_a_picture_is_looked_at_no_more_often_than_it_takes():
    assert len(judged({}, 50)[1]) <= 2 * 50 * confirmation.TRIES
    same = {(left, right): Look("copy", 0.1) for left in range(50) for right in range(50)}
    assert len(judged(same, 50)[1]) == 49


def test_the_likely_reason_is_said():
    def said(look, groups):
        looks = {index: (0, look) for index in range(30)}
        return brake.warning(looks, np.array(groups), [f"{index}.jpg" for index in range(60)])

    assert "one scene" in said(Look("copy", 0.4), [0] * 60)
    assert "colour only" in said(Look("copy", 0.4, why=NO_COLOUR), [0] * 60)
    assert "several versions" in said(Look("copy", 0.4), list(range(60)))
    assert not said(Look("copy", 0.0, identical=True), [0] * 60)


def test_a_file_that_is_gone_stays_as_it_was(tmp_path):
    table = verify.check(dataset(tmp_path, copied(2)))
    for file in table.files:
        Path(file).unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert set(dedup.group(table).table["status"]) == {"ok"}
