"""One network, asked in every way there is: the same name and the same probabilities?

python benchmarks/agree.py folder:PICTURES/cars_tanks --network mobilenet --weights FILE --size 224

Twice: about pictures that are at the network's size already, where nothing but the network's arithmetic can differ, and
about the same pictures as they came.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import numpy as np
import table

if TYPE_CHECKING:
    from toolkit.model.bundle import Bundle

TOLERANCE = 1e-4
AT_A_TIME = 12  # answers on a page of the app
BARS = re.compile(r"<tr><th>(.*?)</th>.*?title=\"([\d.]+)\"", re.DOTALL)
FORMATS = ("litert-float32", "litert-float16", "onnx", "browser")


def notebook(run: "Bundle", files: list[Path]) -> np.ndarray:
    """As notebook 10 does: the run itself, with Keras."""
    return of_model(run, files)


def command_line(run: "Bundle", files: list[Path]) -> np.ndarray:
    """`toolkit predict` in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        listed, written = Path(folder, "files.txt"), Path(folder, "answers.jsonl")
        listed.write_text("".join(f"{file}\n" for file in files))
        command = [sys.executable, "-m", "toolkit", "predict", str(run.folder)]
        subprocess.run([*command, "--list", str(listed), "--jsonl", str(written)], check=True, capture_output=True)
        rows = [json.loads(line) for line in written.read_text().splitlines()]
    return np.array([[row[f"p_{name}"] for name in run.classes] for row in rows])


def exported(run: "Bundle", files: list[Path], *, name: str) -> np.ndarray:
    """A file of the run's export, with its own runtime."""
    from toolkit import runtime

    return of_model(runtime.load(run.folder / "export" / name), files)


def of_model(model: object, files: list[Path]) -> np.ndarray:
    """What a model says by `predict`."""
    from toolkit import predict

    return np.array([list(answer.probabilities.values()) for answer in predict.pictures(model, files)])


def page(run: "Bundle", files: list[Path]) -> np.ndarray:
    """The exported page in Chromium: pictures are chosen as a person chooses them, and what it says is read off."""
    from selenium.webdriver.remote.file_detector import UselessFileDetector

    from toolkit.scrape import browser, item

    with (
        hosted(run.folder / "export" / "browser") as url,
        browser.chromium(item.Options(), hosts=["127.0.0.1"]) as chrome,
    ):
        chrome.file_detector = UselessFileDetector()
        chrome.get(url)
        until(lambda: chrome.execute_script("return document.getElementById('files')?.disabled === false"))
        chrome.find_element("id", "files").send_keys("\n".join(map(str, files)))
        until(lambda: chrome.execute_script("return document.querySelectorAll('li .name').length") == len(files))
        said = chrome.execute_script(
            "return [...document.querySelectorAll('li')].map(card => card.dataset.probabilities)"
        )
    return np.array([json.loads(one) for one in said])


def service(run: "Bundle", files: list[Path]) -> np.ndarray:
    """The exported network behind HTTP, on this machine: the bytes of each file are sent."""
    from toolkit import serve

    with serve.open(run.folder / "export" / "model.onnx", serve.Config(port=0)) as running:
        sent = (urlopen(Request(f"{running.url}/predict", data=file.read_bytes())) for file in files)
        answers = [json.load(answer)["predictions"][0] for answer in sent]
    return np.array([list(answer["probabilities"].values()) for answer in answers])


def app(run: "Bundle", files: list[Path]) -> np.ndarray:
    """The app's script as Streamlit runs it: files are put in, and the bars it draws are read off."""
    from streamlit.testing.v1 import AppTest

    from toolkit.app import server, state

    state.use(state.find(run.folder / "export" / "model.onnx", page="predict"))
    opened, rows = AppTest.from_file(server.SCRIPT, default_timeout=60).run(), []
    for start in range(0, len(files), AT_A_TIME):
        some = [(file.name, file.read_bytes(), "image/*") for file in files[start : start + AT_A_TIME]]
        opened.file_uploader[0].set_value(some)
        articles = [part.body for part in opened.run().html if "<article" in part.body]
        rows += [[float(dict(BARS.findall(article))[name]) for name in run.classes] for article in articles]
    return np.array(rows)


