"""Pictures that came divided: what stands in the test and in train too is told, and can be taken out of the test."""

import hashlib
import json
import shutil
import warnings

import pytest
from helpers import coloured, encoded, textured

from toolkit import dedup, paths, scrape, split, verify
from toolkit.cli import main
from toolkit.errors import DatasetError
from toolkit.scrape import given


def write(root, name, number, *, place=0):
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(encoded(coloured(place, number)))


@pytest.fixture
def pictures(tmp_path):
    """Two classes in train, valid and test; of six test pictures two stand in train, and one in valid, too."""
    root = tmp_path / "export"
    for place, label in enumerate(("cars", "tanks")):
        for part, numbers in {"train": range(8), "valid": range(20, 23), "test": range(40, 43)}.items():
            for number in numbers:
                write(root, f"{part}/{label}/{number}.png", number, place=place)
    write(root, "train/cars/again.png", 40)
    write(root, "train/tanks/again.png", 41, place=1)
    write(root, "valid/cars/again.png", 42)
    write(root, "train/cars/twice.png", 7)
    return root


@pytest.fixture
def table(pictures):
    return scrape.collect(f"folder:{pictures}", into="mine")


def test_identical_files_are_told_with_where_they_are(table):
    found = given.files("mine")
    assert found.identical == [
        ("export/test/cars/40.png", "export/train/cars/again.png"),
        ("export/test/cars/42.png", "export/valid/cars/again.png"),
        ("export/test/tanks/41.png", "export/train/tanks/again.png"),
        ("export/train/cars/7.png", "export/train/cars/twice.png"),
    ]
    words = given.in_words(found)
    assert words.startswith(
        "4 files are the same as another, byte for byte, and each picture is taken once (export/test/c"
    )
    assert "export/valid/cars/again.png; " in words and words.endswith("; …)")


def test_the_share_of_the_given_test_with_a_twin_to_learn_from_is_told(table):
    twins = given.twins(given.files("mine"), table)
    assert twins == given.Twins(test=6, identical=3, near=3)
    assert str(twins) == (
        "3 of 6 pictures of the given test stand in train or val too: figures on that test are to 50% of pictures "
        "learned by heart"
    )


def test_a_picture_under_two_labels_is_a_twin_too(pictures):
    write(pictures, "train/tanks/wrong.png", 41)  # cars/41 of the test, called a tank
    table = scrape.collect(f"folder:{pictures}", into="mine")
    assert given.twins(given.files("mine"), table).identical == 4


def test_near_duplicates_are_counted_where_they_were_looked_for(tmp_path):
    root = tmp_path / "export"
    for start, part in ((100, "train"), (200, "valid"), (300, "test")):
        for number in range(8):
            file = root / part / "ab"[number % 2] / f"{number}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(encoded(textured(start + number), "JPEG", quality=95))
    again = encoded(textured(103), "JPEG", quality=60)  # of a picture in train
    (root / "test" / "b" / "again.jpg").write_bytes(again)
    table = dedup.group(verify.check(scrape.collect(f"folder:{root}", into="near")))
    twins = given.twins(given.files("near"), table)
    assert twins == given.Twins(test=9, identical=0, near=1)
    honest = split.assign(table, seed=7, given=given.files("near").splits)
    used = honest.table[(honest.table["group"] != "") & (honest.table["status"] == "ok")]
    assert (used.groupby("group")["split"].nunique() == 1).all()


def test_a_dataset_that_came_undivided_has_no_given_split(tmp_path):
    for place, label in enumerate(("cars", "tanks")):
        write(tmp_path / "plain", f"{label}/1.png", 1, place=place)
    table = scrape.collect(f"folder:{tmp_path / 'plain'}", into="plain")
    found = given.files("plain")
    assert not found.is_split and str(given.twins(found, table)) == "" and given.in_words(found) == ""
    with pytest.raises(DatasetError, match="that came in folders such as train, val and test, got none"):
        split.assign(table.assign(status="ok"), seed=7, given=found.splits)


def test_a_file_that_is_looked_at_again_is_no_copy_of_itself(pictures, table):
    (pictures / "train" / "cars" / "1.png").touch()
    scrape.collect(f"folder:{pictures}", into="mine")
    assert len(given.files("mine").identical) == 4


def where(table, number, label="cars"):
    place = ("cars", "tanks").index(label)
    sha256 = hashlib.sha256(encoded(coloured(place, number))).hexdigest()
    return table.table.set_index("sha256")["split"][sha256]


def test_the_given_split_is_kept_and_what_stands_in_train_or_val_is_not_in_the_test(table):
    honest = split.assign(table.assign(status="ok"), seed=7, given=given.files("mine").splits)
    assert honest.counts("split").loc["total"].to_dict() == {"train": 18, "val": 7, "test": 3, "total": 28}
    assert (where(honest, 40), where(honest, 42), where(honest, 41)) == ("train", "val", "test")
    assert where(honest, 41, "tanks") == "train"
    assert {where(honest, number) for number in range(8)} == {"train"}


def test_the_command_line_tells_it_when_scraping_and_when_splitting(pictures, capsys):
    assert main(["scrape", f"folder:{pictures}", "--into", "mine"]) == 0
    told = capsys.readouterr().out
    assert "4 files are the same as another, byte for byte" in told
    assert "3 of 6 pictures of the given test stand in train or val too" in told
    assert main(["verify", "mine"]) == 0
    with warnings.catch_warnings(action="always"):  # of a split that is kept, which is printed
        assert main(["split", "mine"]) == 0
    assert "--given keeps that split without them" in capsys.readouterr().out
    assert main(["split", "mine", "--given", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["given"] == {"test": 6, "identical": 3, "near": 3}
    assert told["split"]["total"] == {"train": 18, "val": 7, "test": 3, "total": 28}
    assert main(["show", "mine", "--no-sheets", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert len(shown["identical"]) == 4 and shown["given"] == told["given"]
    assert main(["split", "mine", "--given", "--again"]) == 2
    assert "expected --given or --again, got both" in capsys.readouterr().err


def test_a_class_without_a_given_val_takes_it_from_its_train(pictures):
    shutil.rmtree(pictures / "valid" / "tanks")
    table = scrape.collect(f"folder:{pictures}", into="mine")
    honest = split.assign(table.assign(status="ok"), seed=7, given=given.files("mine").splits)
    assert honest.counts("split").loc["tanks", "val"] >= 1
    assert paths.dataset("mine") == honest.root
