"""The first minute: what a person with a folder of pictures waits for, and what the usual network costs afterwards.

python benchmarks/first.py learn  PICTURES/cars_tanks                    seconds from nothing to the first honest figure
python benchmarks/first.py export PICTURES/cars_tanks [--weights FOLDER] sizes, losses, and milliseconds of one picture
python benchmarks/first.py speed                                         features per second, by three engines

FOLDER holds `<network>_imagenet_no_top.weights.h5` of MobileNet and Xception. Everything is written to a temporary
folder, so nothing is cached before the first row.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np
import table

NETWORK = "efficientnet_lite0"
BATCH = 32


def main() -> None:
    """Run one part and print its rows."""
    parts = {"learn": learn, "export": exported, "speed": speed}
    parser = table.arguments(__doc__)
    parser.add_argument("part", choices=tuple(parts))
    parser.add_argument("pictures", nargs="?", help="a folder per class")
    parser.add_argument("--network", default=NETWORK)
    parser.add_argument("--weights", help="folder of the weights files of networks to compare with")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["TOOLKIT_HOME"] = home
        rows = list(parts[asked.part](asked))
    table.show(rows, json_file=asked.json)


def learn(asked: Namespace) -> Iterator[dict]:
    """The command, in a process of its own, with nothing cached; then once more, when all is done already."""
    for way in ("nothing cached", "once more"):
        words = [sys.executable, "-m", "toolkit", "learn", asked.pictures, "--network", asked.network, "--json"]
        started = time.perf_counter()
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        seconds = time.perf_counter() - started
        told = json.loads(done.stdout)
        yield {
            "toolkit learn": way,
            "s": round(seconds, 1),
            "right": f"{told['accuracy']:.1%}",
            "95 % interval": f"{told['low']:.1%} to {told['high']:.1%}",
            "test pictures": told["pictures"],
        }


def exported(asked: Namespace) -> Iterator[dict]:
    """Every format of the usual network, checked on the test pictures; then LiteRT of other backbones."""
    import toolkit
    from toolkit import export

    model = toolkit.learn(asked.pictures, network=asked.network)
    formats = ("litert-float32", "litert-float16", "litert-int8", "onnx", "browser")
    for outcome in model.export(*formats).outcomes:
        row = export.load(model.bundle)[outcome.format]
        yield {
            "network": asked.network,
            "format": outcome.format,
            "MB": round(row["megabytes"], 2) if outcome.file else "",
            "right": f"{row['accuracy']:.1%}" if row.get("accuracy") is not None else "",
            "same label": f"{row['agreement']:.1%}" if row.get("agreement") is not None else "",
            "ms": milliseconds(outcome.file) if outcome.file and outcome.file.suffix == ".tflite" else "",
            "kept": "yes" if outcome.file else f"no: {outcome.reason}",
        }
    for name in ("mobilenet", "xception") if asked.weights else ():
        file = Path(asked.weights) / f"{name}_imagenet_no_top.weights.h5"
        yield {"network": name, "format": "litert-float32", **light(name, str(file)), "right": "", "same label": ""} | {
            "kept": ""
        }


def light(name: str, weights: str) -> dict:
    """Size and speed of a network with a head that has learned nothing, which costs as much."""
    from toolkit import networks
    from toolkit.export import litert

    model = networks.build(name, classes=2, size=224, style="modern", weights=weights)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "float32.tflite")
        facts = {"classes": ["a", "b"], "size": 224, "resize_mode": "crop", "threshold": 0.0}
        litert.write(model, file, facts=facts, sample=lambda: np.empty(0))
        return {"MB": round(file.stat().st_size / 1e6, 2), "ms": milliseconds(file)}


def milliseconds(file: Path) -> float:
    """Median milliseconds for one picture, by LiteRT on all cores."""
    from toolkit import runtime

    model = runtime.load(file)
    picture = np.random.default_rng(1).integers(0, 256, (1, model.size, model.size, 3), dtype=np.uint8)
    return round(1000 * timed(lambda: model.probabilities(picture), times=50), 2)


def speed(asked: Namespace) -> Iterator[dict]:
    """The features of one batch by TensorFlow as the toolkit asks it, by ONNX Runtime, and by LiteRT."""
    from toolkit import networks
    from toolkit.export import litert, onnx
    from toolkit.training import features

    size = networks.get(asked.network).size
    pictures = np.random.default_rng(1).integers(0, 256, (BATCH, size, size, 3), dtype=np.uint8)
    backbone = networks.get(asked.network).backbone(pooling="pyramid")
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder, "float32.tflite"), Path(folder, "model.onnx")
        litert.write(backbone, files[0], facts={"classes": []}, sample=lambda: pictures)
        onnx.write(backbone, files[1], facts={})
        engines = {
            "TensorFlow": features._compiled(asked.network, size, "imagenet", "pyramid", "float32"),
            "ONNX Runtime": by_onnx(files[1]),
            "LiteRT": by_litert(files[0]),
        }
        expected = engines["TensorFlow"](pictures)
        for name, engine in engines.items():
            seconds = timed(lambda engine=engine: engine(pictures), times=7)
            gap = float(np.abs(engine(pictures) - expected).max())
            yield {"engine": name, "pictures per second": round(BATCH / seconds, 1), "largest difference": f"{gap:.1e}"}


def by_onnx(file: Path) -> Callable[[np.ndarray], np.ndarray]:
    """ONNX Runtime on a whole batch."""
    from onnxruntime import InferenceSession

    session = InferenceSession(str(file))
    (taken,) = session.get_inputs()
    return lambda pictures: session.run(None, {taken.name: pictures.astype(np.float32)})[0]


def by_litert(file: Path) -> Callable[[np.ndarray], np.ndarray]:
    """LiteRT, which takes one picture at a time, on all cores."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(file), num_threads=os.cpu_count())
    interpreter.allocate_tensors()
    taken, given = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def answer(picture: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(taken, picture[None].astype(np.float32))
        interpreter.invoke()
        return interpreter.get_tensor(given)[0].copy()

    return lambda pictures: np.stack([answer(picture) for picture in pictures])


def timed(act: Callable[[], object], *, times: int) -> float:
    """Median seconds, after one call that does not count."""
    act()
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        act()
        seconds.append(time.perf_counter() - started)
    return median(seconds)


if __name__ == "__main__":
    main()
