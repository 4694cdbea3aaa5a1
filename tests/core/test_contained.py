"""Nothing in a dataset or run leads out of its folder, and what is written in place is a file of its own."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.core import contained
from toolkit.errors import DatasetError


@pytest.fixture
def pets(tmp_path):
    folder = tmp_path / "pets"
    for name in ("raw/cars/1.jpg", "sized/32/cars/1.png", "manifest.csv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("own")
    (tmp_path / "victim").mkdir()
    return folder


def test_a_folder_of_files_is_taken_and_one_that_is_not_there_too(pets):
    assert contained.folder(pets) == pets
    assert contained.folder(pets / "nothing") == pets / "nothing"


@pytest.mark.parametrize("link", ["raw/cars/2.jpg", "raw/tanks", "features", "models/vgg", "review.jsonl", ".token"])
@pytest.mark.parametrize("target", ["../victim", "../victim/not there yet", "/etc/hostname", "../pets2"])
def test_a_link_that_leads_out_is_refused_with_its_name(pets, link, target):
    (pets / link).parent.mkdir(parents=True, exist_ok=True)
    up = "../" * link.count("/") if not target.startswith("/") else ""
    (pets / link).symlink_to(up + target)
    with pytest.raises(DatasetError, match=f"to lie there, got {link}, a link to .*; put a copy"):
        contained.folder(pets)


def test_a_link_that_leads_within_is_taken_and_a_circle_is_not_followed(pets):
    (pets / "raw" / "cars" / "same.jpg").symlink_to("1.jpg")
    (pets / "raw" / "cars" / "up").symlink_to("..")
    (pets / "all").symlink_to(pets)
    assert contained.folder(pets) == pets


def test_a_link_that_leads_out_by_way_of_a_hidden_folder_is_refused(pets, tmp_path):
    (pets / ".hidden").mkdir()
    (pets / ".hidden" / "x.jpg").symlink_to(tmp_path / "victim")  # which nobody looks at
    (pets / "raw" / "dogs").symlink_to("../.hidden")
    with pytest.raises(DatasetError, match="got raw/dogs, a link to"):
        contained.folder(pets)


def test_a_dataset_that_is_reached_by_a_link_is_as_good_as_any(pets, tmp_path):
    (tmp_path / "linked").symlink_to(pets)
    assert contained.folder(tmp_path / "linked") == tmp_path / "linked"


def test_a_pipe_is_refused(pets):
    os.mkfifo(pets / "raw" / "cars" / "3.jpg")
    with pytest.raises(DatasetError, match="got raw/cars/3.jpg, a pipe or device"):
        contained.folder(pets)


GOOD = ["raw/cars/1.jpg", "raw/a b/é ü.png", "raw/x.jpg", "raw/a..b/c..jpg", "raw/cars/.x.jpg", "raw/two\nlines.jpg"]
BAD = [
    *("", "raw", "raw/", "/etc/passwd", "raw/../x.jpg", "raw/cars/../../../x.jpg", "../raw/x.jpg", "raw//x.jpg"),
    *("sized/x", "raw/./x.jpg", "raw/.x/y.jpg", "raw/cars/", "raw/cars/.", "raw/cars/..", "raw/a\\b.jpg", "C:/x.jpg"),
    *("raw/x\0.jpg", "raw/a\0raw/b.jpg", "~/x.jpg", "file:///etc/passwd", "raw/..", "raw/.git/config"),
]


@pytest.mark.parametrize("name", BAD)
def test_a_path_that_could_lead_elsewhere_is_refused_among_others_too(name, tmp_path):
    assert not contained.is_own(name)
    for names in ([name], [*GOOD, name], [name, *GOOD]):
        with pytest.raises(DatasetError, match="expected paths of pictures such as"):
            contained.paths(names, of=tmp_path)


def test_a_path_of_a_picture_is_taken(tmp_path):
    assert all(map(contained.is_own, GOOD))
    contained.paths(GOOD, of=tmp_path)
    contained.paths([], of=tmp_path)


@given(st.lists(st.sampled_from(["raw", "..", ".", "/", "a", "b.jpg", "", "\\", "\n", ".h"]), max_size=6).map("/".join))
def test_many_paths_at_once_are_judged_as_each_alone(name):
    if contained.is_own(name):
        contained.paths([name, "raw/x.jpg"], of=None)
    else:
        with pytest.raises(DatasetError):
            contained.paths([name, "raw/x.jpg"], of=None)


@pytest.mark.parametrize("kind", ["link", "hard link", "dangling link", "pipe"])
def test_a_file_that_is_written_in_place_is_one_of_its_own(tmp_path, kind):
    victim, file = tmp_path / "victim", tmp_path / "review.jsonl"
    victim.write_text("token = 1234")
    {"link": lambda: file.symlink_to(victim), "hard link": lambda: os.link(victim, file)}.get(
        kind, lambda: os.mkfifo(file) if kind == "pipe" else file.symlink_to(tmp_path / "new")
    )()
    with pytest.raises(DatasetError, match="expected a file of its own at .*review.jsonl, got "):
        contained.append(file, "mine")
    assert victim.read_text() == "token = 1234" and not (tmp_path / "new").exists()


def test_text_is_added_at_the_end(tmp_path):
    contained.append(tmp_path / "looks", "é\n")
    contained.append(tmp_path / "looks", "b\n")
    assert (tmp_path / "looks").read_bytes() == "é\nb\n".encode()
