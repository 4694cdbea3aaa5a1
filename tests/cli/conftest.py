"""A home with a dataset and a run, and what a command says when it fails."""

import shutil

import pytest
from helpers import class_folders, judged, ready_dataset

from toolkit import bundle, paths
from toolkit.cli import main


@pytest.fixture
def pictures(tmp_path):
    """Class folders as people have them."""
    return class_folders(tmp_path / "pictures", per_class=16)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A home with a dataset and an evaluated run, made once."""
    home = tmp_path_factory.mktemp("made") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOOLKIT_HOME", str(home))
        table = ready_dataset(paths.dataset("pets"), per_class=10)
        judged(table, "vgg", root=str(table.root))
    return home


@pytest.fixture
def run(made):
    """The same run in the home of this test."""
    shutil.copytree(made, paths.home(), dirs_exist_ok=True)
    facts = paths.run("pets/vgg") / bundle.FACTS
    facts.write_text(facts.read_text().replace(str(made), str(paths.home())))
    return bundle.load("pets/vgg")


@pytest.fixture
def complaint(capsys):
    """The one line that a command prints on standard error when it fails."""

    def said(*words):
        capsys.readouterr()
        assert main(words) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("toolkit: ")
        assert captured.err.count("\n") == 1
        return captured.err

    return said
