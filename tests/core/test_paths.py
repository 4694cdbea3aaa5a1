"""Where things lie, and writing that is whole or not there."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import paths
from toolkit.errors import DatasetError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# Writing


def test_a_file_is_written_whole_with_its_folders(tmp_path):
    file = tmp_path / "new" / "deep" / "table.csv"
    assert paths.write(file, "a,é\n") == file
    assert file.read_bytes() == "a,é\n".encode()
    paths.write(file, b"\0\1")
    assert file.read_bytes() == b"\0\1"
    assert names(file.parent) == ["table.csv"]


def test_a_writer_that_raises_leaves_the_old_file_and_nothing_else(tmp_path):
    file = paths.write(tmp_path / "table.csv", "old")
    with pytest.raises(RuntimeError, match="on purpose"), paths.atomic_write(file) as temporary:
        temporary.write_text("half of the ne")
        raise RuntimeError("on purpose")
    assert file.read_text() == "old"
    assert names(tmp_path) == ["table.csv"]


def test_a_writer_that_writes_nothing_leaves_the_old_file(tmp_path):
    file = paths.write(tmp_path / "table.csv", "old")
    with pytest.raises(FileNotFoundError), paths.atomic_write(file):
        pass
    assert file.read_text() == "old"


def test_a_writer_that_is_killed_leaves_the_old_file(tmp_path):
    file = paths.write(tmp_path / "table.csv", "old")
    program = """
        import os, signal, sys
        from pathlib import Path
        from toolkit import paths

        with paths.atomic_write(Path(sys.argv[1])) as temporary:
            temporary.write_text("half of the ne")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program), file], check=False)
    assert done.returncode == -signal.SIGKILL
    assert file.read_text() == "old"
    assert [name for name in names(tmp_path) if not name.startswith(".")] == ["table.csv"]


def test_the_temporary_file_keeps_its_ending_and_is_hidden(tmp_path):
    with paths.atomic_write(tmp_path / "model.keras") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".keras" and temporary.name.startswith(".")
        temporary.touch()


# Labels


@pytest.mark.parametrize("label", ["cars", "old cars", "Škoda", "戦車", "a=b", "a.b", "console", "x" * 100])
def test_a_label_that_can_name_a_folder_is_given_back(label):
    assert paths.check_label(label) == label


@pytest.mark.parametrize(
    "label",
    ["", ".", "..", ".cars", "a/b", "a\\b", "/", "cars.", "cars ", " cars", "nul", "CON", "com1", "aux.old"]
    + ["a\nb", "a\0b", "a\x7fb", "a:b", 'a"b', "a*b", "a?b", "a|b", "<a>", "x" * 101, "é" * 51, "caf\udce9"],
)
def test_a_label_that_cannot_is_refused(label):
    with pytest.raises(DatasetError, match="choose"):
        paths.check_label(label)


@given(st.text(max_size=12))
def test_a_label_is_refused_or_names_one_folder(label):
    try:
        paths.check_label(label)
    except DatasetError:
        return
    assert Path("raw", label).parts == ("raw", label)


# Places


def test_home_is_where_the_environment_says_else_the_checkout(monkeypatch, tmp_path):
    assert paths.home() == tmp_path / "home"
    monkeypatch.delenv("TOOLKIT_HOME")
    assert paths.home() == Path(paths.__file__).resolve().parents[2]


def test_a_name_is_a_dataset_in_data_and_a_path_is_a_path(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pets").mkdir()
    assert paths.dataset("pets") == tmp_path / "home" / "data" / "pets"
    assert paths.dataset("some/pets") == tmp_path / "some" / "pets"
    assert paths.dataset(".") == tmp_path
    assert paths.dataset("..") == tmp_path.parent
    assert paths.dataset(tmp_path / "pets") == tmp_path / "pets"


def test_a_tilde_is_the_persons_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert paths.dataset("~/pets") == tmp_path / "pets"
    assert paths.run("~/runs/vgg") == tmp_path / "runs" / "vgg"


def test_a_run_is_found_by_name_with_or_without_models(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "home" / "models" / "pets" / "vgg"
    assert paths.run("pets/vgg") == paths.run("models/pets/vgg") == paths.run(place) == place
    (tmp_path / "mine").mkdir()
    assert paths.run("mine") == tmp_path / "mine"


def test_the_runs_of_a_dataset_lie_in_models_under_its_name(tmp_path):
    assert paths.models(tmp_path / "home" / "data" / "pets") == tmp_path / "home" / "models" / "pets"


def test_the_runs_of_a_dataset_elsewhere_lie_in_the_dataset(tmp_path):
    assert paths.models(tmp_path / "elsewhere" / "pets") == tmp_path / "elsewhere" / "pets" / "models"


def test_a_run_leads_back_to_its_dataset(tmp_path):
    for root in (tmp_path / "home" / "data" / "pets", tmp_path / "elsewhere" / "pets"):
        assert paths.dataset_of(paths.models(root) / "vgg") == root


def test_a_dataset_may_be_named_with_its_folder_and_not_with_nothing(tmp_path):
    assert paths.dataset("data/pets") == tmp_path / "home" / "data" / "pets"
    with pytest.raises(DatasetError, match="got nothing"):
        paths.dataset("")


def test_files_written_without_a_flush_are_flushed_together(tmp_path, monkeypatch):
    flushed, fsync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda number: flushed.append(number) or fsync(number))
    files = [paths.write(tmp_path / f"{number}.txt", "a", flush=False) for number in range(20)]
    assert flushed == []
    paths.fsync_all(files)
    assert len(flushed) == 20


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"XDG_CACHE_HOME": "/kept"}, "/kept"),
        ({"LOCALAPPDATA": "/local"}, "/local"),
        ({"XDG_CACHE_HOME": "/kept", "LOCALAPPDATA": "/local"}, "/kept"),
        ({}, "/users/ann/Library/Caches" if sys.platform == "darwin" else "/users/ann/.cache"),
    ],
)
def test_downloads_are_kept_where_this_system_keeps_them(monkeypatch, variables, folder):
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/users/ann")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert paths.cache() == Path(folder) / "image-classifier-toolkit"
