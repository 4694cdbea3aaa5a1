"""The exported page in a real browser: the pixels and the answers of Python, on the device and nowhere else."""

import base64
import contextlib
import json
import re
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pytest
from helpers import COLOURS, coloured, encoded, ready_dataset, textured, until
from PIL import Image, ImageOps

from toolkit import bundle, cli, export, images, paths, predict
from toolkit.core.framework import keras
from toolkit.errors import BundleError
from toolkit.export import browser as page
from toolkit.export import package
from toolkit.model import familiarity
from toolkit.scrape import browser
from toolkit.scrape.item import Options

there = all(any(map(shutil.which, names)) for names in (browser.BROWSERS, browser.DRIVERS)) and find_spec("selenium")
chromium = pytest.mark.skipif(not there, reason="Chromium, its driver or Selenium is not installed")
THRESHOLD = 0.7


def by_colour(folder, **facts):
    """A network that knows cars (red) from tanks (green), and looks at every pixel with a weight of its own."""
    weights = 1 + 0.5 * np.random.default_rng(0).standard_normal((32 * 32, 3, 1))
    kernel = (weights * np.array([[0.04, -0.04], [-0.08, 0.08], [0, 0]])).reshape(-1, 2) / 1024
    taken = keras.Input((32, 32, 3))
    model = keras.Model(taken, keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(taken)))
    model.layers[-1].set_weights([kernel, np.array([0.0, 0.5])])
    history = pd.DataFrame({"epoch": [1], "loss": 0.7, "val_loss": 0.7, "accuracy": 0.5, "val_accuracy": 0.5})
    return bundle.save(folder, model, classes=("cars", "tanks"), size=32, history=history, facts=facts)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return ready_dataset(tmp_path_factory.mktemp("page") / "pets", per_class=8)


@pytest.fixture(scope="module")
def run(data):
    return by_colour(data.root / "models" / "colour", network="by colour", temperature=1.25)


@pytest.fixture(scope="module")
def fetched():
    """The package of the runtime, which all tests share."""
    try:
        return package.fetch()
    except BundleError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def folder(run, data, fetched):
    """The exported page; without its runtime there is none."""
    (outcome,) = export.write(run, data, to=["browser"], abstain_below=THRESHOLD).outcomes
    return outcome.file


class Host(contextlib.AbstractContextManager):
    """A static host as plain as they come, on which the page lies in a folder."""

    def __init__(self, root):
        handler = partial(_Silent, directory=str(root))
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def host(folder):
    with Host(folder.parent) as running:
        yield running


@contextlib.contextmanager
def started(*words, hosts=("127.0.0.1",)):
    from selenium.webdriver.remote.file_detector import UselessFileDetector

    with browser.chromium(Options(), hosts=hosts, words=words) as running:
        running.file_detector = UselessFileDetector()  # its files are those of this machine
        yield running


@pytest.fixture(scope="module")
def chrome(host, tmp_path_factory):
    """Chromium with a camera before which there is a green tank, and the page in it."""
    film = tmp_path_factory.mktemp("film") / "tank.mjpeg"
    film.write_bytes(3 * images.to_jpeg(np.full((240, 320, 3), COLOURS[1], np.uint8)))
    camera = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    with started(*camera, f"--use-file-for-fake-video-capture={film}") as running:
        look(running, f"http://127.0.0.1:{host.port}/browser/")
        yield running


def look(chrome, url):
    chrome.get(url)
    until(lambda: chrome.execute_script("return document.getElementById('files')?.disabled === false"))


def text(chrome, name):
    return chrome.execute_script("return document.getElementById(arguments[0]).textContent", name)


def choose(chrome, files):
    """Give the page files as a person does, and wait for an answer to each: what it says, and all its digits."""
    chrome.execute_script("document.getElementById('clear').click()")
    chrome.find_element("id", "files").send_keys("\n".join(map(str, files)))
    until(lambda: chrome.execute_script("return document.querySelectorAll('li .name').length") == len(files))
    script = """return [...document.querySelectorAll("li")].map(card => [
        card.querySelector(".name").firstChild.textContent, JSON.parse(card.dataset.probabilities || "null")])"""
    return chrome.execute_script(script)


