"""Whether pictures that come in are of another kind than those of the test."""

import csv

import numpy as np
import pytest
from helpers import coloured, encoded, learned, ready_dataset
from PIL import Image

from toolkit import drift
from toolkit.errors import DatasetError
from toolkit.serve import keeping


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return ready_dataset(tmp_path_factory.mktemp("drift") / "pets", per_class=60)


@pytest.fixture(scope="module")
def run(table, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOOLKIT_HOME", str(tmp_path_factory.mktemp("home")))
        yield learned(table, "vgg")


def pictures(folder, *, darker=0, count=40):
    """Pictures like those of the dataset that it does not have, in turn of both classes."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        pixels = np.asarray(coloured(number % 2, 1000 + number)).astype(int) - darker
        picture = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        (folder / f"{number}.png").write_bytes(encoded(picture))
    return sorted(folder.glob("[0-9]*.png"))


@pytest.mark.slow
def test_pictures_of_the_same_kind_are_not_told_apart(table, run, tmp_path):
    found = drift.measured(run, table, pictures(tmp_path))
    assert not found.table["different"].any()
    assert "40 pictures beside 30 test pictures: no measure tells them apart" in str(found)
    assert (found.table["corrected"] >= found.table["p"]).all() and len(found.table) == 7


@pytest.mark.slow
def test_darker_pictures_are_found_by_their_light_and_not_by_their_size(table, run, tmp_path):
    found = drift.measured(run, table, pictures(tmp_path, darker=70))
    told = found.table.set_index("measure")
    assert told.loc["light", "different"] and told.loc["light", "came"] < told.loc["light", "test"] - 30
    assert not told.loc["shortest side", "different"] and told.loc["shortest side", "p"] == 1
    assert "light (p = " in str(found) and str(found).endswith("only labels can say.")


def test_how_often_a_class_is_named_is_compared_by_mixing_the_answers():
    test, came = np.array([0] * 50 + [1] * 50), np.array([0] * 15 + [1] * 35)
    found = drift._answers(test, came, 7)
    assert found["came"] == pytest.approx(0.2) and 0.005 < found["p"] < 0.06
    assert drift._answers(test, test, 7)["p"] == 1


def test_of_what_a_service_kept_only_the_share_by_chance_is_taken(tmp_path):
    files = pictures(tmp_path / "kept", count=6)
    with (tmp_path / "kept" / keeping.ANSWERS).open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(keeping.COLUMNS)
        for number, file in enumerate(files):
            why = keeping.CHANCE if number % 3 == 0 else keeping.DOUBT
            rows.writerow((file.name, "cars", "0.5", why, "2026-11-30"))
        rows.writerow(("gone.png", "cars", "0.5", keeping.CHANCE, "2026-11-30"))
    assert drift.drawn(tmp_path / "kept") == ([files[0], files[3]], "")
    assert (drift.ANSWERS, drift.CHANCE) == (keeping.ANSWERS, keeping.CHANCE)
    (tmp_path / "kept" / keeping.ANSWERS).unlink()
    found, note = drift.drawn(tmp_path / "kept")
    assert found == files and "All pictures of the folder" in note
    with pytest.raises(DatasetError, match="expected a folder of pictures"):
        drift.drawn(tmp_path / "nowhere")


@pytest.mark.slow
def test_too_few_pictures_are_no_sample_and_broken_ones_are_counted(table, run, tmp_path):
    few = pictures(tmp_path, count=9)
    with pytest.raises(DatasetError, match="at least 10 pictures that came in and 10 of the test, got 9 and 30"):
        drift.measured(run, table, few)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    assert drift.measured(run, table, [*pictures(tmp_path, count=12), tmp_path / "broken.png"]).unreadable == 1
