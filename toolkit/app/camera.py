"""The page of the camera: answers for a snapshot, or for live video."""

import sys
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from toolkit.app import state, upload
from toolkit.core import extras

if TYPE_CHECKING:
    import av

    from toolkit.model.live import Watcher

SNAPSHOT, LIVE = "Snapshot", "Live"
LOCAL: dict[str, list] = {"iceServers": []}  # browser and app connect on this machine or in its network

VIDEO = {"autoPlay": True, "muted": True, "style": {"width": "100%", "maxWidth": "32rem", "borderRadius": "6px"}}


def prepare() -> None:
    """Load the library that encrypts live video, if it is there: loaded after TensorFlow, it crashes on its symbols."""
    if "tensorflow" not in sys.modules:
        with suppress(ImportError):
            import pylibsrtp  # noqa: F401


def show() -> None:
    """Show the page."""
    st.title("Camera")
    ways = [SNAPSHOT, LIVE]
    way = st.segmented_control("How", ways, default=SNAPSHOT, required=True, label_visibility="collapsed", key="way")
    below = upload.threshold()
    if way == LIVE:
        _live(below)
    else:
        _snapshot(below)


def _snapshot(below: float) -> None:
    photo = st.camera_input("A snapshot. It goes to the machine that runs this page, no further, and is not stored.")
    if photo:
        content = photo.getvalue()
        upload.show_answer("Your snapshot", content, state.answers([content], below=below)[0], below=below)
        upload.explain_heat()


def _live(below: float) -> None:
    if not find_spec("streamlit_webrtc"):
        st.info(f"Live video needs one more package: {extras.remedy('streamlit_webrtc')}. Then start the app again.")
        return
    prepare()
    if "pylibsrtp" not in sys.modules:
        st.info("Live video has to be loaded before TensorFlow is: start the app with `toolkit app`.")
        return
    from streamlit_webrtc import WebRtcMode, webrtc_streamer

    from toolkit.model import live

    watcher = live.Watcher(state.model(), abstain_below=below)
    webrtc_streamer(
        key=f"live {state.chosen()}",
        mode=WebRtcMode.SENDRECV,
        video_frame_callback=lambda frame: _drawn(watcher, frame),
        media_stream_constraints={"video": {"width": {"ideal": 640}, "frameRate": {"ideal": 30}}, "audio": False},
        rtc_configuration=LOCAL,
        video_html_attrs=VIDEO,
        media_toggle_controls=False,
    )
    st.caption(
        "Video goes from the browser to the machine that runs this page and back, nowhere else. Browsers lend their "
        "camera to pages of this machine, or over HTTPS."
    )
    if state.can_explain():
        st.caption(
            "An exported model answers several times faster: `toolkit export` it, and start the app with that file."
        )


def _drawn(watcher: "Watcher", frame: "av.VideoFrame") -> "av.VideoFrame":
    """A frame of the camera with the answer below it."""
    import av
    import cv2

    from toolkit.model import live

    pixels = frame.to_ndarray(format="rgb24")
    height, width = pixels.shape[:2]
    drawn = live.draw(watcher.see(pixels, seconds=frame.time or 0.0))
    drawn = cv2.resize(drawn, (min(width, round(drawn.shape[1] * height / drawn.shape[0])), height))
    page, left = np.full_like(pixels, live.PAPER), (width - drawn.shape[1]) // 2
    page[:, left : left + drawn.shape[1]] = drawn  # as large as the camera's, or the page around it would be too small
    return av.VideoFrame.from_ndarray(page, format="rgb24")
