"""A trained network in other people's hands: what each format costs, and how fast it answers.

python benchmarks/serve.py folder:PICTURES/cars_tanks --weights xception=FILE --weights mobilenet=FILE
"""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import table

HELP = "NETWORK=imagenet, none or a file, for xception, mobilenet and vgg16; what is not given learns from nothing"
SHARE = 0.2  # of the frames that do not count: what is computed at the first use
FORMATS = ("litert-float32", "litert-float16", "litert-dynamic", "litert-int8", "onnx", "savedmodel")


def exported(names: list[str], dataset: str, how: dict, weights: dict[str, str]) -> tuple[list[dict], dict]:
    """Train networks by the ordinary loop, write them in all formats, and time one picture."""
    from toolkit import export, manifest, resize, train
    from toolkit.training import batches

    rows, runs = [], {}
    for name in names:
        options = {"weights": weights.get(name, "none")}
        config = train.Config(network=name, style="modern", options=options, **how)
        data = resize.write(manifest.load(dataset), size=config.resolved().size).save()
        runs[name] = train.fit(config, data, name=f"{name}_served")
        done = export.write(runs[name], data, to=FORMATS)
        picture = batches.examples(data, split="test", size=runs[name].size).pixels[:1]
        keras_way = partial(runs[name].model.predict, picture.astype(np.float32), verbose=0)
        rows.append(row(name, "keras, model.predict", done.original, *milliseconds(keras_way, keras_way)))
        for outcome in done.outcomes:
            took = (0.0, 0.0)
            if outcome.file:
                model = export.FORMATS[outcome.format].load(outcome.file)
                took = milliseconds(partial(model.probabilities, picture), keras_way)
            rows.append(row(name, outcome.format, outcome, *took))
    return rows, runs


def row(network: str, name: str, outcome: object, took: float, slow: float) -> dict:
    """A line of the table; `outcome` is what `export.write` gives for a format."""
    figures = outcome.figures
    return {
        "network": network,
        "format": name,
        "MB": outcome.megabytes,
        "right": f"{figures.accuracy:.1%}" if figures else "",
        "same label": f"{figures.agreement:.1%}" if figures else "",
        "largest difference": f"{figures.difference:.1e}" if figures else "",
        "ms": took,
        "model.predict ms": slow,
        "times model.predict": slow / took if took else 0.0,
        "kept": "no: " + outcome.reason if outcome.reason else "yes",
    }


def milliseconds(ask: Callable, other: Callable, times: int = 20) -> tuple[float, float]:
    """Median times of two calls that take turns, so that what else the machine does slows both."""
    taken = {ask: [], other: []}
    for number in range(times + 3):
        for call in (ask, other):
            started = time.perf_counter()
            call()
            if number >= 3:  # the first ones do not count
                taken[call].append(1000 * (time.perf_counter() - started))
    return statistics.median(taken[ask]), statistics.median(taken[other])


def video(file: Path, *, frames: int = 150, size: tuple[int, int] = (640, 480)) -> Path:
    """Draw a drive past drawn cars and tanks, as a camera would film it."""
    from toolkit.practice import draw

    width, height = size
    views = [
        draw.vehicle(label, seed=seed, width=width, height=height).picture
        for seed, label in enumerate(("cars", "tanks") * 2)
    ]
    strip = np.concatenate([np.asarray(view) for view in views], axis=1)[:, :, ::-1]
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter_fourcc(*"MJPG"), 30, size)
    for place in np.linspace(0, strip.shape[1] - width, frames).astype(int):
        writer.write(np.ascontiguousarray(strip[:, place : place + width]))
    writer.release()
    return file


def live_rows(file: Path, runs: dict, weights: dict[str, str]) -> list[dict]:
    """Pictures per second from a video: with the toolkit, and with VGG16 and a `model.predict` for every frame."""
    from toolkit import live, networks, runtime

    rows = []
    for form in ("float16.tflite", "model.onnx"):
        model = runtime.load(runs["mobilenet"].folder / "export" / form)
        with live.opened(file) as frames:
            times = [time.perf_counter() for _ in live.watch(model, frames)]
        rows.append({"how": f"mobilenet, {model.size} pixels, {form}", "pictures per second": rate(times)})
    vgg = networks.build("vgg16", classes=2, size=224, style="classic", weights=weights.get("vgg16", "none"))
    with live.opened(file) as frames:
        times = []
        for number, (_, frame) in enumerate(frames):
            vgg.predict(cv2.resize(frame, (224, 224)).astype(np.float32)[None], verbose=0)
            times.append(time.perf_counter())
            if number == 30:  # it is slow
                break
    return [*rows, {"how": "vgg16, 224 pixels, model.predict per frame", "pictures per second": rate(times)}]


def rate(times: list[float]) -> float:
    """Pictures per second, without the first ones."""
    counted = times[int(SHARE * len(times)) :]
    return (len(counted) - 1) / (counted[-1] - counted[0])


def main() -> None:
    """Print both tables."""
    parser = table.arguments(__doc__)
    parser.add_argument("source", help="folder:PATH, practice:, …")
    parser.add_argument("--weights", action="append", default=[], metavar="NETWORK=FILE", help=HELP)
    parser.add_argument("--networks", default="mobilenet,xception", help="names, with commas; mobilenet among them")
    parser.add_argument("--size", type=int, default=224, help="side of the pictures in pixels (default: 224)")
    parser.add_argument("--epochs", type=int, default=3, help="of training (default: 3)")
    parser.add_argument("--home", help="folder for data/ and models/ (default: a temporary one)")
    asked = parser.parse_args()
    weights = dict(word.split("=", 1) for word in asked.weights)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TOOLKIT_HOME"] = asked.home or folder
        from toolkit import manifest, paths, run, scrape

        if not (paths.dataset("served") / manifest.FILE).exists():
            run.prepare(scrape.collect([asked.source], into="served"), sizes=[asked.size])
        how = {"size": asked.size, "epochs": asked.epochs, "patience": max(1, asked.epochs - 1)}
        rows, runs = exported(asked.networks.split(","), "served", how, weights)
        table.print_rows(rows)
        print()
        loops = live_rows(video(Path(folder) / "drive.avi"), runs, weights)
        table.show(loops)
        if asked.json:
            figures = {"machine": table.machine(), "formats": rows, "live": loops}
            Path(asked.json).write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
