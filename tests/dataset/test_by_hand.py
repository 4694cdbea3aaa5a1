"""Which picture a person means, and how it is told."""

import pytest
from helpers import class_folders

from toolkit import dedup, resize, scrape, split, verify
from toolkit.dataset import by_hand
from toolkit.errors import DatasetError


@pytest.fixture
def pets(tmp_path):
    return scrape.collect(str(class_folders(tmp_path / "pictures", per_class=3)), into=tmp_path / "pets")


def test_a_picture_is_found_by_its_path_the_end_or_beginning_of_it_and_the_name_it_came_with(pets):
    path = pets.find(["cars/1.png"])[0]
    assert path.startswith("raw/cars/")
    name = path.rpartition("/")[2]
    for called in (path, name, name[:10], path[-20:], "cars/1.png"):
        assert pets.find([called]) == [path]


def test_a_name_that_several_have_or_none_is_refused(pets):
    for name, count in (("1.png", 2), ("3.png", 0), ("raw", 0)):
        with pytest.raises(DatasetError, match=f"got {name!r}, which {count} have"):
            pets.find([name])


def test_a_picture_is_shown_as_it_came_beside_the_beginning_of_its_name(pets):
    (path,) = pets.find(["tanks/2.png"])
    assert by_hand.shown(pets.table)[path] == f"tanks/2.png ({path.rpartition('/')[2][:8]})"


def test_a_picture_from_elsewhere_is_shown_by_its_path(pets):
    table = pets.table.assign(source="reddit", source_id="t3_abc")
    assert by_hand.shown(table) == {path: path for path in table["path"]}


def test_the_stages_take_the_name_of_a_dataset(pets):
    pets.save()
    table = dedup.group(verify.check(pets.root).save().root)
    assert set(table.table["status"]) <= {"ok", "duplicate", "label conflict"}
    assert len(resize.write(table.save().root, size=16).where(status="ok").sized(16)) > 0
    with pytest.raises(DatasetError, match="expected pictures of 'cars'"):
        split.assign(str(pets.exclude(["cars/0.png", "cars/1.png", "cars/2.png"]).save().root), seed=1)


def test_what_was_never_verified_is_new_again_when_it_is_taken_back(pets):
    excluded = pets.exclude(["cars/0.png"])
    assert excluded.left_out()["reason"].tolist() == ["taken out by hand"]
    assert set(excluded.include(["cars/0.png"]).table["status"]) == {"new"}
