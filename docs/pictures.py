"""Draw the pictures of the README from a practice run: strip.png, report.png, review.png, phone.png beside this file.

make demo
toolkit export practice/efficientnet_lite0 --format browser
python docs/pictures.py practice/efficientnet_lite0
"""

import contextlib
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from selenium.webdriver.remote.file_detector import UselessFileDetector

from toolkit import bundle, explain, manifest, paths, plot, practice, predict, review
from toolkit.scrape import Options
from toolkit.scrape.browser import chromium

if TYPE_CHECKING:
    from selenium.webdriver.remote.webdriver import WebDriver

HERE = Path(__file__).parent
SEEDS = (("cars", 20_260_003), ("tanks", 20_260_020), ("cars", 20_260_010), ("tanks", 20_260_014))
WINDOW, PHONE = (1240, 900), (500, 1000)  # of the browser, in pixels; it is never narrower than 500
WIDTH, NARROW = 900, 320  # of what is shown of it
PATIENCE = 30  # seconds for a page to answer


def main() -> None:
    """Draw all of them."""
    trained = bundle.load(sys.argv[1])
    dataset = trained.facts["dataset"]
    paths.write(HERE / "strip.png", plot.png(strip(trained), dots_per_inch=100))
    with chromium(Options(), hosts=["127.0.0.1"]) as browser:
        browser.file_detector = UselessFileDetector()  # its files are those of this machine
        browser.set_window_size(*WINDOW)
        paths.write(HERE / "report.png", seen(browser, (paths.home() / "models" / dataset / "report.html").as_uri()))
        with review.open(manifest.load(dataset)) as page:
            paths.write(HERE / "review.png", seen(browser, page.url))
        browser.set_window_size(*PHONE)
        with served(trained.folder / "export" / "browser") as url:
            paths.write(HERE / "phone.png", seen(browser, url, answer, width=NARROW))


def strip(trained: bundle.Bundle) -> plot.Gallery:
    """Vehicles that no dataset holds, what the network makes of them, and what spoke for it."""
    pictures = [practice.vehicle(label, seed=seed).picture for label, seed in SEEDS]
    answers = [predict.picture(trained, picture) for picture in pictures]
    pixels = np.stack([answer.pixels for answer in answers])
    captions = [f"{answer.label}, {answer.probability:.0%}; what spoke for it glows" for answer in answers]
    return plot.heat(pixels, explain.grad_cam(trained, pixels), captions=captions, columns=4, side=2.9)


def seen(browser: "WebDriver", url: str, then=lambda browser: None, *, width: int = WIDTH) -> bytes:
    """The first screen of a page, as a browser shows it."""
    browser.get(url)
    then(browser)
    time.sleep(1)  # for what moves
    picture = Image.open(BytesIO(browser.get_screenshot_as_png())).convert("RGB")
    buffer = BytesIO()
    height = picture.height * width // picture.width
    picture.resize((width, height), Image.Resampling.LANCZOS).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def answer(browser: "WebDriver") -> None:
    """Ask the phone page about a tank that no dataset holds."""
    until(browser, "return document.getElementById('files')?.disabled === false")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "tank.png")
        practice.vehicle(*SEEDS[1][:1], seed=SEEDS[1][1]).picture.save(file)
        browser.find_element("id", "files").send_keys(str(file))
        until(browser, "return document.querySelectorAll('li .name').length === 1")


def until(browser: "WebDriver", script: str) -> None:
    """Wait for something in a page."""
    limit = time.monotonic() + PATIENCE
    while not browser.execute_script(script):
        if time.monotonic() > limit:
            raise TimeoutError(f"expected an answer of the page within {PATIENCE} s, got none")
        time.sleep(0.1)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder, served as a plain static host does."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    main()
