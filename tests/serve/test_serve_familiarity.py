"""What a service says of how familiar a picture is, of the labels that hold the truth, and of single classes."""

import base64
from pathlib import Path

import numpy as np
import pytest
import requests
from helpers import encoded
from PIL import Image

from toolkit import serve
from toolkit.model.classifier import Classifier, Outputs

pytestmark = pytest.mark.usefixtures("stops_at_once")


class Bright(Classifier):
    """Knows bright pictures, and finds red ones to be cars."""

    folder, classes, size, resize_mode = Path("bright"), ("cars", "tanks", "trees"), 8, "crop"

    def __init__(self, *, tells):
        self.tells_familiarity = tells
        self.facts = {"sets": {"coverage": 0.95, "limit": 0.25}, "thresholds": {"tanks": 0.75}} if tells else {}

    tells_familiarity = False

    def _answers(self, pictures):
        red = np.where(pictures[:, 0, 0, 0] > 128, 0.7, 0.1)
        return np.stack([red, 0.8 - red, np.full(len(red), 0.2)], axis=1).astype(np.float32)

    def _outputs(self, pictures):
        known = pictures.mean(axis=(1, 2, 3)).astype(np.float32) / 255
        return Outputs(self._answers(pictures), known if self.tells_familiarity else None)


def colour(*values):
    return encoded(Image.new("RGB", (40, 40), values))


@pytest.fixture(scope="module", params=[True, False], ids=["familiarity", "of before"])
def service(request):
    with serve.open(Bright(tells=request.param), serve.Config(port=0)) as running:
        yield running.url, request.param


def test_answers_say_how_familiar_a_picture_is_and_which_labels_hold_the_truth(service):
    url, tells = service
    answers = [
        requests.post(f"{url}/predict", data=content, timeout=20).json()["predictions"][0]
        for content in (colour(255, 255, 255), colour(200, 0, 0), colour(0, 0, 0))
    ]
    assert [answer["label"] for answer in answers] == ["cars", "cars", "tanks"]
    if tells:
        assert [answer["familiar"] for answer in answers] == [True, False, False]
        assert answers[1]["familiarity"] == pytest.approx(200 / 255 / 3, abs=0.01)
        assert [answer["set"] for answer in answers] == [["cars"], ["cars"], ["tanks"]]
        assert [answer["abstained"] for answer in answers] == [False, False, True]
    else:
        assert {answer[name] for answer in answers for name in ("familiarity", "familiar", "set")} == {None}


def test_the_open_inference_protocol_has_familiarity_as_a_further_output(service):
    url, tells = service
    names = [output["name"] for output in requests.get(f"{url}/v2/models/bright", timeout=20).json()["outputs"]]
    assert names == ["probabilities", "label", *["familiarity"] * tells]
    texts = [base64.b64encode(colour(level, level, level)).decode() for level in (255, 51)]
    sent = {"inputs": [{"name": "picture", "shape": [2], "datatype": "BYTES", "data": texts}]}
    outputs = requests.post(f"{url}/v2/models/bright/infer", json=sent, timeout=20).json()["outputs"]
    assert [output["name"] for output in outputs] == names
    assert outputs[0]["shape"] == [2, 3]
    if tells:
        assert outputs[2]["shape"] == [2]
        assert outputs[2]["data"] == pytest.approx([1, 0.2], abs=0.01)
