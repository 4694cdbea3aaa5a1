"""Draw the pictures of the README from a practice run: docs/strip.png and docs/report.png.

make demo
python docs/pictures.py practice/efficientnet_lite0
"""

import sys
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from toolkit import bundle, explain, paths, plot, practice, predict
from toolkit.scrape import Options
from toolkit.scrape.browser import chromium

HERE = Path(__file__).parent
SEEDS = (("cars", 20_260_003), ("tanks", 20_260_020), ("cars", 20_260_010), ("tanks", 20_260_014))
WINDOW = (1240, 900)  # of the browser, in pixels
WIDTH = 900  # of what is shown of it


def main() -> None:
    """Draw all of them."""
    trained = bundle.load(sys.argv[1])
    paths.write(HERE / "strip.png", plot.png(strip(trained), dots_per_inch=100))
    paths.write(HERE / "report.png", report(paths.home() / "models" / trained.facts["dataset"] / "report.html"))


def strip(trained: bundle.Bundle) -> plot.Gallery:
    """Vehicles that no dataset holds, what the network makes of them, and what spoke for it."""
    pictures = [practice.vehicle(label, seed=seed).picture for label, seed in SEEDS]
    answers = [predict.picture(trained, picture) for picture in pictures]
    pixels = np.stack([answer.pixels for answer in answers])
    captions = [f"{answer.label}, {answer.probability:.0%}; what spoke for it glows" for answer in answers]
    return plot.heat(pixels, explain.grad_cam(trained, pixels), captions=captions, columns=4, side=2.9)


def report(page: Path) -> bytes:
    """The first screen of a report, as a browser shows it."""
    with chromium(Options(), hosts=["127.0.0.1"]) as browser:
        browser.set_window_size(*WINDOW)
        browser.get(page.as_uri())
        picture = Image.open(BytesIO(browser.get_screenshot_as_png())).convert("RGB")
    buffer = BytesIO()
    picture.resize((WIDTH, picture.height * WIDTH // picture.width), Image.Resampling.LANCZOS).quantize(128).save(
        buffer, "PNG", optimize=True
    )
    return buffer.getvalue()


if __name__ == "__main__":
    main()
