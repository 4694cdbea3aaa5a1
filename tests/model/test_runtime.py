"""Files that answer without TensorFlow: theirs are opened, all others refused in one line."""

import json
import re
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from toolkit import networks, runtime
from toolkit.core.framework import keras
from toolkit.errors import BundleError
from toolkit.export import litert, onnx

FACTS = {"classes": ["cars", "tanks"], "size": 32, "resize_mode": "crop", "threshold": 0.25}


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    return networks.build("small_cnn", classes=2, size=32, style="modern", width=0.1)


@pytest.fixture(scope="module")
def made(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runtime")
    litert.write(model, folder / "small.tflite", facts=FACTS, sample=lambda: None)
    onnx.write(model, folder / "small.onnx", facts=FACTS)
    return folder


@pytest.fixture(params=["small.tflite", "small.onnx"])
def file(request, made, tmp_path):
    """A copy that may be spoiled."""
    return (
        tmp_path.joinpath(request.param).write_bytes((made / request.param).read_bytes()) and tmp_path / request.param
    )


def test_an_artifact_is_a_classifier_like_any_other(model, file):
    opened = runtime.load(file)
    assert (opened.name, opened.classes, opened.size) == (file.name, ("cars", "tanks"), 32)
    assert (opened.resize_mode, opened.threshold) == ("crop", 0.25)
    pictures = np.random.default_rng(0).integers(0, 256, (7, 32, 32, 3), dtype=np.uint8)
    expected = model.predict_on_batch(pictures.astype(np.float32))
    for batch_size in (1, 3, 32):
        assert np.abs(opened.probabilities(pictures, batch_size=batch_size) - expected).max() < 1e-4
    assert opened.probabilities(pictures[:0]).shape == (0, 2)
    with pytest.raises(ValueError, match=r"expected pictures of shape \(n, 32, 32, 3\)"):
        opened.probabilities(pictures[0])


def test_an_artifact_may_be_asked_from_several_threads(file):
    opened = runtime.load(file)
    pictures = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    expected = opened.probabilities(pictures)
    with ThreadPoolExecutor(8) as threads:
        asked = threads.map(lambda place: opened.probabilities(pictures[place % 8][None])[0], range(64))
        for place, found in enumerate(asked):
            assert np.allclose(found, expected[place % 8], atol=1e-6)


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_a_damaged_artifact_is_refused(file, keep):
    content = file.read_bytes()
    file.write_bytes(content[: keep if keep > 1 or not keep else int(keep * len(content))])
    with pytest.raises(
        BundleError, match=f"expected {file.name} as `toolkit export` makes it, but .*; export it again"
    ):
        runtime.load(file)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"classes": ["cars"]}, "it says 32 pixels and 1 classes, and computes"),
        ({"size": 64}, "it says 64 pixels"),
        ({"size": "large"}, "is damaged"),
        ({"classes": None}, "is damaged"),
        ({"resize_mode": "stretch"}, "resize_mode 'stretch'"),
        ({"threshold": 2}, "threshold 2"),
    ],
)
def test_what_an_artifact_says_of_itself_must_fit(model, tmp_path, change, words):
    file = tmp_path / "other.tflite"
    litert.write(model, file, facts=FACTS | {"classes": ["cars", "tanks"]}, sample=lambda: None)
    content = file.read_bytes()
    with zipfile.ZipFile(file) as attached:
        start = min(entry.header_offset for entry in attached.infolist())
    file.write_bytes(content[:start])
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(runtime.FACTS, json.dumps(FACTS | change))
    with pytest.raises(BundleError, match=words):
        runtime.load(file)


def test_a_model_from_elsewhere_is_refused(model, tmp_path):
    (tmp_path / "theirs.tflite").write_bytes(b"TFL3")
    with pytest.raises(BundleError, match=r"no classifier.json is attached"):
        runtime.load(tmp_path / "theirs.tflite")
    model.export(tmp_path / "theirs.onnx", format="onnx", verbose=False)
    with pytest.raises(BundleError, match="its metadata has no 'classifier'"):
        runtime.load(tmp_path / "theirs.onnx")


@pytest.mark.parametrize(
    ("inputs", "outputs", "kind"),
    [(2, 1, "FLOAT"), (1, 3, "FLOAT"), (1, 1, "INT64")],
    ids=["two in", "three out", "whole"],
)
def test_a_network_that_takes_or_gives_something_else_is_refused(tmp_path, inputs, outputs, kind):
    from onnx import TensorProto, helper, save

    shape = {"elem_type": getattr(TensorProto, kind), "shape": [None, 4]}
    taken, given = ([f"{end}{place}" for place in range(count)] for end, count in (("in", inputs), ("out", outputs)))
    nodes = [helper.make_node("Sum" if kind == "FLOAT" else "Identity", taken, [name]) for name in given]
    ends = [[helper.make_tensor_value_info(name, **shape) for name in names] for names in (taken, given)]
    model = helper.make_model(helper.make_graph(nodes, "other", *ends), ir_version=8)
    model.opset_import[0].version = 15
    helper.set_model_props(model, {runtime.KEY: json.dumps(FACTS)})
    save(model, tmp_path / "other.onnx")
    with pytest.raises(BundleError, match=re.escape(runtime.OTHERS)):
        runtime.load(tmp_path / "other.onnx")


def test_a_missing_artifact_and_no_threads_are_said(file, tmp_path):
    with pytest.raises(BundleError, match="expected an exported model at .*gone.onnx, found no file"):
        runtime.load(tmp_path / "gone.onnx")
    with pytest.raises(ValueError, match="at least 1 thread"):
        runtime.load(file, threads=0)


@pytest.mark.slow
def test_prediction_from_an_artifact_loads_no_framework_and_says_nothing_on_the_side(file, tmp_path):
    from helpers import coloured, encoded

    (tmp_path / "photo.png").write_bytes(encoded(coloured(0, 1)))
    program = (
        "import sys; from toolkit import cli; code = cli.main(sys.argv[1:]); "
        "heavy = {'tensorflow', 'keras', 'pandas', 'matplotlib', 'cv2', 'scipy', 'sklearn'}; "
        "print(*sorted(heavy & set(sys.modules)), code)"
    )
    words = [sys.executable, "-c", program, "predict", str(file), str(tmp_path / "photo.png")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    first, last = done.stdout.splitlines()
    assert first.startswith(f"{tmp_path}/photo.png: ")
    assert last == "0"
    assert done.stderr == ""
