"""Pictures that a service keeps for a person to label: which, how many, and what happens where there is no room."""

import logging

import numpy as np
import pandas as pd
import pytest
import requests
from helpers import coloured, encoded

from toolkit import serve
from toolkit.errors import DatasetError
from toolkit.serve import keeping
from toolkit.serve.metrics import Metrics

pytestmark = pytest.mark.usefixtures("stops_at_once")
SURE, DOUBTFUL = ("tanks", 0.95), ("tanks", 0.6)


@pytest.fixture
def keeping_in(tmp_path):
    """Makes keepers of a folder, and gives what they did: a table of answers and counts by outcome."""

    def offered(pictures, **limits):
        metrics = Metrics(list)
        settings = serve.Config(keep=str(tmp_path / "kept"), **limits)
        keeper = keeping.Keeper(settings, metrics)
        for picture, answer in pictures:
            keeper.offer(picture, *answer)
        keeper.close()
        samples = [sample for one in metrics.kept.collect() for sample in one.samples if sample.name.endswith("_total")]
        return {sample.labels["outcome"]: sample.value for sample in samples}

    return offered


def table(tmp_path):
    return pd.read_csv(tmp_path / "kept" / keeping.ANSWERS)


def picture(number, kind="PNG"):
    return encoded(coloured(number % 2, number), kind)


def test_what_is_in_doubt_is_kept_with_its_answer_and_nothing_else(keeping_in, tmp_path):
    counts = keeping_in([(picture(1), DOUBTFUL), (picture(2), SURE), (picture(3, "JPEG"), DOUBTFUL)], keep_share=0)
    assert counts == {"kept in doubt": 2}
    rows = table(tmp_path)
    assert list(rows.columns) == ["file", "label", "probability", "kept", "day"]
    assert list(rows["label"]) == ["tanks", "tanks"] and list(rows["probability"]) == [0.6, 0.6]
    assert set(rows["kept"]) == {keeping.DOUBT} and rows["day"].str.fullmatch(r"\d{4}-\d\d-\d\d").all()
    files = {file.name: file.read_bytes() for file in (tmp_path / "kept").iterdir()}
    assert {files[name] for name in rows["file"]} == {picture(1), picture(3, "JPEG")}
    assert sorted(name.rpartition(".")[2] for name in files) == ["csv", "jpg", "png"]


def test_what_is_unlike_anything_learned_is_kept_however_sure_the_answer_is(keeping_in, tmp_path):
    offered = [(picture(1), (*SURE, 0.49)), (picture(2), (*SURE, 0.5)), (picture(3), (*SURE, None))]
    assert keeping_in(offered, keep_share=0) == {"kept unfamiliar": 1}
    assert list(table(tmp_path)["kept"]) == [keeping.STRANGE]


def test_a_share_of_all_is_kept_by_chance_so_that_they_tell_of_all(keeping_in, tmp_path):
    counts = keeping_in([(picture(number), SURE) for number in range(40)], keep_share=1, keep_below=0)
    assert counts == {"kept by chance": 40} or counts["kept by chance"] + counts["too many at a time"] == 40
    assert set(table(tmp_path)["kept"]) == {keeping.CHANCE}


def test_the_limit_of_a_probability_is_one_that_is_sure_enough(keeping_in):
    half = ("cars", 0.5)
    assert keeping_in([(picture(1), half)], keep_share=0, keep_below=0.5) == {}
    assert keeping_in([(picture(1), half)], keep_share=0, keep_below=0.51) == {"kept in doubt": 1}


def test_a_picture_is_kept_once_and_no_more_than_allowed_after_a_restart_too(keeping_in, tmp_path, caplog):
    offered = [(picture(number), DOUBTFUL) for number in (1, 1, 2)]
    assert keeping_in(offered, keep_share=0, keep_pictures=3) == {"kept in doubt": 2, "there already": 1}
    more = [(picture(number), DOUBTFUL) for number in (2, 3, 4, 5)]
    with caplog.at_level(logging.WARNING):
        counts = keeping_in(more, keep_share=0, keep_pictures=3)
    assert counts == {"there already": 1, "kept in doubt": 1, "beyond the limit": 2}
    assert caplog.text.count("no more pictures are kept") == 1
    assert len(table(tmp_path)) == 3


def test_the_bytes_in_the_folder_are_bounded(keeping_in, tmp_path):
    size = len(picture(1)) + len(picture(2))
    offered = [(picture(number), DOUBTFUL) for number in range(1, 6)]
    counts = keeping_in(offered, keep_share=0, keep_megabytes=(size + 20) / 1e6)
    assert counts == {"kept in doubt": 2, "beyond the limit": 3}


def test_pixels_that_came_as_numbers_are_kept_as_a_picture(keeping_in, tmp_path):
    pixels = np.asarray(coloured(0, 1))
    assert keeping_in([(pixels, DOUBTFUL)], keep_share=0) == {"kept in doubt": 1}
    assert table(tmp_path)["file"][0].endswith(".png")


def test_a_full_disk_is_said_once_and_leaves_no_half_picture(keeping_in, tmp_path, caplog, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keeping.os, "write", full)
    with caplog.at_level(logging.WARNING):
        counts = keeping_in([(picture(number), DOUBTFUL) for number in (1, 2, 3)], keep_share=0)
    assert counts == {"could not be written": 3}
    assert caplog.text.count("No space left on device; answers go on") == 1
    assert [file.name for file in (tmp_path / "kept").iterdir()] == [keeping.ANSWERS]


def test_a_link_in_place_of_the_table_and_shares_beyond_all_are_refused(keeping_in, tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / keeping.ANSWERS).symlink_to(tmp_path / "elsewhere.csv")
    with pytest.raises(DatasetError, match="expected a file of its own"):
        keeping_in([])
    with pytest.raises(ValueError, match="keep_share and keep_below of at most 1"):
        serve.Config(keep_share=1.5)


@pytest.mark.slow
def test_a_service_keeps_only_what_it_was_told_to_and_counts_its_answers(exported, tmp_path):
    where = tmp_path / "kept"
    settings = serve.Config(port=0, keep=str(where), keep_share=0, keep_below=1)
    with serve.open(exported / "small.tflite", settings) as service:
        for number in range(3):
            form = {"pictures": (f"secret{number}.png", picture(number))}
            assert requests.post(f"{service.url}/predict", files=form, timeout=20).status_code == 200
        assert requests.post(f"{service.url}/predict", data=b"no picture", timeout=20).status_code == 415
        lines = requests.get(f"{service.url}/metrics", timeout=20).text.splitlines()
    told = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"}
    answers = sum(value for name, value in told.items() if name.startswith("toolkit_answers_total"))
    assert answers == told["toolkit_confidence_count"] == 3 and told["toolkit_abstained_total"] == 0
    assert len(table(tmp_path)) == 3 and "secret" not in (where / keeping.ANSWERS).read_text()
    assert len(list(where.iterdir())) == 4
