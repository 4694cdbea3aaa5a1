"""A service: the answers of the command line, limits before anything is decoded, and one shape for what goes wrong."""

import base64
import contextlib
import io
import json
import re
import shutil
import struct
import subprocess
import sys
import zlib
from importlib.util import find_spec

import numpy as np
import pytest
import requests
from helpers import coloured, encoded, textured, until
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from toolkit import cli, predict, runtime, serve
from toolkit.core import workers
from toolkit.errors import BundleError, ToolkitError
from toolkit.scrape import browser
from toolkit.scrape.item import Options
from toolkit.serve import config, server
from toolkit.serve.limits import Rates

there = all(any(map(shutil.which, names)) for names in (browser.BROWSERS, browser.DRIVERS)) and find_spec("selenium")


pytestmark = pytest.mark.usefixtures("stops_at_once")


@pytest.fixture(scope="module")
def service(exported):
    with serve.open(exported / "small.tflite", serve.Config(port=0, max_pictures=8, max_queue=64)) as running:
        yield running


@pytest.fixture
def serving(exported):
    """Starts services with other limits, and ends them."""
    with contextlib.ExitStack() as open_services:

        def start(model=exported / "small.tflite", **limits):
            return open_services.enter_context(serve.open(model, serve.Config(port=0, **limits)))

        yield start


def ask(service, path="/predict", content=None, **how):
    """The answer to a body, a form or JSON."""
    if isinstance(content, bytes):
        how["data"] = content
    elif content is not None:
        how["json"] = content
    return requests.request(how.pop("method", "POST"), service.url + path, timeout=20, **how)


def error(answer):
    """Status and code of what went wrong, which has one shape."""
    said = answer.json()
    assert set(said) == {"error"}
    assert isinstance(said["error"]["message"], str)
    assert answer.headers["content-type"] == "application/json"
    return answer.status_code, said["error"]["code"]


def text(content):
    return base64.b64encode(content).decode()


