"""A video is asked about frame by frame, and what is drawn on a frame can be read."""

import numpy as np
import pytest
from helpers import untrained

from toolkit import images, live, practice, predict
from toolkit.errors import ImageError

cv2 = pytest.importorskip("cv2")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return untrained(tmp_path_factory.mktemp("live") / "models" / "photos" / "small")


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Twelve frames, ten a second, each of another grey."""
    file = tmp_path_factory.mktemp("video") / "grey.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter_fourcc(*"MJPG"), 10, (96, 64))
    for number in range(12):
        writer.write(np.full((64, 96, 3), (20 * number, 0, 0), np.uint8))  # blue, green, red
    writer.release()
    return file


def test_every_frame_of_a_video_gets_the_answer_of_its_picture(run, video):
    with live.opened(video) as frames:
        seen = list(live.watch(run, frames))
    assert [one.number for one in seen] == list(range(12))
    assert [one.seconds for one in seen] == pytest.approx([number / 10 for number in range(12)])
    assert all(one.rate > 0 for one in seen)
    last = seen[-1]
    assert last.frame.shape == (64, 96, 3)
    assert last.frame[..., 2].mean() > 200 > 60 > last.frame[..., 0].mean()  # red first
    assert (
        predict.picture(run, images.to_png(np.ascontiguousarray(last.frame))).probabilities == last.answer.probabilities
    )
    assert f"{last.answer.label}  (cars 0." in str(last)


def test_the_threshold_counts_for_frames_too(run, video):
    with live.opened(video) as frames:
        assert all(one.answer.abstained for one in live.watch(run, frames, abstain_below=1.0))


def test_what_is_no_video_and_a_camera_that_is_not_there_are_said(tmp_path):
    (tmp_path / "notes.mp4").write_text("milk")
    with (
        pytest.raises(ImageError, match="expected a video that OpenCV can read, got notes.mp4"),
        live.opened(tmp_path / "notes.mp4"),
    ):
        pass
    with pytest.raises(ImageError, match="found no file at"), live.opened(tmp_path / "gone.mp4"):
        pass
    with pytest.raises(ImageError, match="expected camera 97, found none"), live.opened(97):
        pass


def test_a_frame_is_drawn_with_its_label_bars_and_rate(run):
    frame = np.asarray(practice.vehicle("cars", seed=1).picture)
    for label_share, abstained in ((0.9, False), (0.5, True)):
        shares = {"cars": label_share, "tanks": 1 - label_share}
        answer = predict.Prediction("frame", "cars", label_share, shares, frame, abstained=abstained)
        page = live.draw(live.Seen(0, 0.0, frame, answer, 41.0))
        assert page.dtype == np.uint8
        assert page.shape[1] == 360
        panel = page[round(frame.shape[0] * 360 / frame.shape[1]) :]
        filled = (panel == live.FILLED).all(axis=2).sum(axis=1).max()
        assert filled == pytest.approx((360 - 190) * label_share, abs=2)
        for place in range(2):  # a name before each bar, its share behind it
            band = panel[round(live.BAR * (place + 1.6)) : round(live.BAR * (place + 2.4))]
            for columns in (slice(10, 110), slice(302, 358)):
                assert 20 < (band[:, columns] > 128).all(axis=2).sum() < 400
