"""Squares of 256 pixels out of large photographs: how many a second, and how good, against the first project's loop.

python benchmarks/resize.py
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import table
from PIL import Image

from toolkit import images

SIDE = 256
SHAPE = (3024, 4032)  # 12 megapixels, as phones take them
Way = Callable[[Path, Path], None]


def main() -> None:
    """Print a row per way of resizing: pictures per second with one and two threads, aliasing and likeness."""
    parser = table.arguments(__doc__)
    parser.add_argument("--count", type=int, default=12, help="pictures of each kind (default: 12)")
    parser.add_argument("--repeats", type=int, default=3, help="times everything is measured (default: 3)")
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        plain, progressive, plate = _made(Path(folder), asked.count)
        speeds = _speeds(plain, progressive, Path(folder), asked.repeats)
        quality = {name: _quality(way, plain[:4], plate, Path(folder)) for name, way in WAYS.items()}
    rows = [
        {
            "way": name,
            **{kind: f"{speed:.1f} ({ratio:.2f}x)" for kind, (speed, ratio) in found.items()},
            **quality[name],
        }
        for name, found in speeds.items()
    ]
    table.show(rows, json_file=asked.json)
    plain_size, progressive_size = (np.mean([size for size, kind in SIZES if kind == k]) / 1e6 for k in KINDS)
    print(f"{asked.count} pictures of 12 megapixels: {plain_size:.1f} MB each, progressive {progressive_size:.1f} MB")


KINDS = ("plain", "progressive")
SIZES: list[tuple[int, str]] = []


def naive(source: Path, target: Path) -> None:
    """As the first project did it: the whole picture, scaled without a filter, its centre cut out."""
    picture = cv2.imread(str(source))
    height, width = picture.shape[:2]
    scale = SIDE / min(height, width)
    picture = cv2.resize(picture, (round(width * scale), round(height * scale)))
    top, left = ((length - SIDE) // 2 for length in picture.shape[:2])
    cv2.imwrite(str(target.with_suffix(".jpg")), picture[top : top + SIDE, left : left + SIDE])


def lanczos(source: Path, target: Path) -> None:
    """The best there is, and the slowest: every pixel is decoded and counted."""
    Image.fromarray(_reference(source)).save(target.with_suffix(".jpg"), quality=95)


def toolkit_jpeg(source: Path, target: Path) -> None:
    """The toolkit, written as the first project does."""
    target.with_suffix(".jpg").write_bytes(images.to_jpeg(images.prepare(source, SIDE), quality=95))


def toolkit_png(source: Path, target: Path) -> None:
    """The toolkit's default."""
    target.with_suffix(".png").write_bytes(images.to_png(images.prepare(source, SIDE)))


WAYS: dict[str, Way] = {
    "cv2 loop of the first project": naive,
    "Pillow, all pixels": lanczos,
    "toolkit, JPEG": toolkit_jpeg,
    "toolkit, PNG (default)": toolkit_png,
}


def _made(folder: Path, count: int) -> tuple[list[Path], list[Path], Path]:
    """Photographs as JPEG and progressive JPEG, and a zone plate: rings ever finer towards the edge."""
    found: dict[str, list[Path]] = {kind: [] for kind in KINDS}
    for number in range(count):
        picture = _photograph(number)
        for kind, files in found.items():
            file = folder / f"{kind}-{number}.jpg"
            picture.save(file, quality=90, progressive=kind == "progressive")
            files.append(file)
            SIZES.append((file.stat().st_size, kind))
    height, width = SHAPE
    down, across = np.mgrid[0:height, 0:width].astype(np.float32)
    rings = 127.5 + 100 * np.cos(np.pi / height * ((down - height / 2) ** 2 + (across - width / 2) ** 2))
    plate = Image.fromarray(rings.clip(0, 255).astype(np.uint8)).convert("RGB")
    plate.save(folder / "plate.jpg", quality=98, subsampling=0)
    return found["plain"], found["progressive"], folder / "plate.jpg"