def bomb(width=30_000, height=30_000):
    """A PNG of few bytes that says it is huge."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(100_000))) + chunk(b"IEND", b"")


def turned(picture):
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(picture, "JPEG", exif=exif, quality=90)


KINDS = {
    "png": encoded(coloured(0, 1, side=48)),
    "jpg": encoded(textured(1), "JPEG", quality=90),
    "progressive": encoded(textured(2, width=900, height=700), "JPEG", progressive=True),
    "turned": turned(textured(3)),
    "webp": encoded(textured(4), "WEBP"),
    "transparent": encoded(textured(5).convert("RGBA").resize((40, 90))),
    "palette": encoded(textured(6).convert("P")),
    "cmyk": encoded(textured(7).convert("CMYK"), "JPEG"),
    "16 bit": encoded(Image.fromarray(np.arange(2500, dtype=np.uint16).reshape(50, 50) * 25)),
}


@pytest.mark.parametrize("name", ["small.tflite", "small.onnx"])
def test_every_way_of_asking_gives_the_answer_of_the_command_line(exported, serving, name):
    trained, asked = runtime.load(exported / name), serving(exported / name, name="pets")
    files = list(KINDS.values())
    expected = [predict.picture(trained, content) for content in files]
    rows = np.array([list(answer.probabilities.values()) for answer in expected])
    assert np.ptp(rows[:, 0]) > 1e-3  # or nothing would be told apart
    alone = [ask(asked, content=content).json()["predictions"][0] for content in files]
    form = [("pictures", (f"{place}.bin", content)) for place, content in enumerate(files)]
    together = ask(asked, files=form).json()["predictions"]
    for answers in (alone, together):
        for answer, right in zip(answers, expected, strict=True):
            assert (answer["label"], answer["abstained"]) == (right.label, right.abstained)
            assert answer["probabilities"] == pytest.approx(right.probabilities, abs=1e-4)
            assert answer["probability"] == answer["top"][0]["probability"] == max(answer["probabilities"].values())
    assert [answer["picture"] for answer in together] == [f"{place}.bin" for place in range(len(files))]
    tensorflow = ask(asked, "/v1/models/pets:predict", {"instances": [{"b64": text(content)} for content in files]})
    assert np.abs(np.array(tensorflow.json()["predictions"]) - rows).max() < 1e-4
    names = {"name": "picture", "datatype": "BYTES", "shape": [len(files)], "data": list(map(text, files))}
    pixels = np.stack([trained.prepare(content) for content in files])
    tensor = {"name": "picture", "datatype": "UINT8", "shape": list(pixels.shape)}
    for sent in (names, tensor | {"data": pixels.ravel().tolist()}, tensor | {"data": pixels.tolist()}):
        answer = ask(asked, "/v2/models/pets/infer", {"id": "7", "inputs": [sent]}).json()
        shares, labels = answer["outputs"]
        assert (answer["model_name"], answer["id"], shares["shape"]) == ("pets", "7", [len(files), 2])
        assert np.abs(np.array(shares["data"]).reshape(-1, 2) - rows).max() < 1e-4
        assert labels["data"] == [right.label for right in expected]


def test_of_several_pictures_each_has_its_own_answer_or_error(service):
    sent = [KINDS["png"], b"words", KINDS["jpg"], KINDS["jpg"][:2000], bomb(), b""]
    answer = ask(service, files=[("pictures", (f"{place}", content)) for place, content in enumerate(sent)])
    assert answer.status_code == 200
    found = answer.json()["predictions"]
    codes = [one["error"]["code"] if "error" in one else one["label"] for one in found]
    assert codes[1] == "unsupported_format"
    assert codes[3:] == ["unreadable", "too_many_pixels", "empty"]
    for place in (0, 2):
        alone = ask(service, content=sent[place]).json()["predictions"][0]["probabilities"]
        assert found[place]["probabilities"] == pytest.approx(alone, abs=1e-6)


def test_where_no_picture_could_be_opened_the_status_is_that_of_the_first(service):
    answer = ask(service, files=[("pictures", ("a", bomb())), ("pictures", ("b", b"words"))])
    assert error(answer) == (422, "too_many_pixels")
    told = answer.json()["error"]["pictures"]
    assert [one["error"]["code"] for one in told] == ["too_many_pixels", "unsupported_format"]


@pytest.mark.slow
def test_the_threshold_is_the_models_unless_another_is_asked_for(exported, serving, tmp_path):
    from helpers import artifacts

    unsure = serving(artifacts(tmp_path, threshold=1.0, classes=("a", "b", "c")) / "small.tflite")
    assert unsure.name == "small"
    assert ask(unsure, content=KINDS["png"]).json()["predictions"][0]["abstained"]
    answer = ask(unsure, "/predict?abstain_below=0&top=2", KINDS["png"]).json()["predictions"][0]
    assert not answer["abstained"]
    assert len(answer["top"]) == 2
    assert list(answer["probabilities"]) == ["a", "b", "c"]


PIXELS = {"name": "x", "datatype": "UINT8", "shape": [1, 1, 1, 3], "data": [1, 2, 3]}
BYTES = {"name": "x", "datatype": "BYTES", "shape": [1], "data": [text(KINDS["png"])]}
INFER, TENSORFLOW = "/v2/models/small/infer", "/v1/models/small:predict"


@pytest.mark.parametrize(
    ("path", "content", "expected"),
    [
        ("/predict", b"", (422, "empty")),
        ("/predict", b"<html>", (415, "unsupported_format")),
        ("/predict", encoded(textured(1), "GIF"), (415, "unsupported_format")),
        ("/predict", b"\xff\xd8\xff\xe0 and no more", (422, "unreadable")),
        ("/predict", bomb(), (422, "too_many_pixels")),
        ("/predict", bomb(8_000, 8_000), (422, "too_many_pixels")),
        ("/predict", bytes(17_000_000), (413, "too_large")),
        ("/predict?top=0", KINDS["png"], (422, "invalid")),
        ("/predict?abstain_below=2", KINDS["png"], (422, "invalid")),
        ("/nothing", b"", (404, "not_found")),
        (TENSORFLOW, b"{", (400, "bad_request")),
        (TENSORFLOW, b"[" * 100_000, (400, "bad_request")),
        (TENSORFLOW, b"\xff", (400, "bad_request")),
        (TENSORFLOW, {"instances": []}, (422, "invalid")),
        (TENSORFLOW, {"instances": [{"b64": "%%%"}]}, (422, "invalid")),
        (TENSORFLOW, {"instances": [{"b64": "é"}]}, (422, "invalid")),
        (TENSORFLOW, {"instances": [{"\ud800": {"b64": 1}}]}, (422, "invalid")),
        (TENSORFLOW, {"instances": [{}]}, (422, "invalid")),
        (TENSORFLOW, {"instances": [{"b64": ""}]}, (422, "empty")),
        (TENSORFLOW, {"instances": [{"b64": text(b"words")}]}, (415, "unsupported_format")),
        (TENSORFLOW, {"instances": [{"b64": ""}] * 9}, (413, "too_many_pictures")),
        ("/v1/models/other:predict", {"instances": [{"b64": ""}]}, (404, "not_found")),
        (INFER, {"inputs": []}, (422, "invalid")),
        (INFER, {"inputs": [BYTES, BYTES]}, (422, "invalid")),
        (INFER, {"inputs": [BYTES | {"datatype": "FP32"}]}, (422, "invalid")),
        (INFER, {"inputs": [BYTES | {"shape": [2]}]}, (422, "invalid")),
        (INFER, {"inputs": [BYTES | {"shape": [0], "data": []}]}, (422, "invalid")),
        (INFER, {"inputs": [BYTES | {"data": [1]}]}, (422, "invalid")),
        (INFER, {"inputs": [PIXELS | {"shape": [1, 3]}]}, (422, "invalid")),
        (INFER, {"inputs": [PIXELS | {"shape": [1, -1, -1, 3]}]}, (422, "invalid")),
        (INFER, {"inputs": [PIXELS | {"shape": [1, 9**9, 9**9, 3]}]}, (422, "invalid")),
        (INFER, {"inputs": [PIXELS | {"data": [1, 2, 256]}]}, (422, "invalid")),
        (INFER, {"inputs": [PIXELS | {"data": [1, 2, 10**30]}]}, (422, "invalid")),
        (INFER, {"inputs": [PIXELS | {"data": [1, 2, 0.5]}]}, (422, "invalid")),
        (INFER, {"inputs": [PIXELS | {"data": [[1], [2, 3]]}]}, (422, "invalid")),
        (INFER, {"inputs": [PIXELS | {"shape": [9, 1, 1, 3], "data": [0] * 27}]}, (413, "too_many_pictures")),
    ],
)
def test_what_cannot_be_answered_is_said_in_one_shape(service, path, content, expected):
    assert error(ask(service, path, content)) == expected


@pytest.mark.parametrize("kind", [None, "application/x-www-form-urlencoded", "text/plain"])
def test_json_is_taken_for_that_whatever_it_is_said_to_be(service, kind):
    headers = {"Content-Type": kind} if kind else {}
    for path, content in ((TENSORFLOW, {"instances": [{"b64": text(KINDS["png"])}]}), (INFER, {"inputs": [BYTES]})):
        assert ask(service, path, json.dumps(content).encode(), headers=headers).status_code == 200
    assert error(ask(service, TENSORFLOW, b"{", headers=headers)) == (400, "bad_request")


def test_json_of_very_many_parts_is_refused_before_it_is_read(serving):
    service = serving(max_values=1000, name="small")
    few, many = [1] * 900, [[1]] * 600
    for data, status in ((few, 200), (many, 413)):
        tensor = PIXELS | {"shape": [1, len(data) // 3, 1, 3], "data": data}
        assert ask(service, INFER, {"inputs": [tensor]}).status_code == status
    assert ask(service, content=KINDS["png"] + b"," * 2000).status_code == 200  # a picture is no JSON


def test_methods_and_encodings_that_are_not_taken_are_said(service):
    assert error(ask(service, method="PUT", content=b"x")) == (405, "method_not_allowed")
    assert ask(service, method="PUT").headers["allow"] == "POST"
    squeezed = {"headers": {"Content-Encoding": "gzip"}}
    assert error(ask(service, content=zlib.compress(KINDS["png"]), **squeezed)) == (415, "unsupported_format")


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ([("pictures", ("x", KINDS["png"]))] * 9, (413, "too_large")),
        ([("words", (None, "no file"))], (422, "invalid")),
    ],
)
def test_a_form_has_files_and_not_too_many(service, form, expected):
    assert error(ask(service, files=form)) == expected


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=x"])
def test_a_form_that_is_none_is_said(service, kind):
    assert error(ask(service, content=b"words", headers={"Content-Type": kind})) == (400, "bad_request")


@given(content=st.binary(max_size=400) | st.binary(max_size=60).map(lambda tail: KINDS["jpg"][:300] + tail))
@settings(max_examples=40)
def test_random_bytes_are_refused_and_nothing_breaks(service, content):
    answer = ask(service, content=content)
    assert error(answer)[0] in (415, 422)


@pytest.mark.parametrize("kind", ["png", "jpg", "webp"])
def test_a_picture_that_was_cut_off_is_refused(service, kind):
    content = KINDS[kind]
    for share in (0.1, 0.5, 0.9):
        assert error(ask(service, content=content[: int(share * len(content))]))[0] in (415, 422)


@pytest.mark.slow
def test_other_formats_are_opened_where_they_are_allowed(serving):
    service = serving(formats=("gif", "bmp"))
    assert ask(service, content=encoded(textured(1), "GIF")).status_code == 200
    assert error(ask(service, content=KINDS["jpg"])) == (415, "unsupported_format")


@pytest.mark.slow
def test_a_token_is_asked_for_by_all_but_health_and_the_page(serving):
    service = serving(token="säcret")
    for header in (None, "Bearer", "Bearer other", "Basic säcret", "säcret"):
        headers = {"Authorization": header.encode()} if header else {}
        answer = ask(service, content=KINDS["png"], headers=headers)
        assert error(answer) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert ask(service, content=KINDS["png"], headers={"Authorization": "Bearer säcret".encode()}).status_code == 200
    assert error(ask(service, "/metrics", method="GET")) == (401, "unauthorized")
    assert "securitySchemes" in ask(service, "/openapi.json", method="GET").json()["components"]  # for the page
    for path in ("/healthz", "/readyz", "/docs", "/openapi.json", "/v2/health/live", "/v2/health/ready"):
        assert ask(service, path, method="GET").status_code == 200


@pytest.mark.slow
def test_who_asks_too_often_is_told_to_wait(serving):
    service = serving(rate=1.0)
    found = [ask(service, content=KINDS["png"]) for _ in range(4)]
    assert [answer.status_code for answer in found[:2]] == [200, 200]
    assert error(found[-1]) == (429, "too_many_requests")
    assert int(found[-1].headers["retry-after"]) >= 1
    assert ask(service, "/healthz", method="GET").status_code == 200


def test_a_rate_allows_a_burst_then_so_many_per_second_and_knows_addresses_apart():
    rates = Rates(10)
    assert [rates.wait("a", 0.0) for _ in range(20)] == [0.0] * 20
    assert rates.wait("a", 0.0) == pytest.approx(0.1)
    assert rates.wait("b", 0.0) == 0
    assert [rates.wait("a", 0.1), rates.wait("a", 0.11) > 0] == [0, True]
    for number in range(30_000):
        rates.wait(str(number), 1.0)
    assert len(rates._left) == 10_000


def test_the_page_shows_all_of_it_and_asks_no_other_address(service):
    page = ask(service, "/docs", method="GET")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "https:" not in page.headers["content-security-policy"]
    assert not re.search(r"https?://|['\"]//", page.text)
    for name in re.findall(r"(?:href|src)=\"([^\"]+)\"", page.text):
        assert ask(service, f"/{name}", method="GET").status_code == 200
    described = ask(service, "/openapi.json", method="GET").json()
    assert {"/predict", "/v1/models/{name}:predict", "/v2/models/{name}/infer", "/metrics"} <= set(described["paths"])
    assert ask(service, "/docs/files/../../server.py", method="GET").status_code == 404
    assert ask(service, "/", method="GET").url == f"{service.url}/docs"


@pytest.mark.slow
@pytest.mark.skipif(not there, reason="Chromium, its driver or Selenium is not installed")
def test_the_page_is_whole_in_a_browser_that_reaches_nothing_else(service):
    with browser.chromium(Options(), hosts=["127.0.0.1"]) as running:
        running.get(f"{service.url}/docs")
        paths = "return [...document.querySelectorAll('.opblock-summary-path')].map(one => one.innerText)"
        until(
            lambda: {"/predict", "/metrics"} <= {text.replace("\u200b", "") for text in running.execute_script(paths)}
        )
        asked = running.execute_script("return performance.getEntriesByType('resource').map(one => one.name)")
        assert {f"{service.url}/openapi.json", f"{service.url}/docs/files/swagger-ui.css"} <= set(asked)
        assert all(name.startswith((f"{service.url}/", "data:")) for name in asked)


def test_who_looks_after_it_is_told_how_it_is(service):
    assert ask(service, "/healthz", method="GET").json() == {"live": True}
    assert ask(service, "/v2/models/small/ready", method="GET").json() == {"name": "small", "ready": True}
    assert ask(service, "/v2", method="GET").json()["name"] == "toolkit"
    state = ask(service, "/v1/models/small", method="GET").json()["model_version_status"][0]
    assert (state["version"], state["state"]) == ("1", "AVAILABLE")
    assert ask(service, "/v2/models/small", method="GET").json()["parameters"] == {"classes": ["cars", "tanks"]}
    assert error(ask(service, "/v1/models/other", method="GET")) == (404, "not_found")
    assert ask(service, "/v1/models/small/metadata", method="GET").json()["model_spec"]["name"] == "small"


def test_figures_for_prometheus_count_what_was_answered(serving):
    service = serving(name="pets")
    for content in (KINDS["png"], KINDS["png"], b"words"):
        ask(service, content=content)
    ask(service, "/made/up", method="GET")
    lines = ask(service, "/metrics", method="GET").text.splitlines()
    figures = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert figures['toolkit_requests_total{route="/predict",status="200"}'] == "2.0"
    assert figures['toolkit_requests_total{route="/predict",status="415"}'] == "1.0"
    assert figures['toolkit_requests_total{route="other",status="404"}'] == "1.0"
    assert figures['toolkit_pictures_total{outcome="answered"}'] == "2.0"
    assert figures["toolkit_batch_pictures_sum"] == "2.0"
    assert figures["toolkit_inference_seconds_count"] == "2.0"
    assert 0 < float(figures["toolkit_inference_seconds_sum"]) < 60
    assert (figures["toolkit_waiting_pictures"], figures["toolkit_held_bytes"]) == ("0.0", "0.0")
    assert float(figures["process_resident_memory_bytes"]) > 1e6


@pytest.mark.slow
def test_a_model_that_is_open_already_is_served_too(exported, serving):
    opened = runtime.load(exported / "small.onnx")
    assert ask(serving(opened), content=KINDS["png"]).json()["model"] == "small"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"max_pixels": 0}, "max_pixels of at least 1, got 0"),
        ({"max_pixels": 10**9}, "at most 89,478,485"),
        ({"max_megabytes": float("nan")}, "max_megabytes of at least"),
        ({"max_pictures": 10, "max_queue": 9}, "a max_queue of at least 10 pictures"),
        ({"formats": ("jpg", "eps")}, "formats of jpg, .*, got jpg, eps"),
        ({"formats": ()}, "got none"),
        ({"port": 70_000}, "at most 65535"),
        ({"answer_seconds": 0}, "answer_seconds of at least"),
    ],
)
def test_limits_out_of_range_are_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        serve.Config(**wrong)


def test_every_limit_is_an_option_and_says_what_it_is_by_itself(capsys):
    with pytest.raises(SystemExit):
        cli.main(["serve", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    for name, _, _ in config.options():
        assert f"--{name.replace('_', '-')}" in said
        default = getattr(serve.Config(), name)
        if default and not isinstance(default, tuple | str):
            assert any(f"default: {shown}" in said for shown in (f"{default:,}", f"{default:g}")), name


@pytest.mark.slow
def test_a_run_is_served_by_what_was_exported_of_it_as_it_is_now(exported, tmp_path):
    run = tmp_path / "models" / "pets" / "vgg"
    (run / "export").mkdir(parents=True)
    (run / "bundle.json").write_text(json.dumps({"sha256": "now"}))
    (run / "export" / "export.json").write_text(json.dumps({"model": "now"}))
    with pytest.raises(BundleError, match="expected exported files in .*export, found none; run `toolkit export"):
        runtime.exported(run)
    for name, source in (("model.onnx", "small.onnx"), ("float32.tflite", "small.tflite")):
        (run / "export" / name).write_bytes((exported / source).read_bytes())
    assert runtime.exported(run) == run / "export" / "float32.tflite"
    with serve.open(run, serve.Config(port=0)) as service:
        assert service.name == "vgg"
    (run / "export" / "export.json").write_text(json.dumps({"model": "before"}))
    with pytest.raises(BundleError, match="from vgg as it is now"):
        runtime.exported(run)


def test_an_address_that_is_taken_and_a_model_that_is_not_there_are_said(service, exported, capsys):
    port = service.url.rpartition(":")[2]
    assert cli.main(["serve", str(exported / "small.tflite"), "--port", port]) == 2
    assert "expected to listen at 127.0.0.1, port" in capsys.readouterr().err
    with pytest.raises(ToolkitError, match="found no file"):
        serve.open(exported / "gone.tflite", serve.Config(port=0))


@pytest.mark.slow
def test_a_service_needs_no_framework(exported):
    program = (
        "import sys, urllib.request; from toolkit import serve\n"
        "with serve.open(sys.argv[1], serve.Config(port=0)) as service:\n"
        "    print(urllib.request.urlopen(service.url + '/predict', sys.stdin.buffer.read()).status)\n"
        "print(*sorted({'tensorflow', 'keras', 'pandas', 'matplotlib', 'cv2', 'scipy', 'sklearn'} & set(sys.modules)))"
    )
    words = [sys.executable, "-c", program, str(exported / "small.tflite")]
    done = subprocess.run(words, input=KINDS["png"], capture_output=True, check=True)
    assert done.stdout.decode().split() == ["200"]
    assert done.stderr == b""


def test_a_large_photograph_can_be_sent_as_a_stream(service):
    content = encoded(textured(1, width=1200, height=900), "JPEG")
    answer = requests.post(f"{service.url}/predict", data=io.BytesIO(content), timeout=20)
    assert answer.status_code == 200


def test_the_model_is_opened_as_often_as_the_cpu_quota_of_a_container_allows(exported, monkeypatch, tmp_path):
    monkeypatch.setattr(workers.os, "sched_getaffinity", lambda _: set(range(64)))
    monkeypatch.setattr(workers, "QUOTA", tmp_path / "cpu.max")
    workers.QUOTA.write_text("200000 100000\n")
    sessions = server._opened({"small": exported / "small.tflite"}, serve.Config(threads=1))
    assert len(sessions["small"]) == 2


# Strangers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example:8000"}, 403),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "127.0.0.1"}, 200),
        ({"Host": "[::1]:7"}, 200),
        ({"Host": "localhost.evil.example"}, 403),
        ({"Host": "127.0.0.1.nip.io"}, 403),
    ],
)
def test_a_name_that_somebody_pointed_here_is_not_answered(service, headers, status):
    assert ask(service, "/v2/models/small", method="GET", headers=headers).status_code == status
    assert ask(service, "/healthz", method="GET", headers=headers).status_code == 200  # of which nothing can be learned


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "https://public.example", "Sec-Fetch-Site": "same-origin"}, 200),  # a proxy has changed the Host
        ({}, 200),
    ],
)
def test_a_page_from_elsewhere_cannot_make_it_work(service, headers, status):
    answer = ask(service, content=KINDS["png"], headers={"Content-Type": "text/plain", **headers})
    assert answer.status_code == status
    if status == 403:
        assert error(answer) == (403, "forbidden")


@pytest.mark.slow
def test_its_own_page_names_that_were_given_and_origins_that_were_allowed_are_answered(serving, service):
    own = service.url
    assert ask(service, content=KINDS["png"], headers={"Origin": own}).status_code == 200
    named = serving(hosts=("classifier.example",), allow_origins=("https://app.example",))
    assert ask(named, "/v2", method="GET", headers={"Host": "Classifier.example:80"}).status_code == 200
    assert ask(named, "/v2", method="GET", headers={"Host": "other.example"}).status_code == 403
    assert ask(named, content=KINDS["png"], headers={"Origin": "https://app.example"}).status_code == 200
    assert ask(named, content=KINDS["png"], headers={"Origin": "https://other.example"}).status_code == 403
    guarded = serving(token="secret")  # which no page from elsewhere knows
    headers = {"Host": "any.example", "Origin": "http://evil.example"}
    assert ask(guarded, content=KINDS["png"], headers=headers).status_code == 401
    assert ask(guarded, content=KINDS["png"], headers=headers | {"Authorization": "Bearer secret"}).status_code == 200


def tensor(data, shape=(1, 1, 1, 3)):
    return {"inputs": [{"name": "x", "shape": list(shape), "datatype": "UINT8", "data": data}]}


@pytest.mark.parametrize(
    ("data", "shape", "status"),
    [
        ([1, 2, 3], (1, 1, 1, 3), 200),
        ([[[[1, 2, 3]]]], (1, 1, 1, 3), 200),
        (["A" * 20_000, *[""] * 1500], (1, 1, 1, 3), 422),
        ([1, 2, "3"], (1, 1, 1, 3), 422),
        ([1, 2, 3.0], (1, 1, 1, 3), 422),
        ([True, 2, 3], (1, 1, 1, 3), 422),
        ([1, 2, 10**30], (1, 1, 1, 3), 422),
        ([1, 2, 256], (1, 1, 1, 3), 422),
        ([1, 2, -1], (1, 1, 1, 3), 422),
        ([[1, 2], [3]], (1, 1, 1, 3), 422),
        ([[], []], (1, 1, 1, 3), 422),
        ([], (1, 1, 1, 3), 422),
        ([[1, 2, [3]]], (1, 1, 1, 3), 422),
        ([1, 2, 3], (1, 1, 1, 10**12), 422),
    ],
)
def test_a_tensor_is_looked_at_number_by_number_before_numpy_makes_anything_of_it(service, data, shape, status):
    assert ask(service, "/v2/models/small/infer", tensor(data, shape)).status_code == status


def test_an_instance_of_very_many_keys_is_one_error(service):
    answer = ask(service, "/v1/models/small:predict", {"instances": [{str(key): 1 for key in range(50_000)}]})
    assert error(answer) == (422, "invalid")
    assert len(answer.content) < 1000 and "got 50000" in answer.text


def test_half_a_character_is_sent_back_as_it_came_and_an_odd_charset_is_no_fault_of_the_service(service):
    body = json.dumps(tensor([1, 2, 3]) | {"id": "\ud800"}).encode()
    answer = ask(service, "/v2/models/small/infer", body)
    assert answer.status_code == 200 and answer.json()["id"] == "\ud800"
    for charset, name in (("idna", b"xn--aaaa"), ("undefined", b"a"), ("utf-7", b"+2AA-"), ("no-such", b"a")):
        head = b'--X\r\nContent-Disposition: form-data; name="p"; filename="' + name + b'"\r\n\r\n'
        kind = {"Content-Type": f"multipart/form-data; boundary=X; charset={charset}"}
        answer = ask(service, content=head + KINDS["png"] + b"\r\n--X--\r\n", headers=kind)
        assert answer.status_code in (200, 400)


@pytest.mark.slow
def test_a_picture_that_takes_too_long_is_refused_and_the_next_one_is_answered(serving, monkeypatch):
    patient = serving(open_seconds=1.0, formats=("png", "bmp"))
    monkeypatch.setattr(patient, "name", patient.name)
    large = encoded(Image.new("RGB", (7000, 7000)), "BMP")[:16_000_000]
    slow = ask(patient, content=large)  # cut off: it ends in an error, sooner or later
    assert error(slow)[0] == 422
    assert ask(patient, content=KINDS["png"]).status_code == 200


@pytest.mark.parametrize("pixels", [(1, 70_000), (70_000, 1)])
def test_a_picture_as_narrow_as_none_is_refused(service, pixels):
    answer = ask(service, content=encoded(Image.new("1", pixels)))
    assert error(answer) == (422, "unreadable")
    assert "a side of more than 65,535" in answer.text
