"""How long a person waits on the review page, with as many pictures as are asked for.

    python benchmarks/review.py --pictures 10000

Draws the pictures, serves them, opens the page in Chromium and types. Measured: seconds from the command to an answer
and to the first picture; milliseconds from a key to the next picture on the screen, for someone who looks at each for a
moment and for someone who does not; milliseconds until a mark is acknowledged, which is when it is on disk; memory of
the server.
"""

import argparse
import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from toolkit import manifest
from toolkit.scrape import browser
from toolkit.scrape.item import Options

BASES = 200  # pictures that differ; the others differ in their bytes
KEYS = ("x", " ", "1", "2", "j", "u")
TYPED = """
    const done = arguments[arguments.length - 1], [keys, pause] = arguments;
    const shown = [], sleep = ms => new Promise(wake => setTimeout(wake, ms));
    const frame = () => new Promise(wake => requestAnimationFrame(() => setTimeout(wake)));
    (async () => {
      for (const key of keys) {
        const from = performance.now();
        document.dispatchEvent(new KeyboardEvent("keydown", { key }));
        const picture = document.querySelector("#pictures img");
        while (!picture.complete) await new Promise(wake => picture.addEventListener("load", wake, { once: true }));
        await frame();
        shown.push(performance.now() - from);
        if (pause) await sleep(pause);
      }
      done(shown);
    })();"""
FIRST = "return typeof items !== 'undefined' && items.size > 0 && document.querySelector('#pictures img').complete"
ACKNOWLEDGED = """
    const waits = performance.getEntriesByType("resource").filter(one => one.name.endsWith("/marks"));
    return waits.map(one => one.duration);"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--keys", type=int, default=300)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = drawn(Path(folder) / "many", arguments.pictures)
        print(json.dumps(measured(root, arguments.keys), indent=2))


def drawn(root: Path, count: int) -> Path:
    """A dataset of `count` pictures of 640×480 in two classes, as `verify` leaves it."""
    rng, bases = np.random.default_rng(1), []
    for _ in range(BASES):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        buffer = io.BytesIO()
        coarse.resize((640, 480), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
        bases.append(buffer.getvalue())
    rows = []
    for number in range(count):
        label = ("cars", "tanks")[number % 2]
        path = root / "raw" / label / f"{number:064x}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bases[number % BASES] + number.to_bytes(4, "big"))
        rows.append({"path": path.relative_to(root).as_posix(), "label": label, "sha256": path.stem})
    facts = {"status": "ok", "width": 640, "height": 480, "phash": "0" * 16}
    facts |= {"sharpness": rng.uniform(1, 900, count).round(1), "brightness": rng.uniform(5, 250, count).round(1)}
    manifest.from_rows(root, rows).assign(
        **{name: np.broadcast_to(value, count) for name, value in facts.items()}
    ).save()
    return root


def measured(root: Path, keys: int) -> dict:
    """Serve the dataset in a process of its own, and type."""
    started = time.perf_counter()
    command = [
        sys.executable,
        "-m",
        "toolkit",
        "review",
        str(root),
        "--no-browser",
        "--port",
        "0",
        "--queue",
        "all",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    url = process.stdout.readline().strip()
    result = {"pictures": len(manifest.load(root)), "seconds to an answer": time.perf_counter() - started}
    server = psutil.Process(process.pid)
    result["MB at the start"] = server.memory_info().rss / 1e6
    try:
        with browser.chromium(Options(), hosts=["127.0.0.1"]) as chrome:
            opened = time.perf_counter()
            chrome.get(url)
            while not chrome.execute_script(FIRST):
                time.sleep(0.01)
            result["seconds to the first picture"] = time.perf_counter() - opened
            chrome.set_script_timeout(300)
            typed = np.random.default_rng(2).choice(KEYS, keys, p=[0.2, 0.3, 0.1, 0.1, 0.2, 0.1]).tolist()
            for name, pause in (("looking 150 ms", 150), ("without looking", 0)):
                result |= summary(f"ms to the next picture, {name}", chrome.execute_async_script(TYPED, typed, pause))
            result |= summary("ms until a mark is on disk", chrome.execute_script(ACKNOWLEDGED))
            while chrome.execute_script("return pending.length"):
                time.sleep(0.05)
        time.sleep(1)
        result["MB at the end"] = server.memory_info().rss / 1e6
        result["marks in the journal"] = len((root / "review.jsonl").read_text().splitlines())
        result["rows of the manifest that hold one"] = int((manifest.load(root).table["mark"] > 0).sum())
    finally:
        process.kill()
        process.communicate()
    return {name: round(value, 2) if isinstance(value, float) else value for name, value in result.items()}


def summary(name: str, times: list[float]) -> dict:
    """Median and 95th percentile."""
    return {f"{name}, median": statistics.median(times), f"{name}, p95": float(np.percentile(times, 95))}


if __name__ == "__main__":
    main()