def _photograph(seed: int) -> Image.Image:
    """Noise whose strength falls with its fineness, as in photographs (Field, 1987), and a little of the sensor's."""
    rng, (height, width) = np.random.default_rng(seed), SHAPE
    down, across = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    falling = 1 / np.maximum(np.hypot(down, across), 1 / width) ** 1.4
    grey = np.fft.irfft2(falling * np.exp(2j * np.pi * rng.random(falling.shape)), s=SHAPE)
    tint = cv2.resize(rng.normal(0, 20, (9, 12, 3)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    pixels = 120 + 45 * (grey / grey.std())[..., None] + tint + rng.normal(0, 1.5, (*SHAPE, 1))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _speeds(plain: list[Path], progressive: list[Path], folder: Path, repeats: int) -> dict[str, dict]:
    """Pictures per second of every way, the median of some runs taken in turn, and times the first project's loop."""
    kinds = {"one thread": (plain, 1), "two threads": (plain, 2), "progressive, one thread": (progressive, 1)}
    times: dict[tuple[str, str], list[float]] = {}
    for _ in range(repeats):
        for kind, (files, threads) in kinds.items():
            for name, way in WAYS.items():
                times.setdefault((name, kind), []).append(_per_second(way, files, folder, threads))
    loop = {kind: times["cv2 loop of the first project", kind.replace("two threads", "one thread")] for kind in kinds}
    return {
        name: {
            kind: (
                statistics.median(times[name, kind]),
                statistics.median(mine / its for mine, its in zip(times[name, kind], loop[kind], strict=True)),
            )
            for kind in kinds
        }
        for name in WAYS
    }


def _per_second(way: Way, files: list[Path], folder: Path, threads: int) -> float:
    work = partial(_one, way=way, folder=folder)
    started = time.perf_counter()
    if threads == 1:
        for file in files:
            work(file)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, files))
    return len(files) / (time.perf_counter() - started)


def _one(file: Path, *, way: Way, folder: Path) -> None:
    way(file, folder / f"{way.__name__}-{file.stem}")


def _quality(way: Way, photographs: list[Path], plate: Path, folder: Path) -> dict[str, float]:
    """What is left of rings too fine to be shown, which should be an even grey; and the likeness to full Lanczos."""
    shown = _written(way, plate, folder)[..., 1].astype(float)
    down, across = np.mgrid[0:SIDE, 0:SIDE] - (SIDE - 1) / 2
    radius = np.hypot(down, across)
    ring = shown[(radius > 24) & (radius < 126)]
    likeness = [_ssim(_written(way, file, folder), _reference(file)) for file in photographs]
    return {"alias RMS": float(np.sqrt(((ring - 127.5) ** 2).mean())), "SSIM": f"{np.mean(likeness):.4f}"}


def _written(way: Way, file: Path, folder: Path) -> np.ndarray:
    before = set(folder.iterdir())
    way(file, folder / f"quality-{way.__name__}-{file.stem}")
    (written,) = set(folder.iterdir()) - before
    with Image.open(written) as picture:
        return np.asarray(picture.convert("RGB"))


def _reference(file: Path) -> np.ndarray:
    with Image.open(file) as picture:
        height, width = SHAPE
        left = (width - height) / 2
        square = picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS, box=(left, 0, left + height, height))
        return np.asarray(square)


def _ssim(one: np.ndarray, other: np.ndarray) -> float:
    """Structural similarity (Wang et al., 2004) of the grey pictures, with its usual Gaussian window."""
    a, b = (cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(float) for pixels in (one, other))
    mean = partial(cv2.GaussianBlur, ksize=(11, 11), sigmaX=1.5)
    ma, mb = mean(a), mean(b)
    va, vb, both = mean(a * a) - ma * ma, mean(b * b) - mb * mb, mean(a * b) - ma * mb
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float((((2 * ma * mb + c1) * (2 * both + c2)) / ((ma * ma + mb * mb + c1) * (va + vb + c2))).mean())


if __name__ == "__main__":
    main()