@contextmanager
def hosted(folder: Path) -> Iterator[str]:
    """A plain static host on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


class Silent(SimpleHTTPRequestHandler):
    """Files, without a line for each."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def until(true: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for something, or fail."""
    begun = time.monotonic()
    while not true():
        if time.monotonic() - begun > seconds:
            raise TimeoutError(f"expected the page to be done after {seconds:.0f} s")
        time.sleep(0.1)


WAYS = {  # each takes a run and files, and gives probabilities of shape (files, classes); the first is the measure
    "notebook": notebook,
    "command line": command_line,
    "LiteRT": partial(exported, name="float32.tflite"),
    "LiteRT, float16": partial(exported, name="float16.tflite"),
    "ONNX": partial(exported, name="model.onnx"),
    "service": service,
    "app": app,
    "browser page": page,
}


def compared(run: "Bundle", sets: dict[str, list[Path]]) -> list[dict]:
    """A row for each way and set of pictures."""
    rows = []
    for name, files in sets.items():
        expected = None
        for way, ask in WAYS.items():
            found = ask(run, files)
            expected = found if expected is None else expected
            rows.append({"pictures": f"{len(files)}, {name}", "asked through": way} | figures(found, expected))
    return rows


def figures(found: np.ndarray, expected: np.ndarray) -> dict:
    """How near two arrays of probabilities are to each other."""
    apart = np.abs(found - expected).max(axis=1)
    return {
        "same name": f"{(found.argmax(axis=1) == expected.argmax(axis=1)).mean():.1%}",
        "largest difference": f"{apart.max():.1e}",
        f"within {TOLERANCE:g}": f"{(apart <= TOLERANCE).mean():.1%}",
    }


def prepared(asked: object) -> tuple["Bundle", dict[str, list[Path]]]:
    """A trained network, exported, and the files it is asked about: of the test, and of others if those are too few."""
    from toolkit import export, manifest, paths, run, scrape, train

    if not (paths.dataset("agreed") / manifest.FILE).exists():
        run.prepare(scrape.collect([asked.source], into="agreed"), sizes=[asked.size])
    data = manifest.load("agreed")
    how = {"size": asked.size, "epochs": asked.epochs, "patience": max(1, asked.epochs - 1)}
    options = {"weights": asked.weights} if asked.weights else {}
    trained = train.fit(
        train.Config(network=asked.network, style="modern", options=options, **how), data, overwrite=True
    )
    done = export.write(trained, data, to=FORMATS, max_loss=1.0)
    refused = [f"{outcome.format}: {outcome.reason}" for outcome in done.outcomes if not outcome.file]
    if refused:
        raise SystemExit("; ".join(refused))
    parts = [data.where(split=split, status="ok") for split in ("test", "val", "train")]
    sized = [file for part in parts for file in part.sized(asked.size)]
    files = [file for part in parts for file in part.files]
    return trained, {"at its size": sized[: asked.pictures], "as they came": files[: asked.pictures]}


def main() -> None:
    """Print the table."""
    parser = table.arguments(__doc__)
    parser.add_argument("source", help="folder:PATH, practice:, …")
    parser.add_argument("--network", default="vgg", help="its name (default: vgg)")
    parser.add_argument("--weights", help="imagenet, none, or a file, for networks that take them")
    parser.add_argument("--size", type=int, default=64, help="side of the pictures in pixels (default: 64)")
    parser.add_argument("--epochs", type=int, default=3, help="of training (default: 3)")
    parser.add_argument("--pictures", type=int, default=200, help="to ask about (default: 200)")
    parser.add_argument("--home", help="folder for data/ and models/ (default: a temporary one)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TOOLKIT_HOME"] = asked.home or folder
        run, sets = prepared(asked)
        table.show(compared(run, sets), json_file=asked.json)


if __name__ == "__main__":
    main()
