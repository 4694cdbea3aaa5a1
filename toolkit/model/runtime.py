"""Open a classifier: a file made by `toolkit export`, without TensorFlow, or a trained run.

    model.tflite   LiteRT, with `classifier.json` and `labels.txt` in a zip behind the model, as its tools attach files
    model.onnx     ONNX, with the same JSON under the key "classifier" of its metadata
    anything else  is a run, and opened by `bundle`

The metadata in either file: `classes` in order, `size` and `resize_mode` of the pictures, the `threshold` below
which it is not sure, the `limit` of its `sets`, and the `temperature` that is already in its weights. RGB from 0 to 255
goes in; probabilities come out, and from files that have a second output the familiarity of each picture, shape (n, 1).
"""

import json
import threading
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from toolkit import images
from toolkit.core import extras, paths, records, stderr
from toolkit.core.workers import cores
from toolkit.errors import BundleError
from toolkit.model.classifier import Classifier, Outputs, classes_and_size

ORDER = ("float32.tflite", "model.onnx", "float16.tflite", "dynamic.tflite", "int8.tflite")  # the best first
FACTS, LABELS, KEY = "classifier.json", "labels.txt", "classifier"
OTHERS = "it has other inputs and outputs than pictures, and probabilities with or without familiarity, in float32"

Answer = Callable[[np.ndarray], Sequence[np.ndarray]]


@dataclass(frozen=True, eq=False)
class Artifact(Classifier):
    """An exported model. It may be asked from several threads; they take turns.

    Args:
        folder: the file itself.
        classes, size, resize_mode: see `classifier.Classifier`.
        answer: from float32 pictures of shape (n, size, size, 3) to its outputs: probabilities, and familiarity if it
            has a second one.
        threshold: see `classifier.Classifier`.
        facts: all metadata of the file.
        tells_familiarity: whether it has a second output.
    """

    folder: Path
    classes: tuple[str, ...]
    size: int
    resize_mode: str
    answer: Answer = field(repr=False)
    threshold: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)
    tells_familiarity: bool = False

    def _answers(self, pictures: np.ndarray) -> np.ndarray:
        return self.answer(pictures)[0]

    def _outputs(self, pictures: np.ndarray) -> Outputs:
        probabilities, *others = self.answer(pictures)
        return Outputs(probabilities, others[0][:, 0] if others else None)


def load(name: str | Path, *, threads: int | None = None) -> Classifier:
    """A classifier from disk.

    Args:
        name: a `.tflite` or `.onnx` file, below `models/` or anywhere; or what `bundle.load` takes: where TensorFlow is
            not installed, the exported file of that run answers.
        threads: of one answer, at least 1; None for one per core.

    Raises:
        BundleError: nothing there, damaged, or not made by `toolkit export`.

    >>> load("cars_tanks/xception/export/float16.tflite").classes  # doctest: +SKIP
    ('cars', 'tanks')
    """
    path = paths.run(name)
    if path.is_dir() and not extras.is_installed("tensorflow"):
        path = exported(path)
    if path.suffix not in OPENERS:
        from toolkit.model import bundle

        return bundle.load(name)
    if not path.is_file():
        near = sorted(file for ending in OPENERS for file in path.parent.glob(f"*{ending}"))
        there = f"; there are: {', '.join(paths.run_name(file) for file in near)}" if near else ""
        raise BundleError(
            f"expected an exported model at {Path(name).expanduser().resolve()} or {path}, found no file{there}; make "
            "it with `toolkit export RUN`"
        )
    threads = cores() if threads is None else threads
    if threads < 1:
        raise ValueError(f"expected at least 1 thread, got {threads}")
    return OPENERS[path.suffix](path, threads)


def exported(model: str | Path) -> Path:
    """The file that answers without TensorFlow: the model itself, or the best of those that a run has.

    Raises:
        BundleError: there is none, or it is from another time than the run.
    """
    path = paths.run(model)
    folder = path / "export"
    if path.suffix in OPENERS or not path.is_dir():
        return path
    files = [folder / name for name in ORDER if (folder / name).is_file()]
    if not files:
        advice = f"run `toolkit export {paths.run_name(path)}`"
        raise BundleError(f"expected exported files in {folder}, found none; {advice}")
    made_from, now = records.read(folder / "export.json"), records.read(path / "bundle.json")
    if made_from.get("model") != now.get("sha256"):
        advice = f"run `toolkit export {paths.run_name(path)}` again"
        raise BundleError(f"expected {folder} from {path.name} as it is now; {advice}")
    return files[0]


