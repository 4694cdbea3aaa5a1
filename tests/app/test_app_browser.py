"""The app in a real browser: a picture goes in through the page, an answer comes out, and no other host is asked."""

import io
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from helpers import coloured, encoded, ready_dataset, textured, until, untrained

from toolkit import evaluate, export, manifest, paths, predict, runtime
from toolkit.scrape import browser
from toolkit.scrape.item import Options

there = all(any(map(shutil.which, names)) for names in (browser.BROWSERS, browser.DRIVERS)) and find_spec("selenium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not there, reason="Chromium, its driver or Selenium is not installed"),
    pytest.mark.skipif(not find_spec("streamlit"), reason="Streamlit is not installed"),
]
CORNER = """
const video = document.querySelector("video"), canvas = document.createElement("canvas").getContext("2d")
if (!video || !video.videoWidth) return 255
canvas.drawImage(video, 0, 0, 8, 8)
return Math.max(...canvas.getImageData(0, 7, 1, 1).data.slice(0, 3))"""
MODEL = "pets/small/export/float32.tflite"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("app")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOOLKIT_HOME", str(folder))
        table = ready_dataset(paths.dataset("pets"), per_class=12)
        run = untrained(paths.models(table.root) / "small")
        evaluate.measure(run, table)
        export.write(run, table, to=("litert-float32",), max_loss=1.0)
    return folder


@pytest.fixture(scope="module")
def url(home):
    """A running app, as a person starts it; it ends in peace when it is asked to."""
    words = [sys.executable, "-m", "toolkit", "app", MODEL, "--port", "0"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOOLKIT_HOME", str(home))
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip()
        process.send_signal(2)
        _, complaints = process.communicate(timeout=30)
        assert (process.returncode, complaints) == (0, "")
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def chrome(tmp_path_factory):
    """A browser with a camera, before which a picture lies."""
    photograph = io.BytesIO()
    textured(5, width=320, height=240).save(photograph, "JPEG")
    film = tmp_path_factory.mktemp("film") / "film.mjpeg"
    film.write_bytes(photograph.getvalue() * 2)
    camera = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    camera += (f"--use-file-for-fake-video-capture={film}",)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(browser, "QUIET", (*browser.QUIET, *camera))
        with browser.chromium(Options(), hosts=["127.0.0.1"]) as running:
            from selenium.webdriver.remote.file_detector import UselessFileDetector

            running.file_detector = UselessFileDetector()  # files are on this machine
            yield running


def text(chrome):
    return chrome.execute_script("return document.body.innerText")


def elsewhere(chrome):
    """What the page asked of others than the app."""
    asked = chrome.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    own = chrome.execute_script("return location.origin")
    return [name for name in asked if not name.startswith((own, "data:", "blob:"))]


def click(chrome, words):
    """Press the button or link of these words."""
    find = """return [...document.querySelectorAll("button, a")].find(one => one.innerText.trim() === arguments[0])"""
    until(lambda: chrome.execute_script(find, words)).click()


def test_a_picture_that_is_put_in_is_answered_and_one_that_is_none_is_told(url, chrome, tmp_path, home, monkeypatch):
    monkeypatch.setenv("TOOLKIT_HOME", str(home))
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
    good, bad = tmp_path / "mine.png", tmp_path / "bad.jpg"
    good.write_bytes(encoded(coloured(1, 3)))
    bad.write_text("milk")
    chrome.get(f"{url}/predict")
    until(lambda: chrome.find_elements("css selector", "input[type=file]"))[0].send_keys(f"{good}\n{bad}")
    until(lambda: "No picture" in text(chrome) and chrome.find_elements("css selector", ".bars"))
    answer = predict.picture(runtime.load(MODEL), good)
    until(lambda: chrome.execute_script("return document.querySelector('.said h3')?.innerText") == answer.label)
    titles = "return [...document.querySelectorAll('.bars td[title]')].map(cell => Number(cell.title))"
    shares = sorted(answer.probabilities.values(), reverse=True)
    until(lambda: chrome.execute_script(titles) == pytest.approx(shares, abs=1e-4))
    assert "Traceback" not in text(chrome)
    assert elsewhere(chrome) == []


@pytest.mark.parametrize("headers", [{"Host": "example.org"}, {"Origin": "http://example.org"}])
@pytest.mark.parametrize("path", ["/", "/_stcore/stream"])
def test_a_page_from_elsewhere_is_refused(url, headers, path):
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    upgrade |= {"Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg=="}
    asked = Request(url + path, headers=headers | (upgrade if path != "/" else {}))
    with pytest.raises(HTTPError, match="403"):
        urlopen(asked, timeout=10)


def test_a_round_of_test_pictures_is_played_to_its_end(url, chrome, home):
    count = min(20, len(manifest.load(home / "data" / "pets").where(split="test", status="ok")))
    chrome.get(f"{url}/test")
    click(chrome, "Just show me")
    until(lambda: "0 right of 1" in text(chrome))
    click(chrome, "Let it finish alone")
    until(lambda: "Another round" in text(chrome))
    until(lambda: re.search(rf"\d right of {count}\b", text(chrome)))
    assert elsewhere(chrome) == []


def test_the_camera_takes_a_snapshot(url, chrome):
    chrome.get(f"{url}/camera")
    until(lambda: chrome.execute_script("const v = document.querySelector('video'); return v && v.videoWidth > 0"))
    click(chrome, "Take Photo")
    until(lambda: "Your snapshot" in text(chrome))
    until(lambda: len(chrome.find_elements("css selector", ".bars tr")) == 2)


@pytest.mark.skipif(not find_spec("streamlit_webrtc"), reason="streamlit-webrtc is not installed")
def test_live_video_comes_back_with_the_answer_drawn_below_it(url, chrome):
    chrome.get(f"{url}/camera")
    click(chrome, "Live")
    frame = until(lambda: chrome.find_elements("css selector", "iframe"))[0]
    chrome.switch_to.frame(frame)
    try:
        until(lambda: chrome.find_elements("css selector", "button"))
        click(chrome, "START")
        until(lambda: chrome.execute_script(CORNER) < 60)  # where the words are; in the film it is lighter
    finally:
        chrome.switch_to.default_content()
    assert elsewhere(chrome) == []
