"""`--json` is a contract: one document, or lines where said so, and nothing else on standard output."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest
from helpers import class_folders, judged, ready_dataset, until

from toolkit import manifest, paths
from toolkit.cli import VERBS, main, output, schemas


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A home with a dataset and two evaluated runs, made once."""
    home = tmp_path_factory.mktemp("json") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOOLKIT_HOME", str(home))
        table = ready_dataset(paths.dataset("pets"), per_class=10)
        for name, seed in (("vgg", 1), ("other", 2)):
            judged(table, name, seed=seed)
    return home


@pytest.fixture
def here(made, monkeypatch):
    monkeypatch.setenv("TOOLKIT_HOME", str(made))
    return made


def strict(text):
    """JSON as RFC 8259 has it, without NaN."""

    def refuse(word):
        raise ValueError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def valid(value, schema):
    from jsonschema import Draft202012Validator  # here, since its grammars take seconds to load

    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(value)
    return value


def told(capsys, verb, *words):
    """The document that a verb prints, which is all it prints and as its schema says."""
    assert main([verb, *map(str, words), "--json"]) == 0
    captured = capsys.readouterr()
    assert "toolkit: " not in captured.err
    return valid(strict(captured.out), schemas.DOCUMENTS[verb])


def refused(capsys, verb, *words):
    assert main([verb, *map(str, words), "--json"]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("toolkit: ")
    error = valid(strict(captured.out), schemas.ERROR)
    assert set(error) == {"error"} and error["error"] in captured.err
    return error["error"]


def test_every_verb_has_a_schema():
    assert set(schemas.DOCUMENTS) | set(schemas.LINES) == set(VERBS)
    assert not set(schemas.DOCUMENTS) & set(schemas.LINES)


WRONG = {  # what each verb is called with to fail in a way of its own
    "learn": ("/nowhere/at/all",),
    "run": ("folder:/nowhere/at/all", "--into", "mine"),
    "scrape": ("folder:/nowhere/at/all", "--into", "mine"),
    "copies": ("/nowhere/at/all",),
    "relabel": ("pets", "x.png"),
    "exclude": ("pets", "nothing.png"),
    "explain": ("nothing/here", "x.png"),
    "predict": ("nothing/here", "x.png"),
    "drift": ("nothing/here", "nowhere"),
    "demo": ("--source", "nothing"),
    "notebooks": (),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("how", ["its own way", "an option that there is not"])
def test_what_fails_is_a_document_too(here, capsys, verb, how):
    if how != "its own way":
        assert "see `toolkit" in refused(capsys, verb, "--no-such-option")
    else:
        assert refused(capsys, verb, *WRONG.get(verb, ("nothing-of-that-name",)))


def test_an_unknown_verb_and_an_interruption_are_documents_too(capsys, monkeypatch):
    assert "expected a verb" in refused(capsys, "scrap")
    monkeypatch.setattr("toolkit.cli._answer", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    assert main(["verify", "pets", "--json"]) == 130
    assert "goes on where" in strict(capsys.readouterr().out)["error"]


@pytest.mark.slow
def test_the_stages_of_a_dataset_say_what_their_schemas_say(tmp_path, capsys):
    pictures = class_folders(tmp_path / "pictures", per_class=16)
    assert told(capsys, "scrape", f"folder:{pictures}", "--into", "mine")["identical"] == []
    for verb in ("verify", "dedup", "resize", "quality", "split", "credits", "show"):
        told(capsys, verb, "mine", *(["--size", 32] if verb == "resize" else []))
    assert "curve" in told(capsys, "dedup", "mine", "--curve", "--max-distance", 2)
    path = manifest.load("mine").table["path"][0]
    told(capsys, "exclude", "mine", path)
    told(capsys, "relabel", "mine", path, "--label", "tanks")
    told(capsys, "copies", pictures)
    assert told(capsys, "labels", "mine", "--folds", 2)["suspects"] is not None
    head = ["--network", "xception", "--weights", "cifar10", "--style", "modern", "--size", 32]
    assert told(capsys, "train", "mine", *head)["history"]["C"]
    assert len(told(capsys, "crossval", "mine", *head, "--folds", 2)["folds"]) == 2
    assert told(capsys, "tune", "mine", *head, "--folds", 2, "--trials", 2, "--vary", "C=0.01..1")["trials"] == 2
    learned = told(capsys, "learn", pictures, "--into", "taught", "--network", "xception", "--weights", "cifar10")
    assert learned["pictures"] > 0
    told(capsys, "report", "mine", "xception")


@pytest.mark.slow
def test_numbers_that_are_none_are_null(tmp_path, capsys):
    ready_dataset(paths.dataset("mine"), per_class=16)
    head = ["--network", "xception", "--weights", "cifar10", "--style", "modern", "--size", 32, "--fine-tune", 1]
    history = told(capsys, "train", "mine", *head)["history"]
    assert None in history["C"] and history["C"][0] > 0


@pytest.mark.slow
def test_what_is_told_of_runs_is_as_its_schema_says(here, tmp_path, capsys):
    pictures = [str(file) for file in manifest.load("pets").files[:2]]
    assert set(told(capsys, "evaluate", "pets")) == {"pets/other", "pets/vgg"}
    compared = told(capsys, "compare", "pets")
    assert {row["run"] for row in compared["comparison"]} == set(compared["runs"]) == {"pets/other", "pets/vgg"}
    assert {row["dataset"] for row in compared["comparison"]} == {"pets"}
    assert set(told(capsys, "failures", "pets")) == {"pets/other", "pets/vgg", "disagreements"}
    assert set(told(capsys, "explain", "pets/vgg", pictures[0], "--into", tmp_path / "a.png")["labels"]) <= {
        "cars",
        "tanks",
    }
    (tmp_path / "a.txt").write_text("hello")
    answers = told(capsys, "predict", "pets/vgg", *pictures, tmp_path / "a.txt")
    assert [("error" in answer) for answer in answers] == [False, False, True]
    assert told(capsys, "predict", "pets/vgg", *pictures, "--csv", tmp_path / "a.csv")["pictures"] == 2


@pytest.mark.slow
def test_what_is_measured_and_exported_is_as_its_schema_says(here, capsys):
    assert set(told(capsys, "robustness", "pets/vgg")) == {"pets/vgg"}
    assert set(told(capsys, "export", "pets/vgg", "--format", "litert-float32", "--max-loss", 1)) == {"litert-float32"}


def test_an_empty_list_of_removed_posts_is_a_document(here, capsys, monkeypatch):
    import pandas as pd

    from toolkit.scrape import prune

    monkeypatch.setattr(prune, "posts", lambda *_, **__: pd.DataFrame(columns=["path", "label", "reason"]))
    assert told(capsys, "prune", "pets") == []


@pytest.mark.slow
def test_operating_points_are_told_where_they_are_asked_for(here, capsys):
    points = told(capsys, "evaluate", "pets/vgg", "--precision", 0.4)["pets/vgg"]["operating_points"]
    assert [point["class"] for point in points] == ["cars", "tanks"]
    assert "operating_points" not in told(capsys, "evaluate", "pets/vgg")["pets/vgg"]
    assert "above 0 and up to 1, got 40" in refused(capsys, "evaluate", "pets/vgg", "--precision", 40)
    assert main(["evaluate", "pets/vgg", "--precision", "0.4"]) == 0
    assert "for 40% right answers of each class, as --threshold CLASS=NUMBER" in capsys.readouterr().out


@pytest.mark.slow
def test_what_libraries_print_meanwhile_is_on_standard_error(here, capsys, monkeypatch):
    from toolkit.evaluation import evaluate

    measure = evaluate.measure

    def loud(*what, **how):
        sys.stdout.write("Downloading data from https://…")
        return measure(*what, **how)

    monkeypatch.setattr(evaluate, "measure", loud)
    assert main(["evaluate", "pets/vgg", "--json"]) == 0
    captured = capsys.readouterr()
    assert "pets/vgg" in strict(captured.out) and "Downloading" in captured.err


@pytest.mark.slow
def test_what_other_processes_and_compiled_code_print_is_on_standard_error_too(here):
    program = """
import os, subprocess, sys
from toolkit import cli
from toolkit.cli import copies
def loud(arguments):
    print("python"); os.write(1, b"compiled code\\n"); subprocess.run(["echo", "a process"], check=True)
    return {"told": 1}
cli.VERBS["copies"] = copies.COPIES._replace(act=loud)
sys.exit(cli.main(["copies", ".", "--json"]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert strict(done.stdout) == {"told": 1}
    assert set(done.stderr.split("\n")) >= {"python", "compiled code", "a process"}


def test_numbers_paths_and_names_become_what_json_has(tmp_path):
    odd = {
        "n": np.int64(3),
        "x": np.float32(0.5),
        "a": np.arange(2),
        "nan": np.nan,
        "inf": -np.inf,
        "p": tmp_path,
        7: (True,),
    }
    expected = {"n": 3, "x": 0.5, "a": [0, 1], "nan": None, "inf": None, "p": str(tmp_path), "7": [True]}
    assert output.plain(odd) == expected
    assert json.loads(json.dumps(output.plain("caf\udce9"))) == "caf?"


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["serve", "label", "review", "app"])
def test_what_runs_long_says_its_address_at_once_and_its_last_line_at_the_end(here, exported, tmp_path, verb):
    words = {
        "serve": [exported / "small.tflite", "--port", 0],
        "label": ["pets", "--no-browser", "--port", 0],
        "review": ["pets", "--no-browser", "--port", 0],
        "app": [exported / "small.tflite", "--port", 0],
    }[verb]
    out = tmp_path / "out"
    with out.open("w") as stream:
        command = [sys.executable, "-m", "toolkit", verb, *map(str, words), "--json"]
        running = subprocess.Popen(command, stdout=stream, stderr=subprocess.DEVNULL)
        try:
            until(lambda: out.read_text().endswith("\n"), seconds=60)
            assert running.poll() is None
        finally:
            running.send_signal(signal.SIGINT)
            running.wait(60)
    lines = [strict(line) for line in out.read_text().splitlines()]
    assert lines[0]["url"].startswith("http://127.0.0.1:")
    assert len(lines) == len(schemas.LINES[verb])
    for line, schema in zip(lines, schemas.LINES[verb], strict=True):
        valid(line, schema)
