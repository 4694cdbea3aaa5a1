"""Frames of a video as a source: near-equal ones once, with and without a label, again and to a limit."""

import cv2
import numpy as np
import pytest
from helpers import coloured

from toolkit import manifest, scrape
from toolkit.errors import SourceError
from toolkit.scrape import Options, video


def film(place, *frames, rate=10):
    """A video of these frames, of shape (height, width, 3), RGB."""
    height, width, _ = frames[0].shape
    writer = cv2.VideoWriter(str(place), cv2.VideoWriter_fourcc(*"MJPG"), rate, (width, height))
    for frame in frames:
        writer.write(frame[:, :, ::-1])
    writer.release()
    return place


def scene(number):
    """A picture with a ramp that no other number has."""
    ramp = np.linspace(0, 255, 96, dtype=np.uint8)
    turned = np.rot90(np.stack([np.broadcast_to(ramp, (96, 96))] * 3, axis=2), number)
    return np.ascontiguousarray(turned // (1 + number // 4))


def shaken(picture, seed):
    """The same seen again, with the noise of a camera."""
    return (picture + np.random.default_rng(seed).normal(0, 4, picture.shape)).clip(0, 255).astype(np.uint8)


@pytest.fixture
def drive(tmp_path):
    """Three scenes, seen for four, one and three frames, and the first one again."""
    order = [0, 0, 0, 0, 1, 2, 2, 2, 0]
    return film(tmp_path / "drive.avi", *[shaken(scene(number), seed) for seed, number in enumerate(order)])


def test_near_equal_frames_come_once_also_when_the_scene_comes_back(drive):
    table = scrape.collect([f"video:{drive}"], into="road").table
    assert sorted(table["source_id"].str.rpartition(".")[2]) == ["0", "4", "5"]
    assert sorted(table["title"]) == ["frame 0 at 0.0 s", "frame 4 at 0.4 s", "frame 5 at 0.5 s"]
    assert set(table["label"]) == {""} and set(table["source"]) == {"video"}
    name, version = table["source_id"][0].split("@")
    assert name == "drive.avi" and version


def test_a_frame_keeps_its_size_and_colours(tmp_path):
    red = np.zeros((48, 64, 3), np.uint8)
    red[:, :40] = 220, 40, 10
    scrape.collect([f"video:{film(tmp_path / 'red.avi', red)}"], into="road")
    (file,) = manifest.load("road").files
    picture = cv2.imread(str(file))[:, :, ::-1]
    assert picture.shape == (48, 64, 3)
    assert np.abs(picture[24, 20].astype(int) - (220, 40, 10)).max() < 25


def test_frames_have_a_label_come_to_a_limit_and_again_only_what_is_new(drive):
    table = scrape.collect([f"video:{drive}=cars"], into="road", options=Options(limit=2)).table
    assert list(table["label"]) == ["cars", "cars"]
    assert len(scrape.collect([f"video:{drive}=cars"], into="road")) == 3
    assert len(scrape.collect([f"video:{drive}=cars"], into="road")) == 3


def test_what_differs_a_little_and_moves_on_is_taken_now_and_then():
    frames = [(0.0, np.full((40, 40, 3), level, np.uint8)) for level in range(0, 60, 2)]
    taken = [number for number, _, _ in video.distinct(iter(frames))]
    assert taken == list(range(0, 30, 4)), "more than 6 grey levels from the last one taken"


def test_only_the_last_frames_taken_are_compared():
    one, others = (
        np.asarray(coloured(0, 1, side=64)),
        [np.full((64, 64, 3), 25 * level, np.uint8) for level in range(video.RECENT)],
    )
    order = [(0.0, frame) for frame in (one, *others[:-1], one, *others, one)]
    taken = [number for number, _, _ in video.distinct(iter(order))]
    assert taken[: video.RECENT] == list(range(video.RECENT))
    assert video.RECENT not in taken and taken[-1] == len(order) - 1


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("video:none.avi", "expected pictures at none.avi, found nothing"),
        ("camera:front", "expected camera:NUMBER, such as camera:0, got camera:front"),
        ("camera:7", "expected camera 7, found none"),
    ],
)
def test_no_video_and_no_camera_are_named(source, message, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match=message):
        scrape.collect([source], into=tmp_path / "road")


def test_a_file_that_is_no_video_is_named(tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(SourceError, match=r"expected a video that OpenCV can read, got text.mp4"):
        scrape.collect([f"video:{tmp_path / 'text.mp4'}"], into=tmp_path / "road")