def artifact(path: Path, facts: Mapping[str, Any], answer: Answer, shape: tuple) -> Artifact:
    """An exported model, if its metadata fits what it computes.

    Args:
        path: of the file.
        facts: its metadata.
        answer: see `Artifact`.
        shape: height, width and colours that it takes, and its outputs: (size, size, 3, classes), or with familiarity
            (size, size, 3, classes, 1).

    Raises:
        BundleError: the metadata is damaged, or does not fit.
    """
    try:
        (classes, size), mode = classes_and_size(facts), facts["resize_mode"]
        threshold = float(facts["threshold"])
        points = {str(name): float(value) for name, value in (facts.get("thresholds") or {}).items()}
        least = float((facts.get("sets") or {"limit": 0})["limit"])
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise _foreign(path, f"its {FACTS} is damaged ({error!r})") from error
    if mode not in images.MODES or not all(0 <= each <= 1 for each in (threshold, least, *points.values())):
        raise _foreign(path, f"its {FACTS} has the resize_mode {mode!r} and the threshold {threshold}")
    if tuple(shape) not in ((size, size, 3, len(classes)), (size, size, 3, len(classes), 1)):
        raise _foreign(path, f"it says {size} pixels and {len(classes)} classes, and computes {shape}")
    return Artifact(path, classes, size, mode, answer, threshold, facts, tells_familiarity=len(shape) == 5)


def _litert(path: Path, threads: int) -> Artifact:
    from ai_edge_litert.interpreter import Interpreter

    try:
        with zipfile.ZipFile(path) as attached:
            if attached.getinfo(FACTS).file_size > records.MOST:
                raise ValueError(f"more than {records.MOST:,} bytes")
            facts = json.loads(attached.read(FACTS))
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, RuntimeError, NotImplementedError) as error:
        raise _foreign(path, f"no {FACTS} is attached to it") from error
    try:
        with stderr.silenced():
            interpreter = Interpreter(model_path=str(path), num_threads=threads)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise _foreign(path, str(error)) from error
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if (
        len(inputs) != 1
        or len(outputs) not in (1, 2)
        or {each["dtype"] for each in (*inputs, *outputs)} != {np.float32}
    ):
        raise _foreign(path, OTHERS)
    lock = threading.Lock()

    def answer(pictures: np.ndarray) -> Sequence[np.ndarray]:
        rows = []
        with lock:
            for picture in pictures:  # each uses all threads; a batch would need its memory planned anew
                interpreter.set_tensor(inputs[0]["index"], picture[None])
                interpreter.invoke()
                rows.append([interpreter.get_tensor(output["index"])[0] for output in outputs])
        return [np.stack(output) for output in zip(*rows, strict=True)]

    return artifact(
        path, facts, answer, tuple(side for each in (*inputs, *outputs) for side in each["shape"][1:].tolist())
    )


def _onnx(path: Path, threads: int) -> Artifact:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        facts = json.loads(session.get_modelmeta().custom_metadata_map[KEY])
    except KeyError as error:
        raise _foreign(path, f"its metadata has no {KEY!r}") from error
    except Exception as error:  # a damaged file fails in many ways
        raise _foreign(path, str(error)) from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if (
        len(inputs) != 1
        or len(outputs) not in (1, 2)
        or {each.type for each in (*inputs, *outputs)} != {"tensor(float)"}
    ):
        raise _foreign(path, OTHERS)

    def answer(pictures: np.ndarray) -> Sequence[np.ndarray]:
        return session.run([output.name for output in outputs], {inputs[0].name: pictures})

    return artifact(path, facts, answer, tuple(side for each in (*inputs, *outputs) for side in each.shape[1:]))


def _foreign(path: Path, reason: str) -> BundleError:
    line = " ".join(reason.split())[:200]
    return BundleError(f"expected {path.name} as `toolkit export` makes it, but {line}; export it again")


OPENERS = {".tflite": _litert, ".onnx": _onnx}
