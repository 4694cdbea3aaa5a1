"""Frames of a video file or of a camera, without those that are nearly equal to one just taken (keyframe selection)."""

from collections import deque
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from toolkit.errors import ImageError, SourceError
from toolkit.scrape.item import Item, Options

NEAR = 6.0  # grey levels of 255, root mean square, below which two frames are nearly equal
RECENT = 8  # frames taken that a new one is compared with: what swings to and fro comes once
SIDE = 32  # pixels of what is compared
QUALITY = 95  # of JPEG
LONGEST = 60.0  # seconds that a camera is looked at


def items(argument: str, label: str, options: Options) -> Iterator[Item]:
    """The frames of a video, each unlike the `RECENT` ones before it.

    Args:
        argument: path of the file.
        label: of all frames; "" leaves them without one.
        options: `limit` ends it earlier.

    Raises:
        SourceError: there is no such file, or it is no video that OpenCV reads.

    >>> next(items("drive.mp4", "", Options())).source_id  # doctest: +SKIP
    'drive.mp4@81234-1719832.0'
    """
    file = Path(argument).expanduser().resolve()
    status = file.stat() if file.is_file() else None
    version = f"{status.st_size}-{status.st_mtime_ns}" if status else ""
    yield from _taken("video", f"{file.name}@{version}", file, label)


def of_camera(argument: str, label: str, options: Options) -> Iterator[Item]:
    """What a camera of this machine sees for a minute, or until there are `options.limit` frames.

    Args:
        argument: number of the camera, from 0.
        label, options: as in `items`.

    Raises:
        SourceError: there is no such camera.
    """
    import time  # here, since only a camera has a moment

    if not argument.isdecimal():
        raise SourceError(f"expected camera:NUMBER, such as camera:0, got camera:{argument}")
    begun = f"{time.time_ns()}"
    yield from _taken("camera", f"camera {argument}@{begun}", int(argument), label, seconds=LONGEST)


def distinct(frames: Iterator[tuple[float, np.ndarray]]) -> Iterator[tuple[int, float, np.ndarray]]:
    """Keyframes: the number, time and pixels of each frame that is unlike the `RECENT` ones given before it.

    Args:
        frames: seconds and uint8 array of shape (height, width, 3) of each, all of one size.

    >>> [number for number, _, _ in distinct(iter([(0.0, black), (0.1, black), (0.2, white)]))]  # doctest: +SKIP
    [0, 2]
    """
    recent: deque[np.ndarray] = deque(maxlen=RECENT)
    for number, (seconds, frame) in enumerate(frames):
        small = _small(frame)
        if all(np.sqrt(((small - other) ** 2).mean()) > NEAR for other in recent):
            recent.append(small)
            yield number, seconds, frame


def _taken(source: str, name: str, place: Path | int, label: str, *, seconds: float = np.inf) -> Iterator[Item]:
    from toolkit.model import live  # here, since it loads OpenCV

    try:
        with live.opened(place) as frames:
            for number, at, frame in distinct(frames):
                if at > seconds:
                    return
                title = f"frame {number} at {at:.1f} s"
                yield Item(label, source, f"{name}.{number}", title=title, read=partial(_jpeg, frame))
    except ImageError as error:
        raise SourceError(str(error)) from error


def _small(frame: np.ndarray) -> np.ndarray:
    import cv2

    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)


def _jpeg(frame: np.ndarray) -> bytes:
    import cv2

    _, content = cv2.imencode(".jpg", frame[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return bytes(content)
