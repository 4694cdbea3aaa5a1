"""Pictures wherever they are, and answers in the form that is asked for."""

import http.server
import json
import re
import socketserver
import threading
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from toolkit import paths
from toolkit.cli import main
from toolkit.cli import pictures as named
from toolkit.core import extras, remote
from toolkit.model import runtime


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def site(pictures):
    """The address of the pictures on a server of this machine."""
    with socketserver.TCPServer(("127.0.0.1", 0), partial(Quiet, directory=str(pictures))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_answers_are_told_by_the_paths_that_were_named(run, pictures, capsys):
    assert main(["predict", "pets/vgg", str(pictures)]) == 0
    said = capsys.readouterr().out
    assert f"{pictures}/cars/1.png: " in said and f"{pictures}/tanks/1.png: " in said


def test_a_table_on_standard_output_is_all_that_is_printed(run, pictures, capsys):
    assert main(["predict", "pets/vgg", str(pictures), "--csv", "-"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("picture,label,probability") and len(lines) == 33
    assert not Path("-").exists()


def test_options_may_stand_before_the_pictures(run, pictures, tmp_path, capsys):
    table = tmp_path / "answers.csv"
    assert main(["predict", "pets/vgg", "--csv", str(table), str(pictures / "cars"), str(pictures / "tanks")]) == 0
    assert len(table.read_text().splitlines()) == 33


def test_several_processes_are_for_tables(run, pictures, complaint):
    for option, value in (("--jobs", "2"), ("--cluster", "tcp://127.0.0.1:9")):
        told = complaint("predict", "pets/vgg", str(pictures), option, value)
        assert f"expected {option} with pictures and --csv or --jsonl; name a table" in told


def test_the_most_probable_classes_are_shown_if_not_all_are(run, pictures, capsys):
    assert main(["predict", "pets/vgg", str(pictures / "cars" / "1.png"), "--top", "1"]) == 0
    assert re.search(r": (cars|tanks)  \(\1 (0\.[5-9]\d\d|1\.000)\)$", capsys.readouterr().out.strip())


def test_a_video_is_watched_wherever_it_is_named(run, tmp_path, complaint):
    assert "expected a video, found no file at" in complaint("predict", "pets/vgg", str(tmp_path / "x.MP4"))


def test_programs_get_an_answer_for_each_second_of_a_video(run, tmp_path, capsys):
    file = str(tmp_path / "film.avi")
    writer = cv2.VideoWriter(file, cv2.VideoWriter.fourcc(*"MJPG"), 4, (64, 64))
    for number in range(10):
        writer.write(np.full((64, 64, 3), 20 * number, np.uint8))
    writer.release()
    assert main(["predict", "pets/vgg", file, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["pictures"] == 10
    assert [row["seconds"] for row in told["seconds"]] == [0, 1, 2]
    assert all(set(row["probabilities"]) == {"cars", "tanks"} for row in told["seconds"])


def test_a_picture_at_an_address_is_fetched_but_from_public_places_alone(
    run, site, pictures, complaint, capsys, monkeypatch
):
    monkeypatch.setattr(remote, "READERS", {})
    assert "is not a public address" in complaint("predict", "pets/vgg", f"{site}/cars/1.png")
    monkeypatch.setattr(named, "_fetch_addresses", partial(named._fetch_addresses, ["127.0.0.1/32"]))
    words = [f"{site}/cars/1.png?size=1", f"{site}/gone.png", str(pictures / "cars" / "1.png")]
    assert main(["predict", "pets/vgg", *words]) == 0
    fetched, gone, file = capsys.readouterr().out.splitlines()
    assert fetched.startswith(f"{site}/cars/1.png?size=1: ")
    assert gone == f"{site}/gone.png: unreadable, HTTP 404"
    assert fetched.rpartition("(")[2] == file.rpartition("(")[2]


def test_without_tensorflow_the_exported_file_of_a_run_answers(run, exported, monkeypatch, complaint):
    monkeypatch.setattr(extras, "is_installed", lambda module: False)
    assert "found none; run `toolkit export" in complaint("predict", "pets/vgg", "photo.jpg")
    folder = run.folder / "export"
    folder.mkdir()
    (folder / "float16.tflite").write_bytes((exported / "small.tflite").read_bytes())
    (folder / "export.json").write_text(f'{{"model": "{run.facts["sha256"]}"}}')
    assert isinstance(runtime.load("pets/vgg"), runtime.Artifact)


def test_where_a_model_was_looked_for_is_said_in_full(complaint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = complaint("predict", "nope.tflite", "photo.jpg")
    assert f"{tmp_path / 'nope.tflite'} or {paths.home() / 'models' / 'nope.tflite'}" in said
