"""A folder belongs to one run: the same one goes on in it, another one needs leave to replace it."""

import json

import pytest

from toolkit.core import runs
from toolkit.errors import BundleError

IDENTITY = {"seed": 7, "space": {"C": (0.1, 1.0)}, "schedule": {15: 0.1}}


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "run" / "run.json"
    runs.claim(file, IDENTITY, kind="search", overwrite=False)
    (file.parent / "result.csv").write_text("kept")
    return file


def test_the_same_run_keeps_what_it_wrote_into_its_folder(file):
    file.write_text(json.dumps(json.loads(file.read_text()) | {"accuracy": 0.9}))
    runs.claim(file, IDENTITY, kind="search", overwrite=True)
    assert json.loads(file.read_text())["accuracy"] == 0.9
    assert (file.parent / "result.csv").exists()


def test_what_has_changed_is_told_as_old_and_new():
    stored = {"config": {"epochs": 8, "seed": 7}, "manifest": "0a", "dataset": "pets"}
    now = {"config": {"epochs": 9, "seed": 7}, "manifest": "0a", "dataset": "pets"}
    assert runs.changes(stored, now) == "epochs 8 → 9"
    assert runs.changes(stored, {**now, "manifest": "0b"}) == "epochs 8 → 9; other pictures, labels or splits"
    assert runs.changes(stored, stored) == ""
    assert "kept" in runs.changes({"options": {"kept": 1}}, {"options": {}})


def test_a_run_of_another_identity_is_refused_and_replaced_only_if_allowed(file):
    with pytest.raises(BundleError, match="expected no search at .*run, got one with other settings .*--overwrite"):
        runs.claim(file, IDENTITY | {"seed": 8}, kind="search", overwrite=False)
    assert (file.parent / "result.csv").exists()
    runs.claim(file, IDENTITY | {"seed": 8}, kind="search", overwrite=True)
    assert json.loads(file.read_text())["seed"] == 8
    assert not (file.parent / "result.csv").exists()


def test_a_record_without_anything_beside_it_is_in_nobodys_way(file):
    (file.parent / "result.csv").unlink()
    (file.parent / "fold-1").mkdir()
    runs.check(file, IDENTITY | {"seed": 8}, kind="search", overwrite=False)
    assert json.loads(file.read_text())["seed"] == 7  # looking changes nothing
    runs.claim(file, IDENTITY | {"seed": 8}, kind="search", overwrite=False)
    assert json.loads(file.read_text())["seed"] == 8
    (file.parent / "fold-1").mkdir()
    (file.parent / "fold-1" / "history.csv").write_text("begun")
    with pytest.raises(BundleError, match="expected no search"):
        runs.check(file, IDENTITY, kind="search", overwrite=False)