SEEN = """
    const [base64, size, mode, done] = arguments;
    const own = name => import(new URL(name, location.href));
    Promise.all([own("decode.js"), own("square.js")]).then(async ([{ open }, { square }]) => {
      const bytes = Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));
      const picture = await open(new Blob([bytes]), size);
      const { data } = square(picture, size, mode, picture.area);
      done(btoa(data.reduce((text, byte) => text + String.fromCharCode(byte), "")));
    }).catch(error => done(`!${error}`));"""


def difference(chrome, content, size, mode="crop"):
    """Between what the page and what Python sees in a file: the largest, and the mean."""
    seen = chrome.execute_async_script(SEEN, base64.b64encode(content).decode(), size, mode)
    assert not seen.startswith("!"), seen
    found = np.frombuffer(base64.b64decode(seen), np.uint8).reshape(size, size, 4)[:, :, :3]
    apart = np.abs(found.astype(int) - images.prepare(content, size, mode))
    return apart.max(), apart.mean()


SHAPES = [(32, 32), (33, 47), (205, 301), (301, 205), (640, 480), (1000, 31), (7, 5), (1, 1), (1500, 1201)]


@chromium
@pytest.mark.slow
@pytest.mark.parametrize("mode", images.MODES)
def test_the_square_that_the_page_sees_is_the_one_that_python_sees(chrome, mode):
    """But for one number in a thousand by 1, where the last bit of a sine differs and decides a rounding."""
    rng = np.random.default_rng(1)
    for width, height in SHAPES:
        noise = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))  # what forgives least
        for size in (32, 224):
            largest, mean = difference(chrome, encoded(noise), size, mode)
            assert largest <= 1, (width, height, size)
            assert mean < 1e-3, (width, height, size)


@chromium
@pytest.mark.slow
def test_files_of_all_kinds_are_opened_as_python_opens_them(chrome):
    picture, rng = textured(3), np.random.default_rng(2)
    clear = np.dstack([np.asarray(picture), rng.integers(0, 256, (240, 320), dtype=np.uint8)])
    kinds = {
        "grey": encoded(picture.convert("L")),
        "palette": encoded(picture.convert("P")),
        "gif": encoded(picture, "GIF"),
        "webp": encoded(picture, "WEBP", quality=80),
        "jpeg": encoded(picture, "JPEG", quality=80),
        "jpeg in cmyk": encoded(picture.convert("CMYK"), "JPEG"),
    }
    for name, content in kinds.items():
        assert difference(chrome, content, 200) == (0, 0), name
    assert difference(chrome, encoded(Image.fromarray(clear)), 200)[0] <= 1  # transparent, over white
    levels = np.asarray(ImageOps.autocontrast(picture.convert("L"))).astype(np.uint16)
    assert (levels.min(), levels.max()) == (0, 255)  # a browser shows 16 bits by value, Python their whole range
    assert difference(chrome, encoded(Image.fromarray(levels * 257)), 200)[0] <= 3


@chromium
@pytest.mark.slow
@pytest.mark.parametrize(
    "how", [{"quality": 90}, {"quality": 90, "subsampling": 0}, {"quality": 90, "progressive": True}]
)
def test_a_large_jpeg_of_which_python_decodes_a_fraction_is_nearly_the_same(chrome, how):
    for shape in ((500, 401), (1203, 905), (3001, 2003)):
        largest, mean = difference(chrome, encoded(textured(4, width=shape[0], height=shape[1]), "JPEG", **how), 112)
        assert largest <= 4, shape
        assert mean < 0.5, shape


@chromium
@pytest.mark.slow
@pytest.mark.parametrize(("kind", "options"), [("JPEG", {"quality": 95}), ("WEBP", {"lossless": True}), ("PNG", {})])
def test_a_picture_is_turned_as_the_camera_was_held(chrome, kind, options):
    for orientation in range(1, 9):
        tags = Image.Exif()
        tags[images.ORIENTATION] = orientation
        content = encoded(textured(orientation, width=403, height=241), kind, exif=tags, **options)
        assert difference(chrome, content, 64)[0] <= (4 if kind == "JPEG" else 0), orientation


