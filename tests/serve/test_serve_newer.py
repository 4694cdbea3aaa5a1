"""Several models in one service, and newer ones that take the place of those that answer: no request is lost."""

import contextlib
import logging
import shutil
import signal
import subprocess
import sys
import threading

import pytest
import requests
from helpers import artifacts, coloured, encoded, until

from toolkit import cli, runtime, serve
from toolkit.serve import server

pytestmark = pytest.mark.usefixtures("stops_at_once")
PICTURE = encoded(coloured(0, 1, side=48))


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """A model of other classes."""
    return artifacts(tmp_path_factory.mktemp("other"), classes=("boats", "planes", "trains")) / "small.tflite"


@pytest.fixture
def serving(monkeypatch):
    monkeypatch.setattr(server, "LOOK", 0.05)
    with contextlib.ExitStack() as open_services:

        def start(model, **limits):
            return open_services.enter_context(serve.open(model, serve.Config(port=0, **limits)))

        yield start


def classes(service, **parameters):
    answer = requests.post(f"{service.url}/predict", params=parameters, data=PICTURE, timeout=30)
    assert answer.status_code == 200, answer.text
    return set(answer.json()["predictions"][0]["probabilities"])


@pytest.mark.slow
def test_each_of_several_models_answers_by_its_name_and_the_first_without(exported, other, serving):
    service = serving({"cars": exported / "small.tflite", "ways": other})
    assert (service.name, list(service.models)) == ("cars", ["cars", "ways"])
    assert classes(service) == classes(service, model="cars") == {"cars", "tanks"}
    assert classes(service, model="ways") == {"boats", "planes", "trains"}
    unknown = requests.post(f"{service.url}/predict", params={"model": "none"}, data=PICTURE, timeout=30)
    assert unknown.status_code == 404 and "expected a model of cars, ways, got 'none'" in unknown.text
    for name, count in (("cars", 2), ("ways", 3)):
        told = requests.get(f"{service.url}/v2/models/{name}", timeout=30).json()
        assert told["name"] == name and told["outputs"][0]["shape"] == [-1, count]
    assert requests.get(f"{service.url}/v1/models/none", timeout=30).status_code == 404
    metrics = requests.get(f"{service.url}/metrics", timeout=30).text
    assert metrics.count("toolkit_model_info{") == 2 and 'name="ways"' in metrics


@pytest.mark.slow
def test_a_model_that_is_exported_anew_takes_over_and_no_request_is_lost_or_mixed(exported, other, serving, tmp_path):
    file = shutil.copy(exported / "small.tflite", tmp_path / "small.tflite")
    service, seen, ended = serving(file), [], threading.Event()

    def asking():
        session = requests.Session()
        while not ended.is_set():
            answer = session.post(f"{service.url}/predict", data=PICTURE, timeout=30)
            seen.append((answer.status_code, tuple(sorted(answer.json()["predictions"][0]["probabilities"]))))

    threads = [threading.Thread(target=asking) for _ in range(6)]
    for thread in threads:
        thread.start()
    old, new = ("cars", "tanks"), ("boats", "planes", "trains")
    until(lambda: len(seen) > 20)
    shutil.copy(other, tmp_path / "new.tflite").replace(file)
    until(lambda: (200, new) in seen[-6:])
    count = len(seen)
    until(lambda: len(seen) > count + 20)
    ended.set()
    for thread in threads:
        thread.join()
    assert set(seen) == {(200, old), (200, new)}
    assert set(seen[count + 6 :]) == {(200, new)}
    assert 'toolkit_model_info{classes="boats,planes,trains"' in requests.get(f"{service.url}/metrics", timeout=30).text


@pytest.mark.slow
def test_a_file_that_cannot_be_opened_leaves_the_old_model_answering(exported, serving, tmp_path, caplog):
    file = shutil.copy(exported / "small.tflite", tmp_path / "small.tflite")
    service = serving(file)
    with caplog.at_level(logging.WARNING):
        file.write_bytes(b"no model")
        until(lambda: "the models were not opened again" in caplog.text)
        assert classes(service) == {"cars", "tanks"}
        file.unlink()
        assert classes(service) == {"cars", "tanks"}
        shutil.copy(exported / "small.tflite", file)
        until(lambda: "opened anew" in caplog.text)
    assert classes(service) == {"cars", "tanks"}


@pytest.mark.slow
def test_a_model_that_was_open_already_is_never_opened_again(exported, serving):
    opened = runtime.load(exported / "small.tflite", threads=1)
    assert classes(serving({"open": opened})) == {"cars", "tanks"}


def test_names_of_several_models_must_differ(exported, capsys):
    assert cli.main(["serve", f"a={exported}/small.tflite", f"a={exported}/small.onnx", "--port", "0"]) == 2
    assert "expected a name of its own for each model" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs SIGHUP")
def test_a_signal_opens_the_models_again(exported):
    words = [sys.executable, "-m", "toolkit", "serve", f"pets={exported}/small.tflite", "--port", "0"]
    running = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        address = running.stdout.readline().removesuffix("/docs\n")
        running.send_signal(signal.SIGHUP)  # before it listens for one, which must not end it
        until(lambda: requests.get(f"{address}/readyz", timeout=30).ok)
        running.send_signal(signal.SIGHUP)
        assert "answering with pets, opened anew" in running.stderr.readline()
        assert requests.post(f"{address}/predict", data=PICTURE, timeout=30).json()["model"] == "pets"
    finally:
        running.terminate()
        running.wait(30)
        running.stdout.close()
        running.stderr.close()
