"""The page to label on with very many pictures, in a real Chromium: frames a second, memory, and the first picture.

python benchmarks/label_page.py --pictures 100000

The pictures are drawn, and all differ. Their features are drawn, too: the page does not wait for them. Frames are
counted while it scrolls through all pictures, slowly enough to look at and as fast as a person drags the bar. Memory is
that of the browser's process for the page. A run of `verify` works beside it in the last row.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import table
from PIL import Image

from toolkit import manifest, review
from toolkit.core import workers
from toolkit.manifest import Manifest
from toolkit.review.learner import Learner
from toolkit.scrape import browser
from toolkit.scrape.item import Options

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
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--side", type=int, default=96, help="pixels of a drawn picture")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = drawn(Path(folder) / "many", asked.pictures, asked.side)
        table.show(list(measured(data)), json_file=asked.json)


def drawn(root: Path, count: int, side: int) -> Manifest:
    """A dataset of drawn pictures without labels, that are taken for verified."""
    (root / "raw").mkdir(parents=True)
    rng, ramp = np.random.default_rng(0), np.linspace(0, 1, side)[:, None, None]
    cells = []
    for number in range(count):
        low, high = rng.integers(0, 256, (2, 3))
        pixels = np.broadcast_to(low + ramp * (high - low.astype(int)), (side, side, 3)).astype("uint8")
        picture = Image.fromarray(pixels)
        path = f"raw/{number:06}.jpg"
        picture.save(root / path, quality=80)
        cells.append({"path": path, "label": "", "sha256": f"{number:064}", "width": side, "height": side})
    return manifest.from_rows(root, cells).assign(status="ok").save()


def measured(data: Manifest) -> Iterator[dict]:
    """A row per speed, and one beside a running `verify`."""
    Learner._computed = lambda learner: np.abs(np.random.default_rng(1).normal(size=(len(learner.paths), 64)))
    begun = time.perf_counter()
    with review.open(data, port=0, label=True) as page, browser.chromium(Options(), hosts=["127.0.0.1"]) as chrome:
        chrome.set_script_timeout(300)  # a busy machine draws a frame in a tenth of a second
        print(f"opened in {time.perf_counter() - begun:.1f} s, {workers.cores()} cores")
        begun = time.perf_counter()
        chrome.get(page.url)
        wait(chrome, "return [...document.querySelectorAll('.cell img')].some(one => one.complete && one.naturalWidth)")
        print(f"first picture after {time.perf_counter() - begun:.2f} s")
        while page.learner.busy:
            time.sleep(0.2)
        begun = time.perf_counter()
        chrome.execute_script("turnTo('all')")
        wait(chrome, f"return rows.length === {len(data)} && document.querySelectorAll('.cell').length > 20")
        print(f"all pictures after {time.perf_counter() - begun:.2f} s")
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
