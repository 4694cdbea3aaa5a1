"""Live predictions: a model and a camera or a video, frame by frame."""

import os
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from toolkit.core import stderr
from toolkit.errors import ImageError
from toolkit.model import abstaining, predict
from toolkit.model.classifier import Classifier
from toolkit.model.predict import Prediction

if TYPE_CHECKING:
    import cv2

RECENT = 30  # pictures over which the rate is taken
BAR, INK, PAPER, FILLED = 22, (255, 255, 255), (30, 30, 30), (70, 150, 220)  # pixels; colours
ROWS, SHORT = 5, 16  # classes shown at most; letters of an answer in large type


@dataclass(frozen=True, eq=False)
class Seen:
    """A frame and its prediction.

    Args:
        number: of the frame, from 0.
        seconds: from the start to this frame.
        frame: uint8 array of shape (height, width, 3), RGB.
        answer: the prediction.
        rate: frames per second over the last ones, display included.
    """

    number: int
    seconds: float
    frame: np.ndarray
    answer: Prediction
    rate: float

    def __str__(self) -> str:
        shares = "  ".join(f"{name} {share:.3f}" for name, share in self.answer.probabilities.items())
        return f"{self.seconds:8.2f} s  {self.answer.answer}  ({shares})  {self.rate:.0f} pictures per second"


@contextmanager
def opened(source: int | str | Path) -> Iterator[Iterator[tuple[float, np.ndarray]]]:
    """The frames of a camera or a video, each with its time in seconds.

    Args:
        source: the number of a camera, from 0; or the path of a video.

    Raises:
        ImageError: there is no such camera, or the file is no video.

    >>> with opened("drive.mp4") as frames:  # doctest: +SKIP
    ...     seconds, frame = next(frames)
    """
    import cv2

    if not isinstance(source, int) and not Path(source).is_file():
        raise ImageError(f"expected a video, found no file at {source}")
    with stderr.silenced():  # its message about a missing camera is replaced by the one below
        capture = cv2.VideoCapture(source if isinstance(source, int) else str(source))
    try:
        if not capture.isOpened():
            raise ImageError(
                f"expected camera {source}, found none; try another number, or --video FILE"
                if isinstance(source, int)
                else f"expected a video that OpenCV can read, got {Path(source).name}"
            )
        yield _frames(capture, is_camera=isinstance(source, int))
    finally:
        capture.release()


class Watcher:
    """Predicts frames as they come, and measures the rate.

    Args:
        trained: the model, best from `runtime.load`: Keras is slow for single pictures.
        abstain_below, thresholds: see `predict.stream`.
    """

    def __init__(
        self,
        trained: Classifier,
        *,
        abstain_below: float | None = None,
        thresholds: Mapping[str, float] | None = None,
    ):
        self.trained, self.number = trained, 0
        self._limits = abstaining.limits(trained, abstain_below, thresholds)
        self._times: deque[float] = deque([time.perf_counter()], maxlen=RECENT + 1)

    def see(self, frame: np.ndarray, *, seconds: float) -> Seen:
        """The prediction for a frame.

        Args:
            frame: uint8 array of shape (height, width, 3), RGB.
            seconds: from the start to this frame.
        """
        name = f"frame {self.number}"
        answer = predict.frame(self.trained, frame, name=name, thresholds=self._limits)
        self._times.append(time.perf_counter())
        rate = (len(self._times) - 1) / max(self._times[-1] - self._times[0], 1e-9)
        self.number += 1
        return Seen(self.number - 1, seconds, frame, answer, rate)


def watch(
    trained: Classifier,
    frames: Iterator[tuple[float, np.ndarray]],
    *,
    abstain_below: float | None = None,
    thresholds: Mapping[str, float] | None = None,
) -> Iterator[Seen]:
    """Predict frame after frame.

    Args:
        trained: see `Watcher`.
        frames: from `opened`.
        abstain_below, thresholds: see `predict.stream`.
    """
    watcher = Watcher(trained, abstain_below=abstain_below, thresholds=thresholds)
    for seconds, frame in frames:
        yield watcher.see(frame, seconds=seconds)


def show(seen: Iterator[Seen], *, title: str) -> Iterator[Seen]:
    """Show each frame with its answer in a window, until it is closed, or q or Escape is pressed.

    Args:
        seen: from `watch`.
        title: of the window.

    Yields:
        Each after it was shown.
    """
    import cv2

    try:
        for frame in seen:
            cv2.imshow(title, draw(frame)[:, :, ::-1])
            yield frame
            if cv2.waitKey(1) & 0xFF in (ord("q"), 27) or cv2.getWindowProperty(title, cv2.WND_PROP_VISIBLE) < 1:
                return
    finally:
        cv2.destroyAllWindows()


def has_window() -> bool:
    """Whether OpenCV can open a window here: the build for servers cannot, nor can any without a screen."""
    import cv2

    lines = [line.split() for line in cv2.getBuildInformation().splitlines()]
    built = not any(words[:2] == ["GUI:", "NONE"] for words in lines)
    screen = sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return built and screen


def draw(seen: Seen) -> np.ndarray:
    """A frame with its label, the most probable classes as bars, and the rate.

    Returns:
        uint8 array of shape (height, width, 3), RGB; the text is below the frame.
    """
    import cv2

    shares = sorted(seen.answer.probabilities.items(), key=lambda pair: -pair[1])[:ROWS]
    width = max(360, seen.frame.shape[1])
    scale = width / seen.frame.shape[1]
    frame = cv2.resize(seen.frame, (width, round(seen.frame.shape[0] * scale)))
    panel = np.full((BAR * (len(shares) + 2), width, 3), PAPER, np.uint8)

    def put(text: str, x: int, line: float, size: float = 0.5) -> None:
        cv2.putText(panel, text, (x, round(BAR * line)), cv2.FONT_HERSHEY_SIMPLEX, size, INK, 1, cv2.LINE_AA)

    said = _plain(seen.answer.answer)
    put(said, 10, 1.1, 0.7 if len(said) <= SHORT else 0.45)  # beside which the rate must fit
    put(f"{seen.rate:.0f} pictures/s", width - 140, 1.1)
    for index, (name, share) in enumerate(shares):
        top = round(BAR * (index + 1.6))
        cv2.rectangle(panel, (120, top), (120 + round((width - 190) * share), top + BAR - 8), FILLED, -1)
        put(_plain(name)[:12], 10, index + 2.15)
        put(f"{share:.1%}", width - 60, index + 2.15, 0.45)
    return np.concatenate([frame, panel])


def _plain(text: str) -> str:
    """Text in ASCII, which is all that OpenCV's own font has."""
    return text.encode("ascii", "replace").decode()


def _frames(capture: "cv2.VideoCapture", *, is_camera: bool) -> Iterator[tuple[float, np.ndarray]]:
    import cv2

    started, rate, number = time.perf_counter(), capture.get(cv2.CAP_PROP_FPS), 0
    while True:
        succeeded, frame = capture.read()
        if not succeeded:
            return
        seconds = time.perf_counter() - started if is_camera or not rate > 0 else number / rate
        yield seconds, frame[:, :, ::-1]
        number += 1