@chromium
@pytest.mark.slow
def test_the_page_answers_as_python_does(chrome, run, folder, tmp_path):
    files = [tmp_path / f"{number:02}.png" for number in range(24)]
    for number, file in enumerate(files):
        side = (32, 32, 45, 300)[number % 4]
        file.write_bytes(encoded(coloured(number % 2, number, side=side)))
    files[-1].write_bytes(encoded(Image.new("RGB", (40, 40), (90, 40, 0))))  # neither red nor green
    expected = predict.pictures(page.load(folder), files, abstain_below=THRESHOLD)
    for (said, found), answer in zip(choose(chrome, files), expected, strict=True):
        assert said == ("not sure" if answer.abstained else answer.label)
        assert np.abs(np.array(found) - list(answer.probabilities.values())).max() < 1e-4
    for answer, exact in zip(expected, predict.pictures(run, files), strict=True):  # whose weights have 32 bits
        assert answer.probabilities == pytest.approx(exact.probabilities, abs=1e-3)
    assert {said.abstained for said in expected} == {True, False}
    counts = r"24 pictures: 12 cars, 1 not sure, 11 tanks · [\d.]+ per second"
    until(lambda: re.fullmatch(counts, text(chrome, "counts")))


@chromium
@pytest.mark.slow
def test_a_file_that_is_no_picture_does_not_stop_the_others(chrome, tmp_path):
    contents = {"a.jpg": encoded(coloured(0, 1), "JPEG"), "b.jpg": b"no picture", "c.jpg": b"", "d.png": b"\x89PNG"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    said = [words for words, _ in choose(chrome, [tmp_path / name for name in contents])]
    unknown = "this browser cannot open it as a picture"
    assert said == ["cars", unknown, "an empty file", unknown]


@chromium
@pytest.mark.slow
def test_the_camera_is_asked_about_frame_by_frame_and_let_go(chrome):
    chrome.find_element("id", "camera").click()
    until(lambda: text(chrome, "rate").endswith("per second"))
    until(lambda: text(chrome, "seen").startswith("tanks"))
    assert chrome.execute_script("return document.getElementById('video').videoWidth") == 320
    track = "document.getElementById('video').srcObject.getVideoTracks()[0]"
    chrome.execute_script(f"window.track = {track}")
    chrome.find_element("id", "camera").click()
    until(lambda: chrome.execute_script("return window.track.readyState") == "ended")
    until(lambda: not chrome.find_element("id", "live").is_displayed())


@chromium
@pytest.mark.slow
def test_a_camera_that_is_refused_is_said_plainly(chrome):
    refused = "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotAllowedError'); }"
    usual = "window.usual = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);"
    chrome.execute_script(usual + refused)
    chrome.find_element("id", "camera").click()
    until(lambda: text(chrome, "note").startswith("The camera was not allowed."))
    chrome.execute_script("navigator.mediaDevices.getUserMedia = window.usual")


@chromium
@pytest.mark.slow
def test_it_works_with_the_network_cut_and_asks_no_other_host_for_anything(folder, tmp_path):
    log, file = tmp_path / "net.json", tmp_path / "car.png"
    file.write_bytes(encoded(coloured(0, 3)))
    elsewhere = """
        const [url, done] = arguments;
        fetch(url).then(() => done("let through"), error => done(error.name));"""
    with started(f"--log-net-log={log}") as chrome:
        with Host(folder.parent) as host, Host(folder.parent) as other:
            look(chrome, f"http://127.0.0.1:{host.port}/browser/")
            until(lambda: chrome.execute_script("return document.body.dataset.kept") == "yes")
            blocked = chrome.execute_async_script(elsewhere, f"http://127.0.0.1:{other.port}/browser/style.css")
            assert blocked == "TypeError"
        chrome.get("about:blank")
        look(chrome, f"http://127.0.0.1:{host.port}/browser/")  # where nobody answers any more
        assert choose(chrome, [file])[0][0] == "cars"
    told = [event["params"] for event in json.loads(log.read_text())["events"] if "params" in event]
    own = [urlsplit(one["url"]) for one in told if "url" in one and one.get("initiator", "").endswith(f":{host.port}")]
    assert {url.netloc for url in own if url.scheme != "blob"} == {f"127.0.0.1:{host.port}"}  # Chromium's own aside
    assert "/browser/runtime.wasm.gz" in {url.path for url in own}


@chromium
@pytest.mark.slow
def test_without_https_it_still_takes_pictures_and_says_why_the_camera_does_not_run(host, tmp_path):
    file = tmp_path / "tank.png"
    file.write_bytes(encoded(coloured(1, 3)))
    with started("--host-resolver-rules=MAP page.example 127.0.0.1") as chrome:
        look(chrome, f"http://page.example:{host.port}/browser/")
        assert choose(chrome, [file])[0][0] == "tanks"
        chrome.find_element("id", "camera").click()
        until(lambda: text(chrome, "note") == "The camera needs an address that begins with https.")


@chromium
@pytest.mark.slow
def test_a_browser_without_workers_of_its_own_making_gets_the_worker_from_the_host(chrome, host, folder, tmp_path):
    copy = folder.parent / "strict"
    shutil.copytree(folder, copy)
    try:
        html = (copy / "index.html").read_text()
        (copy / "index.html").write_text(html.replace("worker-src 'self' blob:", "worker-src 'self'"))
        look(chrome, f"http://127.0.0.1:{host.port}/strict/")
    finally:
        shutil.rmtree(copy)
        look(chrome, f"http://127.0.0.1:{host.port}/browser/")


@chromium
@pytest.mark.slow
def test_a_host_that_says_what_is_compressed_has_its_runtime_unpacked_by_the_browser(chrome, host, folder, monkeypatch):
    def end_headers(handler):
        if handler.path.endswith(".gz"):
            handler.send_header("Content-Encoding", "gzip")
        SimpleHTTPRequestHandler.end_headers(handler)

    shutil.copytree(folder, folder.parent / "packed")
    monkeypatch.setattr(_Silent, "end_headers", end_headers)
    look(chrome, f"http://127.0.0.1:{host.port}/packed/")
    monkeypatch.undo()
    look(chrome, f"http://127.0.0.1:{host.port}/browser/")


@pytest.mark.slow
def test_the_folder_holds_all_it_needs_and_only_relative_addresses(folder, run):
    names = {file.name for file in folder.iterdir()}
    assert {"index.html", "sw.js", "model.onnx", "runtime.js", "runtime.wasm.gz", "icon-512.png"} <= names
    html, manifest = (folder / "index.html").read_text(), json.loads((folder / "app.webmanifest").read_text())
    used = re.findall(r'(?:src|href)="([^"]+)"', html) + [icon["src"] for icon in manifest["icons"]]
    assert set(used) <= names
    assert "<title>cars or tanks?</title>" in html
    assert (manifest["start_url"], manifest["scope"], manifest["name"]) == ("./", "./", "cars or tanks?")
    kept = json.loads(re.search(r"KEPT = (.*);", (folder / "sw.js").read_text())[1])
    assert set(kept["files"]) == names - {"sw.js", "index.html"} | {"./"}
    record = export.load(run)["browser"]
    assert (record["file"], record["accuracy"], record["agreement"]) == ("browser", 1.0, 1.0)
    assert page.load(folder).facts["temperature"] == 1.25


@pytest.mark.slow
def test_another_model_makes_another_version(folder, run, data, tmp_path):
    other = by_colour(tmp_path / "models" / "other")
    other.model.layers[-1].bias.assign([0.0, 0.4])
    other.model.predict_on_batch(np.zeros((1, 32, 32, 3)))  # an export wants a model that has been used
    page.write(other.model, tmp_path / "page", facts=dict(page.load(folder).facts))
    first, second = ((place / "sw.js").read_text() for place in (folder, tmp_path / "page"))
    assert first != second
    assert len(first) == len(second)


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (["cars", "tanks"], "cars or tanks?"),
        (["a", "b", "c", "d"], "a, b, c or d?"),
        (list("abcde"), "pets"),
        (["thumb"], "pets"),
    ],
)
def test_a_page_is_called_by_its_classes_if_they_are_few(classes, expected):
    assert page.title({"classes": classes, "run": "pets/colour"}) == expected
    assert page.title({"classes": classes, "run": "models/pets"}) == expected


