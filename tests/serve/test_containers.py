"""The container files: linted, valid, and what they run does run, as processes, which need no daemon."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
import yaml
from compose_spec import PyCompose
from compose_spec.models import ComposeSpecification, Service
from helpers import coloured, dataset, encoded, until

from toolkit import cli, manifest, predict, runtime, verify
from toolkit.serve import Config

ROOT = Path(__file__).parents[2]
HADOLINT = Path(sys.executable).with_name("hadolint")
linted = pytest.mark.skipif(not HADOLINT.exists(), reason="hadolint is not installed")


def instructions():
    """The Dockerfile as pairs of a word and what follows it."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [tuple(line.split(maxsplit=1)) for line in lines if line.strip()]


def last(word):
    return [rest for name, rest in instructions() if name == word][-1]


def compose(name="compose.yml"):
    return yaml.safe_load((ROOT / name).read_text())


@linted
def test_the_dockerfile_is_found_clean_by_hadolint():
    done = subprocess.run(
        [HADOLINT, "--failure-threshold", "style", ROOT / "Dockerfile"], capture_output=True, text=True
    )
    assert (done.stdout, done.returncode) == ("", 0)


@linted
def test_hadolint_finds_what_is_wrong(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM python:latest\nRUN cd /tmp\nCMD toolkit serve\n")
    done = subprocess.run([HADOLINT, tmp_path / "Dockerfile"], capture_output=True, text=True)
    assert {"DL3007", "DL3003", "DL3025"} <= set(re.findall(r"DL\d+", done.stdout))


def test_the_image_is_pinned_small_not_root_and_ends_properly():
    words = [name for name, _ in instructions()]
    version = next(rest for name, rest in instructions() if name == "ARG")
    assert re.fullmatch(r"PYTHON=3\.\d+\.\d+-slim-\w+", version)
    assert words.count("FROM") == 2
    assert "RUN" not in words[len(words) - words[::-1].index("FROM") :]  # what builds stays behind
    assert int(last("USER").partition(":")[0]) > 0
    assert last("STOPSIGNAL") == "SIGTERM"
    assert all(isinstance(json.loads(last(word)), list) for word in ("ENTRYPOINT", "CMD"))
    assert isinstance(json.loads(last("HEALTHCHECK").partition("CMD ")[2]), list)


def test_what_is_copied_is_there_and_let_through():
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [rest.split()[:-1] for name, rest in instructions() if name == "COPY" and "--from" not in rest]
    assert sorted(sum(copied, [])) == sorted(kept)
    assert all((ROOT / name).exists() for name in kept)


def test_the_compose_file_is_valid_and_says_nothing_that_is_not_known():
    found = compose()
    assert PyCompose.from_dict(ComposeSpecification.model_validate(found)).service_names() == ["service", "app"]
    known = set(Service.model_fields) | {field.alias for field in Service.model_fields.values()}
    for service in found["services"].values():
        assert set(service) <= known
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
    assert float(found["services"]["service"]["stop_grace_period"].removesuffix("s")) > Config().stop_seconds


def test_what_the_compose_file_runs_is_a_command_there_is():
    for service in compose()["services"].values():
        program, verb, *rest = [*service.get("entrypoint", json.loads(last("ENTRYPOINT"))), *service["command"]]
        assert program == "toolkit"
        assert vars(cli.parser(cli.VERBS[verb]).parse_args(rest))["host"] == "0.0.0.0"


def test_the_compose_file_of_the_cluster_is_valid_and_opens_no_port():
    found = compose("compose.cluster.yml")
    known = set(Service.model_fields) | {field.alias for field in Service.model_fields.values()}
    names = PyCompose.from_dict(ComposeSpecification.model_validate(found)).service_names()
    assert names == ["scheduler", "worker", "toolkit"]
    for service in found["services"].values():
        assert set(service) <= known
        assert "ports" not in service and service["read_only"] and service["cap_drop"] == ["ALL"]
    worker, verb = found["services"]["worker"], found["services"]["toolkit"]
    assert worker["volumes"] == verb["volumes"]  # what is sent is the place of a file


@pytest.mark.slow
def test_what_the_compose_file_of_the_cluster_runs_is_a_cluster_that_shares_the_work(tmp_path):
    distributed = pytest.importorskip("distributed")
    services, place = compose("compose.cluster.yml")["services"], tmp_path / "there"
    places = {"tcp://scheduler": "tcp://127.0.0.1", "8786": str(free_port()), "/tmp": str(tmp_path)}
    known = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "TOOLKIT_HOME": str(place)}
    known["PYTHONPATH"] = str(ROOT)
    files = [("cats" if n % 2 else "dogs", "png", encoded(coloured(n % 2, n))) for n in range(12)]
    expected = verify.check(dataset(tmp_path / "here" / "pets", files))
    table = dataset(place / "data" / "pets", files)

    def run(name, *words):
        line = services[name]["entrypoint"] + (list(words) or services[name]["command"])
        return subprocess.Popen([translated(word, places) for word in line], env=known, cwd=tmp_path)

    running = [run("scheduler"), run("worker"), run("worker")]
    try:
        until(lambda: is_open(int(places["8786"])))
        with distributed.Client(f"tcp://127.0.0.1:{places['8786']}", set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
        assert run("toolkit", "verify", "pets", "--cluster", "tcp://scheduler:8786").wait(60) == 0
    finally:
        for process in running:
            process.kill()
            process.wait()
    assert manifest.load(table.root).table.equals(expected.table)


def test_an_invalid_compose_file_is_found_out():
    wrong = compose()
    wrong["services"]["app"]["ports"] = ["here:there:1"]
    with pytest.raises(ValueError, match="host ip"):
        PyCompose.from_dict(ComposeSpecification.model_validate(wrong))


def environment(places):
    """What the build and the process see: ARG and ENV, the folders of the image replaced by some of this machine."""
    known = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": places["/toolkit"]}
    for name, rest in instructions():
        for key, value in re.findall(r"(\w+)=(\S+)", rest) if name in ("ARG", "ENV") else ():
            known[key] = translated(value.replace("$PATH", known["PATH"]), places)
    return known


def translated(text, places):
    for name, place in places.items():
        text = re.sub(rf"(?<![\w/.]){name}\b", str(place), text)
    return text


def free_port():
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return line.getsockname()[1]


def is_open(port):
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
def test_what_the_dockerfile_runs_makes_a_service_that_is_healthy_and_answers(tmp_path, exported):
    places = {"/opt/toolkit": str(tmp_path / "opt"), "/source": str(tmp_path / "source")}
    places |= {"/toolkit": str(tmp_path / "home"), "0.0.0.0": "127.0.0.1", "8000": str(free_port())}
    for place in ("source", "home"):
        (tmp_path / place).mkdir()
    for name in ("pyproject.toml", "constraints.txt", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, tmp_path / "source")
    shutil.copytree(ROOT / "toolkit", tmp_path / "source" / "toolkit")
    known = environment(places)
    for name, rest in instructions():
        if name == "RUN":
            subprocess.run(["sh", "-c", translated(rest, places)], check=True, env=known, cwd=tmp_path)
    absent = subprocess.run(["python", "-c", "import tensorflow"], env=known, capture_output=True)
    assert b"No module named 'tensorflow'" in absent.stderr
    export = tmp_path / "home" / "models" / "practice" / "xception" / "export"
    export.mkdir(parents=True)
    shutil.copy(exported / "small.tflite", export / "float32.tflite")
    for file in (export / "export.json", export.parent / "bundle.json"):
        file.write_text(json.dumps({"model": "one", "sha256": "one"}))
    words = [translated(word, places) for rest in (last("ENTRYPOINT"), last("CMD")) for word in json.loads(rest)]
    check = [translated(word, places) for word in json.loads(last("HEALTHCHECK").partition("CMD ")[2])]
    content, address = encoded(coloured(0, 1)), f"http://127.0.0.1:{places['8000']}"
    with subprocess.Popen(words, env=known, cwd=tmp_path / "home") as process:
        try:
            deadline = time.monotonic() + 30
            while subprocess.run(check, env=known, capture_output=True).returncode and time.monotonic() < deadline:
                time.sleep(0.2)
            answer = requests.post(f"{address}/predict", data=content, timeout=10).json()
            expected = predict.picture(runtime.load(exported / "small.tflite"), content)
            assert answer["model"] == "xception"
            assert answer["predictions"][0]["probabilities"] == pytest.approx(expected.probabilities, abs=1e-4)
            process.send_signal(signal.Signals[last("STOPSIGNAL")])
            assert process.wait(20) in (0, -signal.SIGTERM)
        finally:
            process.kill()
    assert subprocess.run(check, env=known, capture_output=True).returncode == 1
