"""The page to label on with very many pictures, in a real Chromium: frames a second, memory, and the first picture.

python benchmarks/label_page.py PICTURES/cars_tanks PICTURES/sign_digits --pictures 100000

The pictures are cut from real ones, each elsewhere, and lie in `build/label_page` for the next time; without folders
they are drawn. Their features are drawn: the page does not wait for them. Frames are counted while it scrolls through
all pictures, slowly enough to look at and as fast as a person drags the bar. Memory is that of the browser's process
for the page. A run of `verify` works beside it in the last row. `--opened 5` opens the page so often, and nothing else.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import table
from PIL import Image, ImageOps

from toolkit import manifest, review
from toolkit.core import workers
from toolkit.errors import DatasetError
from toolkit.manifest import Manifest
from toolkit.review.learner import Learner
from toolkit.scrape import browser
from toolkit.scrape.item import Options

KEPT = Path(__file__).resolve().parents[1] / "build" / "label_page"
SCROLL = """
const [step, done] = arguments, times = [], scroller = byId("scroller");
let last = performance.now();
const frame = now => {
  times.push(now - last);
  last = now;
  scroller.scrollTop += step;
  times.length < 330 ? requestAnimationFrame(frame) : done(times.slice(30));
};
requestAnimationFrame(frame);
"""
VERIFY = "import sys; from toolkit import manifest, verify; verify.check(manifest.load(sys.argv[1]), again=True)"
SPEEDS = {"slowly": 24, "a page in a third of a second": 40, "as the bar is dragged": 4000}  # pixels a frame


def main() -> None:
    """Run it and print a row per way."""
    parser = table.arguments(__doc__)
    parser.add_argument("folders", nargs="*", type=Path, help="folders of real pictures")
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--side", type=int, default=96, help="pixels of a picture")
    parser.add_argument("--opened", type=int, default=0, help="how often the page is opened, and nothing else")
    asked = parser.parse_args()
    Learner._computed = lambda learner: np.abs(np.random.default_rng(1).normal(size=(len(learner.paths), 64)))
    data = there(asked)
    rows = [opened(data) for _ in range(asked.opened)] if asked.opened else list(scrolled(data))
    table.show(rows, json_file=asked.json)


def there(asked) -> Manifest:
    """A dataset of pictures without labels that are taken for verified, made once."""
    root = KEPT / f"{'real' if asked.folders else 'drawn'}-{asked.pictures}-{asked.side}"
    with suppress(DatasetError):  # there is none yet
        return manifest.load(root)
    (root / "raw").mkdir(parents=True, exist_ok=True)
    cells = []
    for number, picture in enumerate(cut(asked) if asked.folders else drawn(asked)):
        path = f"raw/{number:06}.jpg"
        picture.save(root / path, quality=80)
        facts = {"sha256": f"{number:064}", "width": asked.side, "height": asked.side}
        cells.append({"path": path, "label": "", **facts})
    return manifest.from_rows(root, cells).assign(status="ok").save()


def cut(asked) -> Iterator[Image.Image]:
    """Squares of real pictures, of half to all of each, every second one mirrored."""
    rng = np.random.default_rng(0)
    files = sorted(file for folder in asked.folders for file in folder.rglob("*") if file.is_file())
    pictures = [Image.open(file).convert("RGB") for file in files]
    for number, place in enumerate(rng.integers(0, len(pictures), asked.pictures)):
        picture = pictures[place]
        side = rng.uniform(0.5, 1) * min(picture.size)
        left, top = rng.uniform(0, 1, 2) * (np.array(picture.size) - side)
        small = picture.resize((asked.side, asked.side), box=(left, top, left + side, top + side))
        yield ImageOps.mirror(small) if number % 2 else small


def drawn(asked) -> Iterator[Image.Image]:
    """Ramps between two colours."""
    rng, ramp = np.random.default_rng(0), np.linspace(0, 1, asked.side)[:, None, None]
    for _ in range(asked.pictures):
        low, high = rng.integers(0, 256, (2, 3))
        pixels = low + ramp * (high - low.astype(int))
        yield Image.fromarray(np.broadcast_to(pixels, (asked.side, asked.side, 3)).astype("uint8"))


def opened(data: Manifest) -> dict:
    """Seconds from nothing to the address, and from the address to the first picture."""
    begun = time.perf_counter()
    with review.open(data, port=0, label=True) as page, browser.chromium(Options(), hosts=["127.0.0.1"]) as chrome:
        took = time.perf_counter() - begun
        return {"open, with the browser, s": round(took, 2), "first picture, s": round(first(chrome, page.url), 2)}


def first(chrome, url: str) -> float:
    """Seconds until a picture is on the page."""
    begun = time.perf_counter()
    chrome.get(url)
    wait(chrome, "return [...document.querySelectorAll('.cell img')].some(one => one.complete && one.naturalWidth)")
    return time.perf_counter() - begun


def scrolled(data: Manifest) -> Iterator[dict]:
    """A row per speed, and one beside a running `verify`."""
    begun = time.perf_counter()
    with review.open(data, port=0, label=True) as page, browser.chromium(Options(), hosts=["127.0.0.1"]) as chrome:
        chrome.set_script_timeout(300)  # a busy machine draws a frame in a tenth of a second
        print(f"opened in {time.perf_counter() - begun:.1f} s, {workers.cores()} cores", flush=True)
        print(f"first picture after {first(chrome, page.url):.2f} s", flush=True)
        while page.learner.busy:
            time.sleep(0.2)
        begun = time.perf_counter()
        chrome.execute_script("turnTo('all')")
        wait(chrome, f"return rows.length === {len(data)} && document.querySelectorAll('.cell').length > 20")
        print(f"all pictures after {time.perf_counter() - begun:.2f} s", flush=True)
        for name, step in SPEEDS.items():
            yield row(chrome, name, step)
        beside = subprocess.Popen([sys.executable, "-c", VERIFY, str(data.root)], stderr=subprocess.DEVNULL)
        yield row(chrome, "a page in a third of a second, beside verify", 40)
        beside.kill()


def row(chrome, name: str, step: int) -> dict:
    """Frames a second: the median, and one in a hundred that is slowest; and the memory of the page."""
    times = np.array(chrome.execute_async_script(SCROLL, step)) / 1000
    processes = psutil.Process(chrome.capabilities["goog:processID"]).children(recursive=True)
    pages = [one for one in processes if "--type=renderer" in one.cmdline()]
    return {
        "scrolled": name,
        "frames a second": round(1 / float(np.median(times)), 1),
        "slowest of a hundred": round(1 / float(np.quantile(times, 0.99)), 1),
        "memory, MB": round(max(one.memory_info().rss for one in pages) / 2**20),
        "of the script, MB": round(chrome.execute_script("return performance.memory.usedJSHeapSize") / 2**20),
    }


def wait(chrome, program: str) -> None:
    """Until a program is true."""
    end = time.perf_counter() + 60
    while not chrome.execute_script(program):
        if time.perf_counter() > end:
            raise SystemExit(f"expected {program} within a minute")
        time.sleep(0.02)


if __name__ == "__main__":
    main()