@pytest.fixture
def empty_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return paths.cache()


def test_without_npm_the_error_says_what_to_do_before_anything_takes_long(run, data, monkeypatch, empty_cache):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(BundleError, match="expected npm to fetch .*, found none; install it, or .* --runtime FILE.tgz"):
        export.write(run, data, to=["browser"])
    assert not list(empty_cache.glob("*"))


@pytest.mark.slow
def test_without_its_registry_npm_is_not_waited_for(empty_cache, monkeypatch):
    if not shutil.which("npm"):
        pytest.skip("npm is not installed")
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    with pytest.raises(BundleError, match="expected npm to fetch onnxruntime-web .*, got: code ECONNREFUSED; fetch it"):
        package.fetch()


def test_a_package_that_is_another_one_is_refused(run, tmp_path, empty_cache, capsys):
    (tmp_path / "other.tgz").write_bytes(b"not it")
    for name, words in (("other.tgz", "got another file by its hash"), ("none.tgz", "found no file")):
        command = ["export", str(run.folder), "--format", "browser", "--runtime", str(tmp_path / name)]
        assert cli.main(command) == 2
        assert words in capsys.readouterr().err
    assert not package.kept().exists()


def test_a_package_given_by_hand_is_kept_and_one_spoiled_in_the_cache_is_not_used(fetched, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    package.adopt(fetched)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert package.fetch() == package.kept() != fetched
    package.kept().write_bytes(b"spoiled")
    with pytest.raises(BundleError, match="found none"):
        package.fetch()


def test_an_icon_is_drawn_with_room_for_phones_that_cut_it_round():
    pixels = np.asarray(page.icon(192))
    assert pixels.shape == (192, 192, 3)
    away = np.hypot(*np.meshgrid(np.arange(192) - 95.5, np.arange(192) - 95.5)) > 0.4 * 192
    assert (pixels[away] == pixels[0, 0]).all()
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 3


@chromium
@pytest.mark.slow
def test_the_page_tells_strangers_apart_as_python_does_and_names_the_labels_that_hold_the_truth(
    tmp_path, data, fetched
):
    run = by_colour(tmp_path / "pets" / "known", network="by colour", sets={"coverage": 0.95, "limit": 0.05})
    pictures = np.stack([run.prepare(file) for file in data.files])
    features, order = pictures.reshape(len(pictures), -1).astype(np.float32), np.arange(len(pictures))
    folds = [(order[::2], order[1::2]), (order[1::2], order[::2])]
    labels = data.class_indices(data.table["label"])
    known = familiarity.fit(features, labels, folds=folds, false_alarms=0.2)
    familiarity.save(known, run.folder / bundle.FAMILIARITY)
    run = bundle.load(run.folder)
    (tmp_path / "stranger.png").write_bytes(encoded(Image.new("RGB", (32, 32), (0, 0, 255))))
    files = [*data.where(split="test").files, tmp_path / "stranger.png"]
    (outcome,) = export.write(run, data, to=["browser"]).outcomes
    with Host(outcome.file.parent) as host, started() as page_there:
        look(page_there, f"http://127.0.0.1:{host.port}/browser/")
        said = [name for name, _ in choose(page_there, files)]
        cells = "[Number(card.dataset.familiarity), card.textContent]"
        shown = page_there.execute_script(f"return [...document.querySelectorAll('li')].map(card => {cells})")
    answers = predict.pictures(run, files)
    assert said == [answer.answer for answer in answers]
    assert said[-1] == "unlike anything it learned"
    assert np.abs([value for value, _ in shown] - np.array([answer.familiarity for answer in answers])).max() < 1e-3
    for answer, (_, words) in zip(answers, shown, strict=True):
        assert (f"one of {', '.join(answer.set)}" in words) == (len(answer.set) > 1)
    assert len({len(answer.set) for answer in answers}) == 2
