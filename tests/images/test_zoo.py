"""Every kind of nasty file goes through all that opens pictures: it is used, or a row with a reason."""

import hashlib
import re
import resource
import warnings

import numpy as np
import pytest
import zoo
from helpers import dataset
from PIL import EpsImagePlugin

from toolkit import images, manifest, parallel, resize, verify
from toolkit.errors import DatasetError, ImageError

GOOD, BAD, CHOSEN = zoo.good(), zoo.bad(), zoo.chosen()
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # of damaged EXIF; the picture is read all the same


@pytest.fixture(autouse=True)
def nothing_dangerous(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("Ghostscript was asked for")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", refuse)


def test_there_are_many_kinds():
    assert len(GOOD) + len(BAD) >= 90


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """All of them as one dataset, verified and resized."""
    contents = [entry[0] for entry in (GOOD | BAD | CHOSEN).values()]
    made = dataset(tmp_path_factory.mktemp("zoo"), [("all", "jpg", content) for content in contents])
    with warnings.catch_warnings(action="ignore"):
        return resize.write(verify.check(made, min_side=1), size=16, mode="letterbox").save()


def row(table, content):
    return table.where(sha256=hashlib.sha256(content).hexdigest()).table.iloc[0]


@pytest.mark.parametrize("kind", GOOD)
def test_what_can_be_used_is_used(table, kind):
    content = GOOD[kind][0]
    found = row(table, content)
    assert (found["status"], found["reason"]) == ("ok", "")
    square = table.where(sha256=found["sha256"]).sized(16, mode="letterbox")[0]
    assert np.array_equal(images.prepare(square, 16), images.prepare(content, 16, "letterbox"))


@pytest.mark.parametrize("kind", CHOSEN)
def test_how_what_is_shown_was_chosen_is_kept_in_the_manifest(table, kind):
    content, shown, note = CHOSEN[kind]
    found = row(table, content)
    assert found["status"] == "ok" and re.search(note, found["reason"])
    square = np.asarray(images.prepare(table.where(sha256=found["sha256"]).sized(16, mode="letterbox")[0], 16))
    assert np.array_equal(square, images.prepare(content, 16, "letterbox"))
    assert len(np.unique(square)) >= min(32, len(np.unique(np.asarray(shown))))


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_used_says_why(table, kind):
    content, reason = BAD[kind]
    assert row(table, content)["status"] == "unreadable"
    assert re.search(reason, row(table, content)["reason"])
    with pytest.raises(ImageError, match=reason):
        images.prepare(content, 16)


NO_FILES = ("device.jpg", "pipe.jpg")


@pytest.fixture
def places(tmp_path):
    """Odd names, and what is no file, as a dataset; and what is expected of each."""
    folder = tmp_path / "raw" / "odd"
    folder.mkdir(parents=True)
    expected = {f"raw/odd/{name}": reason for name, reason in zoo.places(folder).items()}
    for name in NO_FILES:  # with which no dataset is opened
        (folder / name).unlink()
        del expected[f"raw/odd/{name}"]
    return manifest.from_rows(tmp_path, [{"path": path, "label": "odd"} for path in expected]), expected


def test_what_is_no_file_is_a_row_of_verify(places):
    table, expected = places
    plain = [path for path in expected if path.isascii() and len(path) < 60]
    found = verify.check(table.where(path=plain)).table.set_index("path")
    assert len(found) == len(plain)
    for path in plain:
        status, reason = found.loc[path, ["status", "reason"]]
        assert (status, reason) == ("ok", "") if expected[path] is None else expected[path] in reason, path


def test_odd_names_are_resized_or_rows(places):
    table, expected = places
    done = resize.write(table.assign(status="ok"), size=16).save()
    found = manifest.load(table.root).table.set_index("path")
    collided = {"raw/odd/a.jpg": "its square would be", "raw/odd/" + "m" * 255: "name too long"}
    assert len(found) == len(expected)
    for path, reason in (expected | collided).items():
        status, said = found.loc[path, ["status", "reason"]]
        assert (status, said) == ("ok", "") if reason is None else reason in said, path
    usable = done.where(status="ok")
    for raw, square in zip(usable.files, usable.sized(16), strict=True):
        assert np.array_equal(images.prepare(raw, 16), images.prepare(square, 16))
    assert not list(table.root.rglob("ran"))


@pytest.mark.parametrize("name", NO_FILES)
def test_a_dataset_with_a_pipe_or_a_link_to_a_device_is_not_opened(tmp_path, name):
    (tmp_path / "raw" / "odd").mkdir(parents=True)
    zoo.places(tmp_path / "raw" / "odd")
    for other in {*NO_FILES} - {name}:
        (tmp_path / "raw" / "odd" / other).unlink()
    manifest.from_rows(tmp_path, [{"path": f"raw/odd/{name}", "label": "odd"}]).save()
    with pytest.raises(DatasetError, match=f"got raw/odd/{name}, a"):
        manifest.load(tmp_path)


@pytest.mark.slow
def test_two_thousand_damaged_files_are_each_read_or_refused_with_a_reason():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    files = [content for _, content in zoo.fuzzed(2000, seed=7)]
    for outcome in parallel.map(_opened, files):
        assert isinstance(outcome, str) and outcome, outcome
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000  # kilobytes


def _opened(content):
    try:
        pixels = images.prepare(content, 24)
        return f"{pixels.shape}" if pixels.shape == (24, 24, 3) else ""
    except ImageError as error:
        return error.reason
